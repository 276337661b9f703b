/** Plays pieces of sound, one at a time on the whole page. */

import { takeTurn } from '../player/turns.js';

const FADE = 0.004; // s, at the ends of a piece, which is cut out of the middle of a sound

/** @type {AudioContext | undefined} */
let context;
/** @type {(() => void) | undefined} */
let stopCurrent;

function output() {
  context ??= new AudioContext();
  if (context.state === 'suspended') context.resume();
  return context;
}

/** @param {Float32Array} samples */
export function bufferOf(samples, rate) {
  const buffer = new AudioBuffer({ length: Math.max(1, samples.length), sampleRate: rate });
  buffer.copyToChannel(samples, 0);
  return buffer;
}

/**
 * Returns the sound of a file at an address.
 * @param {string} address
 */
export async function fetchSound(address) {
  const reply = await fetch(address);
  if (!reply.ok) throw new Error('The sound is no longer there.');
  return new OfflineAudioContext(1, 1, 24000).decodeAudioData(await reply.arrayBuffer());
}

/**
 * Plays a sound from a time to another one, in seconds; whatever else was heard ends.
 * @param {AudioBuffer} buffer
 * @param {{ begin?: number, end?: number, tick?: (seconds: number) => void, ended?: (isWhole: boolean) => void }} [how]
 *   `tick` hears where it is, while it plays; `ended` when it ends: by itself, as a whole, or not
 */
export function play(buffer, { begin = 0, end = buffer.duration, tick, ended } = {}) {
  stop();
  takeTurn(play, stop);
  const on = output();
  const [source, gain] = [new AudioBufferSourceNode(on, { buffer }), new GainNode(on, { gain: 0 })];
  const start = on.currentTime + 0.02;
  const length = Math.max(0.01, end - begin);
  gain.gain.setValueAtTime(0, start);
  gain.gain.linearRampToValueAtTime(1, start + FADE);
  gain.gain.setValueAtTime(1, start + Math.max(FADE, length - FADE));
  gain.gain.linearRampToValueAtTime(0, start + Math.max(2 * FADE, length));
  source.connect(gain).connect(on.destination);
  let isOver = false;
  const finish = (isWhole) => {
    if (isOver) return;
    isOver = true;
    stopCurrent = undefined;
    source.disconnect();
    ended?.(isWhole);
  };
  source.addEventListener('ended', () => finish(true));
  source.start(start, begin, length);
  stopCurrent = () => {
    source.stop();
    finish(false);
  };
  const look = () => {
    if (isOver) return;
    tick?.(Math.min(end, begin + Math.max(0, on.currentTime - start)));
    requestAnimationFrame(look);
  };
  if (tick) look();
}

/** Ends what is heard. */
export function stop() {
  stopCurrent?.();
}
