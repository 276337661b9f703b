/** Sends files to the server in pieces (tus 1.0): none is read into memory, and a lost connection costs one piece. */

import { MINE, ask, sentenceOf } from './address.js';

const PIECE_BYTES = 8 * 2 ** 20;
const TRIES = 5;
const SECONDS_BETWEEN_TRIES = 1;
const BEING_WRITTEN = 423; // by a piece that was let go of just now
const VERSION = { 'Tus-Resumable': '1.0.0' };

/**
 * Makes a file an upload of the visitor's, and returns what a job calls it.
 * @param {File} file
 * @param {{ progress?: (share: number) => void, signal?: AbortSignal }} [settings]
 * @returns {Promise<{ upload: string }>}
 * @throws {Error} with a sentence
 */
export async function send(file, { progress = () => {}, signal } = {}) {
  if (!file.size) throw new Error(`${file.name} is empty: there is nothing to hear in it.`);
  const begun = await request('POST', `${MINE}/uploads`, {
    headers: { 'Upload-Length': String(file.size), 'Upload-Metadata': `filename ${base64(file.name)}` },
    signal,
  });
  if (!begun.ok) throw new Error(await sentenceOf(begun));
  const id = (begun.headers.get('Location') ?? '').split('/').pop();
  try {
    await sendAll(id, file, progress, signal);
  } catch (error) {
    withdraw(id); // nobody can go on with it
    throw error;
  }
  return { upload: id };
}

/**
 * Removes an upload, if it is there; what a job reads stays for that job.
 * @param {string} id
 */
export async function withdraw(id) {
  for (let tries = 0; tries < TRIES; tries++) {
    const reply = await fetch(`${MINE}/uploads/${id}`, { method: 'DELETE', headers: VERSION }).catch(() => null);
    if (reply?.status !== BEING_WRITTEN) return;
    await seconds(SECONDS_BETWEEN_TRIES);
  }
}

/** Forgets a job, its results too. */
export async function forget(id) {
  await ask(`/jobs/${id}`, { method: 'DELETE' }).catch(() => {});
}

async function sendAll(id, file, progress, signal) {
  let offset = 0;
  for (let failures = 0; offset < file.size; ) {
    progress(offset / file.size);
    const reply = await sendPiece(id, file, offset, signal);
    if (reply?.ok) {
      offset = Number(reply.headers.get('Upload-Offset'));
      failures = 0;
      continue;
    }
    if (reply && reply.status < 500 && ![409, BEING_WRITTEN].includes(reply.status)) {
      throw new Error(await sentenceOf(reply));
    }
    if (++failures === TRIES) throw new Error(`${file.name} could not be sent: the server does not answer.`);
    await seconds(failures * SECONDS_BETWEEN_TRIES);
    offset = (await offsetOf(id, signal)) ?? offset;
  }
  progress(1);
}

function seconds(number) {
  return new Promise((resolve) => setTimeout(resolve, number * 1000));
}

async function sendPiece(id, file, offset, signal) {
  try {
    return await fetch(`${MINE}/uploads/${id}`, {
      method: 'PATCH',
      headers: {
        ...VERSION,
        'Content-Type': 'application/offset+octet-stream',
        'Upload-Offset': String(offset),
      },
      body: file.slice(offset, offset + PIECE_BYTES),
      signal,
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    return null;
  }
}

async function offsetOf(id, signal) {
  try {
    const reply = await fetch(`${MINE}/uploads/${id}`, { method: 'HEAD', headers: VERSION, signal });
    return reply.ok ? Number(reply.headers.get('Upload-Offset')) : undefined;
  } catch (error) {
    if (signal?.aborted) throw error;
    return undefined;
  }
}

async function request(method, address, { headers, signal }) {
  try {
    return await fetch(address, { method, headers: { ...VERSION, ...headers }, signal });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Error('The server does not answer. It may have been ended, or the connection is gone.');
  }
}

function base64(text) {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}
