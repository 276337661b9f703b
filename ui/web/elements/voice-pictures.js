/** The pictures of one sound of a voice: its mel spectrogram, and what a network hears in it. */

import { element } from '../player/elements.js';
import { gradient, magma, viridis } from './colours.js';
import { GridPicture } from './grid-picture.js';

const TICKS_HZ = [200, 500, 1000, 2000, 4000, 8000];
const TICK_SECONDS = [0.5, 1, 2, 5, 10, 20, 60];
const MOST_TICKS = 12;
const MEL_WORDS =
  'Time from left to right in seconds, pitch from bottom to top in Hz (mel scale), colour: level below the loudest.';
const HEAT_WORDS =
  'Each square is one of 256 numbers; no place means anything by itself, but one person gives nearly the same pattern.';

/**
 * Returns a mel spectrogram with its axes, as wide as its share of the longest.
 * @param {any} mel  as the server has it
 * @param {string} title
 * @param {number} longest  in seconds
 * @param {boolean} isExplained  whether it says what it shows
 */
export function melPicture(mel, title, longest, isExplained) {
  const rows = [...mel.levels_db].reverse();
  const bands = [...mel.centres_hz].reverse();
  const seconds = rows[0].length * mel.column_seconds;
  const loudest = bands[indexOfLargest(rows.map((row) => row.reduce((sum, level) => sum + level, 0)))];
  const picture = new GridPicture({
    values: rows,
    range: [mel.lowest_db, mel.highest_db],
    colours: magma,
    label:
      `Mel spectrogram, ${title}: ${seconds.toFixed(1)} seconds, on average loudest around ${hertz(loudest)}. ` +
      'Arrow keys walk through it.',
    tell: (row, column) =>
      `${(column * mel.column_seconds).toFixed(2)} s, ${hertz(bands[row])}: ${rows[row][column].toFixed(0)} dB`,
  });
  picture.body.style.width = `${(100 * seconds) / longest}%`;
  const step = TICK_SECONDS.find((each) => longest / each <= MOST_TICKS) ?? TICK_SECONDS.at(-1);
  const times = Array.from({ length: Math.floor(seconds / step) + 1 }, (_, index) => index * step);
  picture.frame.append(
    ticks('y', TICKS_HZ, (hz) => 100 - (100 * (place(mel.centres_hz, hz) + 0.5)) / bands.length, shortHertz),
    ticks('x', times, (time) => (100 * time) / seconds, String),
  );
  const words = isExplained ? MEL_WORDS : '';
  return figure(title, 'mel', picture, words, scale(magma, `${mel.lowest_db} dB`, `${mel.highest_db} dB`));
}

/**
 * Returns an embedding as a square of colours.
 * @param {any} embedding  as the server has it
 * @param {string} title
 * @param {number} largest  of all that are compared
 * @param {any} [other]  another one, told beside it
 */
export function heatPicture(embedding, title, largest, other) {
  const values = embedding.values;
  const size = values.length;
  const flat = values.flat();
  const beside = other ? (row, column) => `; ${other.title}: ${other.values[row][column].toFixed(3)}` : () => '';
  const picture = new GridPicture({
    values,
    range: [0, largest],
    colours: viridis,
    label: `${title}: ${flat.length} numbers, of which ${flat.filter((value) => value > 0.01).length} are not near 0.`,
    tell: (row, column) =>
      `Number ${row * size + column + 1} of ${flat.length}: ${values[row][column].toFixed(3)}${beside(row, column)}`,
  });
  return figure(title, 'heat', picture, HEAT_WORDS, scale(viridis, '0', largest.toFixed(2)));
}

function figure(title, kind, picture, words, key) {
  return element('figure', { class: kind }, [
    element('figcaption', { text: title }),
    picture.body,
    ...(words ? [element('p', { class: 'words', text: words }), key] : []),
  ]);
}

function scale(colours, low, high) {
  const bar = element('span', { class: 'bar', 'aria-hidden': 'true' });
  bar.style.background = gradient(colours);
  return element('p', { class: 'key' }, [low, bar, high]);
}

function ticks(axis, values, at, say) {
  const marks = values.map((value) => {
    const mark = element('span', { text: say(value) });
    mark.style[axis === 'x' ? 'left' : 'top'] = `${at(value)}%`;
    return mark;
  });
  return element('div', { class: `ticks ${axis}`, 'aria-hidden': 'true' }, marks);
}

/** Returns where a frequency lies among the centres of bands, straight between them. */
function place(centres, hz) {
  const above = centres.findIndex((centre) => centre >= hz);
  if (above <= 0) return above === 0 ? 0 : centres.length - 1;
  return above - 1 + (hz - centres[above - 1]) / (centres[above] - centres[above - 1]);
}

function indexOfLargest(values) {
  return values.indexOf(Math.max(...values));
}

function shortHertz(hz) {
  return hz < 1000 ? `${hz}` : `${hz / 1000}k`;
}

function hertz(hz) {
  return `${Math.round(hz).toLocaleString('en')} Hz`;
}
