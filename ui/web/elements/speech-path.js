/** `<speech-path job="ADDRESS">`: a sentence on its way to sound, each stage under the other on one time axis. */

import { element } from '../player/elements.js';
import { melPicture, pitchPicture, stretched, wavePicture } from './learn-drawing.js';
import { fetchSound, play, stop } from './learn-sound.js';
import { defineResult } from './results.js';
import { svg } from './svg.js';

const PIXELS_PER_SECOND = 340; // at least: phonemes have to be hit with a finger
const PAUSE = '·';

class SpeechPath extends HTMLElement {
  #at = 0;

  async connectedCallback() {
    const base = this.getAttribute('job');
    try {
      const reply = await fetch(`${base}/files/stages.json`);
      if (!reply.ok) throw new Error('This picture is no longer there: make it again.');
      this.#show(await reply.json(), base);
    } catch (error) {
      this.replaceChildren(element('p', { role: 'alert', text: error.message }));
    }
  }

  disconnectedCallback() {
    stop();
  }

  #show(told, base) {
    this.told = told;
    this.seconds = told.n_samples / told.sample_rate;
    this.sound = fetchSound(`${base}/files/speech.wav`);
    this.cursor = element('div', { class: 'cursor', hidden: true });
    this.buttons = told.phones.map((phone, index) => this.#phoneButton(phone, index));
    this.said = element('p', { role: 'status', class: 'heard' });
    const [melody, mel] = [told.pitch, told.mel];
    const nPitch = this.seconds / melody.frame_seconds;
    const rows = [
      row('Words', this.#words()),
      row('Phonemes', element('div', { class: 'phones', role: 'group', 'aria-label': 'Phonemes' }, this.buttons)),
      row('How long (ms)', this.#durations()),
      melody.hz.some((hz) => hz > 0) && row('How high', pitchPicture(melody.hz, nPitch, 'Pitch over time')),
      row('Mel spectrogram', melPicture(mel, 'Mel spectrogram, from low to high')),
      row('Wave', wavePicture(told.wave, 'Wave')),
    ].filter(Boolean);
    const chart = element('div', { class: 'chart' }, [...rows, this.cursor]);
    chart.style.minWidth = `${Math.round(this.seconds * PIXELS_PER_SECOND)}px`;
    const playAll = element('button', { type: 'button', text: 'Play all', on: { click: () => this.#play(0, this.seconds) } });
    this.replaceChildren(
      this.#written(),
      element('div', { class: 'controls' }, [playAll, this.said]),
      element('div', { class: 'scrolled', 'data-scrolls': '', role: 'group', 'aria-label': 'Stages on one time axis', tabindex: '0' }, [chart]),
      this.#table(),
    );
  }

  /** What was written, and what is said instead. */
  #written() {
    const { text, normalised, changes, warnings } = this.told;
    const changed = changes.map(({ written, spoken }) =>
      element('li', {}, [element('del', { text: written }), ' → ', element('ins', { text: spoken })]),
    );
    return element('div', { class: 'written' }, [
      element('p', {}, [element('b', { text: 'Written: ' }), text]),
      element('p', {}, [element('b', { text: 'Said: ' }), normalised]),
      element('ul', { 'aria-label': 'What is said otherwise than it is written' }, changed),
      ...warnings.map((warning) => element('p', { class: 'warning', text: warning })),
    ]);
  }

  #words() {
    const spans = this.told.words.filter((word) => word.end > word.begin && /\p{L}|\p{N}/u.test(word.text));
    return element('div', { class: 'words' }, spans.map((word) => this.#place(element('span', { text: word.text }), word)));
  }

  #phoneButton(phone, index) {
    const ms = this.#ms(phone);
    const name = phone.symbol ? `${phone.ipa}${phone.stressed ? ', stressed' : ''}` : 'pause';
    const word = this.told.words.find((each) => each.begin < phone.end && phone.begin < each.end);
    const of = phone.symbol && word ? ` of ${word.text}` : '';
    const button = element('button', {
      type: 'button',
      text: phone.symbol ? (phone.stressed ? 'ˈ' : '') + phone.ipa : PAUSE,
      'aria-label': `${name}${of}, ${ms} ms`,
      tabindex: index ? '-1' : '0',
      on: { click: () => this.#hear(index), keydown: (event) => this.#walk(event, index) },
    });
    return this.#place(button, phone);
  }

  #durations() {
    const longest = Math.max(...this.told.phones.map((phone) => phone.end - phone.begin));
    const bars = this.told.phones.map((phone) => {
      const height = (80 * (phone.end - phone.begin)) / longest;
      const [x, width] = [phone.begin, phone.end - phone.begin];
      return svg('rect', { x, y: 100 - height, width, height, class: phone.symbol ? 'bar' : 'bar pause' });
    });
    const label = 'How long each phoneme lasts; the table below has the numbers';
    return stretched(this.told.n_samples, 100, label, bars);
  }

  #table() {
    const phones = this.told.phones.map((phone) =>
      element('tr', {}, [
        element('td', { text: phone.symbol ? phone.ipa : 'pause' }),
        element('td', { text: `${this.#ms(phone)}` }),
        element('td', { text: (phone.begin / this.told.sample_rate).toFixed(3) }),
      ]),
    );
    const head = ['Phoneme', 'Length (ms)', 'Begins at (s)'].map((text) => element('th', { scope: 'col', text }));
    return element('details', {}, [
      element('summary', { text: 'As a table' }),
      element('table', {}, [element('thead', {}, [element('tr', {}, head)]), element('tbody', {}, phones)]),
    ]);
  }

  #ms({ begin, end }) {
    return Math.round((1000 * (end - begin)) / this.told.sample_rate);
  }

  #place(child, { begin, end }) {
    child.style.left = `${(100 * begin) / this.told.n_samples}%`;
    child.style.width = `${(100 * (end - begin)) / this.told.n_samples}%`;
    return child;
  }

  #walk(event, index) {
    const to = { ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: this.buttons.length - 1 }[event.key];
    if (to === undefined || !this.buttons[to]) return;
    event.preventDefault();
    this.buttons[index].tabIndex = -1;
    this.buttons[to].tabIndex = 0;
    this.buttons[to].focus();
    this.#hear(to);
  }

  #hear(index) {
    const phone = this.told.phones[index];
    this.said.textContent = `Heard: ${this.buttons[index].getAttribute('aria-label')}`;
    this.#play(phone.begin / this.told.sample_rate, phone.end / this.told.sample_rate);
  }

  async #play(begin, end) {
    try {
      const tick = (seconds) => this.#mark(seconds);
      play(await this.sound, { begin, end, tick, ended: () => this.#mark(null) });
    } catch (error) {
      this.said.textContent = error.message;
    }
  }

  #mark(seconds) {
    this.cursor.hidden = seconds === null;
    this.buttons[this.#at]?.classList.remove('now');
    if (seconds === null) return;
    this.cursor.style.left = `${(100 * seconds) / this.seconds}%`;
    const sample = seconds * this.told.sample_rate;
    this.#at = this.told.phones.findIndex((phone) => sample < phone.end);
    this.buttons[this.#at]?.classList.add('now');
  }
}

function row(title, content) {
  return element('div', { class: 'stage' }, [element('div', { class: 'label', text: title }), content]);
}

customElements.define('speech-path', SpeechPath);
defineResult('explain_speech', (job, base) => element('speech-path', { job: base }));
