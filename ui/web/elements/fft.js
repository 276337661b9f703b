/** The discrete Fourier transform of complex numbers, for lengths that are powers of two (Cooley and Tukey 1965). */

export class Fft {
  #size;
  #cosines;
  #sines;
  #reversed;

  /** @param {number} size */
  constructor(size) {
    if (size < 2 || (size & (size - 1)) !== 0) throw new RangeError(`${size} is no power of two.`);
    this.#size = size;
    this.#cosines = Float64Array.from({ length: size / 2 }, (_, i) => Math.cos((2 * Math.PI * i) / size));
    this.#sines = Float64Array.from({ length: size / 2 }, (_, i) => -Math.sin((2 * Math.PI * i) / size));
    this.#reversed = new Uint32Array(size);
    const half = size / 2;
    for (let i = 1; i < size; i++) this.#reversed[i] = (this.#reversed[i >> 1] >> 1) | (i & 1 ? half : 0);
  }

  /**
   * Transforms in place: sum over n of x[n] exp(-2 pi i k n / size).
   * @param {Float64Array} re
   * @param {Float64Array} im
   */
  forward(re, im) {
    const size = this.#size;
    const reversed = this.#reversed;
    for (let i = 0; i < size; i++) {
      const j = reversed[i];
      if (j <= i) continue;
      const [a, b] = [re[i], im[i]];
      re[i] = re[j];
      im[i] = im[j];
      re[j] = a;
      im[j] = b;
    }
    for (let half = 1; half < size; half *= 2) this.#stage(re, im, half);
  }

  /** The inverse, divided by the length: real and imaginary parts change places. */
  inverse(re, im) {
    this.forward(im, re);
    const scale = 1 / this.#size;
    for (let i = 0; i < this.#size; i++) {
      re[i] *= scale;
      im[i] *= scale;
    }
  }

  #stage(re, im, half) {
    const size = this.#size;
    const cosines = this.#cosines;
    const sines = this.#sines;
    const step = size / (2 * half);
    for (let turn = 0, angle = 0; turn < half; turn++, angle += step) {
      const c = cosines[angle];
      const s = sines[angle];
      for (let i = turn; i < size; i += 2 * half) {
        const j = i + half;
        const x = c * re[j] - s * im[j];
        const y = c * im[j] + s * re[j];
        re[j] = re[i] - x;
        im[j] = im[i] - y;
        re[i] += x;
        im[i] += y;
      }
    }
  }
}
