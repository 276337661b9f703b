/** `<speech-history job="ADDRESS">`: one sentence as machines have said it since 1939, side by side. */

import { element } from '../player/elements.js';
import { melPicture } from './learn-drawing.js';
import { fetchSound, play, stop } from './learn-sound.js';
import { defineResult } from './results.js';

const COLOURS = 8; // of stretches, in the styles
const PAUSE_MS = 300; // between one and the next

class SpeechHistory extends HTMLElement {
  #nTurns = 0; // which of them counts: a later one, or Stop, ends what is still to come
  #pause = 0;

  async connectedCallback() {
    const base = this.getAttribute('job');
    try {
      const reply = await fetch(`${base}/files/history.json`);
      if (!reply.ok) throw new Error('These sounds are no longer there: make them again.');
      const { eras } = await reply.json();
      this.cards = eras.map((era, index) => this.#card(era, index));
      this.sounds = eras.map((era) => fetchSound(`${base}/files/${era.file}`));
      this.sounds.forEach((sound) => sound.catch(() => {}));
      const all = element('button', { type: 'button', text: 'Play one after the other', on: { click: () => this.#begin(0, true) } });
      const end = element('button', { type: 'button', text: 'Stop', on: { click: () => this.#stop() } });
      this.told = element('p', { role: 'status' });
      this.replaceChildren(
        element('div', { class: 'controls' }, [all, end, this.told]),
        element('ol', { class: 'eras' }, this.cards),
      );
      this.titles = eras.map((era) => `${era.year}: ${era.title}`);
    } catch (error) {
      this.replaceChildren(element('p', { role: 'alert', text: error.message }));
    }
  }

  disconnectedCallback() {
    this.#stop();
  }

  #stop() {
    this.#nTurns++;
    clearTimeout(this.#pause);
    stop();
  }

  #begin(index, goesOn) {
    this.#stop();
    this.#play(index, goesOn);
  }

  #card(era, index) {
    const button = element('button', {
      type: 'button',
      text: '▶ Play',
      'aria-label': `Play ${era.title}`,
      on: { click: () => this.#begin(index, false) },
    });
    const fact = (name, text) => element('div', { class: 'fact' }, [element('b', { text: `${name} ` }), text]);
    return element('li', {}, [
      element('header', {}, [element('span', { class: 'year', text: era.year }), element('strong', { text: era.title }), button]),
      melPicture(era.mel, `Spectrogram of ${era.title}`),
      ...(era.runs ? [pieces(era)] : []),
      element('div', { class: 'fact people', text: era.people }),
      fact('The idea.', era.idea),
      fact('Here.', era.here),
      fact('Still heard.', era.today),
      element('div', { class: 'fact' }, [element('small', { text: `${era.licence} ${era.code.join(', ')}` })]),
    ]);
  }

  async #play(index, goesOn) {
    const mark = (isOn) => this.cards[index].classList.toggle('now', isOn);
    const turn = this.#nTurns;
    try {
      const sound = await this.sounds[index];
      if (turn !== this.#nTurns) return;
      const ended = (isWhole) => {
        mark(false);
        const isNext = goesOn && isWhole && turn === this.#nTurns && index + 1 < this.cards.length;
        if (isNext) this.#pause = setTimeout(() => this.#play(index + 1, true), PAUSE_MS);
      };
      play(sound, { ended });
      mark(true);
      this.told.textContent = this.titles[index];
    } catch (error) {
      if (turn === this.#nTurns) this.told.textContent = error.message;
    }
  }
}

/** Returns a strip of the pieces that a sentence was joined of, and which sentences they are from. */
function pieces({ runs, n_samples: nSamples }) {
  const ends = [...runs.slice(1).map((run) => run.start), nSamples];
  const strip = runs.map((run, index) => {
    const piece = element('span', { class: `piece of-${run.recording % COLOURS}`, title: run.text });
    piece.style.flexGrow = String(Math.max(1, ends[index] - run.start));
    return piece;
  });
  const from = [...new Set(runs.map((run) => run.text))].map((text) => element('li', { text }));
  return element('div', { class: 'joined' }, [
    element('div', { class: 'strip', role: 'img', 'aria-label': `${runs.length} stretches of recordings` }, strip),
    element('details', {}, [element('summary', { text: `Pieces of ${from.length} sentences` }), element('ul', {}, from)]),
  ]);
}

customElements.define('speech-history', SpeechHistory);
defineResult('history', (job, base) => element('speech-history', { job: base }));
