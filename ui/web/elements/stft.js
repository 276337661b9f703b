/**
 * The short-time Fourier transform of a stereo clip and its inverse, with the frames of the separation engine: Hann
 * windows a quarter apart, before and after, whose squares sum to 3/2.
 *
 * Two real channels go through one complex transform: left is its real part, right its imaginary one.
 */

import { Fft } from './fft.js';

const SYNTHESIS_GAIN = 2 / 3;
const OVERLAP = 4;

/**
 * @typedef {{n_fft: number, hop: number, first_sample: number, n_frames: number}} Transform
 * @typedef {{re: Float32Array, im: Float32Array}} Channel  frames after one another, each n_fft / 2 + 1 bins
 */
export class Stft {
  #fft;
  #window;
  #re;
  #im;

  /**
   * @param {Transform} transform
   * @param {Float32Array[]} channels  left and right
   */
  constructor(transform, channels) {
    this.transform = transform;
    this.nSamples = channels[0].length;
    this.nBins = transform.n_fft / 2 + 1;
    this.nFrames = transform.n_frames;
    this.#fft = new Fft(transform.n_fft);
    this.#window = Float64Array.from(
      { length: transform.n_fft },
      (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / transform.n_fft),
    );
    this.#re = new Float64Array(transform.n_fft);
    this.#im = new Float64Array(transform.n_fft);
    /** @type {Channel[]} */
    this.spectra = [0, 1].map(() => ({
      re: new Float32Array(this.nFrames * this.nBins),
      im: new Float32Array(this.nFrames * this.nBins),
    }));
    for (let frame = 0; frame < this.nFrames; frame++) this.#analyse(frame, channels);
  }

  /** The first sample under a frame; it may lie before the clip. */
  startOf(frame) {
    return this.transform.first_sample + frame * this.transform.hop;
  }

  #analyse(frame, [left, right]) {
    const { n_fft: size } = this.transform;
    const start = this.startOf(frame);
    for (let i = 0; i < size; i++) {
      const at = start + i;
      const isInside = at >= 0 && at < this.nSamples;
      this.#re[i] = isInside ? this.#window[i] * left[at] : 0;
      this.#im[i] = isInside ? this.#window[i] * right[at] : 0;
    }
    this.#fft.forward(this.#re, this.#im);
    const [first, second] = this.spectra;
    for (let bin = 0, at = frame * this.nBins; bin < this.nBins; bin++, at++) {
      const mirror = (size - bin) % size;
      const [a, b, c, d] = [this.#re[bin], this.#im[bin], this.#re[mirror], this.#im[mirror]];
      first.re[at] = (a + c) / 2;
      first.im[at] = (b - d) / 2;
      second.re[at] = (b + d) / 2;
      second.im[at] = (c - a) / 2;
    }
  }

  /**
   * Returns the sound around some frames, with the spectrum multiplied by gains: all samples that those frames touch.
   * @param {number} from  the first frame
   * @param {number} to  the frame after the last
   * @param {(frame: number) => Float32Array[]} gainsOf  the gains of a frame's bins, left and right
   * @returns {{start: number, channels: Float32Array[]}}
   */
  synthesise(from, to, gainsOf) {
    const { n_fft: size } = this.transform;
    const [begin, end] = [this.startOf(from), this.startOf(to - 1) + size];
    const start = Math.max(begin, 0);
    const n = Math.max(Math.min(end, this.nSamples) - start, 0);
    const sums = [new Float64Array(n), new Float64Array(n)];
    const reach = OVERLAP - 1;
    for (let frame = Math.max(from - reach, 0); frame < Math.min(to + reach, this.nFrames); frame++) {
      this.#weigh(frame, gainsOf(frame));
      this.#fft.inverse(this.#re, this.#im);
      const shift = this.startOf(frame) - start;
      for (let i = Math.max(0, -shift); i < Math.min(size, n - shift); i++) {
        const gain = SYNTHESIS_GAIN * this.#window[i];
        sums[0][i + shift] += gain * this.#re[i];
        sums[1][i + shift] += gain * this.#im[i];
      }
    }
    return { start, channels: sums.map((sum) => Float32Array.from(sum)) };
  }

  /** Puts a frame's spectrum times gains together for the inverse. */
  #weigh(frame, [leftGains, rightGains]) {
    const { n_fft: size } = this.transform;
    const [first, second] = this.spectra;
    for (let bin = 0, at = frame * this.nBins; bin < this.nBins; bin++, at++) {
      const [a, b] = [leftGains[bin] * first.re[at], leftGains[bin] * first.im[at]];
      const [c, d] = [rightGains[bin] * second.re[at], rightGains[bin] * second.im[at]];
      const mirror = (size - bin) % size;
      this.#re[mirror] = a + d;
      this.#im[mirror] = c - b;
      this.#re[bin] = a - d;
      this.#im[bin] = b + c;
    }
  }
}
