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
 * Returns the linear gain of each track.
 * @param {Strip[]} strips
 * @param {Comparison} comparison
 * @returns {number[]}
 */
export function trackGains(strips, comparison) {
  const heard = inMix(strips);
  const { mixDb, sourceDb } = comparison.isMatched ? trims(strips, comparison) : { mixDb: 0, sourceDb: 0 };
  return strips.map((strip, i) => {
    if (strip.isSource) return comparison.hearsSource ? amplitude(sourceDb) : 0;
    return heard[i] && !comparison.hearsSource ? amplitude(strip.volumeDb + mixDb) : 0;
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
  const source = strips.find((strip) => strip.isSource);
  const mixLufs = loudnessOfMix(strips, source, addsUp);
  if (source?.lufs == null || mixLufs === null) return { mixDb: 0, sourceDb: 0 };
  const louder = mixLufs - source.lufs;
  return { mixDb: Math.min(0, -louder), sourceDb: Math.min(0, louder) };
}

/**
 * Returns the loudness of the mix in LUFS, or null of silence. The stems of a mix are taken to be independent, so
 * that their powers add; all of them untouched are the source, where they add up to it.
 */
function loudnessOfMix(strips, source, addsUp) {
  const heard = inMix(strips);
  const stems = strips.filter((strip) => !strip.isSource);
  const isWhole = addsUp && stems.every((strip) => strip.volumeDb === 0) && heard.filter(Boolean).length === stems.length;
  if (isWhole && source?.lufs != null) return source.lufs;
  const power = strips
    .filter((strip, i) => heard[i] && strip.lufs != null)
    .reduce((sum, strip) => sum + 10 ** ((strip.lufs + strip.volumeDb) / 10), 0);
  return power > 0 ? 10 * Math.log10(power) : null;
}
