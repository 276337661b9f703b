/**
 * How loud each track is: volume, mute, solo, and the comparison with the original at equal loudness.
 *
 * @typedef {{name: string, isSource: boolean, volumeDb: number, isMuted: boolean, isSolo: boolean, lufs: ?number}} Strip
 * @typedef {{hearsSource: boolean, isMatched: boolean, addsUp: boolean}} Comparison
 */

/** @param {number} db */
export const amplitude = (db) => 10 ** (db / 20);

/**
 * Tells which tracks belong to the mix.
 * @param {Strip[]} strips
 * @returns {boolean[]}
 */
export function inMix(strips) {
  const anySolo = strips.some((strip) => strip.isSolo && !strip.isSource);
  return strips.map((strip) => !strip.isSource && (anySolo ? strip.isSolo : !strip.isMuted));
}

/**
 * Returns the linear gain of each track. Where the source itself is gone, the stems untouched stand for it.
 * @param {Strip[]} strips
 * @param {Comparison} comparison
 * @returns {number[]}
 */
export function trackGains(strips, comparison) {
  const heard = inMix(strips);
  const hasSource = strips.some((strip) => strip.isSource);
  const { mixDb, sourceDb } = comparison.isMatched ? trims(strips, comparison) : { mixDb: 0, sourceDb: 0 };
  return strips.map((strip, i) => {
    if (comparison.hearsSource) return strip.isSource || !hasSource ? amplitude(sourceDb) : 0;
    return heard[i] ? amplitude(strip.volumeDb + mixDb) : 0;
  });
}

/**
 * Returns the gains of the exported mix in dB, by name, without trims: what the sliders say.
 * @param {Strip[]} strips
 * @returns {Record<string, number>}
 */
export function mixGains(strips) {
  const heard = inMix(strips);
  return Object.fromEntries(strips.filter((_, i) => heard[i]).map((strip) => [strip.name, strip.volumeDb]));
}

/**
 * Returns by how many dB the mix and the source are turned down so that both are equally loud: the louder one is.
 * @param {Strip[]} strips
 * @param {Comparison} comparison
 */
export function trims(strips, { addsUp }) {
  const heard = inMix(strips);
  const stems = strips.filter((strip) => !strip.isSource);
  const source = strips.find((strip) => strip.isSource);
  const sourceLufs = source ? source.lufs : loudness(stems.map((strip) => strip.lufs));
  const isWhole =
    addsUp && heard.filter(Boolean).length === stems.length && stems.every((strip) => strip.volumeDb === 0);
  const inside = strips.filter((strip, i) => heard[i] && strip.lufs !== null);
  const mixLufs = isWhole ? sourceLufs : loudness(inside.map((strip) => strip.lufs + strip.volumeDb));
  if (sourceLufs === null || mixLufs === null) return { mixDb: 0, sourceDb: 0 };
  const louder = mixLufs - sourceLufs;
  return { mixDb: Math.min(0, -louder), sourceDb: Math.min(0, louder) };
}

/**
 * Returns the loudness in LUFS of sounds together, or null of silence. They are taken to be independent: powers add.
 * @param {(?number)[]} levels
 * @returns {?number}
 */
function loudness(levels) {
  const power = levels.reduce((sum, lufs) => sum + (lufs === null ? 0 : 10 ** (lufs / 10)), 0);
  return power > 0 ? 10 * Math.log10(power) : null;
}
