/** One track on the page: its name, its controls, its lane. */

import { below, element, press } from './elements.js';
import { request } from './sound.js';
import { Waveform } from './waveform.js';

const MOST_BINS = 4096;
const LOWEST_DB = -40;
const HIGHEST_DB = 6;

/**
 * @typedef {{name: string, title: string, sample_rate: number, n_samples: ?number, lufs: ?number, is_source: boolean}} Told
 */
export class Track {
  /** @type {?Waveform} */
  #waveform = null;
  #peaks = null;
  #drawnAt = -1;

  /**
   * @param {Told} told
   * @param {string} job  its address
   * @param {() => void} changed  is called when a control was moved
   */
  constructor(told, job, changed) {
    this.told = told;
    this.strip = {
      name: told.name,
      isSource: told.is_source,
      volumeDb: 0,
      isMuted: false,
      isSolo: false,
      lufs: told.lufs,
    };
    this.title = told.is_source ? 'Original' : told.title;
    this.peaksAddress = `${below(`${job}/peaks`, told.name)}?n=${MOST_BINS}`;
    this.picture = element('img', { alt: `Spectrogram of ${this.title}`, hidden: true, draggable: 'false' });
    this.pictureAddress = below(`${job}/spectrogram`, told.name);
    this.wave = element('div', { class: 'wave', 'aria-hidden': 'true' });
    this.lane = element('div', { class: 'lane' }, [this.picture, this.wave, element('div', { class: 'loop' })]);
    const controls = told.is_source ? [] : this.#controls(job, changed);
    this.row = element('li', { class: told.is_source ? 'track source' : 'track', 'data-track': told.name }, [
      element('div', { class: 'controls' }, [element('span', { class: 'title', text: this.title }), ...controls]),
      this.lane,
    ]);
  }

  #controls(job, changed) {
    const { strip, title } = this;
    this.muteButton = element('button', {
      type: 'button',
      class: 'toggle',
      text: 'M',
      title: 'Mute',
      'aria-label': `Mute ${title}`,
    });
    this.soloButton = element('button', {
      type: 'button',
      class: 'toggle',
      text: 'S',
      title: 'Solo',
      'aria-label': `Solo ${title}`,
    });
    this.muteButton.addEventListener('click', () => {
      strip.isMuted = !strip.isMuted;
      changed();
    });
    this.soloButton.addEventListener('click', () => {
      strip.isSolo = !strip.isSolo;
      changed();
    });
    this.volume = element('input', {
      type: 'range',
      min: LOWEST_DB,
      max: HIGHEST_DB,
      step: 0.5,
      value: 0,
      'aria-label': `Volume of ${title}`,
    });
    this.level = element('span', { class: 'level', 'aria-hidden': 'true' });
    this.volume.addEventListener('input', () => {
      strip.volumeDb = Number(this.volume.value);
      changed();
    });
    this.volume.addEventListener('dblclick', () => {
      strip.volumeDb = 0;
      changed();
    });
    const address = below(`${job}/files`, strip.name);
    const link = element('a', {
      href: address,
      download: '',
      class: 'button',
      title: 'Download',
      'aria-label': `Download ${title}`,
      text: '↓',
    });
    return [this.muteButton, this.soloButton, this.volume, this.level, link];
  }

  /** Shows what the strip says; `isHeard` tells whether the track is in what is played. */
  update(isHeard) {
    this.row.classList.toggle('silent', !isHeard);
    if (this.strip.isSource) return;
    press(this.muteButton, this.strip.isMuted);
    press(this.soloButton, this.strip.isSolo);
    const decibels = `${this.strip.volumeDb > 0 ? '+' : ''}${this.strip.volumeDb} dB`.replace('-', '−');
    this.volume.value = String(this.strip.volumeDb);
    this.volume.setAttribute('aria-valuetext', decibels);
    this.level.textContent = decibels;
  }

  /**
   * Fetches the peaks; returns the largest sample.
   * @param {AbortSignal} signal
   */
  async look(signal) {
    this.#peaks = await (await request(this.peaksAddress, signal)).json();
    if (this.#peaks.lufs !== null) this.strip.lufs = this.#peaks.lufs;
    return Math.max(...this.#peaks.highs.map(Math.abs), ...this.#peaks.lows.map(Math.abs));
  }

  /** Draws the waveform of the peaks. */
  draw(duration, colours) {
    this.#waveform = new Waveform(this.wave, this.#peaks, duration, colours);
    this.#waveform.show(this.picture.hidden);
    this.#drawnAt = -1;
  }

  /** Has a sample of this size reach the border. */
  scale(peak) {
    this.#waveform?.scale(peak);
  }

  /** Moves the cursor, where it would be seen to move. */
  setTime(seconds, duration) {
    const pixel = Math.round((2 * seconds * this.wave.clientWidth) / duration);
    if (pixel === this.#drawnAt) return;
    this.#drawnAt = pixel;
    this.#waveform?.setTime(seconds);
  }

  /** Shows the spectrogram in place of the waveform, or the other way round. */
  showSpectrogram(isShown) {
    if (isShown && !this.picture.src) this.picture.src = this.pictureAddress;
    this.picture.hidden = !isShown;
    this.#waveform?.show(!isShown);
  }

  recolour(colours) {
    this.#waveform?.recolour(colours);
  }

  destroy() {
    this.#waveform?.destroy();
  }
}
