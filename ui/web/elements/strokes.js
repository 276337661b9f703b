/**
 * Strokes of the brush, and what they make of the model's mask.
 *
 * A mask m is the share of a cell that a stem gets; its logit is log(m / (1 - m)). A stroke adds to the logit (keep,
 * remove) or shrinks it (soften), so that the model is steered: where it was sure, more is needed to change its
 * mind. Where there is no stroke the mask stays the model's, to the bit.
 *
 * @typedef {'keep' | 'remove' | 'soften' | 'restore'} Brush
 * @typedef {{frame: number, row: number}} Point
 * @typedef {{brush: Brush, strength: number, isAlike: boolean, points?: Point[], radius?: {frames: number, rows: number},
 *     rectangle?: {from: number, to: number, low: number, high: number}}} Stroke  a rectangle is in frames and rows
 * @typedef {{from: number, to: number, weights: Float32Array}} Touched  frames, and 0 to 1 for each bin of each frame
 */

export const MOST_LOGIT = 7; // beyond, a mask counts as sure: 60 dB
const STRONGEST = 16; // what strokes can add up to
const SOLID = 0.5; // share of the brush's radius that has its full weight
const EDGE = 2; // frames and rows over which a rectangle fades in

/**
 * Returns which cells a stroke touches, and how much.
 * @param {Stroke} stroke
 * @param {number} nFrames
 * @param {import('./ear-rows.js').EarRows} rows
 * @returns {?Touched}  null where it is beside the picture
 */
export function touch(stroke, nFrames, rows) {
  const { points = [], radius, rectangle } = stroke;
  const reach = rectangle ? EDGE : radius.frames;
  const ends = rectangle ? [rectangle.from, rectangle.to] : points.map((point) => point.frame);
  const from = Math.max(0, Math.floor(Math.min(...ends) - reach));
  const to = Math.min(nFrames, Math.ceil(Math.max(...ends) + reach) + 1);
  if (!ends.length || to <= from) return null;
  const path = rectangle ? [] : dense(points, radius);
  const nBins = rows.rowOfBin.length;
  const weights = new Float32Array((to - from) * nBins);
  for (let frame = from; frame < to; frame++) {
    const near = path.filter((point) => Math.abs(point.frame - frame) < radius.frames);
    if (!rectangle && !near.length) continue;
    for (let bin = 0, at = (frame - from) * nBins; bin < nBins; bin++, at++) {
      const row = rows.rowOfBin[bin];
      weights[at] = rectangle ? inside(rectangle, frame, row) : closest(near, radius, frame, row);
    }
  }
  return { from, to, weights };
}

/** Puts points between those of a quick hand, half a radius apart. */
function dense(points, radius) {
  const path = [points[0]];
  for (let i = 1; i < points.length; i++) {
    const [a, b] = [points[i - 1], points[i]];
    const far = Math.hypot((b.frame - a.frame) / radius.frames, (b.row - a.row) / radius.rows);
    const n = Math.min(Math.ceil(3 * far), 500);
    for (let j = 1; j <= n; j++) {
      path.push({ frame: a.frame + ((b.frame - a.frame) * j) / n, row: a.row + ((b.row - a.row) * j) / n });
    }
  }
  return path;
}

function closest(points, radius, frame, row) {
  let least = 1;
  for (const point of points) {
    const [x, y] = [(point.frame - frame) / radius.frames, (point.row - row) / radius.rows];
    const square = x * x + y * y;
    if (square < least) least = square;
  }
  return smooth((1 - Math.sqrt(least)) / (1 - SOLID));
}

function inside({ from, to, low, high }, frame, row) {
  const across = Math.min(frame - from, to - frame) / EDGE;
  const up = Math.min(row - low, high - row) / EDGE;
  return smooth(across + 0.5) * smooth(up + 0.5);
}

/** Goes from 0 to 1 without a corner. */
function smooth(x) {
  const t = Math.min(Math.max(x, 0), 1);
  return t * t * (3 - 2 * t);
}

/** What all strokes together ask of the logit of one stem, by frame and bin. */
export class Steering {
  /**
   * @param {number} nFrames
   * @param {number} nBins
   */
  constructor(nFrames, nBins) {
    this.nBins = nBins;
    this.push = new Float32Array(nFrames * nBins); // is added
    this.softness = new Float32Array(nFrames * nBins); // 1 makes the logit nothing
  }

  /**
   * Adds a stroke.
   * @param {Touched} touched
   * @param {Brush} brush
   * @param {number} strength  what keeping adds to the logit at most
   * @param {number} sign  -1 where it is meant for the other stem
   */
  add({ from, weights }, brush, strength, sign) {
    const shift = from * this.nBins;
    const push = { keep: sign * strength, remove: -sign * strength, soften: 0, restore: 0 }[brush];
    for (let i = 0; i < weights.length; i++) {
      const weight = weights[i];
      if (!weight) continue;
      const at = shift + i;
      if (brush === 'restore') {
        this.push[at] *= 1 - weight;
        this.softness[at] *= 1 - weight;
      } else if (brush === 'soften') {
        this.softness[at] += weight * Math.min(strength / MOST_LOGIT, 1) * (1 - this.softness[at]);
      } else {
        this.push[at] = Math.min(Math.max(this.push[at] + weight * push, -STRONGEST), STRONGEST);
      }
    }
  }

  /** Forgets all strokes over some frames. */
  clear(from, to) {
    this.push.fill(0, from * this.nBins, to * this.nBins);
    this.softness.fill(0, from * this.nBins, to * this.nBins);
  }

  /** Returns the mask of a cell, given the model's. */
  steer(mask, at) {
    const push = this.push[at];
    const softness = this.softness[at];
    if (push === 0 && softness === 0) return mask;
    return 1 / (1 + Math.exp(-((1 - softness) * logit(mask) + push)));
  }
}

/** Returns the logit of a mask, within what counts as sure. */
export function logit(mask) {
  const value = Math.log(mask / (1 - mask));
  return Math.min(Math.max(value, -MOST_LOGIT), MOST_LOGIT);
}
