/** A WAV file of 32-bit floats, made in the browser: RIFF, with the chunks fmt, fact and data. */

const HEADER_BYTES = 58;
const FLOAT = 3; // WAVE_FORMAT_IEEE_FLOAT

/**
 * @param {Float32Array[]} channels
 * @param {number} sampleRate
 * @returns {Blob}
 */
export function waveFile(channels, sampleRate) {
  const [nChannels, n] = [channels.length, channels[0].length];
  const bytes = 4 * nChannels * n;
  const view = new DataView(new ArrayBuffer(HEADER_BYTES + bytes));
  let at = 0;
  const tag = (text) => [...text].forEach((letter) => view.setUint8(at++, letter.charCodeAt(0)));
  const put32 = (value) => view.setUint32((at += 4) - 4, value, true);
  const put16 = (value) => view.setUint16((at += 2) - 2, value, true);
  tag('RIFF');
  put32(HEADER_BYTES - 8 + bytes);
  tag('WAVEfmt ');
  put32(18);
  put16(FLOAT);
  put16(nChannels);
  put32(sampleRate);
  put32(4 * nChannels * sampleRate);
  put16(4 * nChannels);
  put16(32);
  put16(0);
  tag('fact');
  put32(4);
  put32(n);
  tag('data');
  put32(bytes);
  for (let i = 0; i < n; i++) {
    for (let c = 0; c < nChannels; c++, at += 4) view.setFloat32(at, channels[c][i], true);
  }
  return new Blob([view.buffer], { type: 'audio/wav' });
}
