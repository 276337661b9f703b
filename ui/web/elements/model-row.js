/** One model in the list: what it is, whether it is here, what can be done with it. */

import { element } from '../player/elements.js';
import { ask } from './address.js';
import { duration } from './job-card.js';
import { hasEnded } from './follow.js';
import { size } from './results.js';
import { tell } from './told.js';

const TASKS = { separation: 'Separation', tts: 'Speech', voiceclone: 'Cloning' };
const COMMERCIAL = { true: 'commercial use allowed', false: 'no commercial use', null: 'commercial use not stated' };

export class ModelRow {
  #doing = '';
  #problem = '';
  #isAsking = false;

  /** @param {() => void} changed  called when something was done that the list should look at */
  constructor(changed) {
    this.changed = changed;
    this.name = element('strong', { class: 'name' });
    this.place = element('span', { class: 'place' });
    this.summary = element('p', { class: 'summary' });
    this.facts = element('dl', { class: 'facts' });
    this.terms = element('div', { class: 'terms' });
    this.acceptButton = this.#button('I accept these terms', () => this.#licence('POST'));
    this.withdrawButton = this.#button('Withdraw the acceptance', () => this.#licence('DELETE'));
    this.termsLine = element('summary');
    this.licence = element('details', { class: 'licence' }, [
      this.termsLine,
      this.terms,
      this.acceptButton,
      this.withdrawButton,
    ]);
    this.fetchButton = this.#button('Fetch', () => this.#begin('pull'));
    this.verifyButton = this.#button('Verify', () => this.#begin('verify'));
    this.loadButton = this.#button('Load', () => this.#load());
    this.unloadButton = this.#button('Unload', () => this.#unload());
    this.removeButton = this.#button('Delete files', () => this.#askToRemove(true));
    this.sureButton = this.#button('Delete them', () => this.#remove());
    this.keepButton = this.#button('Keep them', () => this.#askToRemove(false));
    this.cancelButton = this.#button('Cancel', () => this.#cancel());
    this.bar = element('progress', { max: '1' });
    this.line = element('p', { class: 'line', role: 'status' });
    this.alarm = element('p', { role: 'alert' });
    const actions = [this.fetchButton, this.verifyButton, this.loadButton, this.unloadButton, this.removeButton];
    this.actions = element('div', { class: 'actions' }, [...actions, this.sureButton, this.keepButton]);
    this.work = element('div', { class: 'work' }, [this.bar, this.cancelButton]);
    this.body = element('li', {}, [
      element('header', {}, [this.name, this.place]),
      this.summary,
      this.facts,
      this.licence,
      this.actions,
      this.work,
      this.line,
      this.alarm,
    ]);
  }

  /**
   * @param {any} model  as the server tells it
   * @param {any} job  its newest fetch or check, if there is one
   */
  show(model, job) {
    const isNew = this.model?.id !== model.id;
    this.model = model;
    this.name.textContent = model.id;
    this.place.textContent = placeOf(model);
    this.body.dataset.here = String(model.here);
    this.summary.textContent = model.unavailable ? `It cannot be run: ${model.unavailable}` : model.summary;
    this.facts.replaceChildren(
      ...factsOf(model).flatMap(([name, fact]) => [element('dt', { text: name }), element('dd', { text: fact })]),
    );
    if (isNew) this.#label();
    this.#showLicence();
    this.#showJob(job);
  }

  /** Takes how far a job is, if it is this model's. */
  follows(id, told) {
    if (this.job?.id === id) this.#showJob({ ...this.job, ...told });
  }

  #button(text, click) {
    return element('button', { type: 'button', text, on: { click } });
  }

  #label() {
    for (const button of this.body.querySelectorAll('button')) {
      button.setAttribute('aria-label', `${button.textContent}: ${this.model.id}`);
    }
    this.bar.setAttribute('aria-label', `Progress of ${this.model.id}`);
    this.body.setAttribute('aria-label', this.model.id);
  }

  #showLicence() {
    const { licence } = this.model;
    this.licence.hidden = !licence?.must_accept;
    if (this.licence.hidden) return;
    this.termsLine.textContent = licence.accepted ? 'Its terms are accepted, for all who use this machine' : 'Read and accept its terms first';
    this.terms.replaceChildren(...licence.terms.map((text) => element('p', { text })));
    this.acceptButton.hidden = licence.accepted;
    this.withdrawButton.hidden = !licence.accepted;
  }

  #showJob(job) {
    this.job = job;
    this.isActive = Boolean(job) && !hasEnded(job);
    this.work.hidden = !this.isActive;
    if (this.isActive && job.state === 'running' && job.fraction) this.bar.value = job.fraction;
    else this.bar.removeAttribute('value');
    this.#say();
    this.#allow();
  }

  /** Says what goes on, or what came of it. */
  #say() {
    const { model, job } = this;
    const isChecked = job?.task === 'verify' && job.state === 'done' && model.here;
    if (this.#doing) this.line.textContent = this.#doing;
    else if (this.#isAsking) this.line.textContent = `Delete ${size(model.bytes_on_disk)} of files?`;
    else if (this.isActive) this.line.textContent = progressOf(job, model);
    else if (isChecked) this.line.textContent = job.summary.join(' ');
    else this.line.textContent = job?.state === 'cancelled' && !model.here ? stoppedWith(model) : '';
    const failure = job?.state === 'failed' && !(job.task === 'pull' && model.here) ? job.error.message : '';
    tell(this.alarm, this.#problem || (isChecked ? job.warnings.join(' ') : failure));
  }

  #allow() {
    const { model, job } = this;
    const isAccepted = model.licence?.accepted ?? false;
    const isDamaged = job?.task === 'verify' && job.report?.is_right === false;
    this.actions.hidden = Boolean(model.unavailable);
    this.fetchButton.hidden = model.here && !isDamaged;
    this.verifyButton.hidden = !model.here;
    this.loadButton.hidden = !model.here || model.loaded;
    this.unloadButton.hidden = !model.loaded;
    this.removeButton.hidden = this.#isAsking || !model.bytes_on_disk;
    this.sureButton.hidden = this.keepButton.hidden = !this.#isAsking;
    const isBusy = this.isActive || this.#doing !== '';
    for (const button of this.actions.querySelectorAll('button')) button.disabled = isBusy;
    this.fetchButton.disabled ||= !isAccepted;
    this.loadButton.disabled ||= !isAccepted;
    this.cancelButton.disabled = this.#doing !== '';
    this.fetchButton.title = isAccepted ? '' : 'Its terms have to be accepted first.';
  }

  /** Does something with the server, once at a time; an error is told here. */
  async #do(doing, action) {
    if (this.#doing) return;
    this.#doing = doing;
    this.#problem = '';
    this.#showJob(this.job);
    try {
      await action();
    } catch (error) {
      this.#problem = error.message;
    }
    this.#doing = '';
    this.#showJob(this.job);
    if (!this.#problem) this.changed();
  }

  #begin(task) {
    return this.#do('Asking …', async () => {
      this.job = await ask('/jobs', { method: 'POST', body: { task, model: this.model.id } });
    });
  }

  #licence(method) {
    return this.#do('Asking …', async () => {
      const { licence } = await ask(`${this.#address()}/licence`, { method });
      this.model = { ...this.model, licence };
      this.#showLicence();
      this.licence.open = false;
    });
  }

  #load() {
    return this.#do('Loading into memory …', () => ask(`${this.#address()}/load`, { method: 'POST' }));
  }

  #unload() {
    return this.#do('Unloading …', async () => {
      const { loaded } = await ask(`${this.#address()}/unload`, { method: 'POST' });
      if (loaded) throw new Error(`${this.model.id} is at work: try again when it is done.`);
    });
  }

  #askToRemove(isAsking) {
    this.#isAsking = isAsking;
    this.#showJob(this.job);
    (isAsking ? this.keepButton : this.removeButton).focus();
  }

  #remove() {
    this.#isAsking = false;
    return this.#do('Deleting …', () => ask(`${this.#address()}/weights`, { method: 'DELETE' }));
  }

  #cancel() {
    return this.#do('Stopping …', () => ask(`/jobs/${this.job.id}`, { method: 'DELETE' }));
  }

  #address() {
    return `/models/${encodeURIComponent(this.model.id)}`;
  }
}

/** Returns where a model is: "in memory", "here, 79.2 MB", "not here, 84.1 MB to fetch". */
function placeOf(model) {
  if (model.unavailable) return 'not available';
  if (model.here) return `${model.loaded ? 'in memory, ' : ''}here, ${size(model.bytes_on_disk)}`;
  return model.download_bytes ? `not here, ${size(model.download_bytes)} to fetch` : 'not here, its size is not told';
}

function stoppedWith(model) {
  return `Stopped; ${model.bytes_on_disk ? 'files that had arrived as a whole are kept' : 'nothing was kept'}.`;
}

function factsOf(model) {
  if (model.unavailable) return [['Task', TASKS[model.task]]];
  const { licence } = model;
  const known = `Run with its published weights on ${model.verified}`;
  const unknown = 'No: its published weights could not be had; only its network and their names and shapes were checked';
  const memory = `${model.memory_measured ? '' : 'about '}${size(model.memory_bytes)}`;
  return [
    ['Task', TASKS[model.task]],
    ['Makes', model.makes.map((name) => name.replaceAll('_', ' ')).join(', ')],
    ['Licence', `${licence.name}, ${COMMERCIAL[licence.commercial]}. ${licence.must_accept ? '' : licence.note}`],
    ['Speed', speedOf(model.speed)],
    ['Memory', memory],
    ['Verified', model.verified ? known : unknown],
  ];
}

/** @param {?number} speed  in times real time */
function speedOf(speed) {
  if (speed === null) return 'not measured here yet';
  return `${speed >= 10 ? Math.round(speed) : Number(speed.toPrecision(2))} times real time here`;
}

/** Returns how far a fetch or check is: "41.2 MB of 84.1 MB, 12 s left". */
function progressOf(job, model) {
  if (job.state === 'queued') return job.position ? `Waiting behind ${job.position}` : 'Waiting';
  const left = job.eta_seconds ? `, ${duration(job.eta_seconds)} left` : '';
  const stage = job.stage || 'starting';
  if (job.task === 'pull' && stage.startsWith('fetching') && model.download_bytes) {
    return `${size(job.fraction * model.download_bytes)} of ${size(model.download_bytes)}${left}`;
  }
  return `${stage[0].toUpperCase()}${stage.slice(1)}${job.task === 'verify' ? left : ''}`;
}
