/**
 * `<layer-view job="ADDRESS OF A JOB">`: what every layer of the networks made of a sound, drawn as the U that they are.
 *
 * Without `job` it shows the sound that is painted on, and how far a new one is.
 */

import { element } from '../player/elements.js';
import { request } from '../player/sound.js';
import { ask } from './address.js';
import { drawBytes } from './colour-scale.js';
import { EXPLAINED } from './explained.js';
import { follow } from './follow.js';
import { STARTED } from './job-list.js';

const STYLE = new URL('layer-view.css', import.meta.url).href;
const N_SMALL = 4; // pictures on a card
const EMPTY = 'The layers of the sound that you paint on appear here: of one of your own in section 2, or of the example.';
const SIDES = ['left', 'right'];
const LAST = ['up 6', 'head', 'estimate', 'mask'];

class LayerView extends HTMLElement {
  static observedAttributes = ['job'];

  #ending = new AbortController();
  #loading = new AbortController();
  #network = null;
  #bytes = null;
  #stem = '';
  #chosen = 0;
  #cards = [];

  constructor() {
    super();
    this.attachShadow({ mode: 'open' });
  }

  connectedCallback() {
    this.#ending = new AbortController();
    const { signal } = this.#ending;
    this.status = element('p', { role: 'status', text: EMPTY });
    this.alarm = element('p', { role: 'alert' });
    this.body = element('div', { class: 'network' });
    const styles = element('link', { rel: 'stylesheet', href: STYLE });
    this.shadowRoot.replaceChildren(styles, this.status, this.alarm, this.body);
    document.addEventListener(EXPLAINED, ({ detail }) => this.hasAttribute('job') || this.#open(detail.base), {
      signal,
    });
    document.addEventListener(STARTED, ({ detail }) => this.hasAttribute('job') || this.#await(detail), { signal });
    const base =
      this.getAttribute('job') ?? [...document.querySelectorAll('mask-painter[job]')].at(-1)?.getAttribute('job');
    if (base) this.#open(base);
  }

  disconnectedCallback() {
    this.#ending.abort();
    this.#loading.abort();
  }

  attributeChangedCallback() {
    if (this.isConnected && this.status) this.#open(this.getAttribute('job'));
  }

  /** The layers that are shown, for tests. */
  get layers() {
    return this.#network?.stems[this.#stem] ?? [];
  }

  /** Says how far a job of this kind is; its sound is opened by who paints on it. */
  async #await(id) {
    const { signal } = this.#ending;
    const job = await ask(`/jobs/${id}`, { signal }).catch(() => null);
    if (job?.task !== 'explain_separation' || signal.aborted) return;
    this.alarm.textContent = '';
    const progress = ({ stage, fraction }) => {
      this.status.textContent = `The model listens: ${stage || 'waiting'} (${Math.round(100 * (fraction ?? 0))} %)`;
    };
    const end = (ended) => {
      this.status.textContent = '';
      this.alarm.textContent = ended?.error?.message ?? '';
    };
    follow(id, { progress, lost: () => {}, end }, signal);
  }

  async #open(base) {
    this.#loading.abort();
    const { signal } = (this.#loading = new AbortController());
    this.status.textContent = 'Loading …';
    this.alarm.textContent = '';
    try {
      const { report } = await (await request(base, signal)).json();
      const [network, bytes] = await Promise.all([
        request(`${base}/files/${report.network.file}`, signal).then((reply) => reply.json()),
        request(`${base}/files/${report.network.pictures}`, signal).then((reply) => reply.arrayBuffer()),
      ]);
      if (signal.aborted) return;
      [this.#network, this.#bytes] = [network, new Uint8Array(bytes)];
      this.status.textContent = '';
      this.#build(report);
    } catch (error) {
      if (signal.aborted) return;
      this.status.textContent = '';
      this.alarm.textContent = error.message;
    }
  }

  #build(report) {
    const { stems, seconds, patch_seconds: patch, highest_hz: highest } = this.#network;
    const names = Object.keys(stems);
    this.#stem = names[0];
    const radio = (stem) =>
      element('label', {}, [
        element('input', {
          type: 'radio',
          name: 'network',
          checked: stem === this.#stem,
          on: { change: () => this.#chooseStem(stem) },
        }),
        `the one for ${stem}`,
      ]);
    this.slider = element('input', {
      type: 'range',
      min: 0,
      step: 1,
      value: 0,
      'aria-label': 'Layer',
      on: { input: () => this.#choose(Number(this.slider.value)) },
    });
    this.drawing = element('div', { class: 'drawing', role: 'group', 'aria-label': 'Layers' });
    this.details = element('section', { class: 'layer', 'aria-live': 'polite' });
    const { name, licence, note } = report.model;
    this.body.replaceChildren(
      element('p', {
        text:
          `${report.clip.name}: the first ${seconds.toFixed(1)} s of it, of the ${patch.toFixed(1)} s that the network hears at ` +
          `once, up to ${(highest / 1000).toFixed(1)} kHz. In each picture time goes to the right and pitch goes up.`,
      }),
      element('fieldset', {}, [element('legend', { text: 'There are two networks alike:' }), ...names.map(radio)]),
      this.drawing,
      element('div', { class: 'bar' }, [this.#stepButton('Before', -1), this.slider, this.#stepButton('Next', 1)]),
      this.details,
      element('p', {
        class: 'small',
        text: `Weights: ${name}, ${licence}. ${note} The code is ours, under the MIT licence.`,
      }),
    );
    this.#chooseStem(this.#stem);
  }

  #stepButton(text, step) {
    return element('button', {
      type: 'button',
      text,
      'aria-label': `${text} layer`,
      on: { click: () => this.#choose(this.#chosen + step) },
    });
  }

  #chooseStem(stem) {
    this.#stem = stem;
    const layers = this.layers;
    this.slider.max = layers.length - 1;
    this.#cards = layers.map((layer, index) => this.#card(layer, index));
    const cardOf = (name) => this.#cards[layers.findIndex((layer) => layer.name === name)];
    const row = (left, middle, right) =>
      element('div', { class: 'row' }, [
        element('div', { class: 'side' }, left),
        element('div', { class: middle ? 'bridge' : 'gap', 'aria-hidden': 'true', text: middle }),
        element('div', { class: 'side' }, right),
      ]);
    const bridged = layers.filter((layer) => layer.name.startsWith('down') && layer.bridge);
    const bottom = layers.filter((layer) => layer.name.startsWith('down') && !layer.bridge);
    this.drawing.replaceChildren(
      row([cardOf('input')], '', LAST.map(cardOf).reverse()),
      ...bridged.map((layer) => row([cardOf(layer.name)], 'straight across', [cardOf(layer.bridge)])),
      element(
        'div',
        { class: 'row bottom' },
        bottom.map((layer) => cardOf(layer.name)),
      ),
    );
    this.#choose(Math.min(this.#chosen, layers.length - 1));
  }

  #card(layer, index) {
    const [channels, frames, bins] = layer.shape;
    const pictures = picturesOf(layer)
      .slice(0, N_SMALL)
      .map((picture) => this.#canvas(picture, { 'aria-hidden': 'true' }));
    const card = element('button', { type: 'button', class: 'card', on: { click: () => this.#choose(index) } }, [
      element('span', { class: 'name', text: layer.name }),
      element('span', { class: 'small', text: `${channels} × ${frames} × ${bins}` }),
      element('span', { class: 'pictures' }, pictures),
    ]);
    card.style.setProperty('--place', String(index)); // where the U has become a list
    return card;
  }

  #canvas(picture, attributes) {
    const canvas = element('canvas', attributes);
    const n = picture.shape[0] * picture.shape[1];
    drawBytes(canvas, this.#bytes.subarray(picture.offset, picture.offset + n), picture.shape);
    return canvas;
  }

  #choose(index) {
    const layers = this.layers;
    this.#chosen = Math.min(Math.max(index, 0), layers.length - 1);
    const layer = layers[this.#chosen];
    this.#cards.forEach((card, i) => card.setAttribute('aria-pressed', String(i === this.#chosen)));
    this.slider.value = String(this.#chosen);
    this.slider.setAttribute('aria-valuetext', layer.name);
    this.details.replaceChildren(
      element('h3', { text: `${layer.name}: ${layer.kind}` }),
      element('p', { text: layer.explanation }),
      element(
        'ul',
        {},
        this.#facts(layer).map((text) => element('li', { text })),
      ),
      element(
        'div',
        { class: 'channels' },
        picturesOf(layer).map((picture) => this.#figure(layer, picture)),
      ),
      element('p', { class: 'small' }, [
        `${layer.paper}. Computed by ${layer.code.path}, line ${layer.code.line}: `,
        element('code', { text: layer.code.text }),
      ]),
    );
  }

  #facts(layer) {
    const [channels, frames, bins] = layer.shape;
    const facts = [
      `${channels} ${channels === 1 ? 'channel' : 'channels'} of ${frames} × ${bins} cells, each ${milliseconds(layer.seconds_per_cell)} and ` +
        `${Math.round(layer.hz_per_cell)} Hz wide.`,
      `A cell depends on ${layer.sees_seconds < 1 ? milliseconds(layer.sees_seconds) : `${layer.sees_seconds.toFixed(1)} s`} and ` +
        `${Math.round(layer.sees_hz)} Hz of the sound.`,
    ];
    if (layer.n_parameters) facts.push(`${layer.n_parameters.toLocaleString('en')} numbers were learned for it.`);
    if (layer.n_silent) facts.push(`${layer.n_silent} channels say nothing about this sound.`);
    return facts;
  }

  #figure(layer, picture) {
    const share = `${(100 * picture.activity).toFixed(picture.activity < 0.1 ? 1 : 0)} % of the variation`;
    const what = hasSides(layer) ? SIDES[picture.channel] : `channel ${picture.channel + 1}, ${share}`;
    const range = `${digits(picture.low)} (dark) to ${digits(picture.high)}${layer.name === 'input' ? ' dB' : ''}`;
    const canvas = this.#canvas(picture, { role: 'img', 'aria-label': `${layer.name}, ${what}` });
    return element('figure', {}, [canvas, element('figcaption', { text: `${what}; ${range}` })]);
  }
}

/** Whether the channels of a layer are left and right, as those of sound. */
const hasSides = (layer) => layer.shape[0] === 2;

/** The pictures of a layer: the liveliest first, but left before right. */
function picturesOf(layer) {
  return hasSides(layer) ? [...layer.pictures].sort((one, other) => one.channel - other.channel) : layer.pictures;
}

const digits = (value) => String(Number(value.toPrecision(2))).replace('-', '−');
const milliseconds = (seconds) => `${Math.round(1000 * seconds)} ms`;

customElements.define('layer-view', LayerView);
