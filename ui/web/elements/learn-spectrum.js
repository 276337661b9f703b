/** Spectra of sounds, made by the browser: the window of the first lesson. */

import { Fft } from './fft.js';

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
  const [window, fft, nBins] = [hann(size), new Fft(size), size / 2 + 1];
  const levels = new Float32Array(nFrames * nBins);
  for (let frame = 0; frame < nFrames; frame++) {
    const centre = Math.round(((frame + 0.5) / nFrames) * samples.length);
    const { re, im } = spectrumAt(samples, centre - size / 2, window, fft);
    for (let bin = 0; bin < nBins; bin++) levels[frame * nBins + bin] = (Math.hypot(re[bin], im[bin]) * 4) / size;
  }
  return { levels, nBins };
}

function spectrumAt(samples, begin, window, fft) {
  const [re, im] = [new Float64Array(window.length), new Float64Array(window.length)];
  for (let i = 0; i < window.length; i++) re[i] = (samples[begin + i] ?? 0) * window[i];
  fft.forward(re, im);
  return { re, im };
}

/**
 * Returns sound with the magnitudes of another one and phases by chance: what a picture of it keeps.
 * @param {Float32Array} samples
 * @param {number} size  of a window, 2^k samples
 */
export function fromLevelsAlone(samples, size) {
  const [window, fft, hop] = [hann(size), new Fft(size), size / 4];
  const sound = new Float64Array(samples.length);
  const chance = chanceFrom(1);
  for (let begin = -size + hop; begin < samples.length; begin += hop) {
    const { re, im } = spectrumAt(samples, begin, window, fft);
    for (let bin = 0; bin <= size / 2; bin++) {
      const [level, angle] = [Math.hypot(re[bin], im[bin]), 2 * Math.PI * chance()];
      re[bin] = level * Math.cos(angle);
      im[bin] = bin % (size / 2) ? level * Math.sin(angle) : 0;
      if (bin && bin < size / 2) [re[size - bin], im[size - bin]] = [re[bin], -im[bin]];
    }
    fft.forward(re, im); // of a spectrum with conjugates, the transform is the inverse, turned round in time
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
