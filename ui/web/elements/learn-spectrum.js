/** Spectra of sounds, made by the browser: the window of the first lesson. */

/**
 * Replaces complex numbers by their discrete Fourier transform (Cooley and Tukey 1965, in place, radix 2).
 * @param {Float64Array} re  of 2^k numbers
 * @param {Float64Array} im
 */
export function transform(re, im) {
  const n = re.length;
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [re[i], re[j]] = [re[j], re[i]];
      [im[i], im[j]] = [im[j], im[i]];
    }
  }
  for (let size = 2; size <= n; size <<= 1) {
    const half = size >> 1;
    for (let k = 0; k < half; k++) {
      const [c, s] = [Math.cos((-2 * Math.PI * k) / size), Math.sin((-2 * Math.PI * k) / size)];
      for (let a = k; a < n; a += size) {
        const b = a + half;
        const [x, y] = [re[b] * c - im[b] * s, re[b] * s + im[b] * c];
        [re[b], im[b]] = [re[a] - x, im[a] - y];
        re[a] += x;
        im[a] += y;
      }
    }
  }
}

/** Returns a Hann window, whose copies a quarter of it apart sum to one number. */
function hann(size) {
  return Float64Array.from({ length: size }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / size));
}

/**
 * Returns the magnitudes of windows around evenly spread moments; a tone of amplitude 1 has the magnitude 1.
 * @param {Float32Array} samples
 * @param {number} size  of a window, 2^k samples
 * @param {number} nFrames
 * @returns {{ levels: Float32Array, nBins: number }}  [frames][size / 2 + 1]
 */
export function spectra(samples, size, nFrames) {
  const [window, nBins] = [hann(size), size / 2 + 1];
  const levels = new Float32Array(nFrames * nBins);
  for (let frame = 0; frame < nFrames; frame++) {
    const centre = Math.round(((frame + 0.5) / nFrames) * samples.length);
    const { re, im } = spectrumAt(samples, centre - size / 2, window);
    for (let bin = 0; bin < nBins; bin++) levels[frame * nBins + bin] = (Math.hypot(re[bin], im[bin]) * 4) / size;
  }
  return { levels, nBins };
}

function spectrumAt(samples, begin, window) {
  const [re, im] = [new Float64Array(window.length), new Float64Array(window.length)];
  for (let i = 0; i < window.length; i++) re[i] = (samples[begin + i] ?? 0) * window[i];
  transform(re, im);
  return { re, im };
}

/**
 * Returns sound with the magnitudes of another one and phases by chance: what a picture of it keeps.
 * @param {Float32Array} samples
 * @param {number} size  of a window, 2^k samples
 */
export function fromLevelsAlone(samples, size) {
  const [window, hop] = [hann(size), size / 4];
  const sound = new Float64Array(samples.length);
  const chance = chanceFrom(1);
  for (let begin = -size + hop; begin < samples.length; begin += hop) {
    const { re, im } = spectrumAt(samples, begin, window);
    for (let bin = 0; bin <= size / 2; bin++) {
      const [level, angle] = [Math.hypot(re[bin], im[bin]), 2 * Math.PI * chance()];
      re[bin] = level * Math.cos(angle);
      im[bin] = bin % (size / 2) ? level * Math.sin(angle) : 0;
      if (bin && bin < size / 2) [re[size - bin], im[size - bin]] = [re[bin], -im[bin]];
    }
    transform(re, im); // of a spectrum with conjugates, the transform is the inverse, turned round in time
    for (let i = 0; i < size; i++) {
      const place = begin + i;
      if (place >= 0 && place < sound.length) sound[place] += (re[(size - i) % size] / size) * window[i];
    }
  }
  return Float32Array.from(sound, (value) => value / 1.5); // windows squared, a quarter apart, sum to 1.5
}

/** Returns a source of numbers from 0 to 1, the same each time (Park and Miller 1988). */
export function chanceFrom(seed) {
  let state = seed;
  return () => (state = (state * 48271) % 2147483647) / 2147483647;
}
