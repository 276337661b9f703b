/**
 * `<voice-gallery for="ID OF A FIELD" sample="This is {name}."></voice-gallery>`: voices to hear, to choose and to mix.
 *
 * What is chosen is written into the field, which is the only place that counts: a name typed there is as good.
 * With `commercial` only voices are shown whose licence allows commercial use.
 */

import { element, press } from '../player/elements.js';
import { fieldOf, fill } from './fields.js';
import { rove } from './rove.js';
import { CHANGED, describeVoice, familyOf, languageName, offeredVoices, shortName } from './voices.js';

const FILTERS = {
  Language: (voice) => languageName(voice.language),
  Voice: (voice) => (voice.cloned ? 'cloned' : voice.gender || 'not stated'),
  Model: familyOf,
  Licence: (voice) => voice.licence.name,
};
const ALL = '';

class VoiceGallery extends HTMLElement {
  #ending = new AbortController();
  /** @type {import('./voices.js').Voice[]} */
  #voices = [];
  #nLoads = 0;
  #drawn = ''; // the voices that are shown
  /** @type {Map<string, number>} the shares of what is mixed, by id */
  #mix = new Map();

  connectedCallback() {
    this.classList.add('controls');
    this.#ending = new AbortController();
    const { signal } = this.#ending;
    this.alarm = element('p', { role: 'alert' });
    this.filters = element('div', { class: 'filters' });
    this.list = element('ul', { class: 'voices', 'aria-label': 'Voices', title: 'Up and Down go from voice to voice' });
    this.reach = rove(this.list);
    this.mixer = element('fieldset', { class: 'mixer' });
    this.count = element('p', { role: 'status', class: 'count' });
    this.replaceChildren(this.filters, this.count, this.alarm, this.list, this.mixer);
    document.addEventListener('input', (event) => event.target === this.#field() && this.#mark(), { signal });
    document.addEventListener(CHANGED, () => this.#load(false), { signal });
    this.#load(false);
  }

  disconnectedCallback() {
    this.#ending.abort();
  }

  #field() {
    return fieldOf(this.getAttribute('for') ?? '');
  }

  async #load(isFresh) {
    const number = ++this.#nLoads;
    try {
      const voices = await offeredVoices(this, isFresh);
      if (number !== this.#nLoads) return; // a later answer knows more
      this.alarm.textContent = '';
      if (this.#drawn === JSON.stringify(voices)) return; // what plays there goes on, and the focus stays
      this.#drawn = JSON.stringify(voices);
      this.#voices = voices;
      this.#drawFilters();
      this.#draw();
      this.#drawMixer();
    } catch (error) {
      if (number === this.#nLoads) this.alarm.textContent = error.message;
    }
  }

  /** Draws them anew; what is chosen stays so. */
  #drawFilters() {
    const chosen = new Map([...this.filters.querySelectorAll('select')].map((select) => [select.name, select.value]));
    const selects = Object.entries(FILTERS).map(([name, of]) => {
      const values = [...new Set(this.#voices.map(of))];
      const options = [ALL, ...values].map((value) => element('option', { value, text: value || 'all' }));
      const select = element('select', { name, 'aria-label': name, on: { change: () => this.#draw() } }, options);
      if (values.includes(chosen.get(name))) select.value = chosen.get(name);
      return element('label', {}, [name, select]);
    });
    const again = () => this.#load(true);
    this.filters.replaceChildren(
      ...selects,
      element('button', { type: 'button', text: 'Look again', title: 'For voices that were made since', on: { click: again } }),
    );
  }

  #draw() {
    const chosen = [...this.filters.querySelectorAll('select')].map((select) => [FILTERS[select.name], select.value]);
    const shown = this.#voices.filter((voice) => chosen.every(([of, value]) => value === ALL || of(voice) === value));
    this.list.replaceChildren(...shown.map((voice) => this.#row(voice)));
    this.count.textContent = `${shown.length} of ${this.#voices.length} voices`;
    this.#mark();
    const { value } = this.#field() ?? {};
    this.reach(Math.max(0, shown.findIndex((voice) => voice.id === value)));
  }

  #row(voice) {
    const name = shortName(voice);
    const choose = () => this.#choose(voice);
    const parts = [
      element('button', { type: 'button', class: 'choose', 'data-voice': voice.id, on: { click: choose } }, [
        element('strong', { text: name }),
        element('small', { text: describeVoice(voice) }),
      ]),
    ];
    if (voice.reads_text) {
      const say = (this.getAttribute('sample') ?? '').replace('{name}', name);
      parts.push(element('voice-sample', { voice: voice.id, say, label: `Hear ${voice.id}` }));
    } else parts.push(element('small', { text: 'reads no text, phonemes only' }));
    if (voice.mixes) {
      const mix = () => this.#add(voice);
      parts.push(element('button', { type: 'button', text: 'Mix', 'aria-label': `Mix ${voice.id}`, on: { click: mix } }));
    }
    return element('li', {}, parts);
  }

  #choose(voice) {
    this.#mix.clear();
    this.#drawMixer();
    this.#write(voice.id);
  }

  /** Adds a voice to the mix, of which all belong to one model; the voice that is chosen is its beginning. */
  #add(voice) {
    const family = familyOf(voice);
    const chosen = this.#voices.find((other) => other.id === this.#field()?.value);
    if (!this.#mix.size && chosen?.mixes && familyOf(chosen) === family) this.#mix.set(chosen.id, 50);
    if (![...this.#mix.keys()].every((id) => id.startsWith(`${family}/`))) this.#mix.clear();
    if (!this.#mix.has(voice.id)) this.#mix.set(voice.id, 50);
    this.#drawMixer();
    this.#writeMix();
  }

  #drawMixer() {
    this.mixer.hidden = this.#mix.size === 0;
    const rows = [...this.#mix].map(([id, share]) => {
      const output = element('output', {});
      const slider = element('input', {
        ...{ type: 'range', min: '1', max: '100', value: String(share), 'aria-label': `Share of ${id}` },
        on: {
          input: () => {
            this.#mix.set(id, Number(slider.value));
            this.#showShares();
          },
          change: () => this.#writeMix(),
        },
      });
      const remove = () => {
        this.#mix.delete(id);
        this.#drawMixer();
        this.#writeMix();
      };
      const away = element('button', { type: 'button', text: '✕', 'aria-label': `Take ${id} out of the mix`, on: { click: remove } });
      return element('div', { class: 'share', 'data-voice': id }, [element('span', { text: id.split('/')[1] }), slider, output, away]);
    });
    this.mixer.replaceChildren(element('legend', { text: 'Mix of voices' }), ...rows);
    this.#showShares();
  }

  #shares() {
    const total = [...this.#mix.values()].reduce((sum, share) => sum + share, 0);
    return [...this.#mix].map(([id, share]) => /** @type {[string, number]} */ ([id, share / total]));
  }

  #showShares() {
    for (const [id, share] of this.#shares()) {
      const output = this.mixer.querySelector(`[data-voice="${CSS.escape(id)}"] output`);
      if (output) output.textContent = `${Math.round(100 * share)} %`;
    }
  }

  #writeMix() {
    const shares = this.#shares();
    if (!shares.length) return;
    const [family] = shares[0][0].split('/');
    const parts = shares.map(([id, share]) => `${id.slice(family.length + 1)}*${share.toFixed(2)}`);
    this.#write(shares.length === 1 ? shares[0][0] : `${family}/${parts.join('+')}`);
  }

  #write(value) {
    fill(this.getAttribute('for') ?? '', value);
    this.#mark();
  }

  #mark() {
    const value = this.#field()?.value;
    for (const button of this.list.querySelectorAll('button.choose')) press(button, button.dataset.voice === value);
  }
}

customElements.define('voice-gallery', VoiceGallery);
