/**
 * A clip that is painted on: the model's masks, the strokes on them, and the sound that comes of both.
 *
 * It knows nothing of the page, and is at home in a worker. There are two stems whose masks sum to one, so what is removed
 * from one is the other.
 */

import { spread } from './alike.js';
import { EarRows } from './ear-rows.js';
import { Steering, touch } from './strokes.js';
import { Stft } from './stft.js';

const N_ROWS = 288; // of the picture
const RANGE_DB = 90; // from black to white
const FLOOR = 1e-12;
const MOST_PUSH = 8; // that a picture of the strokes tells apart

/**
 * @typedef {{channels: Float32Array[], sampleRate: number, transform: any, masks: Uint16Array, full: number,
 *     nMaskBins: number, truth: ?Float32Array[][]}} Given  of `truth` the true stems, where they are known
 * @typedef {{start: number, channels: Float32Array[]}} Piece
 * @typedef {{stroke: import('./strokes.js').Stroke, sign: number, touched: import('./strokes.js').Touched}} Done
 */
export class Painting {
  /** @type {Done[]} */
  #done = [];
  /** @type {Done[]} */
  #undone = [];
  #gains;
  #given;
  #stem = 0;

  /** @param {Given} given */
  constructor(given) {
    this.#given = given;
    this.stft = new Stft(given.transform, given.channels);
    const { nFrames, nBins } = this.stft;
    this.binHz = given.sampleRate / given.transform.n_fft;
    this.rows = new EarRows(N_ROWS, nBins, this.binHz);
    this.masks = this.#whole();
    this.steering = new Steering(nFrames, nBins);
    this.#gains = [new Float32Array(nBins), new Float32Array(nBins)];
    this.result = given.channels.map((samples) => new Float32Array(samples.length));
    this.removed = given.channels.map((samples) => new Float32Array(samples.length));
    this.levels = this.#drawLevels();
  }

  get nStrokes() {
    return this.#done.length;
  }

  get nUndone() {
    return this.#undone.length;
  }

  /** Chooses whose mask is steered; all is to be heard anew. */
  choose(stem) {
    this.#stem = stem;
    return { from: 0, to: this.stft.nFrames };
  }

  /**
   * Adds a stroke; returns the frames that changed, or null.
   * @param {import('./strokes.js').Stroke} stroke
   */
  paint(stroke) {
    let touched = touch(stroke, this.stft.nFrames, this.rows);
    if (!touched) return null;
    if (stroke.isAlike) touched = spread(touched, this.#sound());
    const done = { stroke, sign: this.#stem === 0 ? 1 : -1, touched };
    this.#undone = [];
    return this.#add(done);
  }

  undo() {
    const last = this.#done.pop();
    if (!last) return null;
    this.#undone.push(last);
    const { from, to } = last.touched;
    const old = this.#done;
    this.steering = new Steering(this.stft.nFrames, this.stft.nBins);
    this.#done = [];
    old.forEach((done) => this.#add(done));
    return { from, to };
  }

  redo() {
    const next = this.#undone.pop();
    return next ? this.#add(next) : null;
  }

  /** Takes all strokes away; they can be had back by `redo`. */
  reset() {
    if (!this.#done.length) return null;
    this.#undone = [...this.#undone, ...this.#done.reverse()];
    this.#done = [];
    this.steering.clear(0, this.stft.nFrames);
    return { from: 0, to: this.stft.nFrames };
  }

  #add(done) {
    const { stroke, sign, touched } = done;
    this.#done.push(done);
    this.steering.add(touched, stroke.brush, stroke.strength, sign);
    return { from: touched.from, to: touched.to };
  }

  /**
   * Makes the stem anew around some frames; returns the samples that changed.
   * @returns {Piece}
   */
  makeResult({ from, to }) {
    const piece = this.stft.synthesise(from, to, (frame) => this.#gainsOf(frame, this.#stem));
    piece.channels.forEach((samples, c) => this.result[c].set(samples, piece.start));
    return piece;
  }

  /** Makes what is not in the stem, by an inverse transform of its own: so that their sum proves something. */
  makeRemoved({ from, to }) {
    const piece = this.stft.synthesise(from, to, (frame) => this.#gainsOf(frame, 1 - this.#stem));
    piece.channels.forEach((samples, c) => this.removed[c].set(samples, piece.start));
    return piece;
  }

  /** Returns how far result and rest are from the clip, and the result from the true stem where that is known, in dB. */
  measure() {
    const { channels, truth } = this.#given;
    let [left, all] = [0, 0];
    channels.forEach((clip, c) => {
      for (let i = 0; i < clip.length; i++) {
        const rest = clip[i] - this.result[c][i] - this.removed[c][i];
        left += rest * rest;
        all += clip[i] * clip[i];
      }
    });
    const sdrDb = truth ? distance(truth[this.#stem], this.result) : null;
    return { nullDb: 10 * Math.log10((left + 1e-30) / (all + 1e-30)), sdrDb };
  }

  /** Returns the mask of the chosen stem as it is drawn, 0 to 255, and the strokes, of some frames: rows first. */
  drawMask({ from, to }) {
    const { nBins } = this.stft;
    const [mask, strokes] = [0, 1].map(() => new Uint8Array((to - from) * N_ROWS));
    for (let frame = from; frame < to; frame++) {
      const power = this.powerOf(frame);
      const [left, right] = this.#gainsOf(frame, this.#stem);
      for (let row = 0, at = (frame - from) * N_ROWS; row < N_ROWS; row++, at++) {
        const [first, end] = this.rows.binsOfRow[row];
        let [kept, total, push] = [0, 0, 0];
        for (let bin = first; bin < end; bin++) {
          const weight = power[bin] + FLOOR;
          kept += (weight * (left[bin] + right[bin])) / 2;
          total += weight;
          push += this.steering.push[frame * nBins + bin] / (end - first);
        }
        mask[at] = Math.round((255 * kept) / total);
        const seen = (this.#stem === 0 ? push : -push) / MOST_PUSH;
        strokes[at] = Math.round(127.5 + 127.5 * Math.min(Math.max(seen, -1), 1));
      }
    }
    return { mask, strokes };
  }

  /** Returns the power of a frame, both channels together. */
  powerOf(frame) {
    const { nBins, spectra } = this.stft;
    const power = new Float32Array(nBins);
    for (const { re, im } of spectra) {
      for (let bin = 0, at = frame * nBins; bin < nBins; bin++, at++) {
        power[bin] += (re[at] * re[at] + im[at] * im[at]) / 2;
      }
    }
    return power;
  }

  #sound() {
    const { nFrames, nBins } = this.stft;
    const [left, right] = this.masks;
    const maskOf = (frame, bin) => (left[frame * nBins + bin] + right[frame * nBins + bin]) / 2;
    return { nFrames, nBins, binHz: this.binHz, power: (frame) => this.powerOf(frame), maskOf };
  }

  #gainsOf(frame, stem) {
    const { nBins } = this.stft;
    this.#gains.forEach((gains, c) => {
      const mask = this.masks[c];
      for (let bin = 0, at = frame * nBins; bin < nBins; bin++, at++) {
        const steered = this.steering.steer(mask[at], at);
        gains[bin] = stem === 0 ? steered : 1 - steered;
      }
    });
    return this.#gains;
  }

  /** Returns the model's masks with the bins that the networks do not see: there, the mean of those below. */
  #whole() {
    const { masks, full, nMaskBins } = this.#given;
    const { nFrames, nBins } = this.stft;
    return [0, 1].map((c) => {
      const whole = new Float32Array(nFrames * nBins);
      for (let frame = 0; frame < nFrames; frame++) {
        const [from, to] = [(c * nFrames + frame) * nMaskBins, frame * nBins];
        let sum = 0;
        for (let bin = 0; bin < nMaskBins; bin++) {
          whole[to + bin] = masks[from + bin] / full;
          sum += whole[to + bin];
        }
        whole.fill(sum / nMaskBins, to + nMaskBins, to + nBins);
      }
      return whole;
    });
  }

  /** Returns the level of each cell of the picture, 255 where it is loudest. */
  #drawLevels() {
    const { nFrames } = this.stft;
    const powers = new Float32Array(nFrames * N_ROWS);
    let top = FLOOR;
    for (let frame = 0; frame < nFrames; frame++) {
      const power = this.powerOf(frame);
      for (let row = 0, at = frame * N_ROWS; row < N_ROWS; row++, at++) {
        const [first, end] = this.rows.binsOfRow[row];
        for (let bin = first; bin < end; bin++) powers[at] = Math.max(powers[at], power[bin]);
        top = Math.max(top, powers[at]);
      }
    }
    return Uint8Array.from(powers, (power) => 255 * Math.max(0, 1 + (10 * Math.log10(power / top + FLOOR)) / RANGE_DB));
  }
}

/** Returns the signal-to-distortion ratio in dB, over both channels. */
function distance(truth, found) {
  let [signal, error] = [0, 0];
  truth.forEach((samples, c) => {
    for (let i = 0; i < samples.length; i++) {
      signal += samples[i] * samples[i];
      error += (samples[i] - found[c][i]) ** 2;
    }
  });
  return 10 * Math.log10((signal + 1e-30) / (error + 1e-30));
}
