/** What the result of a job looks like: each task's own, or its files. */

import { below, element } from '../player/elements.js';

/** @type {Map<string, (job: any, base: string) => Node>} */
const makers = new Map();

/**
 * Says how the results of a task are shown.
 * @param {string} task
 * @param {(job: any, base: string) => Node} make  gets a job that is done, and its address
 */
export function defineResult(task, make) {
  makers.set(task, make);
}

/**
 * @param {any} job
 * @param {string} base
 */
export function resultOf(job, base) {
  return (makers.get(job.task) ?? fileList)(job, base);
}

/**
 * Returns links to all files of a job.
 * @param {any} job
 * @param {string} base
 */
export function fileList(job, base) {
  const row = (file) =>
    element('li', {}, [
      element('a', { href: below(`${base}/files`, file.name), download: '', text: file.name }),
      ` (${size(file.n_bytes)})`,
    ]);
  return element('ul', { class: 'files', 'aria-label': 'Files' }, job.files.map(row));
}

/**
 * Returns sentences as a list.
 * @param {string[]} sentences
 */
export function sentenceList(sentences) {
  return element(
    'ul',
    { class: 'report' },
    sentences.map((text) => element('li', { text })),
  );
}

/** @param {number} bytes */
export function size(bytes) {
  const units = ['bytes', 'kB', 'MB', 'GB'];
  const step = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), 3);
  return `${(bytes / 1000 ** step).toFixed(step ? 1 : 0)} ${units[step]}`;
}
