/** What the server finds in the recordings of a voice, check by check, while they are still chosen. */

import { element } from '../player/elements.js';
import { ask } from './address.js';
import { follow } from './follow.js';
import { sentenceList } from './results.js';
import { forget } from './send.js';

const OUTCOMES = {
  pass: ['✓', 'good'],
  warn: ['!', 'take care'],
  fail: ['✗', 'not fit'],
  unknown: ['?', 'not checked'],
};
const FIT = 'A voice can be made of this.';
const UNFIT = 'No voice can be made of this yet: see what is not fit above.';

export class ReferenceChecks {
  #ending = new AbortController();
  #id = Promise.resolve(null); // of the job that reads the recordings
  /** null while nothing is known of the recordings that are here */
  isFit = null;

  /**
   * @param {(error: { message: string, param?: ?string }) => boolean} complain  says at its place what is wrong with one recording
   * @param {() => void} ended  called when there is nothing to be waited for any more
   */
  constructor(complain, ended) {
    this.complain = complain;
    this.ended = ended;
    this.status = element('p', { role: 'status' });
    this.bar = element('progress', { max: '1', value: '0', 'aria-label': 'Progress of the checks', hidden: true });
    this.alarm = element('p', { role: 'alert' });
    this.rows = element('ul', { class: 'checks', 'aria-label': 'Checks' });
    this.notes = element('div');
    this.body = element('div', { class: 'checked' }, [this.bar, this.rows, this.notes, this.status, this.alarm]);
  }

  /**
   * Checks recordings anew; what was found of others is gone.
   * @param {{ upload: string }[]} inputs
   */
  async run(inputs) {
    this.clear();
    if (!inputs.length) return;
    const { signal } = this.#ending;
    this.bar.hidden = false;
    this.status.textContent = 'Listening to the recordings …';
    try {
      const begun = ask('/jobs', { method: 'POST', body: { task: 'check_reference', inputs } });
      this.#id = begun.then(({ id }) => id, () => null);
      const { id } = await begun;
      const listeners = {
        progress: ({ stage, fraction }) => {
          this.bar.value = fraction ?? 0;
          if (stage) this.status.textContent = `${stage[0].toUpperCase()}${stage.slice(1)} …`;
        },
        lost: () => (this.status.textContent = 'The connection to the server is lost; this page looks for it again.'),
        end: (job) => {
          this.#id = Promise.resolve(null);
          if (job) forget(id); // nothing of it is kept
          this.#end(job);
        },
      };
      follow(id, listeners, signal);
    } catch (error) {
      if (!signal.aborted) this.#fail(error);
    }
  }

  /** Forgets what was found, and stops what is on its way; returns when nothing reads the recordings any more. */
  async clear() {
    const stopped = this.#id.then(drop);
    this.#id = Promise.resolve(null);
    this.#ending.abort();
    this.#ending = new AbortController();
    this.isFit = null;
    this.isRunning = false;
    this.bar.hidden = true;
    this.rows.replaceChildren();
    this.notes.replaceChildren();
    this.status.textContent = this.alarm.textContent = '';
    await stopped;
  }

  #end(job) {
    this.bar.hidden = true;
    this.ended();
    if (job?.state !== 'done') return this.#fail(job?.error ?? { message: 'The checks were stopped: try once more.' });
    const { is_fit: isFit, checks, notes } = job.report;
    this.isFit = isFit;
    this.rows.replaceChildren(...checks.map(row));
    this.notes.replaceChildren(...(notes.length ? [sentenceList(notes)] : []));
    this.status.textContent = isFit ? FIT : '';
    this.alarm.textContent = isFit ? '' : UNFIT;
  }

  #fail(error) {
    this.bar.hidden = true;
    this.status.textContent = '';
    if (!this.complain(error)) this.alarm.textContent = error.message;
  }
}

/** Stops a check that nobody waits for any more, and removes what is left of it. */
async function drop(id) {
  if (id === null) return;
  await forget(id);
  const end = (job) => job && forget(id);
  follow(id, { progress: () => {}, lost: () => {}, end }, new AbortController().signal);
}

function row({ kind, title, outcome, message }) {
  const [mark, words] = OUTCOMES[outcome];
  return element('li', { 'data-kind': kind, 'data-outcome': outcome }, [
    element('span', { class: 'mark', 'aria-hidden': 'true', text: mark }),
    element('strong', { text: title }),
    element('em', { text: words }),
    element('span', { class: 'message', text: message }),
  ]);
}
