/** Sounds to look at, made by the browser. */

import { chanceFrom } from './learn-spectrum.js';

export const RATE = 24000;
const SECONDS = 1.6;
const TONES = [500, 560]; // Hz: told apart by windows of more than some 35 ms
const BETWEEN_CLICKS = 0.012; // s: told apart by shorter windows
const VOWELS = { ah: [730, 1090, 2440], ee: [270, 2290, 3010] }; // Peterson and Barney 1952

/** @type {Record<string, () => Float32Array>} */
export const SIGNALS = {
  'Two tones and pairs of clicks': () => mixed(tones(), clicks()),
  'Two tones, 60 Hz apart': tones,
  'Pairs of clicks, 12 ms apart': clicks,
  'A tone that rises': chirp,
  'A voice: ah, ee': voice,
  'A hiss': hiss,
};

function made(valueAt) {
  return Float32Array.from({ length: RATE * SECONDS }, (_, i) => valueAt(i / RATE, i));
}

function mixed(one, other) {
  return one.map((value, i) => value + other[i]);
}

function tones() {
  return made((t) => TONES.reduce((sum, hz) => sum + 0.2 * Math.sin(2 * Math.PI * hz * t), 0));
}

function clicks() {
  const sound = new Float32Array(RATE * SECONDS);
  for (const at of [0.4, 0.8, 1.2])
    for (const later of [0, BETWEEN_CLICKS]) sound[Math.round((at + later) * RATE)] = 0.9;
  return sound;
}

function chirp() {
  const [low, high] = [100, 8000];
  const rate = Math.log(high / low) / SECONDS;
  return made((t) => 0.4 * Math.sin(((2 * Math.PI * low) / rate) * (Math.exp(rate * t) - 1)));
}

function hiss() {
  const chance = chanceFrom(7);
  return made(() => 0.3 * (2 * chance() - 1));
}

/** Pulses of a voice through three resonators that go from one vowel to the other. */
function voice() {
  let phase = 0;
  let sound = made((t) => {
    phase += (130 - 25 * (t / SECONDS)) / RATE;
    if (phase < 1) return 0;
    phase -= 1;
    return 1;
  });
  for (let formant = 0; formant < 3; formant++) {
    let [before, latest] = [0, 0];
    sound = sound.map((value, i) => {
      const share = Math.min(1, Math.max(0, (i / sound.length - 0.4) / 0.2));
      const hz = VOWELS.ah[formant] * (1 - share) + VOWELS.ee[formant] * share;
      const radius = Math.exp((-Math.PI * 90) / RATE);
      const b = 2 * radius * Math.cos((2 * Math.PI * hz) / RATE);
      const next = (1 - b + radius * radius) * value + b * latest - radius * radius * before;
      [before, latest] = [latest, next];
      return next;
    });
  }
  const peak = sound.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return sound.map((value) => (0.5 * value) / peak);
}
