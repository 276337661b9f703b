/**
 * The rows of a spectrogram's picture, the lowest first: as wide as the ear's own bands, so that fundamentals have room.
 *
 * Glasberg and Moore 1990, "Derivation of auditory filter shapes from notched-noise data", equation 4: the number of
 * equivalent rectangular bandwidths (ERB) below a frequency.
 */

const LOWEST_HZ = 40;

const erbs = (hz) => 21.4 * Math.log10(1 + 0.00437 * hz);
const hzOfErbs = (value) => (10 ** (value / 21.4) - 1) / 0.00437;

export class EarRows {
  #low;
  #high;

  /**
   * @param {number} n
   * @param {number} nBins
   * @param {number} binHz
   */
  constructor(n, nBins, binHz) {
    this.n = n;
    this.#low = erbs(LOWEST_HZ);
    this.#high = erbs((nBins - 1) * binHz);
    this.rowOfBin = Float32Array.from({ length: nBins }, (_, bin) => this.rowOf(bin * binHz));
    this.binsOfRow = Array.from({ length: n }, (_, row) => {
      const first = Math.min(Math.round(this.hzOf(row) / binHz), nBins - 1);
      return [first, Math.max(first + 1, Math.min(Math.round(this.hzOf(row + 1) / binHz), nBins))];
    });
  }

  /** Returns the place of a frequency: 0 at the bottom, `n` at the top. */
  rowOf(hz) {
    return (this.n * (erbs(hz) - this.#low)) / (this.#high - this.#low);
  }

  /** Returns the frequency at a place. */
  hzOf(row) {
    return hzOfErbs(this.#low + (row / this.n) * (this.#high - this.#low));
  }
}
