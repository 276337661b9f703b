/**
 * `<job-history></job-history>`: all jobs of the visitor, with how they were asked for, to be run again or deleted.
 *
 * It asks when it comes into view or the page is looked at again, and follows a job that goes on; else it asks nothing.
 */

import { element } from '../player/elements.js';
import { ask } from './address.js';
import { follow, hasEnded } from './follow.js';
import { HistoryRow, TASKS, bytesOf } from './history-row.js';
import { REMOVED, STARTED } from './job-list.js';
import { FollowsOne, Looks } from './looks.js';
import { size } from './results.js';

const STATES = { queued: 'Waiting', running: 'Running', done: 'Done', failed: 'Failed', cancelled: 'Stopped' };

class JobHistory extends HTMLElement {
  /** @type {Map<string, HistoryRow>} */
  #rows = new Map();
  #removed = new Set(); // which an answer that was on its way may still have
  #ending = new AbortController();

  connectedCallback() {
    this.#ending = new AbortController();
    const { signal } = this.#ending;
    this.#rows.clear();
    this.#draw();
    this.looks = new Looks(this, () => this.#look(), () => this.following.stop(), signal);
    this.following = new FollowsOne(
      follow,
      (id, told) => this.#rows.get(id)?.follows(told),
      () => this.looks.ask(),
    );
    document.addEventListener(STARTED, () => this.looks.ask(), { signal });
    document.addEventListener(REMOVED, (event) => this.#forget(event.detail), { signal });
  }

  disconnectedCallback() {
    this.#ending.abort();
    this.following.stop();
  }

  #draw() {
    const narrow = () => this.#narrow();
    this.task = choice({ '': 'All', ...TASKS }, narrow);
    this.state = choice({ '': 'All', ...STATES }, narrow);
    this.count = element('p', { role: 'status', text: 'Looking …' });
    this.alarm = element('p', { role: 'alert' });
    this.list = element('ul', { class: 'jobs', 'aria-label': 'Jobs' });
    this.deleteAll = element('button', { type: 'button', text: 'Delete all …', on: { click: () => this.#askToDelete() } });
    this.question = element('p');
    this.dialog = element('dialog', { 'aria-label': 'Delete jobs' }, [
      this.question,
      element('form', { method: 'dialog' }, [
        element('button', { value: 'no', text: 'Keep them' }),
        element('button', { value: 'yes', text: 'Delete them', on: { click: () => this.#deleteShown() } }),
      ]),
    ]);
    this.replaceChildren(
      element('div', { class: 'filters' }, [
        element('label', {}, ['Task ', this.task]),
        element('label', {}, ['State ', this.state]),
        this.count,
        this.deleteAll,
      ]),
      this.alarm,
      this.list,
      this.dialog,
    );
  }

  async #look() {
    const { signal } = this.#ending;
    try {
      const told = await ask('/jobs?limit=1000', { signal });
      const jobs = told.jobs.filter((job) => !this.#removed.has(job.id));
      this.alarm.textContent = '';
      const ids = new Set(jobs.map((job) => job.id));
      for (const id of [...this.#rows.keys()]) if (!ids.has(id)) this.#drop(id);
      for (const job of [...jobs].reverse()) this.#show(job);
      this.#narrow();
      this.following.choose(jobs);
    } catch (error) {
      if (!signal.aborted) this.alarm.textContent = error.message;
    }
  }

  #show(job) {
    const known = this.#rows.get(job.id);
    if (known) return known.show(job);
    const row = new HistoryRow(job, () => this.looks.ask());
    this.#rows.set(job.id, row);
    this.list.prepend(row.body);
  }

  #forget(id) {
    this.#removed.add(id);
    this.#drop(id);
  }

  #drop(id) {
    this.#rows.get(id)?.body.remove();
    this.#rows.delete(id);
    this.#narrow();
  }

  #shown() {
    return [...this.#rows.values()].filter((row) => !row.body.hidden);
  }

  /** Shows those jobs alone that are wanted. */
  #narrow() {
    for (const { job, body } of this.#rows.values()) {
      body.hidden =
        (this.task.value !== '' && job.task !== this.task.value) ||
        (this.state.value !== '' && job.state !== this.state.value);
    }
    const jobs = this.#shown().map((row) => row.job);
    const n = jobs.length === 1 ? '1 job' : `${jobs.length} jobs`;
    const bytes = jobs.reduce((sum, job) => sum + bytesOf(job), 0);
    this.count.textContent = this.#rows.size ? `${n}, ${size(bytes)} on the disk` : 'No jobs yet.';
    this.deleteAll.hidden = !jobs.some(hasEnded);
  }

  #askToDelete() {
    const ended = this.#shown().filter((row) => hasEnded(row.job));
    const n = ended.length === 1 ? 'the job that is shown here and its files' : `the ${ended.length} jobs that are shown here and have ended, with their files`;
    this.question.textContent = `Delete ${n}? They cannot be had back.`;
    this.dialog.showModal();
  }

  async #deleteShown() {
    this.deleteAll.disabled = true;
    for (const row of this.#shown().filter(({ job }) => hasEnded(job))) {
      if (!(await row.remove())) break;
    }
    this.deleteAll.disabled = false;
  }
}

function choice(options, change) {
  const made = Object.entries(options).map(([value, text]) => element('option', { value, text }));
  return element('select', { on: { change } }, made);
}

customElements.define('job-history', JobHistory);
