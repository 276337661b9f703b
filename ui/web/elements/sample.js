/**
 * `<voice-sample voice="hibari/heart" say="Good morning." label="Hear heart"></voice-sample>`: a button that has the
 * server speak a text, and plays it; `model` and `options` (JSON) are passed on.
 */

import { element, press } from '../player/elements.js';
import { takeTurn } from '../player/turns.js';
import { MINE, sentenceOf } from './address.js';
import { tell } from './told.js';

class VoiceSample extends HTMLElement {
  static observedAttributes = ['voice', 'say', 'model', 'options'];
  #audio = new Audio();
  #address = '';
  #isPlaying = false;
  #ending = new AbortController();

  connectedCallback() {
    if (!this.button) {
      const label = this.getAttribute('label') ?? '';
      const click = () => (this.#isPlaying ? this.stop() : this.#hear());
      this.button = element('button', { type: 'button', text: '▶', 'aria-label': label, title: label, on: { click } });
      this.alarm = element('span', { role: 'alert' });
      press(this.button, false);
      this.#audio.addEventListener('ended', () => this.stop());
    }
    this.classList.add('controls');
    this.replaceChildren(this.button, this.alarm);
  }

  disconnectedCallback() {
    this.stop();
    this.#forget();
  }

  attributeChangedCallback() {
    this.#forget();
  }

  stop() {
    this.#ending.abort();
    this.#audio.pause();
    this.#wait(false);
    this.#show(false);
  }

  async #hear() {
    takeTurn(this, () => this.stop());
    this.#ending = new AbortController();
    const { signal } = this.#ending;
    tell(this.alarm, '');
    this.#show(true);
    this.#wait(!this.#address);
    try {
      this.#address ||= URL.createObjectURL(await this.#spoken(signal));
      if (signal.aborted) return;
      this.#audio.src = this.#address;
      this.#audio.currentTime = 0;
      await this.#audio.play();
      this.#wait(false);
    } catch (error) {
      if (signal.aborted) return;
      tell(this.alarm, error.message);
      this.stop();
    }
  }

  async #spoken(signal) {
    const options = JSON.parse(this.getAttribute('options') || '{}');
    const asked = { input: this.getAttribute('say'), voice: this.getAttribute('voice'), options, stream: false };
    const body = JSON.stringify({ ...asked, model: this.getAttribute('model') || null });
    const headers = { 'Content-Type': 'application/json' };
    const reply = await fetch(`${MINE}/audio/speech`, { method: 'POST', headers, body, signal });
    if (!reply.ok) throw new Error(await sentenceOf(reply));
    return reply.blob();
  }

  #forget() {
    if (this.#address) URL.revokeObjectURL(this.#address);
    this.#address = '';
  }

  /** Says that nothing is heard yet: a model may have to be fetched or loaded first. */
  #wait(isWaiting) {
    if (!this.button) return;
    this.button.setAttribute('aria-busy', String(isWaiting));
    this.button.title = `${this.getAttribute('label') ?? ''}${isWaiting ? ': loading …' : ''}`;
  }

  #show(isPlaying) {
    this.#isPlaying = isPlaying;
    if (!this.button) return;
    press(this.button, isPlaying);
    this.button.textContent = isPlaying ? '■' : '▶';
  }
}

customElements.define('voice-sample', VoiceSample);
