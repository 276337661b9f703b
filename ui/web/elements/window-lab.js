/**
 * `<window-lab>`: what a spectrogram is, on the sound that is painted on. One window of it is taken apart; a shorter one
 * tells times better, a longer one pitches.
 */

import { clockTime, element } from '../player/elements.js';
import { drawBytes } from './colour-scale.js';
import { EarRows } from './ear-rows.js';
import { EXPLAINED } from './explained.js';
import { Fft } from './fft.js';

const STYLE = new URL('layer-view.css', import.meta.url).href;
const SIZES = [512, 1024, 4096, 16384];
const USUAL = 4096; // the model's
const [N_COLUMNS, N_ROWS] = [500, 200];
const RANGE_DB = 90;
const FLOOR = 1e-12;
const HALF_WIDTH_BINS = 2; // of a tone's peak at half its height under a Hann window: Harris 1978, table I
const N_PEAKS = 4;
const PEAK_RANGE_DB = 40;
const NOTES = ['C', 'C♯', 'D', 'E♭', 'E', 'F', 'F♯', 'G', 'A♭', 'A', 'B♭', 'B'];
const EMPTY = 'Open a sound to paint on first: one window of it is taken apart here.';

class WindowLab extends HTMLElement {
  #ending = new AbortController();
  #samples = null;
  #rate = 0;
  #size = USUAL;
  #seconds = 0;
  #figures = null;
  #isDrawn = false;
  #width = 0;

  constructor() {
    super();
    this.attachShadow({ mode: 'open' });
  }

  connectedCallback() {
    this.#ending = new AbortController();
    const { signal } = this.#ending;
    this.body = element('div', { class: 'network' }, [element('p', { role: 'status', text: EMPTY })]);
    this.shadowRoot.replaceChildren(element('link', { rel: 'stylesheet', href: STYLE }), this.body);
    document.addEventListener(EXPLAINED, ({ detail }) => this.#open(detail), { signal });
    const sizes = new ResizeObserver(([{ contentRect }]) => {
      if (contentRect.width === this.#width) return; // what is drawn may change the height
      this.#width = contentRect.width;
      this.#show();
    });
    sizes.observe(this.body);
    signal.addEventListener('abort', () => sizes.disconnect());
    const known = [...document.querySelectorAll('mask-painter')].map((painter) => painter.explained).filter(Boolean);
    if (known.length) this.#open(known.at(-1));
  }

  disconnectedCallback() {
    this.#ending.abort();
  }

  /** What is told of the window: for tests. */
  get figures() {
    return this.#figures;
  }

  /** @param {{report: any, clip: Float32Array[]}} explained */
  #open({ report, clip }) {
    this.#rate = report.clip.sample_rate;
    this.#samples = clip[0].map((left, i) => (left + clip[1][i]) / 2);
    this.#seconds = this.#samples.length / this.#rate / 3;
    this.#build();
    this.#isDrawn = false;
    this.#show();
  }

  /** Draws what there is, where it is seen. */
  #show() {
    if (!this.#samples || !this.body.clientWidth) return;
    if (this.#isDrawn) this.#drawWindow();
    else this.#draw();
  }

  #build() {
    const duration = this.#samples.length / this.#rate;
    const words = (n) =>
      `${Math.round((1000 * n) / this.#rate)} ms (${n} samples${n === USUAL ? ', the model’s' : ''})`;
    this.choice = element(
      'select',
      { 'aria-label': 'Window', on: { change: () => this.#resize(Number(this.choice.value)) } },
      SIZES.map((n) => element('option', { value: n, selected: n === this.#size, text: words(n) })),
    );
    this.slider = element('input', {
      type: 'range',
      min: 0,
      max: duration.toFixed(2),
      step: 0.01,
      value: this.#seconds.toFixed(2),
      'aria-label': 'Where the window lies',
      on: { input: () => this.#move(Number(this.slider.value)) },
    });
    const picture = (label) => element('canvas', { role: 'img', 'aria-label': label });
    this.whole = picture('Spectrogram of the sound with this window; a line marks where it lies');
    this.line = element('div', { class: 'line' });
    this.piece = picture('The piece of sound under the window, and the window');
    this.spectrum = picture('The levels of its frequencies');
    this.facts = element('ul');
    const stage = element('div', { class: 'stage', on: { pointerdown: (event) => this.#point(event) } }, [
      this.whole,
      this.line,
    ]);
    this.body.replaceChildren(
      element('div', { class: 'bar' }, [element('label', {}, ['Window: ', this.choice]), this.slider]),
      stage,
      element('div', { class: 'pair' }, [
        element('figure', {}, [this.piece, element('figcaption', { text: 'The piece of sound, under its window' })]),
        element('figure', {}, [
          this.spectrum,
          element('figcaption', { text: 'What it is made of: 40 Hz on the left to 22 kHz on the right' }),
        ]),
      ]),
      this.facts,
    );
  }

  #resize(size) {
    this.#size = size;
    this.#draw();
  }

  #point(event) {
    const { left, width } = this.whole.getBoundingClientRect();
    this.#move(((event.clientX - left) / width) * Number(this.slider.max));
  }

  #move(seconds) {
    this.#seconds = Math.min(Math.max(seconds, 0), Number(this.slider.max));
    this.slider.value = this.#seconds.toFixed(2);
    this.#drawWindow();
  }

  #draw() {
    this.#isDrawn = true;
    this.fft = new Fft(this.#size);
    this.window = Float64Array.from(
      { length: this.#size },
      (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / this.#size),
    );
    this.rows = new EarRows(N_ROWS, this.#size / 2 + 1, this.#rate / this.#size);
    this.#drawWhole();
    this.#drawWindow();
  }

  /** Returns the windowed samples around a time, in samples. */
  #piece(centre) {
    const start = Math.round(centre) - this.#size / 2;
    return Float64Array.from(this.window, (weight, i) => weight * (this.#samples[start + i] ?? 0));
  }

  /** Returns the powers of two pieces, by one transform of both. */
  #powers(first, second) {
    const size = this.#size;
    const [re, im] = [first.slice(), second.slice()];
    this.fft.forward(re, im);
    const powers = [0, 1].map(() => new Float32Array(size / 2 + 1));
    for (let bin = 0; bin <= size / 2; bin++) {
      const mirror = (size - bin) % size;
      const [a, b, c, d] = [re[bin], im[bin], re[mirror], im[mirror]];
      powers[0][bin] = ((a + c) ** 2 + (b - d) ** 2) / 4;
      powers[1][bin] = ((b + d) ** 2 + (c - a) ** 2) / 4;
    }
    return powers;
  }

  #drawWhole() {
    const step = this.#samples.length / N_COLUMNS;
    const levels = new Float32Array(N_ROWS * N_COLUMNS);
    let top = FLOOR;
    for (let column = 0; column < N_COLUMNS; column += 2) {
      const powers = this.#powers(this.#piece((column + 0.5) * step), this.#piece((column + 1.5) * step));
      powers.forEach((power, i) => {
        for (let row = 0; row < N_ROWS; row++) {
          const [first, end] = this.rows.binsOfRow[row];
          let most = 0;
          for (let bin = first; bin < end; bin++) most = Math.max(most, power[bin]);
          levels[row * N_COLUMNS + column + i] = most;
          top = Math.max(top, most);
        }
      });
    }
    const shade = (power) => 255 * Math.max(0, 1 + (10 * Math.log10(power / top + FLOOR)) / RANGE_DB);
    drawBytes(this.whole, Uint8Array.from(levels, shade), [N_ROWS, N_COLUMNS]);
  }

  #drawWindow() {
    const piece = this.#piece(this.#seconds * this.#rate);
    const [power] = this.#powers(piece, piece);
    this.line.style.left = `${(100 * this.#seconds) / Number(this.slider.max)}%`;
    this.slider.setAttribute('aria-valuetext', clockTime(this.#seconds));
    this.#plotPiece(piece);
    this.#plotSpectrum(power);
    const binHz = this.#rate / this.#size;
    const apartHz = HALF_WIDTH_BINS * binHz;
    const apartMs = (1000 * this.#size) / 2 / this.#rate;
    this.#figures = { seconds: this.#seconds, binHz, apartHz, apartMs, peaks: peaksOf(power, binHz) };
    const { peaks } = this.#figures;
    const facts = [
      `Two tones have to be ${digits(apartHz)} Hz apart to be told apart, two clicks ${digits(apartMs)} ms. One times the ` +
        'other is always 1: what a window wins in time it loses in pitch.',
      peaks.length
        ? `Strongest here: ${peaks.map((hz) => `${Math.round(hz)} Hz (${noteOf(hz)})`).join(', ')}.`
        : 'Silence.',
    ];
    this.facts.replaceChildren(...facts.map((text) => element('li', { text })));
  }

  #plotPiece(piece) {
    const peak = piece.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-4);
    const [context, width, height] = blank(this.piece);
    const middle = height / 2;
    const trace = (valueOf) => {
      context.beginPath();
      for (let x = 0; x <= width; x++) {
        const i = Math.min(Math.floor((x / width) * this.#size), this.#size - 1);
        context.lineTo(x, middle - 0.92 * middle * valueOf(i));
      }
      context.stroke();
    };
    context.globalAlpha = 0.6;
    trace((i) => this.window[i]);
    trace((i) => -this.window[i]);
    context.globalAlpha = 1;
    context.lineWidth = 1.5;
    trace((i) => piece[i] / peak);
  }

  #plotSpectrum(power) {
    const [context, width, height] = blank(this.spectrum);
    const top = power.reduce((most, value) => Math.max(most, value), FLOOR);
    context.lineWidth = 1.5;
    context.beginPath();
    for (let bin = 1; bin < power.length; bin++) {
      const x = (width * this.rows.rowOfBin[bin]) / N_ROWS;
      context.lineTo(x, height * Math.min((-10 * Math.log10(power[bin] / top + FLOOR)) / RANGE_DB, 1));
    }
    context.stroke();
  }
}

/** Clears a canvas at its size on the page; returns its context, width and height in CSS pixels. */
function blank(canvas) {
  const scale = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth || 300, canvas.clientHeight || 120];
  Object.assign(canvas, { width: Math.round(width * scale), height: Math.round(height * scale) });
  const context = canvas.getContext('2d');
  context.scale(scale, scale);
  context.strokeStyle = getComputedStyle(canvas).color;
  return [context, width, height];
}

/** Returns the strongest peaks in Hz, the lowest first: tops of the parabola through three levels. */
function peaksOf(power, binHz) {
  const level = Float64Array.from(power, (value) => 10 * Math.log10(value + FLOOR));
  const top = level.reduce((most, value) => Math.max(most, value));
  const found = [];
  for (let bin = 2; bin + 2 < level.length; bin++) {
    const [a, b, c] = [level[bin - 1], level[bin], level[bin + 1]];
    if (b > a && b >= c && b > top - PEAK_RANGE_DB && power[bin] > 1e-6) {
      found.push({ hz: (bin + (0.5 * (a - c)) / (a - 2 * b + c)) * binHz, b });
    }
  }
  const strongest = found.sort((x, y) => y.b - x.b).slice(0, N_PEAKS);
  return strongest.map(({ hz }) => hz).sort((x, y) => x - y);
}

/** Returns the nearest note of equal temperament. */
function noteOf(hz) {
  const midi = Math.round(69 + 12 * Math.log2(hz / 440));
  return `${NOTES[((midi % 12) + 12) % 12]}${Math.floor(midi / 12) - 1}`;
}

const digits = (value) => String(Number(value.toPrecision(value < 10 ? 2 : 3)));

customElements.define('window-lab', WindowLab);
