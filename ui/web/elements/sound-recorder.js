/**
 * `<sound-recorder label="Record" name="reference">` records from the microphone and gives away a WAV file by the event
 * `recorded`, whose detail is the file. With `into="#id"` the file is put into the first field for files in there.
 */

import { clockTime, element } from '../player/elements.js';
import { capture } from './capture.js';
import { wavFile } from './wav.js';

const LONGEST_SECONDS = 300;
const SHORTEST_SECONDS = 0.5;
const SILENT_PEAK = 10 ** (-60 / 20);
const FULL_SCALE = 0.99;
const LOWEST_DB = -60;
const TOO_SHORT = 'Nothing was recorded: press Record, speak, and press Stop when you are done.';
const SILENT = 'The recording is silent: check that the right microphone is chosen, and that it is not muted.';

class SoundRecorder extends HTMLElement {
  #recording = null;
  #n = 0;

  connectedCallback() {
    if (this.button) return;
    this.label = this.getAttribute('label') ?? 'Record';
    this.button = element('button', { type: 'button', on: { click: () => this.#press() } });
    this.time = element('span', { class: 'time' });
    this.meter = element('meter', { min: '0', max: '1', low: '0.3', high: '0.95', optimum: '0.6', 'aria-label': 'Level' });
    this.status = element('span', { role: 'status' });
    this.alarm = element('p', { role: 'alert' });
    this.replaceChildren(
      element('div', { class: 'row' }, [this.button, this.meter, this.time, this.status]),
      this.alarm,
    );
    this.#show(false);
  }

  async disconnectedCallback() {
    const recording = this.#recording;
    this.#recording = null;
    if (recording) await (await recording).stop();
  }

  #show(isRecording) {
    this.dataset.state = isRecording ? 'recording' : 'idle';
    this.button.textContent = isRecording ? 'Stop' : this.label;
    this.meter.hidden = this.time.hidden = !isRecording;
    this.meter.value = 0;
    this.time.textContent = clockTime(0);
  }

  async #press() {
    if (this.#recording) return this.#stop();
    this.alarm.textContent = '';
    this.status.textContent = '';
    this.button.disabled = true;
    this.#recording = capture(
      (level, seconds) => this.#hear(level, seconds),
      () => this.#stop(),
    );
    try {
      await this.#recording;
      this.status.textContent = 'Recording.';
      this.#show(true);
    } catch (error) {
      this.#recording = null;
      this.alarm.textContent = error.message;
    }
    this.button.disabled = false;
  }

  #hear(level, seconds) {
    const db = 20 * Math.log10(Math.max(level, 1e-9));
    this.meter.value = Math.max(0, 1 - db / LOWEST_DB);
    this.meter.title = `${db.toFixed(0)} dBFS`;
    this.time.textContent = clockTime(seconds);
    if (level >= FULL_SCALE) this.status.textContent = 'Too loud: go further from the microphone.';
    if (seconds >= LONGEST_SECONDS) this.#stop();
  }

  async #stop() {
    const recording = this.#recording;
    this.#recording = null;
    if (!recording) return;
    const { samples, rate } = await (await recording).stop();
    this.#show(false);
    this.status.textContent = '';
    const peak = samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
    if (samples.length < SHORTEST_SECONDS * rate) this.alarm.textContent = TOO_SHORT;
    else if (peak < SILENT_PEAK) this.alarm.textContent = SILENT;
    else this.#give(new File([wavFile([samples], rate)], this.#fileName(), { type: 'audio/wav' }));
  }

  #fileName() {
    return `${this.getAttribute('name') ?? 'recording'} ${++this.#n}.wav`;
  }

  #give(file) {
    this.status.textContent = 'Recorded.';
    this.dispatchEvent(new CustomEvent('recorded', { detail: file, bubbles: true }));
    const place = this.getAttribute('into');
    const field = place && document.querySelector(`${place} input[type=file]`);
    if (!field) return;
    const files = new DataTransfer();
    files.items.add(file);
    field.files = files.files;
    field.dispatchEvent(new Event('change', { bubbles: true }));
  }
}

customElements.define('sound-recorder', SoundRecorder);
