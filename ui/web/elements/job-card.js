/** One job on the page: how far it is, how to stop it, what came of it. */

import { element } from '../player/elements.js';
import { ask, jobAddress } from './address.js';
import { askTwice } from './ask-twice.js';
import { askedOf } from './asked.js';
import { cancel, follow, hasEnded } from './follow.js';
import { resultOf } from './results.js';
import { sentenceIn, tell } from './told.js';

export const ENDED = 'audio-ml-job-ended'; // said of a job that has ended when its card is drawn, too
const LOST = 'The connection to the server is lost. The job goes on there; this page looks for it again.';

export class JobCard {
  #ending = new AbortController();
  #hasResult = false;

  /**
   * @param {any} job  as the server tells it
   * @param {() => void} removed  called when the job is no more
   */
  constructor(job, removed) {
    this.job = job;
    this.removed = removed;
    const name = nameOf(job);
    const button = (text) => element('button', { type: 'button', text, 'aria-label': `${text}: ${name}` });
    this.line = element('span', { class: 'line' });
    this.bar = element('progress', { max: '1', 'aria-label': `Progress of ${name}` });
    this.cancelButton = button('Cancel');
    this.cancelButton.addEventListener('click', () => this.#cancel());
    this.removeButton = button('Delete');
    askTwice(this.removeButton, () => this.job.state === 'done', () => this.#remove());
    this.alarm = element('p', { role: 'alert' });
    this.voice = element('p', { role: 'status', class: 'spoken' });
    this.result = element('div', { class: 'result' });
    this.details = element('details', { on: { toggle: () => this.details.open && this.#fill() } }, [
      element('summary', { text: 'Result' }),
      this.result,
    ]);
    this.body = element('article', { class: 'job', 'aria-label': name, 'data-job': job.id }, [
      element('header', {}, [
        element('strong', { class: 'name', text: name, title: name }),
        this.line,
        this.cancelButton,
        this.removeButton,
      ]),
      element('p', { class: 'asked', text: askedOf(job) }),
      this.bar,
      this.alarm,
      this.voice,
      this.details,
    ]);
    this.#show(job);
    if (hasEnded(job)) this.#tellEnd();
    else this.#follow();
  }

  close() {
    this.#ending.abort();
    this.body.remove();
  }

  /** Opens the result, now or when it is there; the others close. */
  showIf(isWanted) {
    this.isWanted = isWanted;
    this.details.open = isWanted && this.job.state === 'done';
    if (this.details.open) this.#fill();
  }

  #follow() {
    const listeners = {
      progress: (told) => this.#show({ ...this.job, ...told }),
      lost: () => {
        tell(this.alarm, LOST);
      },
      end: (job) => (job ? this.#end(job) : this.removed()),
    };
    follow(this.job.id, listeners, this.#ending.signal);
  }

  #end(job) {
    this.#show(job);
    const said = sentenceIn(job.error?.message ?? endOf(job));
    this.voice.textContent = said.startsWith(nameOf(job)) ? said : `${nameOf(job)}: ${said}`;
    if (this.isWanted) this.showIf(true);
    this.#tellEnd();
  }

  #tellEnd() {
    document.dispatchEvent(new CustomEvent(ENDED, { detail: this.job.id }));
  }

  #show(job) {
    this.job = job;
    const isOver = hasEnded(job);
    this.body.dataset.state = job.state;
    this.line.textContent = isOver ? endOf(job) : progressOf(job);
    this.bar.hidden = isOver;
    if (job.state === 'running') this.bar.value = job.fraction ?? 0;
    else this.bar.removeAttribute('value');
    this.cancelButton.hidden = isOver;
    this.removeButton.hidden = !isOver;
    this.details.hidden = job.state !== 'done';
    tell(this.alarm, job.state === 'failed' ? (job.error?.message ?? '') : '');
  }

  #fill() {
    if (this.#hasResult) return;
    this.#hasResult = true;
    this.result.replaceChildren(resultOf(this.job, jobAddress(this.job.id)));
  }

  async #cancel() {
    this.cancelButton.disabled = true;
    this.line.textContent = 'Stopping …';
    await this.#try(() => cancel(this.job.id));
    this.cancelButton.disabled = false;
  }

  async #remove() {
    this.removeButton.disabled = true;
    if (await this.#try(() => ask(`/jobs/${this.job.id}`, { method: 'DELETE' }))) this.removed();
    else this.removeButton.disabled = false;
  }

  async #try(action) {
    tell(this.alarm, '');
    try {
      await action();
      return true;
    } catch (error) {
      tell(this.alarm, error.message);
      return false;
    }
  }
}

/** Returns what a job is called: after what it makes, what it reads, or what it says. */
export function nameOf(job) {
  const text = job.request?.text ?? '';
  const said = text.length > 60 ? `${text.slice(0, 60)} …` : text;
  return job.request?.name || (job.inputs ?? []).join(', ') || said || job.model || job.task;
}

function endOf(job) {
  return { done: 'Done.', failed: 'This did not work.', cancelled: 'Stopped; nothing was kept.' }[job.state];
}

function progressOf(job) {
  if (job.state === 'queued') return job.position ? `Waiting behind ${job.position}` : 'Waiting';
  const stage = job.stage || 'starting';
  const left = job.eta_seconds === null || job.eta_seconds === undefined ? '' : `, ${duration(job.eta_seconds)} left`;
  return `${stage[0].toUpperCase()}${stage.slice(1)}: ${Math.round(100 * (job.fraction ?? 0))}%${left}`;
}

/** Returns a length of time as people say it: 8 s, 3 min 10 s. */
export function duration(seconds) {
  const whole = Math.round(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}
