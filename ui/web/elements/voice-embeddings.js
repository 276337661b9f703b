/** `<voice-embeddings job="ADDRESS">`: what an encoder makes of voices, how alike they are, and a map of them. */

import { element } from '../player/elements.js';
import { cells } from './learn-drawing.js';
import { fetchSound, play, stop } from './learn-sound.js';
import { defineResult } from './results.js';
import { voiceMap } from './voice-map.js';

class VoiceEmbeddings extends HTMLElement {
  async connectedCallback() {
    const base = this.getAttribute('job');
    try {
      const reply = await fetch(`${base}/files/voices.json`);
      if (!reply.ok) throw new Error('These pictures are no longer there: make them again.');
      const told = await reply.json();
      this.replaceChildren(
        element('ul', { class: 'voices' }, told.voices.map((voice) => voiceCard(voice, base))),
        pairTable(told),
        element('p', {}, [element('small', { text: `What a similarity means was measured on: ${told.meaning_from}` })]),
        voiceMap(told.map, 'voices that spoke here'),
      );
    } catch (error) {
      this.replaceChildren(element('p', { role: 'alert', text: error.message }));
    }
  }

  disconnectedCallback() {
    stop();
  }
}

function voiceCard(voice, base) {
  const { values } = voice.heat;
  const most = Math.max(...values.flat().map(Math.abs));
  const picture = cells(16, 16, (column, row) => Math.abs(values[15 - row][column]) / most, `Embedding of ${voice.name}`);
  const sound = fetchSound(`${base}/files/${voice.file}`);
  sound.catch(() => {});
  const alarm = element('span', { role: 'alert' });
  const button = element('button', {
    type: 'button',
    text: '▶ Play',
    'aria-label': `Play ${voice.name}`,
    on: { click: () => sound.then((buffer) => play(buffer), (error) => (alarm.textContent = error.message)) },
  });
  const about = [voice.group, voice.licence].filter(Boolean).join(', ');
  return element('li', {}, [
    element('strong', { text: voice.name }),
    element('small', { text: about }),
    picture,
    button,
    alarm,
  ]);
}

/** Returns a table of all voices against all; on its diagonal, each voice in other words. */
function pairTable({ voices, pairs }) {
  const find = (one, other) => pairs.find((p) => [p.one, p.other].sort().join() === [one, other].sort().join());
  const names = voices.map((voice) => voice.name);
  const cell = (one, other) => {
    const { score, meaning, same_voice: isSame } = find(one, other);
    const made = element('td', { title: meaning, class: isSame ? 'same' : '' }, [score.toFixed(2)]);
    made.style.setProperty('--share', String(Math.max(0, score)));
    return made;
  };
  const heads = names.map((name) => element('th', { scope: 'col', text: name }));
  const rows = names.map((one) =>
    element('tr', {}, [element('th', { scope: 'row', text: one }), ...names.map((other) => cell(one, other))]),
  );
  const others = pairs.filter((pair) => !pair.same_voice).sort((a, b) => b.score - a.score);
  const nearest = others[0] ? [sentence('The two that are nearest', others[0])] : [];
  const farthest = others.length > 1 ? [sentence('The two that are farthest apart', others.at(-1))] : [];
  return element('div', { class: 'pairs' }, [
    element('div', { class: 'scrolled', 'data-scrolls': '', tabindex: '0', role: 'region', 'aria-label': 'How alike the voices are' }, [
      element('table', {}, [
        element('caption', { text: 'How alike the voices are: 1 is the same; in a frame, a voice and itself in other words' }),
        element('thead', {}, [element('tr', {}, [element('td', {}), ...heads])]),
        element('tbody', {}, rows),
      ]),
    ]),
    ...nearest,
    ...farthest,
  ]);
}

function sentence(what, { one, other, score, meaning }) {
  return element('p', { text: `${what}: ${one} and ${other}, ${score.toFixed(2)}: ${meaning}.` });
}

customElements.define('voice-embeddings', VoiceEmbeddings);
defineResult('explain_voices', (job, base) => element('voice-embeddings', { job: base }));
