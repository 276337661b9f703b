/**
 * Spreads a stroke to what belongs together with it: cells that a listener would take for the same sound (Bregman 1990,
 * "Auditory scene analysis": common harmony and common fate) and of which the model thinks alike.
 *
 * A cell of a painted frame is taken as far as
 *   agreement * (1 - (1 - harmonic) * (1 - together))
 * where `harmonic` says that it lies on a multiple of the pitch that fits what was painted, `together` that
 * it gets louder and softer at the same times, and `agreement` that the model's logit is like that under the brush.
 */

import { logit } from './strokes.js';

const HIGHEST_DIVISOR = 8; // of the painted partial: which harmonic it may be
const LOWEST_F0_HZ = 75;
const HIGHEST_PARTIAL_HZ = 8000;
const JUDGED_TO_HZ = 4000; // how far up a pitch is judged
const [NO_PITCH_DB, SURE_PITCH_DB] = [5, 13]; // how far partials stand out of what is between them
const WIDTH_BINS = 1.6; // of a partial, as a Hann window shows it
const LARGEST_STEP = 0.12; // of the pitch, from frame to frame
const AROUND = 8; // frames before and after, for what happens together
const FEWEST_FRAMES = 6;
const STEADY = 0.35; // 1.5 dB: what varies by less gives nothing to compare
const [UNLIKE, LIKE] = [0.7, 0.95]; // correlations of levels
const OPINION = 2.5; // how far logits may differ
const SPREAD = 0.9; // of the stroke's weight
const LEAST = 0.02;
const FLOOR = 1e-9;

/**
 * @param {import('./strokes.js').Touched} touched
 * @param {{nFrames: number, nBins: number, binHz: number, power: (frame: number) => Float32Array,
 *     maskOf: (frame: number, bin: number) => number}} sound  power and the model's mask, both channels together
 * @returns {import('./strokes.js').Touched}
 */
export function spread(touched, sound) {
  const { from, to, weights } = touched;
  const { nBins } = sound;
  const powers = Array.from({ length: to - from }, (_, i) => sound.power(from + i));
  const painted = powers.map((power, i) => strongest(power, weights.subarray(i * nBins, (i + 1) * nBins)));
  const pitch = followPitch(powers, painted, sound.binHz);
  const together = commonFate(touched, sound);
  const opinion = opinionUnder(touched, powers, sound);
  const wider = Float32Array.from(weights);
  for (let i = 0; i < powers.length; i++) {
    const most = painted[i].weight;
    if (!most) continue;
    const f0 = pitch.f0[i];
    for (let bin = 1; bin < nBins; bin++) {
      const harmonic = f0 ? pitch.certainty * onPartial(bin, f0, sound.binHz) : 0;
      const belongs = 1 - (1 - harmonic) * (1 - together[bin]);
      if (belongs < LEAST) continue;
      const apart = (logit(sound.maskOf(from + i, bin)) - opinion) / OPINION;
      const weight = SPREAD * most * belongs * Math.exp(-0.5 * apart * apart);
      const at = i * nBins + bin;
      if (weight > LEAST && weight > wider[at]) wider[at] = weight;
    }
  }
  return { from, to, weights: wider };
}

/** Returns the strongest partial under the brush in a frame, between bins, and the brush's weight in the frame. */
function strongest(power, weights) {
  let [bin, best, weight] = [0, 0, 0];
  for (let i = 1; i + 1 < power.length; i++) {
    if (weights[i] > weight) weight = weights[i];
    const heard = weights[i] * power[i];
    if (heard > best) [bin, best] = [i, heard];
  }
  return { place: bin ? bin + offset(power, bin) : 0, weight };
}

/** Returns where the peak lies between bins: the top of the parabola through three levels. */
function offset(power, bin) {
  const [a, b, c] = [-1, 0, 1].map((step) => Math.log(power[bin + step] + FLOOR));
  const bend = a - 2 * b + c;
  return bend < 0 ? Math.min(Math.max((a - c) / (2 * bend), -0.5), 0.5) : 0;
}

/** Returns the fundamental in bins of each frame (0: none), and how certain it is that there is a pitch. */
function followPitch(powers, painted, binHz) {
  const places = painted.map(({ place }) => place);
  let [best, divisor] = [-Infinity, 1];
  for (let d = 1; d <= HIGHEST_DIVISOR; d++) {
    const clear = mean(places.map((place, i) => standsOut(powers[i], place / d, binHz)).filter((db) => db !== null));
    if (clear > best) [best, divisor] = [clear, d];
  }
  let f0 = median(places.filter((place) => place > 0)) / divisor;
  const found = places.map((place) => {
    if (!place || !f0) return 0;
    const near = place / Math.max(Math.round(place / f0), 1);
    if (Math.abs(near / f0 - 1) > LARGEST_STEP) return 0;
    f0 = near;
    return f0;
  });
  return { f0: found, certainty: between(best, NO_PITCH_DB, SURE_PITCH_DB) };
}

/** Returns by how many dB the partials of a fundamental stand out of the gaps; null where it is too low to tell. */
function standsOut(power, f0, binHz) {
  if (f0 * binHz < LOWEST_F0_HZ) return null;
  const differences = [];
  for (let n = 1; n * f0 * binHz < JUDGED_TO_HZ && (n + 0.5) * f0 < power.length - 2; n++) {
    const at = Math.round(n * f0);
    const peak = Math.max(power[at - 1], power[at], power[at + 1]);
    const gap = Math.min(power[Math.round((n - 0.5) * f0)], power[Math.round((n + 0.5) * f0)]);
    differences.push(between(10 * Math.log10((peak + FLOOR) / (gap + FLOOR)), 0, 30) * 30);
  }
  return differences.length ? mean(differences) : null;
}

function onPartial(bin, f0, binHz) {
  if (bin * binHz > HIGHEST_PARTIAL_HZ) return 0;
  const number = Math.max(Math.round(bin / f0), 1);
  const apart = (bin - number * f0) / WIDTH_BINS;
  return Math.exp(-0.5 * apart * apart);
}

/** Returns for each bin how much its level goes up and down with that of what was painted. */
function commonFate({ from, to, weights }, { nFrames, nBins, power }) {
  const together = new Float32Array(nBins);
  const [first, last] = [Math.max(from - AROUND, 0), Math.min(to + AROUND, nFrames)];
  const brush = new Float32Array(nBins);
  for (let i = 0; i < weights.length; i++) brush[i % nBins] = Math.max(brush[i % nBins], weights[i]);
  const n = last - first;
  if (n < FEWEST_FRAMES) return together;
  const levels = Array.from({ length: n }, (_, i) => power(first + i));
  const reference = levels.map((frame) => {
    let sum = FLOOR;
    for (let bin = 0; bin < nBins; bin++) sum += brush[bin] * frame[bin];
    return Math.log(sum);
  });
  const usual = mean(reference);
  if (mean(reference.map((level) => (level - usual) ** 2)) < STEADY ** 2) return together; // nothing happens here
  const series = new Float64Array(n);
  for (let bin = 1; bin + 1 < nBins; bin++) {
    for (let i = 0; i < n; i++) series[i] = Math.log(levels[i][bin - 1] + levels[i][bin] + levels[i][bin + 1] + FLOOR);
    together[bin] = between(correlation(reference, series), UNLIKE, LIKE);
  }
  return together;
}

/** Returns the logit of the model under the brush, the loud cells counting most. */
function opinionUnder({ from, weights }, powers, { nBins, maskOf }) {
  let [sum, total] = [0, 0];
  for (let i = 0; i < powers.length; i++) {
    for (let bin = 0; bin < nBins; bin++) {
      const weight = weights[i * nBins + bin] * powers[i][bin];
      if (weight) [sum, total] = [sum + weight * logit(maskOf(from + i, bin)), total + weight];
    }
  }
  return total ? sum / total : 0;
}

function correlation(a, b) {
  const [meanA, meanB] = [mean(a), mean(b)];
  let [both, ofA, ofB] = [0, 0, 0];
  for (let i = 0; i < b.length; i++) {
    const [x, y] = [a[i] - meanA, b[i] - meanB];
    both += x * y;
    ofA += x * x;
    ofB += y * y;
  }
  return both / Math.sqrt(ofA * ofB + FLOOR);
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / Math.max(values.length, 1);
const between = (value, low, high) => Math.min(Math.max((value - low) / (high - low), 0), 1);

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.length ? sorted[sorted.length >> 1] : 0;
}
