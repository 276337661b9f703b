/** One job of the visitor's history: what, when, how long, how large, how it was asked for. */

import { element } from '../player/elements.js';
import { ask, jobAddress } from './address.js';
import { askTwice } from './ask-twice.js';
import { inWords } from './asked.js';
import { duration, nameOf } from './job-card.js';
import { REMOVED, STARTED } from './job-list.js';
import { cancel, hasEnded } from './follow.js';
import { fileList, size } from './results.js';
import { tell } from './told.js';

export const TASKS = {
  ...{ separate: 'Separation', speak: 'Speech', cues: 'Cue sheet', clone: 'Cloned speech', convert: 'Conversion' },
  ...{ enroll: 'New voice', check_reference: 'Check of recordings', pull: 'Fetch of a model', verify: 'Check of a model' },
  ...{ explain_separation: 'Lesson: separation', explain_speech: 'Lesson: speech', explain_voices: 'Lesson: voices' },
  ...{ history: 'Lesson: old speech' },
};
const A_DOUBLE_CLICK_MS = 1000; // in which a second click asks for nothing
const GONE = 'What this job read is no longer on the server: choose the file again in its tab.';
const NOT_FOUND = 404;
const LONGEST = 300; // characters of a text that are shown
const WHEN = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

export class HistoryRow {
  #isBusy = false;

  /**
   * @param {any} job  as the server tells it
   * @param {() => void} changed  called when there is something new to look at
   */
  constructor(job, changed) {
    this.changed = changed;
    const name = nameOf(job);
    const label = `${taskOf(job)}: ${name}`;
    const button = (text, click = () => {}) =>
      element('button', { type: 'button', text, 'aria-label': `${text}: ${name}`, on: { click } });
    this.state = element('span', { class: 'state' });
    this.again = button('Run again', () => this.#runAgain());
    this.stop = button('Cancel', () => this.#cancel());
    this.delete = button('Delete');
    askTwice(this.delete, () => this.job.state === 'done', () => this.remove());
    this.facts = element('p', { class: 'facts' });
    this.files = element('details', { on: { toggle: () => this.#listFiles() } }, [element('summary', { text: 'Files' })]);
    this.alarm = element('p', { role: 'alert' });
    this.line = element('p', { class: 'line', role: 'status' });
    this.body = element('li', { 'aria-label': label, 'data-job': job.id }, [
      element('header', {}, [
        element('strong', { class: 'name', text: name, title: name }),
        this.state,
        this.again,
        this.stop,
        this.delete,
      ]),
      this.facts,
      element('details', {}, [element('summary', { text: 'Settings' }), settingsOf(job)]),
      this.files,
      this.line,
      this.alarm,
    ]);
    this.show(job);
  }

  show(job) {
    this.job = job;
    this.body.dataset.state = job.state;
    this.state.textContent = stateOf(job);
    this.facts.replaceChildren(...factsOf(job));
    this.files.hidden = job.state !== 'done' || !job.files.length;
    this.stop.hidden = hasEnded(job);
    this.delete.hidden = this.again.hidden = !hasEnded(job);
    if (job.state === 'failed') tell(this.alarm, job.error.message);
  }

  /** Takes how far the job is. */
  follows(told) {
    this.show({ ...this.job, ...told });
  }

  #listFiles() {
    if (this.files.childElementCount === 1) this.files.append(fileList(this.job, jobAddress(this.job.id)));
  }

  /** Deletes the job with its files; returns whether that could be done. */
  async remove() {
    const { id } = this.job;
    const isGone = await this.#do(async () => {
      try {
        await ask(`/jobs/${id}`, { method: 'DELETE' });
      } catch (error) {
        if (error.status !== NOT_FOUND) throw error; // it is gone already
      }
    });
    if (isGone) document.dispatchEvent(new CustomEvent(REMOVED, { detail: id }));
    return isGone;
  }

  #cancel() {
    return this.#do(() => cancel(this.job.id)).then(this.changed);
  }

  #runAgain() {
    return this.#do(async () => {
      try {
        const { id } = await ask('/jobs', { method: 'POST', body: this.job.request });
        this.line.textContent = 'It runs again.';
        document.dispatchEvent(new CustomEvent(STARTED, { detail: id }));
        await new Promise((resolve) => setTimeout(resolve, A_DOUBLE_CLICK_MS));
      } catch (error) {
        throw error.status === NOT_FOUND ? new Error(GONE) : error;
      }
    });
  }

  /** Does something with the server, once at a time; returns whether it worked. */
  async #do(action) {
    if (this.#isBusy) return false;
    this.#isBusy = true;
    this.line.textContent = '';
    this.#disable(true);
    let problem = '';
    try {
      await action();
    } catch (error) {
      problem = error.message;
    }
    this.#isBusy = false;
    this.#disable(false);
    tell(this.alarm, problem || (this.job.error?.message ?? ''));
    return !problem;
  }

  #disable(isDisabled) {
    for (const button of [this.again, this.stop, this.delete]) button.disabled = isDisabled;
  }
}

/** @param {any} job */
export function bytesOf(job) {
  return job.files.reduce((sum, file) => sum + file.n_bytes, 0);
}

function taskOf(job) {
  return TASKS[job.task] ?? job.task;
}

function stateOf(job) {
  if (job.state === 'queued') return job.position ? `waiting behind ${job.position}` : 'waiting';
  if (job.state === 'running') return `running, ${Math.round(100 * (job.fraction ?? 0))}%`;
  return { done: 'done', failed: 'failed', cancelled: 'stopped' }[job.state];
}

function factsOf(job) {
  const when = element('time', { datetime: job.created, text: WHEN.format(new Date(job.created)) });
  const took = job.started && job.finished ? (new Date(job.finished) - new Date(job.started)) / 1000 : null;
  const files = job.files.length === 1 ? '1 file' : `${job.files.length} files`;
  const more = [
    ...(took === null ? [] : [`took ${took < 1 ? 'less than 1 s' : duration(took)}`]),
    ...(job.files.length ? [`${files}, ${size(bytesOf(job))}`] : []),
  ];
  return [`${[taskOf(job), job.request.model, job.request.voice].filter(Boolean).join(', ')}, `, when, more.length ? `, ${more.join(', ')}` : ''];
}

/** Returns how a job was asked for, in plain words. */
function settingsOf(job) {
  const { request } = job;
  const text = request.text ?? '';
  const said = {
    Model: request.model ?? 'the usual one',
    Reads: job.inputs.join(', '),
    Text: text.length > LONGEST ? `${text.slice(0, LONGEST)} …` : text,
    Voice: request.voice,
    Name: request.name,
    Consent: request.consent,
    Cast: inWords(request.cast),
    Options: inWords(request.options),
    Files: inWords(request.delivery),
  };
  const rows = Object.entries(said).filter(([, value]) => value);
  return element(
    'dl',
    {},
    rows.flatMap(([name, value]) => [element('dt', { text: name }), element('dd', { text: value })]),
  );
}
