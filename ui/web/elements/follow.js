/** Follows a job of the server as it goes on, over lost connections. */

import { jobAddress } from './address.js';

const SECONDS_TO_TRY_AGAIN = 2;
const MOST = 2; // at once: a browser keeps six connections to a server, and sound needs some

let nFollowed = 0;
/** @type {(() => void)[]} */
const waiting = []; // in the order of asking

/**
 * Tells of a job as it goes on, as soon as it is one of the few that are followed at a time.
 *
 * @typedef {{ state: string, stage?: string, fraction?: number, eta_seconds?: ?number, position?: ?number }} Progress
 * @param {string} id
 * @param {{ progress: (told: Progress) => void, lost: () => void, end: (job: any) => void }} listeners
 *   `end` gets the job, or null where it is gone
 * @param {AbortSignal} signal  ends it
 */
export function follow(id, listeners, signal) {
  if (signal.aborted) return;
  if (nFollowed >= MOST) {
    waiting.push(() => follow(id, listeners, signal));
    return;
  }
  nFollowed += 1;
  let isOver = false;
  const release = () => {
    if (isOver) return;
    isOver = true;
    nFollowed -= 1;
    while (waiting.length && nFollowed < MOST) waiting.shift()();
  };
  signal.addEventListener('abort', release);
  const end = (job) => {
    release();
    listeners.end(job);
  };
  listen(id, { ...listeners, end }, signal);
}

function listen(id, { progress, lost, end }, signal) {
  if (signal.aborted) return;
  const source = new EventSource(`${jobAddress(id)}/events`);
  signal.addEventListener('abort', () => source.close());
  source.addEventListener('progress', (event) => progress(JSON.parse(event.data)));
  source.addEventListener('end', (event) => {
    source.close();
    end(JSON.parse(event.data));
  });
  source.addEventListener('error', async () => {
    if (source.readyState !== EventSource.CLOSED) return lost(); // the browser tries again by itself
    lost();
    const job = await find(id, signal);
    if (signal.aborted) return;
    if (job === undefined) setTimeout(() => listen(id, { progress, lost, end }, signal), SECONDS_TO_TRY_AGAIN * 1000);
    else if (job === null || ['done', 'failed', 'cancelled'].includes(job.state)) end(job);
    else listen(id, { progress, lost, end }, signal);
  });
}

/** Returns a job, null where there is none, undefined where nobody answers. */
async function find(id, signal) {
  try {
    const reply = await fetch(jobAddress(id), { signal });
    if (reply.status === 404) return null;
    return reply.ok ? await reply.json() : undefined;
  } catch {
    return undefined;
  }
}
