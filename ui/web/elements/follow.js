/** Follows jobs of the server as they go on, over lost connections: all of the page's by one request at a time. */

import { ask, jobAddress } from './address.js';

const [SOON_MS, LATER_MS] = [250, 1000]; // between two looks, at the beginning and then
const SOON_FOR_MS = 10_000;

/** @typedef {{ progress: (told: any) => void, lost: () => void, end: (job: any) => void }} Listeners */

/** @type {Map<string, Set<Listeners>>} */
const followed = new Map();
let isLooking = false;
let began = 0;

/**
 * Tells of a job until it has ended; `end` gets the job, or null where it is gone.
 *
 * A browser keeps six connections to a server, so no connection stays open for each job.
 * @param {string} id
 * @param {Listeners} listeners
 * @param {AbortSignal} signal  ends it
 */
export function follow(id, listeners, signal) {
  if (signal.aborted) return;
  if (!followed.has(id)) followed.set(id, new Set());
  followed.get(id).add(listeners);
  signal.addEventListener('abort', () => leave(id, listeners));
  began = performance.now();
  look();
}

/** Whether a job goes on no more. */
export function hasEnded(job) {
  return ['done', 'failed', 'cancelled'].includes(job.state);
}

/** Stops a job; one that has ended meanwhile stays, since to delete it would take its results. */
export async function cancel(id) {
  if (!hasEnded(await ask(`/jobs/${id}`))) await ask(`/jobs/${id}`, { method: 'DELETE' });
}

function leave(id, listeners) {
  followed.get(id)?.delete(listeners);
  if (followed.get(id)?.size === 0) followed.delete(id);
}

async function look() {
  if (isLooking) return;
  isLooking = true;
  while (followed.size) {
    for (const id of [...followed.keys()]) await lookAt(id);
    const pause = performance.now() - began < SOON_FOR_MS ? SOON_MS : LATER_MS;
    if (followed.size) await new Promise((resolve) => setTimeout(resolve, pause));
  }
  isLooking = false;
}

async function lookAt(id) {
  const job = await find(id);
  const all = [...(followed.get(id) ?? [])];
  if (job === undefined) return all.forEach((each) => hear(() => each.lost()));
  if (job && !hasEnded(job)) return all.forEach((each) => hear(() => each.progress(job)));
  followed.delete(id);
  all.forEach((each) => hear(() => each.end(job)));
}

/** Calls a listener; one that fails is a fault of its own, and the jobs of the others are followed on. */
function hear(listener) {
  try {
    listener();
  } catch (error) {
    reportError(error);
  }
}

/** Returns a job, null where there is none, undefined where nobody answers. */
async function find(id) {
  try {
    const reply = await fetch(jobAddress(id));
    if (reply.status === 404) return null;
    return reply.ok ? await reply.json() : undefined;
  } catch {
    return undefined;
  }
}
