/**
 * What a key means in the player.
 *
 * @typedef {{kind: string, value?: number}} Action
 */

const STEP_SECONDS = 5;
const SMALL_STEP_SECONDS = 1;
const LETTERS = { a: 'compare', l: 'loop', i: 'loopBegin', o: 'loopEnd' };

/**
 * Returns what is to be done at a key, or null where the key belongs to a control or to the browser.
 * @param {KeyboardEvent} event
 * @returns {?Action}
 */
export function keyAction(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return null;
  const target = /** @type {HTMLElement} */ (event.composedPath()[0]);
  const isRange = target.matches('input[type=range]');
  const isButton = target.matches('button, a, summary, input');
  const digit = /^Digit([1-9])$/.exec(event.code);
  if (digit) return { kind: event.shiftKey ? 'solo' : 'mute', value: Number(digit[1]) - 1 };
  if (event.key === ' ') return isButton ? null : { kind: 'toggle' };
  const letter = LETTERS[event.key.toLowerCase()];
  if (letter) return { kind: letter };
  if (isRange) return null;
  const step = event.shiftKey ? SMALL_STEP_SECONDS : STEP_SECONDS;
  if (event.key === 'ArrowLeft' || event.key === 'ArrowDown') return skip(event, target, -step);
  if (event.key === 'ArrowRight' || event.key === 'ArrowUp') return skip(event, target, step);
  if (event.key === 'Home') return { kind: 'seek', value: 0 };
  if (event.key === 'End') return { kind: 'seek', value: 1 };
  return null;
}

/** Up and Down scroll the page, but where the position itself has the focus. */
function skip(event, target, seconds) {
  const isVertical = event.key === 'ArrowUp' || event.key === 'ArrowDown';
  return isVertical && target.getAttribute('role') !== 'slider' ? null : { kind: 'skip', value: seconds };
}
