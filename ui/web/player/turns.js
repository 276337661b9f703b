/** One sound at a time on the whole page: who begins to play has the one before stop. */

/** @type {?{ player: any, stop: () => void }} */
let heard = null;

/**
 * To be called as a player begins.
 * @param {any} player
 * @param {() => void} stop  called when another begins; of one that has ended, it does nothing
 */
export function takeTurn(player, stop) {
  const before = heard;
  heard = { player, stop };
  if (before && before.player !== player) before.stop();
}

// What the browser's own players play, wherever they are on the page.
document.addEventListener('play', ({ target }) => takeTurn(target, () => target.pause()), true);
