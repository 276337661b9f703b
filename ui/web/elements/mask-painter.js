/**
 * `<mask-painter job="ADDRESS OF A JOB">`: the spectrogram of a job `explain_separation`, to paint on the model's masks.
 *
 * All is computed in this browser: what is heard and drawn is the clip's spectrum times the steered mask, transformed back.
 */

import { clockTime, element } from '../player/elements.js';
import { channelsOf, request } from '../player/sound.js';
import { EXPLAINED } from './explained.js';
import { LoopPlayer } from './loop-player.js';
import { EarRows } from './ear-rows.js';
import { buildControls, layOut } from './painter-controls.js';
import { Hand } from './painter-hand.js';
import { Picture } from './painter-picture.js';
import { defineResult } from './results.js';
import { wavFile } from './wav.js';

const STYLE = new URL('mask-painter.css', import.meta.url).href;
const WORKER = new URL('painting-worker.js', import.meta.url);
const BEFORE_SECONDS = 0.25;
const AFTER_SECONDS = 0.4; // around a stroke that is played

class MaskPainter extends HTMLElement {
  /** What is looked at, once it is: see explained.js. */
  explained = null;
  #loading = new AbortController();
  #worker = null;
  #player = null;
  #picture = null;
  #hand = null;
  #c = null;
  #report = null;
  #sounds = null;
  #began = new Map(); // when each message was sent
  #span = null; // what the last stroke touched, in seconds
  #frame = 0;
  #figures = {
    nullDb: null,
    sdrDb: null,
    modelSdrDb: {},
    heardMs: null,
    workMs: null,
    nStrokes: 0,
    isReady: false,
    nDone: 0,
  };

  constructor() {
    super();
    this.attachShadow({ mode: 'open' });
  }

  connectedCallback() {
    this.#open().catch((error) => this.#loading.signal.aborted || this.#fail(error));
  }

  disconnectedCallback() {
    this.#loading.abort();
    this.#worker?.terminate();
    this.#player?.close();
    this.sizes?.disconnect();
    cancelAnimationFrame(this.#frame);
  }

  /** What was measured last: for tests, and for who wants to know. */
  get figures() {
    return { ...this.#figures };
  }

  /** The sounds as they are: `original`, `result` and `removed`, each left and right. */
  get sounds() {
    return this.#sounds;
  }

  /** Paints a stroke; `seconds` and `hz` may be given in place of a rectangle of frames and rows. */
  paint(stroke) {
    const { seconds, hz, ...rest } = stroke;
    const rectangle = seconds && hz ? this.#hand.rectangleOf(seconds, hz) : rest.rectangle;
    const ends = rectangle ? [rectangle.from, rectangle.to] : rest.points.map((point) => point.frame);
    const [from, to] = [Math.min(...ends), Math.max(...ends)].map((frame) => this.#picture.secondsAt(frame));
    this.#span = {
      begin: Math.max(from - BEFORE_SECONDS, 0),
      end: Math.min(to + AFTER_SECONDS, this.#player.duration),
    };
    this.#send('stroke', {
      brush: this.#c.brush.value,
      strength: this.#c.strength.value,
      isAlike: this.#c.alike.on,
      ...rest,
      rectangle,
    });
  }

  async #open() {
    const { signal } = (this.#loading = new AbortController());
    const base = this.getAttribute('job');
    this.#c = buildControls([], () => {});
    const styles = element('link', { rel: 'stylesheet', href: STYLE });
    this.shadowRoot.replaceChildren(styles, this.#c.status, this.#c.alarm);
    const job = await (await request(base, signal)).json();
    const report = (this.#report = job.report);
    const file = async (name) => (await request(`${base}/files/${encodeURIComponent(name)}`, signal)).arrayBuffer();
    const sound = async (name) => channelsOf(await file(name));
    const [clip, masks, ...truth] = await Promise.all([
      sound(report.clip.file),
      file(report.masks.file),
      ...report.stems
        .map((stem) => report.truth[stem])
        .filter(Boolean)
        .map(sound),
    ]);
    if (signal.aborted) return;
    this.#build(styles, clip);
    const [, , nMaskBins] = report.masks.shape;
    this.#send('open', {
      channels: clip,
      sampleRate: report.clip.sample_rate,
      transform: report.transform,
      masks: new Uint16Array(masks),
      full: report.masks.full,
      nMaskBins,
      truth: truth.length ? truth : null,
    });
    this.explained = { base, report, clip };
    document.dispatchEvent(new CustomEvent(EXPLAINED, { detail: this.explained }));
  }

  #build(styles, clip) {
    const report = this.#report;
    const c = (this.#c = buildControls(report.stems, (kind, value) => this.#act(kind, value)));
    c.notes.append(...report.notes.map((text) => element('li', { text })));
    this.shadowRoot.replaceChildren(styles, layOut(c));
    this.#sounds = {
      original: clip,
      result: clip.map((each) => each.slice()),
      removed: clip.map((each) => new Float32Array(each.length)),
    };
    this.#player = new LoopPlayer(report.clip.sample_rate, clip[0].length);
    this.#player.sound = this.#sounds.result;
    c.position.max = this.#player.duration.toFixed(2);
    this.#player.addEventListener('change', () => this.#showPlaying());
    this.#picture = new Picture(c.canvas, c.overlay);
    this.sizes = new ResizeObserver(([{ contentRect }]) => {
      if (!contentRect.width && this.#player.isPlaying) this.#player.stop(); // nobody sees it any more
      if (this.#picture.resize(contentRect.width, contentRect.height)) this.#showMoving();
    });
    this.sizes.observe(c.canvas.parentElement);
    c.overlay.addEventListener('pointerdown', () => this.#player.wake());
    this.#hand = new Hand(c, this.#picture, {
      stroke: (stroke) => this.paint(stroke),
      moved: () => this.#showMoving(),
      act: (kind) => this.#act(kind),
    });
    this.#worker = new Worker(WORKER, { type: 'module' });
    this.#worker.addEventListener('message', ({ data }) => this.#hear(data));
    this.#worker.addEventListener('error', () => this.#fail(new Error('The browser could not begin to compute.')));
  }

  #send(kind, value) {
    const id = this.#began.size;
    this.#began.set(id, { kind, at: performance.now(), stem: this.#c.stem.value });
    this.#worker.postMessage({ id, kind, value });
  }

  #hear({ id, kind, value }) {
    const { kind: asked, at, stem } = this.#began.get(id);
    if (kind === 'failed') this.#fail(new Error(value.message));
    if (kind === 'opened') this.#begin(value);
    if (kind === 'nothing') this.#count(value);
    if (kind === 'result') this.#takeResult(value, asked, at);
    if (kind === 'rest') this.#takeRest(value, stem);
  }

  #begin(opened) {
    const { n_fft: size, hop, first_sample: first } = this.#report.transform;
    const { sample_rate: rate } = this.#report.clip;
    const rows = new EarRows(opened.nRows, opened.nBins, opened.binHz);
    const axes = {
      frameSeconds: hop / rate,
      firstSeconds: (first + size / 2) / rate,
      rowOf: (hz) => rows.rowOf(hz),
      hzOf: (row) => rows.hzOf(row),
    };
    this.#picture.open(opened, axes);
    for (const button of ['play', 'download']) this.#c[button].disabled = false;
  }

  #takeResult({ frames, result, drawn, workMs, ...counts }, asked, began) {
    result.channels.forEach((samples, c) => this.#sounds.result[c].set(samples, result.start));
    const isHeard = this.#c.hear.value === 'result';
    let wait = 0;
    if (this.#player.isPlaying && isHeard) wait = this.#player.refresh();
    else if (asked === 'stroke' && this.#c.preview.on) wait = this.#preview();
    const heardMs = asked === 'stroke' && wait ? performance.now() - began + wait : null;
    this.#figures = { ...this.#figures, workMs, heardMs };
    this.#picture.update(frames, drawn); // sound goes first
    this.#count(counts);
  }

  /** Plays the result around the last stroke. */
  #preview() {
    if (this.#player.isPlaying) return 0;
    this.#c.hear.choose('result');
    return this.#player.play(this.#span, { isLoop: false });
  }

  #takeRest({ removed, measured }, stem) {
    const { modelSdrDb, nStrokes, nDone } = this.#figures;
    if (!nStrokes) modelSdrDb[stem] = measured.sdrDb;
    if (stem !== this.#c.stem.value) return; // the stem that was chosen meanwhile has an answer of its own to come
    removed.channels.forEach((samples, c) => this.#sounds.removed[c].set(samples, removed.start));
    if (this.#player.isPlaying && this.#c.hear.value === 'removed') this.#player.refresh();
    this.#figures = { ...this.#figures, ...measured, modelSdrDb, isReady: true, nDone: nDone + 1 };
    this.#c.status.textContent = '';
    this.#showFigures();
  }

  #count({ nStrokes, nUndone }) {
    this.#figures.nStrokes = nStrokes;
    this.#c.undo.disabled = this.#c.reset.disabled = !nStrokes;
    this.#c.redo.disabled = !nUndone;
  }

  #showFigures() {
    const { nullDb, sdrDb, modelSdrDb, heardMs, workMs } = this.#figures;
    const stem = this.#c.stem.value;
    const lines = [`Result and what was removed add up to the original: ${Math.round(nullDb)} dB are left of it.`];
    if (heardMs !== null)
      lines.push(`Heard ${Math.round(heardMs)} ms after the stroke, of which computing took ${Math.round(workMs)} ms.`);
    if (sdrDb !== null) {
      const model = modelSdrDb[stem] ?? null;
      const before = model === null ? '' : ` The model alone: ${model.toFixed(1)} dB.`;
      lines.push(`The true ${stem} are known here: the result is right to ${sdrDb.toFixed(1)} dB.${before}`);
    }
    this.#c.figures.replaceChildren(...lines.map((text) => element('li', { text })));
  }

  #act(kind, value) {
    switch (kind) {
      case 'play':
        return this.#toggle();
      case 'loop':
        return this.#player.isPlaying && this.#play();
      case 'seek':
        return this.#player.seek(value);
      case 'hear':
        this.#player.sound = this.#sounds[value];
        return this.#player.refresh();
      case 'stem':
        return this.#send('stem', this.#report.stems.indexOf(value));
      case 'view':
        this.#picture.view = value;
        return this.#picture.paint();
      case 'apply':
        return this.#hand.rectangle && this.paint({ rectangle: this.#hand.rectangle });
      case 'download':
        return this.#download();
      case 'undo':
      case 'redo':
      case 'reset':
        return this.#send(kind);
      default:
        return this.#showMoving();
    }
  }

  #toggle() {
    if (this.#player.isPlaying) this.#player.stop();
    else this.#play();
  }

  #play() {
    const whole = { begin: 0, end: this.#player.duration };
    const rectangle = this.#c.loop.on ? this.#hand.rectangle : null;
    const ends = rectangle && [rectangle.from, rectangle.to].map((frame) => this.#picture.secondsAt(frame));
    const span = ends ? { begin: Math.max(ends[0], 0), end: Math.min(ends[1], whole.end) } : whole;
    const { position } = this.#player;
    const at = position >= span.begin && position < span.end - 0.05 ? position : span.begin;
    this.#player.play(span, { isLoop: this.#c.loop.on, at });
  }

  #download() {
    const { name } = this.#report.clip;
    const address = URL.createObjectURL(wavFile(this.#sounds.result, this.#report.clip.sample_rate, true));
    const file = `${name.replace(/\.[^.]+$/, '')} - ${this.#c.stem.value}, painted.wav`;
    element('a', { href: address, download: file }).click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
  }

  #showPlaying() {
    this.#c.play.textContent = this.#player.isPlaying ? 'Stop' : 'Play';
    cancelAnimationFrame(this.#frame);
    const step = () => {
      this.#showMoving();
      if (this.#player.isPlaying) this.#frame = requestAnimationFrame(step);
    };
    step();
  }

  #showMoving() {
    if (!this.#picture?.levels) return;
    const { position } = this.#player;
    this.#c.time.textContent = clockTime(position);
    this.#c.position.value = position.toFixed(2);
    this.#c.position.setAttribute('aria-valuetext', clockTime(position));
    this.#picture.showMoving({
      seconds: position,
      points: this.#hand.points,
      radius: this.#picture.radiusOf(this.#c.size.value),
      brush: this.#c.brush.value,
      rectangle: this.#hand.rectangle,
      cursor: this.#hand.cursor,
    });
  }

  #fail(error) {
    this.#c.status.textContent = '';
    this.#c.alarm.textContent = error.message;
  }
}

customElements.define('mask-painter', MaskPainter);
defineResult('explain_separation', (job, base) => element('mask-painter', { job: base }));
