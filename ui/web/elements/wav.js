/** Sound as a WAV file: RIFF, with the chunks fmt, fact and data. */

const HEADER_BYTES = 58;
const [PCM, FLOAT] = [1, 3]; // the codes of the formats
const FULL_SCALE = 2 ** 23;

/**
 * Returns sound as a file of 24 bits, in which what is beyond full scale is cut off there, or of 32-bit floats.
 * @param {Float32Array[]} channels
 * @param {number} rate  in Hz
 * @param {boolean} [isFloat]
 * @returns {Blob}
 */
export function wavFile(channels, rate, isFloat = false) {
  const [nChannels, n, sampleBytes] = [channels.length, channels[0].length, isFloat ? 4 : 3];
  const nBytes = sampleBytes * nChannels * n;
  const view = new DataView(new ArrayBuffer(HEADER_BYTES + nBytes + (nBytes % 2)));
  let at = 0;
  const tag = (text) => [...text].forEach((letter) => view.setUint8(at++, letter.charCodeAt(0)));
  const put32 = (value) => view.setUint32((at += 4) - 4, value, true);
  const put16 = (value) => view.setUint16((at += 2) - 2, value, true);
  tag('RIFF');
  put32(view.byteLength - 8);
  tag('WAVEfmt ');
  put32(18);
  put16(isFloat ? FLOAT : PCM);
  put16(nChannels);
  put32(rate);
  put32(sampleBytes * nChannels * rate);
  put16(sampleBytes * nChannels);
  put16(8 * sampleBytes);
  put16(0);
  tag('fact');
  put32(4);
  put32(n);
  tag('data');
  put32(nBytes);
  const write = isFloat ? putFloat : putInteger;
  for (let i = 0; i < n; i++) {
    for (let c = 0; c < nChannels; c++, at += sampleBytes) write(view, at, channels[c][i]);
  }
  return new Blob([view.buffer], { type: 'audio/wav' });
}

function putFloat(view, at, sample) {
  view.setFloat32(at, sample, true);
}

function putInteger(view, at, sample) {
  const value = Math.max(-FULL_SCALE, Math.min(FULL_SCALE - 1, Math.round(sample * FULL_SCALE)));
  view.setUint16(at, value & 0xffff, true);
  view.setInt8(at + 2, value >> 16);
}
