/** Plays one of several sounds of equal length, whole or in a loop; what changes is faded over at the same place. */

import { takeTurn } from '../player/turns.js';

const FADE_SECONDS = 0.012;
const LEAD_SECONDS = 0.01;
const AWAKE_MS = 5000; // after which an audio device that plays nothing sleeps

/** @typedef {{begin: number, end: number}} Span  seconds */

export class LoopPlayer extends EventTarget {
  /** @type {?AudioContext} */
  #context = null;
  /** @type {?{source: AudioBufferSourceNode, gain: GainNode, startedAt: number, offset: number, span: Span, isLoop: boolean}} */
  #run = null;
  #position = 0;
  #resting = 0;

  /**
   * @param {number} sampleRate
   * @param {number} nSamples
   */
  constructor(sampleRate, nSamples) {
    super();
    this.sampleRate = sampleRate;
    this.duration = nSamples / sampleRate;
    /** @type {Float32Array[]} */
    this.sound = [];
  }

  get isPlaying() {
    return this.#run !== null;
  }

  /** Where it is, in seconds. */
  get position() {
    const run = this.#run;
    if (!run) return this.#position;
    const passed = Math.max(this.#context.currentTime - (this.#context.outputLatency || 0) - run.startedAt, 0);
    const at = run.offset + passed;
    const length = run.span.end - run.span.begin;
    return run.isLoop && at >= run.span.end
      ? run.span.begin + ((at - run.span.begin) % length)
      : Math.min(at, run.span.end);
  }

  /** Has the audio device ready, which takes the first time what nobody wants to wait for later. */
  wake() {
    this.#context ??= new AudioContext({ sampleRate: this.sampleRate });
    this.#context.resume();
    clearTimeout(this.#resting);
    this.#resting = setTimeout(() => this.#run || this.#context?.suspend(), AWAKE_MS);
  }

  /**
   * Begins; returns in how many ms it is heard.
   * @param {Span} span
   * @param {{isLoop: boolean, at?: number}} how
   */
  play(span, { isLoop, at = span.begin }) {
    takeTurn(this, () => this.#run && this.stop());
    this.wake();
    return this.#begin(span, isLoop, at);
  }

  /** Takes the sound as it is now, at the same place; returns in how many ms it is heard. */
  refresh() {
    const run = this.#run;
    if (!run) return 0;
    return this.#begin(run.span, run.isLoop, this.#positionAt(LEAD_SECONDS));
  }

  stop() {
    this.#position = this.position;
    this.#fade(this.#context?.currentTime ?? 0);
    setTimeout(() => this.#run || this.#context?.suspend(), 4000 * FADE_SECONDS);
    this.#tell();
  }

  /** Goes to a place; it plays on there if it was playing. */
  seek(seconds) {
    this.#position = Math.min(Math.max(seconds, 0), this.duration);
    const run = this.#run;
    if (!run) return this.#tell();
    const isInside = run.isLoop && this.#position >= run.span.begin && this.#position < run.span.end;
    this.#begin(isInside ? run.span : { begin: 0, end: this.duration }, run.isLoop, this.#position);
  }

  close() {
    this.#run = null;
    this.#context?.close();
    this.#context = null;
  }

  #positionAt(later) {
    const run = this.#run;
    const at = run.offset + Math.max(this.#context.currentTime + later - run.startedAt, 0);
    const length = run.span.end - run.span.begin;
    return run.isLoop && at >= run.span.end ? run.span.begin + ((at - run.span.begin) % length) : at;
  }

  #begin(span, isLoop, at) {
    const context = this.#context;
    const when = context.currentTime + LEAD_SECONDS;
    this.#fade(when);
    const buffer = new AudioBuffer({
      numberOfChannels: this.sound.length,
      length: this.sound[0].length,
      sampleRate: this.sampleRate,
    });
    this.sound.forEach((samples, c) => buffer.copyToChannel(samples, c));
    const source = new AudioBufferSourceNode(context, {
      buffer,
      loop: isLoop,
      loopStart: span.begin,
      loopEnd: span.end,
    });
    const gain = new GainNode(context, { gain: 0 });
    gain.gain.setValueAtTime(0, when);
    gain.gain.linearRampToValueAtTime(1, when + FADE_SECONDS);
    source.connect(gain).connect(context.destination);
    const offset = Math.min(Math.max(at, 0), Math.max(span.end - FADE_SECONDS, 0));
    if (isLoop) source.start(when, offset);
    else source.start(when, offset, span.end - offset);
    const run = { source, gain, startedAt: when, offset, span, isLoop };
    source.onended = () => this.#run === run && this.#end();
    this.#run = run;
    this.#tell();
    return (LEAD_SECONDS + (context.outputLatency || context.baseLatency || 0)) * 1000;
  }

  #end() {
    this.#position = this.#run.span.end >= this.duration - FADE_SECONDS ? 0 : this.#run.span.end;
    this.#run = null;
    this.#context.suspend();
    this.#tell();
  }

  /** Lets what sounds end, at a time of the context. */
  #fade(when) {
    const run = this.#run;
    this.#run = null;
    if (!run) return;
    run.source.onended = null;
    run.gain.gain.cancelScheduledValues(when);
    run.gain.gain.setValueAtTime(run.gain.gain.value, when);
    run.gain.gain.linearRampToValueAtTime(0, when + FADE_SECONDS);
    run.source.stop(when + FADE_SECONDS);
  }

  #tell() {
    this.dispatchEvent(new Event('change'));
  }
}
