/**
 * Plays any number of tracks of one rate in step: chunk by chunk, so that their length does not matter.
 *
 * Nothing here knows of the page. The context may be one that renders offline: then `feed` is called while it waits.
 *
 * @typedef {import('./schedule.js').Loop} Loop
 * @typedef {import('./schedule.js').Placed} Placed
 * @typedef {(start: number, n: number, signal: AbortSignal) => Promise<Float32Array[]>} Fetch
 * @typedef {{begin: number, next: number, placed: Placed[], sources: Map<Placed, AudioBufferSourceNode[]>,
 *     feeding: ?Promise<void>, stopping: AbortController}} Run  from a start to the stop
 */

import {
  CHUNK_SECONDS,
  chunkLength,
  frameAfter,
  isOver,
  nAhead,
  pieceAt,
  positionAt,
  stillNeeded,
  timeOf,
} from './schedule.js';

const PIECES_AHEAD = 2; // besides the one that is heard
const LEAD_SECONDS = 0.06; // in which the first samples reach the audio thread
const AFTER_MS = 20; // when the end of a piece is past on this thread, too
const FADE_SECONDS = 0.008; // so that nothing clicks

export class Engine extends EventTarget {
  /** @type {?Run} */
  #run = null;
  #position = 0;
  /** @type {Map<number, {buffers: Promise<AudioBuffer[]>, isLoaded: boolean}>} */
  #chunks = new Map();
  /** @type {?Loop} */
  #loop = null;
  #fader;

  /**
   * @param {BaseAudioContext} context  whose rate is that of the tracks
   * @param {Fetch[]} tracks
   * @param {number} total  samples
   */
  constructor(context, tracks, total) {
    super();
    this.context = context;
    this.tracks = tracks;
    this.total = total;
    this.chunkSamples = CHUNK_SECONDS * context.sampleRate;
    this.#fader = new GainNode(context);
    this.#fader.connect(context.destination);
    this.outputs = tracks.map(() => new GainNode(context));
    this.outputs.forEach((output) => output.connect(this.#fader));
  }

  /** 'stopped', 'loading' or 'playing'. */
  get state() {
    if (!this.#run) return 'stopped';
    return nAhead(this.#frame, this.#run.placed) ? 'playing' : 'loading';
  }

  /** The sample that is heard now. */
  get position() {
    if (!this.#run) return this.#position;
    const latency = Math.round((this.#live?.outputLatency ?? 0) * this.context.sampleRate);
    return positionAt(this.#frame - latency, this.#run.placed) ?? this.#run.begin;
  }

  /** How many chunks are in memory. */
  get nChunks() {
    return this.#chunks.size;
  }

  /** What is repeated, or null. */
  get loop() {
    return this.#loop;
  }

  /** @param {?Loop} loop */
  set loop(loop) {
    this.#loop = loop;
    if (this.#run) this.seek(this.position); // what is scheduled does not know of it
  }

  /** Begins where it stopped; at the end, from the beginning. */
  async play() {
    if (this.#run) return;
    const begin = this.#position >= this.total ? 0 : this.#position;
    const run = { begin, next: begin, placed: [], sources: new Map(), feeding: null, stopping: new AbortController() };
    this.#run = run;
    this.#tell('change');
    await this.#live?.resume();
    if (this.#run === run) await this.feed();
  }

  /** Stops, and stays where it is. */
  pause() {
    if (!this.#run) return;
    this.#position = this.position;
    this.#end();
    this.#tell('change');
    setTimeout(() => this.#rest(), 2000 * FADE_SECONDS);
  }

  /** Goes to a sample, and plays on there if it was playing. */
  seek(position) {
    const wasRunning = this.#run !== null;
    if (wasRunning) this.#end();
    this.#position = Math.min(Math.max(Math.round(position), 0), this.total);
    this.#tell('change');
    if (wasRunning && this.#position < this.total) this.play();
    else if (wasRunning) this.#rest();
  }

  /**
   * Sets the linear gain of each track, without a click.
   * @param {number[]} gains
   */
  setGains(gains) {
    const now = this.context.currentTime;
    gains.forEach((value, i) => {
      const { gain } = this.outputs[i];
      gain.cancelScheduledValues(now);
      if (!this.#run) {
        gain.value = value;
        return;
      }
      gain.setValueAtTime(gain.value, now);
      gain.linearRampToValueAtTime(value, now + 2 * FADE_SECONDS);
    });
  }

  /** Schedules what is missing; it is called when a piece is over. */
  feed() {
    const run = this.#run;
    if (!run) return Promise.resolve();
    run.feeding ??= this.#feed(run)
      .catch((error) => this.#fail(run, error))
      .finally(() => {
        run.feeding = null;
      });
    return run.feeding;
  }

  /** Lets go of everything. */
  close() {
    if (this.#run) this.#end();
    this.#chunks.clear();
    if (this.context.state !== 'closed') this.#live?.close();
  }

  get #frame() {
    return Math.round(this.context.currentTime * this.context.sampleRate);
  }

  get #course() {
    return { total: this.total, chunkSamples: this.chunkSamples, loop: this.#loop };
  }

  get #live() {
    return this.context instanceof AudioContext ? this.context : null;
  }

  /** @param {Run} run */
  async #feed(run) {
    while (nAhead(this.#frame, run.placed) <= PIECES_AHEAD) {
      const piece = pieceAt(run.next, this.#course);
      if (!piece) break;
      const buffers = await this.#chunk(piece.chunk, run.stopping.signal);
      if (this.#run !== run) return;
      this.#place(run, piece, buffers);
    }
    this.#forget(run);
    if (!pieceAt(run.next, this.#course) && !nAhead(this.#frame, run.placed)) {
      this.#end();
      this.#position = this.total;
      this.#rest();
      this.#tell('change');
    }
  }

  /** Has a piece of every track begin at one frame: right after the one before, or as soon as can be. */
  #place(run, piece, buffers) {
    const rate = this.context.sampleRate;
    const earliest = frameAfter(this.context.currentTime + LEAD_SECONDS, rate);
    const before = run.placed.at(-1);
    const follows = before ? before.frame + before.piece.n : -1;
    const isGapless = follows >= frameAfter(this.context.currentTime + LEAD_SECONDS / 2, rate);
    const placed = { frame: isGapless ? follows : earliest, piece };
    if (!isGapless) this.#fadeIn(placed.frame / rate, piece.start > 0);
    const sources = buffers.map((buffer, i) => {
      const source = new AudioBufferSourceNode(this.context, { buffer });
      source.connect(this.outputs[i]);
      source.start(timeOf(placed.frame, rate), piece.offset / rate, piece.n / rate);
      return source;
    });
    sources[0].onended = () => setTimeout(() => this.feed(), AFTER_MS);
    run.sources.set(placed, sources);
    run.placed.push(placed);
    run.next = piece.next;
    this.#tell('placed', placed);
    if (!isGapless) this.#tell('change');
  }

  #fadeIn(when, isMidway) {
    const { gain } = this.#fader;
    gain.cancelScheduledValues(when);
    gain.setValueAtTime(isMidway ? 0 : 1, when);
    if (isMidway) gain.linearRampToValueAtTime(1, when + FADE_SECONDS);
  }

  /** Ends the run: what sounds fades within milliseconds. */
  #end() {
    const run = this.#run;
    const now = this.context.currentTime;
    const { gain } = this.#fader;
    gain.cancelScheduledValues(now);
    gain.setValueAtTime(gain.value, now);
    gain.linearRampToValueAtTime(0, now + FADE_SECONDS);
    for (const sources of run.sources.values()) {
      sources[0].onended = null;
      sources.forEach((source) => source.stop(now + FADE_SECONDS));
    }
    run.stopping.abort();
    for (const [chunk, entry] of this.#chunks) if (!entry.isLoaded) this.#chunks.delete(chunk);
    this.#run = null;
  }

  /** Lets the audio thread sleep while nothing is played. */
  #rest() {
    if (!this.#run && this.context.state === 'running') this.#live?.suspend();
  }

  /** Keeps no more chunks than are played now and next. */
  #forget(run) {
    const frame = this.#frame;
    const needed = stillNeeded(frame, run.placed);
    for (const placed of run.placed) if (!needed.includes(placed)) run.sources.delete(placed);
    run.placed = needed;
    const chunks = new Set(needed.filter((placed) => !isOver(frame, placed)).map((placed) => placed.piece.chunk));
    for (const chunk of this.#chunks.keys()) if (!chunks.has(chunk)) this.#chunks.delete(chunk);
  }

  /** @returns {Promise<AudioBuffer[]>} */
  #chunk(chunk, signal) {
    let entry = this.#chunks.get(chunk);
    if (!entry) {
      const buffers = Promise.all(this.tracks.map((fetch) => this.#load(fetch, chunk, signal)));
      entry = { buffers, isLoaded: false };
      this.#chunks.set(chunk, entry);
      buffers.then(
        () => (entry.isLoaded = true),
        () => this.#chunks.get(chunk) === entry && this.#chunks.delete(chunk),
      );
    }
    return entry.buffers;
  }

  async #load(fetch, chunk, signal) {
    const n = chunkLength(chunk, this.#course);
    const channels = await fetch(chunk * this.chunkSamples, n, signal);
    const buffer = new AudioBuffer({
      numberOfChannels: channels.length,
      length: n,
      sampleRate: this.context.sampleRate,
    });
    channels.forEach((samples, c) => buffer.copyToChannel(samples, c));
    return buffer;
  }

  #fail(run, error) {
    if (this.#run !== run) return; // it was stopped, and so was its loading
    this.pause();
    this.#tell('error', error);
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
