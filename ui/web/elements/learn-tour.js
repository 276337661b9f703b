/**
 * `<learn-tour>` with a list of links to sections, and `<learn-steps>` with Back and Next: one section is shown at a time.
 *
 * Which one stands at the root of the page (`data-learn`), where the styles see it; reloading the page comes back to it.
 */

import { element } from '../player/elements.js';

const CHANGED = 'audio-ml-learn';
const KEY = 'audio-ml-learn';

function sections() {
  return [...document.querySelectorAll('learn-tour .contents a')].map((link) => link.getAttribute('href').slice(1));
}

function current() {
  const known = sections();
  const found = known.indexOf(`learn-${document.documentElement.dataset.learn}`);
  return found < 0 ? 0 : found;
}

/** Shows a section, by its place in the list; `isAsked` moves the focus to its heading. */
function show(index, isAsked) {
  const known = sections();
  const chosen = Math.min(known.length - 1, Math.max(0, index));
  document.documentElement.dataset.learn = String(chosen + 1);
  sessionStorage.setItem(KEY, String(chosen));
  document.dispatchEvent(new CustomEvent(CHANGED));
  if (!isAsked) return;
  const heading = document.querySelector(`#${known[chosen]} h2`);
  heading?.focus({ preventScroll: true });
  heading?.scrollIntoView({ block: 'start' });
}

/** Returns the link that somebody was quick enough to follow before this was here, by its place; null without one. */
function asked(links) {
  const found = links.findIndex((link) => link.hash === location.hash);
  if (found < 0) return null;
  history.replaceState(null, '', location.pathname + location.search);
  return found;
}

class LearnTour extends HTMLElement {
  #ending = new AbortController();

  connectedCallback() {
    this.#ending = new AbortController();
    const { signal } = this.#ending;
    this.setAttribute('role', 'navigation');
    this.setAttribute('aria-label', 'Sections of the tour');
    const links = [...this.querySelectorAll('a')];
    links.forEach((link, index) =>
      link.addEventListener(
        'click',
        (event) => {
          event.preventDefault();
          show(index, true);
        },
        { signal },
      ),
    );
    const mark = () =>
      links.forEach((link, index) =>
        index === current() ? link.setAttribute('aria-current', 'step') : link.removeAttribute('aria-current'),
      );
    document.addEventListener(CHANGED, mark, { signal });
    show(asked(links) ?? Number(sessionStorage.getItem(KEY) ?? 0), false);
  }

  disconnectedCallback() {
    this.#ending.abort();
  }
}

class LearnSteps extends HTMLElement {
  #ending = new AbortController();

  connectedCallback() {
    this.#ending = new AbortController();
    this.setAttribute('role', 'navigation');
    this.setAttribute('aria-label', 'Back and next section');
    const step = (by) => () => show(current() + by, true);
    this.back = element('button', { type: 'button', text: '← Back', on: { click: step(-1) } });
    this.next = element('button', { type: 'button', text: 'Next →', on: { click: step(1) } });
    this.where = element('span', {});
    this.replaceChildren(this.back, this.where, this.next);
    document.addEventListener(CHANGED, () => this.#update(), { signal: this.#ending.signal });
    this.#update();
  }

  disconnectedCallback() {
    this.#ending.abort();
  }

  #update() {
    const [place, last] = [current(), sections().length - 1];
    this.back.disabled = place <= 0;
    this.next.disabled = place >= last;
    this.where.textContent = `Section ${place + 1} of ${last + 1}`;
  }
}

customElements.define('learn-tour', LearnTour);
customElements.define('learn-steps', LearnSteps);
