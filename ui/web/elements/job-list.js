/**
 * `<job-list tasks="separate" empty="Nothing yet."></job-list>`: the visitor's jobs of these tasks, the newest first.
 *
 * It asks once, and again when it hears of a new job (`<job-started job="ID">`) or the page is looked at again; each
 * job that has not ended is followed by its card. A page at rest asks nothing.
 */

import { element } from '../player/elements.js';
import { ask } from './address.js';
import { hasEnded } from './follow.js';
import { ENDED, JobCard } from './job-card.js';

export const STARTED = 'audio-ml-job-started';
export const REMOVED = 'audio-ml-job-removed';
const MOST = 50;

class JobStarted extends HTMLElement {
  connectedCallback() {
    document.dispatchEvent(new CustomEvent(STARTED, { detail: this.getAttribute('job') }));
  }
}

/** `<job-note jobs="ID ID">1 job was handed in.</job-note>`: what is said until these jobs have ended. */
class JobNote extends HTMLElement {
  #ending = new AbortController();

  connectedCallback() {
    this.#ending = new AbortController();
    const left = new Set((this.getAttribute('jobs') ?? '').split(' '));
    for (const event of [ENDED, REMOVED]) {
      const listen = ({ detail }) => left.delete(detail) && !left.size && this.replaceChildren();
      document.addEventListener(event, listen, { signal: this.#ending.signal });
    }
  }

  disconnectedCallback() {
    this.#ending.abort();
  }
}

class JobList extends HTMLElement {
  /** @type {Map<string, JobCard>} */
  #cards = new Map();
  #ending = new AbortController();
  #nLooks = 0;
  #removed = new Set(); // which an answer that was on its way may still have
  /** @type {?string} */
  #newest = null; // whose result is opened
  #shown = '';
  #begun = ''; // which is yet to be brought into sight

  connectedCallback() {
    this.#ending = new AbortController();
    const { signal } = this.#ending;
    this.nothing = element('p', { class: 'nothing', text: this.getAttribute('empty') ?? '' });
    this.alarm = element('p', { role: 'alert' });
    this.rows = element('div', { class: 'cards' });
    this.replaceChildren(this.nothing, this.alarm, this.rows);
    this.#cards.clear();
    document.addEventListener(STARTED, (event) => this.#look(event.detail), { signal });
    document.addEventListener(REMOVED, (event) => this.#forget(event.detail), { signal });
    document.addEventListener('visibilitychange', () => document.hidden || this.#look(), { signal });
    this.#look();
  }

  disconnectedCallback() {
    this.#ending.abort();
    this.#cards.forEach((card) => card.close());
  }

  /** Brings the list to what the server has; what is open stays so, unless a job of this list was begun just now. */
  async #look(newest = '') {
    const { signal } = this.#ending;
    const number = ++this.#nLooks;
    const tasks = (this.getAttribute('tasks') ?? '').split(' ').map((task) => `task=${encodeURIComponent(task)}`);
    try {
      const { jobs } = await ask(`/jobs?limit=${MOST}&${tasks.join('&')}`, { signal });
      const wanted = jobs.filter((job) => !this.#removed.has(job.id));
      if (newest && wanted.some((job) => job.id === newest)) this.#newest = this.#begun = newest;
      if (this.#newest === null) this.#newest = wanted[0]?.id ?? '';
      if (number === this.#nLooks) this.#draw(wanted); // else a later look knows more, and may have drawn it
      this.#reveal();
      const again = this.#cards.get(newest)?.job; // one that is done already, which was asked for twice
      if (again && hasEnded(again)) document.dispatchEvent(new CustomEvent(ENDED, { detail: newest }));
    } catch (error) {
      if (!signal.aborted && number === this.#nLooks) this.alarm.textContent = error.message;
    }
    this.#update();
  }

  #draw(wanted) {
    this.alarm.textContent = '';
    const ids = new Set(wanted.map((job) => job.id));
    for (const id of [...this.#cards.keys()]) if (!ids.has(id)) this.#drop(id);
    for (const job of wanted.reverse()) {
      if (this.#cards.has(job.id)) continue;
      const card = new JobCard(job, () => document.dispatchEvent(new CustomEvent(REMOVED, { detail: job.id })));
      this.#cards.set(job.id, card);
      this.rows.prepend(card.body);
    }
  }

  /** Opens the newest result, and goes to a job that was begun just now where it is below the form and out of sight. */
  #reveal() {
    if (this.#newest !== this.#shown && this.#cards.has(this.#newest)) {
      this.#cards.forEach((card, id) => card.showIf(id === this.#newest));
      this.#shown = this.#newest;
    }
    const body = this.#cards.get(this.#begun)?.body;
    if (body) this.#begun = '';
    if (body?.offsetParent && body.getBoundingClientRect().top > innerHeight) body.scrollIntoView({ block: 'center' });
  }

  #forget(id) {
    this.#removed.add(id);
    this.#drop(id);
  }

  #drop(id) {
    this.#cards.get(id)?.close();
    this.#cards.delete(id);
    this.#update();
  }

  #update() {
    this.nothing.hidden = this.#cards.size > 0 || this.alarm.textContent !== '';
  }
}

customElements.define('job-note', JobNote);
customElements.define('job-list', JobList);
customElements.define('job-started', JobStarted); // after who hears of it: both may be on the page by now
