/**
 * `<voice-view src="ADDRESS">` draws what there is to see of a voice: its reference and what it said as mel spectrograms
 * and as what a network hears, its place among other voices, and how alike they are, in words.
 */

import { element } from '../player/elements.js';
import { sentenceOf } from './address.js';
import { voiceMap } from './voice-map.js';
import { heatPicture, melPicture } from './voice-pictures.js';

class VoiceView extends HTMLElement {
  #ending = new AbortController();

  connectedCallback() {
    if (this.shown) return;
    this.shown = element('p', { role: 'status', text: 'Drawing …' });
    this.replaceChildren(this.shown);
    this.#load();
  }

  disconnectedCallback() {
    this.#ending.abort();
  }

  async #load() {
    try {
      const reply = await fetch(this.getAttribute('src'), { signal: this.#ending.signal });
      if (!reply.ok) throw new Error(await sentenceOf(reply));
      this.replaceChildren(...drawn(await reply.json()));
    } catch (error) {
      if (!this.#ending.signal.aborted) this.replaceChildren(element('p', { role: 'alert', text: error.message }));
    }
  }
}

function drawn(view) {
  const sounds = [{ title: 'the reference', ...view.reference }];
  if (view.result) sounds.push({ title: 'what it said', ...view.result });
  const longest = Math.max(...sounds.map(({ mel }) => mel.levels_db[0].length * mel.column_seconds));
  const largest = Math.max(...sounds.flatMap(({ embedding }) => embedding.values.flat()));
  const heat = ({ title, embedding }, index) => {
    const other = sounds[1 - index];
    const beside = other && { title: other.title, values: other.embedding.values };
    return heatPicture(embedding, `Its embedding (GE2E), ${title}`, largest, beside);
  };
  return [
    ...sounds.map(({ title, mel }, index) =>
      melPicture(mel, `${view.name}, ${title}`, longest, index === sounds.length - 1),
    ),
    element('div', { class: 'heats' }, sounds.map(heat)),
    ...likenesses(view.likenesses),
    voiceMap(view.map),
  ];
}

function likenesses(found) {
  const entries = Object.entries(found);
  if (!entries.length) return [];
  const row = ([name, { score, meaning, of_same: ofSame, of_different: ofDifferent }]) =>
    element('li', {}, [
      element('strong', { text: `${name[0].toUpperCase()}${name.slice(1)}: ${meaning}.` }),
      element('meter', { min: '0', max: '1', value: score, 'aria-label': `Likeness ${score.toFixed(2)}` }),
      element('span', {
        text:
          ` ${score.toFixed(2)} of 1. ${percent(ofSame)} of pairs of recordings of one person are less alike than this, ` +
          `and ${percent(ofDifferent)} of pairs of two people of one sex.`,
      }),
    ]);
  return [
    element('figure', { class: 'likenesses' }, [
      element('figcaption', { text: 'How alike' }),
      element('ul', {}, entries.map(row)),
    ]),
  ];
}

function percent(share) {
  return `${Math.round(100 * share)}%`;
}

customElements.define('voice-view', VoiceView);
