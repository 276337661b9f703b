/** Sound as the server gives it: pieces of a track as WAV with 32-bit float samples. */

const RETRY_MS = 1000;
const TRIES = 3;
const FLOAT_BYTES = 4;

/**
 * Returns the channels of a piece of a track.
 * @param {string} url  without `start` and `n`
 * @param {number} start  the first sample
 * @param {number} n  how many
 * @param {AbortSignal} signal
 * @returns {Promise<Float32Array[]>}
 */
export async function fetchPiece(url, start, n, signal) {
  const address = `${url}${url.includes('?') ? '&' : '?'}start=${start}&n=${n}`;
  const reply = await request(address, signal);
  return channelsOf(await reply.arrayBuffer());
}

/**
 * Asks the server; a connection that fails is tried again.
 * @param {string} address
 * @param {AbortSignal} [signal]
 * @returns {Promise<Response>}
 */
export async function request(address, signal) {
  for (let attempt = 1; ; attempt++) {
    let reply = null;
    try {
      reply = await fetch(address, { signal });
    } catch (error) {
      if (signal?.aborted || attempt === TRIES)
        throw signal?.aborted ? error : new Error('The server cannot be reached.');
    }
    if (reply?.ok) return reply;
    if (reply && reply.status < 500) throw new Error(await sentenceOf(reply));
    if (reply && attempt === TRIES) throw new Error(await sentenceOf(reply));
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    signal?.throwIfAborted();
  }
}

/** @param {Response} reply */
async function sentenceOf(reply) {
  try {
    return (await reply.json()).error.message;
  } catch {
    return `The server answers ${reply.status}.`;
  }
}

/**
 * Returns the channels of a WAV file of 32-bit floats.
 * @param {ArrayBuffer} content
 * @returns {Float32Array[]}
 */
export function channelsOf(content) {
  const view = new DataView(content);
  const form = findChunk(view, 'fmt ');
  const data = findChunk(view, 'data');
  const nChannels = view.getUint16(form.offset + 2, true);
  const n = data.bytes / FLOAT_BYTES / nChannels;
  const channels = Array.from({ length: nChannels }, () => new Float32Array(n));
  for (let i = 0, place = data.offset; i < n; i++) {
    for (let c = 0; c < nChannels; c++, place += FLOAT_BYTES) channels[c][i] = view.getFloat32(place, true);
  }
  return channels;
}

/**
 * @param {DataView} view
 * @param {string} id
 */
function findChunk(view, id) {
  for (let offset = 12; offset + 8 <= view.byteLength;) {
    const name = String.fromCharCode(...new Uint8Array(view.buffer, offset, 4));
    const bytes = view.getUint32(offset + 4, true);
    if (name === id) return { offset: offset + 8, bytes: Math.min(bytes, view.byteLength - offset - 8) };
    offset += 8 + bytes + (bytes % 2);
  }
  throw new Error('The server has sent no sound.');
}
