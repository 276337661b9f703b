/** `<spectrum-lesson>`: a sound, its spectrogram, and a slider for the length of the window. */

import { element } from '../player/elements.js';
import { cells, paintCells } from './learn-drawing.js';
import { RATE, SIGNALS } from './learn-signals.js';
import { bufferOf, play, stop } from './learn-sound.js';
import { fromLevelsAlone, spectra } from './learn-spectrum.js';

const [SHORTEST, LONGEST, USUAL] = [6, 13, 9]; // windows of 2^k samples: 2.7 ms to 341 ms
const [N_COLUMNS, N_ROWS] = [640, 240];
const [LOWEST_HZ, HIGHEST_HZ] = [60, 11000];
const RANGE_DB = 80;
const MOST_SECONDS = 6; // of a sound of one's own
const OWN = 'A file of your own …';

class SpectrumLesson extends HTMLElement {
  #samples = new Float32Array(1);
  #waiting = 0;
  #nChoices = 0; // a file that was read only when another sound was chosen is not shown

  connectedCallback() {
    const names = [...Object.keys(SIGNALS), OWN];
    this.kind = element(
      'select',
      { on: { change: () => this.#choose() } },
      names.map((name) => element('option', { value: name, text: name })),
    );
    this.file = element('input', { type: 'file', accept: 'audio/*', on: { change: () => this.#read() } });
    this.own = element('label', { hidden: true }, ['Your sound ', this.file]);
    this.slider = element('input', {
      type: 'range',
      min: SHORTEST,
      max: LONGEST,
      value: USUAL,
      step: 1,
      on: { input: () => this.#update() },
    });
    this.told = element('p', { role: 'status' });
    this.alarm = element('p', { role: 'alert' });
    this.picture = cells(N_COLUMNS, N_ROWS, () => 0, 'Spectrogram');
    const heard = (text, sound) => element('button', { type: 'button', text, on: { click: () => this.#play(sound) } });
    this.replaceChildren(
      element('div', { class: 'controls' }, [
        element('label', {}, ['Sound ', this.kind]),
        this.own,
        element('label', { class: 'wide' }, ['Length of the window ', this.slider]),
      ]),
      this.alarm,
      element('div', { class: 'plot' }, [
        this.picture,
        element('span', { class: 'top', text: `${HIGHEST_HZ / 1000} kHz`, 'aria-hidden': 'true' }),
        element('span', { class: 'bottom', text: `${LOWEST_HZ} Hz`, 'aria-hidden': 'true' }),
      ]),
      this.told,
      element('div', { class: 'controls' }, [
        heard('Hear the sound', () => this.#samples),
        heard('Hear what the picture keeps', () => fromLevelsAlone(this.#samples, this.size)),
      ]),
    );
    this.#choose();
  }

  disconnectedCallback() {
    stop();
  }

  /** Samples of a window. */
  get size() {
    return 2 ** Number(this.slider.value);
  }

  #choose() {
    this.#nChoices += 1;
    const isOwn = this.kind.value === OWN;
    this.own.hidden = !isOwn;
    this.alarm.textContent = '';
    if (isOwn) return void this.#read();
    this.#samples = SIGNALS[this.kind.value]();
    this.#update();
  }

  async #read() {
    const [file] = this.file.files;
    const choice = ++this.#nChoices;
    if (!file) return;
    try {
      const decoded = await new OfflineAudioContext(1, 1, RATE).decodeAudioData(await file.arrayBuffer());
      if (choice !== this.#nChoices) return;
      this.#samples = decoded.getChannelData(0).slice(0, MOST_SECONDS * RATE);
      this.alarm.textContent = '';
      this.#update();
    } catch {
      if (choice !== this.#nChoices) return;
      this.alarm.textContent = `${file.name} is no sound that this browser can read: try a WAV, MP3 or FLAC file.`;
    }
  }

  #update() {
    const seconds = this.size / RATE;
    const [ms, hz] = [(1000 * seconds).toPrecision(3), Math.round(2 / seconds)];
    this.slider.setAttribute('aria-valuetext', `${ms} milliseconds`);
    this.told.textContent =
      `Windows of ${ms} ms: tones nearer than about ${hz} Hz become one line, ` +
      `and moments nearer than about ${(500 * seconds).toPrecision(2)} ms one column.`;
    cancelAnimationFrame(this.#waiting);
    this.#waiting = requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    const { levels, nBins } = spectra(this.#samples, this.size, N_COLUMNS);
    let most = 1e-6;
    for (const level of levels) most = Math.max(most, level);
    const binOf = Array.from({ length: N_ROWS }, (_, row) => {
      const hz = LOWEST_HZ * (HIGHEST_HZ / LOWEST_HZ) ** (row / (N_ROWS - 1));
      return Math.min(nBins - 1, Math.round((hz * this.size) / RATE));
    });
    paintCells(this.picture, (column, row) => {
      const level = levels[column * nBins + binOf[row]];
      return 1 + (20 * Math.log10(Math.max(level, 1e-9) / most)) / RANGE_DB;
    });
    this.picture.setAttribute(
      'aria-label',
      `Spectrogram of ${this.kind.value} with windows of ${this.slider.getAttribute('aria-valuetext')}`,
    );
  }

  #play(sound) {
    play(bufferOf(sound(), RATE));
  }
}

customElements.define('spectrum-lesson', SpectrumLesson);
