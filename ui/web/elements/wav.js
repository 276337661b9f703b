/** Sound as a file. */

const HEADER_BYTES = 44;
const SAMPLE_BYTES = 3;
const FULL_SCALE = 2 ** 23;

/**
 * Returns mono samples as a WAV file of 24 bits; what is beyond full scale is cut off there.
 * @param {Float32Array} samples
 * @param {number} rate  in Hz
 * @returns {Blob}
 */
export function encodeWav(samples, rate) {
  const bytes = new Uint8Array(HEADER_BYTES + SAMPLE_BYTES * samples.length);
  const view = new DataView(bytes.buffer);
  const write = (at, text) => [...text].forEach((letter, index) => view.setUint8(at + index, letter.charCodeAt(0)));
  write(0, 'RIFF');
  view.setUint32(4, bytes.length - 8, true);
  write(8, 'WAVEfmt ');
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, 1, true); // channel
  view.setUint32(24, rate, true);
  view.setUint32(28, rate * SAMPLE_BYTES, true);
  view.setUint16(32, SAMPLE_BYTES, true);
  view.setUint16(34, 8 * SAMPLE_BYTES, true);
  write(36, 'data');
  view.setUint32(40, SAMPLE_BYTES * samples.length, true);
  samples.forEach((sample, index) => {
    const value = Math.max(-FULL_SCALE, Math.min(FULL_SCALE - 1, Math.round(sample * FULL_SCALE)));
    const at = HEADER_BYTES + SAMPLE_BYTES * index;
    bytes[at] = value & 255;
    bytes[at + 1] = (value >> 8) & 255;
    bytes[at + 2] = (value >> 16) & 255;
  });
  return new Blob([bytes], { type: 'audio/wav' });
}
