/**
 * `<cast-list for="ID OF A FIELD" characters='["HERO"]'></cast-list>`: a voice for each character of a sheet.
 *
 * The field holds the cast as JSON, a voice by character; who is not in it has the voice of all others. Characters
 * that are not in this sheet stay in it, for the sheet may come back.
 */

import { element } from '../player/elements.js';
import { fieldOf, fill } from './fields.js';
import { CHANGED, describeVoice, offeredVoices, shortName } from './voices.js';

const DEFAULT = { text: 'as all others', value: '' };
const SAMPLE = 'This is how I would sound in this scene.';

class CastList extends HTMLElement {
  #ending = new AbortController();
  #nDraws = 0;
  #drawn = ''; // the voices that are offered

  connectedCallback() {
    this.classList.add('controls');
    this.#ending = new AbortController();
    document.addEventListener(CHANGED, () => this.#draw(), { signal: this.#ending.signal });
    this.#draw();
  }

  disconnectedCallback() {
    this.#ending.abort();
  }

  async #draw() {
    const characters = JSON.parse(this.getAttribute('characters') ?? '[]');
    if (!characters.length) {
      this.replaceChildren(element('p', { text: 'The characters of the sheet will appear here.' }));
      return;
    }
    const number = ++this.#nDraws;
    try {
      const voices = (await offeredVoices(this)).filter((voice) => voice.reads_text);
      if (number !== this.#nDraws || this.#drawn === JSON.stringify(voices)) return;
      this.#drawn = JSON.stringify(voices);
      const rows = characters.map((character) => this.#row(character, voices));
      this.replaceChildren(element('ul', { class: 'cast', 'aria-label': 'Cast' }, rows));
    } catch (error) {
      if (number !== this.#nDraws) return;
      this.#drawn = '';
      this.replaceChildren(element('p', { role: 'alert', text: error.message }));
    }
  }

  #row(character, voices) {
    const named = (voice) => ({ text: `${shortName(voice)} – ${describeVoice(voice)}`, value: voice.id });
    const options = [DEFAULT, ...voices.map(named)].map((option) => element('option', option));
    const select = element('select', { 'aria-label': `Voice of ${character}` }, options);
    const hear = element('voice-sample', { say: SAMPLE, label: `Hear the voice of ${character}` });
    const show = () => {
      hear.hidden = !select.value;
      hear.setAttribute('voice', select.value);
    };
    select.value = this.#cast()[character] ?? '';
    select.addEventListener('change', () => {
      show();
      const { [character]: _, ...others } = this.#cast();
      const cast = select.value ? { ...others, [character]: select.value } : others;
      fill(this.getAttribute('for') ?? '', JSON.stringify(cast));
    });
    show();
    return element('li', {}, [element('span', { text: character }), select, hear]);
  }

  #cast() {
    return JSON.parse(fieldOf(this.getAttribute('for') ?? '')?.value || '{}');
  }
}

customElements.define('cast-list', CastList);
