/**
 * `<stem-player job="/v1/jobs/ID"></stem-player>`: the results of a job side by side, played in step.
 *
 * An element of its own with a shadow root: the style of the page around it stays outside. It makes no request before
 * it has a `job`, and no audio context before something is played.
 */

import { below, clockTime, element, press } from './elements.js';
import { Engine } from './engine.js';
import { inMix, mixGains, trackGains } from './levels.js';
import { fetchPiece, request } from './sound.js';
import { Selection } from './selection.js';
import { coloursOf, followTheme } from './theme.js';
import { Track } from './track.js';
import { keyAction } from './keys.js';
import { takeTurn } from './turns.js';

const STYLE = new URL('player.css', import.meta.url).href;
const OWN_ADDRESS = /^\/(?!\/)[\w\-/.]+$/; // a path of this server
const [LOWEST_RATE_HZ, HIGHEST_RATE_HZ] = [8000, 96_000]; // that every browser plays
const LOOKS_AT_ONCE = 2; // a browser has six connections, and sound needs some
const KEYS =
  'Space plays and pauses. Left and Right go 5 s (with Shift 1 s), Home and End to the ends. A switches between mix ' +
  'and original, I and O begin and end a loop, L switches it. 1 to 9 mute a track, with Shift solo.';

class StemPlayer extends HTMLElement {
  static observedAttributes = ['job'];

  /** @type {Track[]} */
  #tracks = [];
  /** @type {?Engine} */
  #engine = null;
  #comparison = { hearsSource: false, isMatched: true, addsUp: false };
  #loading = new AbortController();
  #endTheme = () => {};
  #frameRequest = 0;
  #rate = 0;
  #total = 0;
  #start = 0; // where it is before there is an engine
  /** @type {?import('./schedule.js').Loop} */
  #loop = null;
  /** @type {?import('./schedule.js').Loop} */
  #lastLoop = null;
  /** @type {import('./engine.js').Fetch[]} */
  #fetches = [];

  constructor() {
    super();
    this.attachShadow({ mode: 'open' });
  }

  connectedCallback() {
    this.#endTheme = followTheme(this, () => this.#recolour());
    this.#open();
  }

  disconnectedCallback() {
    this.#endTheme();
    this.#close();
  }

  attributeChangedCallback() {
    if (this.isConnected) this.#open();
  }

  /** Seconds of what is played. */
  get duration() {
    return this.#rate ? this.#total / this.#rate : 0;
  }

  /** What plays, for tests and for pages that want to go to a place. */
  get engine() {
    return this.#engine;
  }

  async #open() {
    this.#close();
    const job = this.getAttribute('job') ?? '';
    this.#build();
    if (!job) return;
    const { signal } = this.#loading;
    try {
      if (!OWN_ADDRESS.test(job)) throw new Error('This is not the address of a job.');
      this.status.textContent = 'Loading …';
      const told = await (await request(`${job}/tracks`, signal)).json();
      if (signal.aborted) return;
      this.#show(told, job);
      this.status.textContent = 'Drawing …';
      await this.#draw(signal);
    } catch (error) {
      if (!signal.aborted) this.#alarm(error);
    }
  }

  #close() {
    this.#loading.abort();
    this.#loading = new AbortController();
    cancelAnimationFrame(this.#frameRequest);
    this.#engine?.close();
    this.#engine = null;
    this.#tracks.forEach((track) => track.destroy());
    this.#tracks = [];
    this.#start = 0;
    this.#loop = this.#lastLoop = null;
  }

  #build() {
    const button = (text, click, more = {}) => element('button', { type: 'button', text, on: { click }, ...more });
    this.playButton = button('Play', () => this.#toggle(), { class: 'play', disabled: true });
    this.time = element('span', { class: 'time', text: clockTime(0) });
    this.sourceButton = button('Original', () => this.#compare(), {
      hidden: true,
      title: 'Hear the original in place of the mix',
    });
    this.matched = element('input', { type: 'checkbox', checked: true, on: { change: () => this.#update() } });
    this.matchedLabel = element('label', { hidden: true }, [this.matched, 'Equal loudness']);
    this.loopButton = button('Loop', () => this.#toggleLoop());
    this.pictureButton = button('Spectrogram', () => this.#togglePictures());
    this.mixLink = element('a', { class: 'button', download: '', text: 'Export this mix' });
    this.allLink = element('a', { class: 'button', download: '', text: 'Download all (zip)' });
    this.played = element('div', { class: 'played' });
    this.position = element(
      'div',
      { class: 'position', role: 'slider', tabindex: '0', 'aria-label': 'Position', 'aria-valuemin': '0' },
      [this.played],
    );
    this.list = element('ul', { class: 'tracks', role: 'list', 'aria-label': 'Tracks' });
    this.status = element('p', { class: 'status', role: 'status' });
    this.alarm = element('div', { class: 'alarm', role: 'alert' });
    this.body = element(
      'div',
      { class: 'player', role: 'group', 'aria-label': 'Player', on: { keydown: (event) => this.#onKey(event) } },
      [
        element('div', { class: 'bar' }, [
          this.playButton,
          this.time,
          this.sourceButton,
          this.matchedLabel,
          this.loopButton,
          this.pictureButton,
        ]),
        element('div', { class: 'tracks' }, [
          element('div', { class: 'ruler' }, [element('span', { class: 'label', text: 'Position' }), this.position]),
          this.list,
        ]),
        element('div', { class: 'bar' }, [this.mixLink, this.allLink]),
        this.status,
        this.alarm,
        element('details', { class: 'keys' }, [element('summary', { text: 'Keys' }), element('p', { text: KEYS })]),
      ],
    );
    this.shadowRoot.replaceChildren(element('link', { rel: 'stylesheet', href: STYLE }), this.body);
    press(this.pictureButton, false);
  }

  /** Puts the tracks on the page; they can be played from now on. */
  #show(told, job) {
    const stems = told.tracks.filter((track) => !track.is_source);
    this.#rate = Math.min(Math.max(stems[0].sample_rate, LOWEST_RATE_HZ), HIGHEST_RATE_HZ);
    this.#total = Math.max(
      ...stems.map((track) => Math.round(((track.n_samples ?? 0) * this.#rate) / track.sample_rate)),
    );
    this.#comparison.addsUp = told.adds_up;
    this.#tracks = told.tracks.map((track) => new Track(track, job, () => this.#update()));
    this.list.replaceChildren(...this.#tracks.map((track) => track.row));
    const hasSource = this.#tracks.some((track) => track.strip.isSource);
    this.sourceButton.hidden = this.matchedLabel.hidden = !hasSource && !told.adds_up;
    this.allLink.href = `${job}/archive`;
    this.playButton.disabled = false;
    this.position.setAttribute('aria-valuemax', this.duration.toFixed(1));
    this.selection = new Selection([this.position, ...this.#tracks.map((track) => track.lane)], {
      seek: (fraction) => this.#seek(fraction * this.#total),
      select: (begin, end) => {
        this.#setLoop({ begin: Math.round(begin * this.#total), end: Math.round(end * this.#total) });
        this.#seek(begin * this.#total);
      },
    });
    this.#fetches = this.#tracks.map(({ told: track }) => {
      const address = below(`${job}/sound`, track.name);
      const url = track.sample_rate === this.#rate ? address : `${address}?rate=${this.#rate}`;
      return (start, n, signal) => fetchPiece(url, start, n, signal);
    });
    this.mixAddress = `${job}/mix`;
    this.#update();
    this.#tick();
  }

  /** Draws each waveform as soon as its peaks are there, all on one scale. */
  async #draw(signal) {
    let highest = 0;
    const draw = async (track) => {
      highest = Math.max(highest, await track.look(signal));
      if (signal.aborted) return;
      track.draw(this.duration, coloursOf(this));
      this.#tracks.forEach((each) => each.scale(highest));
      this.#tick();
    };
    const waiting = [...this.#tracks];
    const drawAll = async () => {
      while (waiting.length && !signal.aborted) await draw(waiting.shift());
    };
    await Promise.all(Array.from({ length: LOOKS_AT_ONCE }, drawAll));
    if (signal.aborted) return;
    this.status.textContent = '';
    this.#update(); // the loudness of the original is known now
  }

  /** Makes the engine when something is to be heard: browsers want a click before. */
  #ready() {
    if (this.#engine) return this.#engine;
    const context = new AudioContext({ sampleRate: this.#rate, latencyHint: 'playback' });
    const engine = new Engine(context, this.#fetches, this.#total);
    engine.loop = this.#loop;
    engine.seek(this.#start);
    engine.addEventListener('change', () => this.#onChange());
    engine.addEventListener('error', (event) => this.#alarm(event.detail));
    this.#engine = engine;
    this.#update();
    return engine;
  }

  #toggle() {
    if (this.playButton.disabled) return;
    this.alarm.textContent = '';
    const engine = this.#ready();
    if (engine.state !== 'stopped') return engine.pause();
    takeTurn(engine, () => engine.pause());
    engine.play();
  }

  #seek(sample) {
    this.#start = Math.min(Math.max(Math.round(sample), 0), this.#total);
    this.#engine?.seek(this.#start);
    this.#tick();
  }

  get #now() {
    return this.#engine ? this.#engine.position : this.#start;
  }

  #compare() {
    this.#comparison.hearsSource = !this.#comparison.hearsSource && !this.sourceButton.hidden;
    this.#update();
  }

  #toggleLoop() {
    this.#setLoop(this.#loop ? null : (this.#lastLoop ?? { begin: 0, end: this.#total }));
  }

  #setLoop(loop) {
    this.#loop = loop && loop.end > loop.begin ? loop : null;
    if (this.#loop) this.#lastLoop = this.#loop;
    if (this.#engine) this.#engine.loop = this.#loop;
    this.body.classList.toggle('loops', this.#loop !== null);
    this.style.setProperty('--loop-begin', String((this.#loop?.begin ?? 0) / this.#total));
    this.style.setProperty('--loop-end', String((this.#loop?.end ?? 0) / this.#total));
    this.#update();
  }

  #togglePictures() {
    const isShown = this.pictureButton.getAttribute('aria-pressed') !== 'true';
    press(this.pictureButton, isShown);
    this.#tracks.forEach((track) => track.showSpectrogram(isShown));
  }

  /** Brings sound and page to what the controls say. */
  #update() {
    const strips = this.#tracks.map((track) => track.strip);
    this.#comparison.isMatched = this.matched.checked;
    this.#engine?.setGains(trackGains(strips, this.#comparison));
    const heard = inMix(strips);
    const { hearsSource } = this.#comparison;
    const hasSource = strips.some((strip) => strip.isSource);
    this.#tracks.forEach((track, i) => {
      const isOriginal = track.strip.isSource || !hasSource;
      track.update(hearsSource ? isOriginal : heard[i]);
    });
    press(this.sourceButton, hearsSource);
    press(this.loopButton, this.#loop !== null);
    const gains = mixGains(strips);
    if (Object.keys(gains).length)
      this.mixLink.href = `${this.mixAddress}?gains_db=${encodeURIComponent(JSON.stringify(gains))}`;
    else this.mixLink.removeAttribute('href');
    this.mixLink.setAttribute('aria-disabled', String(!Object.keys(gains).length));
  }

  #onChange() {
    const { state } = this.#engine;
    this.playButton.textContent = state === 'stopped' ? 'Play' : 'Pause';
    if (state === 'loading') this.status.textContent = 'Loading …';
    else if (this.status.textContent === 'Loading …') this.status.textContent = '';
    cancelAnimationFrame(this.#frameRequest);
    this.#tick();
  }

  /** Shows where it is; again before the next frame while it plays. */
  #tick() {
    const seconds = this.#rate ? this.#now / this.#rate : 0;
    const text = `${clockTime(seconds)} / ${clockTime(this.duration)}`;
    if (this.time.textContent !== text) {
      this.time.textContent = text;
      this.position.setAttribute('aria-valuenow', seconds.toFixed(1));
      this.position.setAttribute('aria-valuetext', text.replace('/', 'of'));
      this.played.style.width = `${(100 * seconds) / (this.duration || 1)}%`;
    }
    this.#tracks.forEach((track) => track.setTime(seconds, this.duration));
    if (this.#engine && this.#engine.state !== 'stopped') {
      this.#frameRequest = requestAnimationFrame(() => this.#tick());
    }
  }

  #onKey(event) {
    const action = keyAction(event);
    if (!action || this.playButton.disabled) return;
    event.preventDefault();
    const { kind, value } = action;
    const now = this.#now;
    if (kind === 'toggle') this.#toggle();
    else if (kind === 'skip') this.#seek(now + value * this.#rate);
    else if (kind === 'seek') this.#seek(value * this.#total);
    else if (kind === 'compare') this.#compare();
    else if (kind === 'loop') this.#toggleLoop();
    else if (kind === 'loopBegin')
      this.#setLoop({ begin: now, end: this.#loop && this.#loop.end > now ? this.#loop.end : this.#total });
    else if (kind === 'loopEnd')
      this.#setLoop({ begin: this.#loop && this.#loop.begin < now ? this.#loop.begin : 0, end: now });
    else if (kind === 'mute') this.#tracks[value]?.muteButton?.click();
    else if (kind === 'solo') this.#tracks[value]?.soloButton?.click();
  }

  #recolour() {
    requestAnimationFrame(() => this.#tracks.forEach((track) => track.recolour(coloursOf(this))));
  }

  #alarm(error) {
    this.status.textContent = '';
    this.alarm.textContent = error.message;
  }
}

customElements.define('stem-player', StemPlayer);
