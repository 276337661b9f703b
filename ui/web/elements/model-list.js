/**
 * `<model-list></model-list>`: the models of the server, to be fetched, checked, loaded; what is in memory.
 *
 * It asks when it comes into view or the page is looked at again, and after what it did itself. While a model is
 * fetched or checked it follows that job; else it asks nothing.
 */

import { element } from '../player/elements.js';
import { ask } from './address.js';
import { follow } from './follow.js';
import { STARTED } from './job-list.js';
import { FollowsOne, Looks } from './looks.js';
import { MemoryView } from './memory-view.js';
import { ModelRow } from './model-row.js';
import { CHANGED } from './voices.js';

const TASKS = { '': 'All', separation: 'Separation', tts: 'Speech', voiceclone: 'Cloning' };
const JOBS = '/jobs?task=pull&task=verify&limit=200';

const NONE = 'No model is all of that: take a word or a choice away.';

class ModelList extends HTMLElement {
  /** @type {Map<string, ModelRow>} */
  #rows = new Map();
  #models = [];
  #ending = new AbortController();

  connectedCallback() {
    this.#ending = new AbortController();
    this.#rows.clear();
    this.#draw();
    this.looks = new Looks(this, () => this.#look(), () => this.following.stop(), this.#ending.signal);
    this.following = new FollowsOne(
      follow,
      (id, told) => this.#rows.forEach((row) => row.follows(id, told)),
      () => this.looks.ask(),
    );
    document.addEventListener(STARTED, () => this.looks.ask(), { signal: this.#ending.signal });
  }

  disconnectedCallback() {
    this.#ending.abort();
    this.following.stop();
  }

  #draw() {
    const narrow = () => this.#narrow();
    this.task = element(
      'select',
      { on: { change: narrow } },
      Object.entries(TASKS).map(([value, text]) => element('option', { value, text })),
    );
    this.words = element('input', { type: 'search', placeholder: 'Name or what it does', on: { input: narrow } });
    this.isHere = element('input', { type: 'checkbox', on: { change: narrow } });
    this.isCommercial = element('input', { type: 'checkbox', on: { change: narrow } });
    this.isCommercial.checked = this.hasAttribute('commercial-only');
    this.memory = new MemoryView();
    this.alarm = element('p', { role: 'alert' });
    this.count = element('p', { role: 'status', text: 'Looking …' });
    this.list = element('ul', { class: 'models', 'aria-label': 'Models' });
    const filters = element('form', { class: 'filters', 'aria-label': 'Which models', on: { submit: stay } }, [
      element('label', {}, ['Task ', this.task]),
      element('label', {}, ['Search ', this.words]),
      element('label', {}, [this.isHere, ' Only what is on this machine']),
      element('label', {}, [this.isCommercial, ' Only for commercial use']),
    ]);
    this.replaceChildren(this.memory.body, filters, this.alarm, this.count, this.list);
  }

  async #look() {
    const { signal } = this.#ending;
    try {
      const [models, memory, { jobs }] = await Promise.all([
        ask('/models', { signal }),
        ask('/memory', { signal }),
        ask(JOBS, { signal }),
      ]);
      this.alarm.textContent = '';
      const isOther = this.#models.length > 0 && hereOf(models.data) !== hereOf(this.#models);
      this.#models = models.data;
      if (isOther) document.dispatchEvent(new CustomEvent(CHANGED)); // voices speak by models
      this.memory.show(memory, new Set(models.data.map(({ id }) => id)));
      this.#show(jobs);
      this.following.choose(jobs);
    } catch (error) {
      if (!signal.aborted) this.alarm.textContent = error.message;
    }
  }

  #show(jobs) {
    for (const model of this.#models) {
      let row = this.#rows.get(model.id);
      if (!row) {
        row = new ModelRow(() => this.looks.ask());
        this.#rows.set(model.id, row);
        this.list.append(row.body);
      }
      row.show(model, jobs.find((job) => job.model === model.id));
    }
    this.#narrow();
  }

  /** Shows those models alone that are wanted. */
  #narrow() {
    const words = this.words.value.toLowerCase().split(/\s+/);
    let n = 0;
    for (const model of this.#models) {
      const text = `${model.id} ${model.summary} ${model.makes.join(' ')} ${model.aliases.join(' ')}`.toLowerCase();
      const isWanted =
        (!this.task.value || model.task === this.task.value) &&
        (!this.isHere.checked || model.here) &&
        (!this.isCommercial.checked || model.licence?.commercial === true) &&
        words.every((word) => text.includes(word));
      this.#rows.get(model.id).body.hidden = !isWanted;
      n += isWanted ? 1 : 0;
    }
    this.count.textContent = n === 1 ? '1 model' : n || !this.#models.length ? `${n} models` : NONE;
  }
}

/** Returns which models are on the machine. */
function hereOf(models) {
  const here = models.filter((model) => model.here);
  return here.map((model) => model.id).join(' ');
}

function stay(event) {
  event.preventDefault();
}

customElements.define('model-list', ModelList);
