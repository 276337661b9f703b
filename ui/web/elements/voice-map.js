/** A map of voices: those that are alike lie beside each other, each kind with a shape of its own. */

import { element } from '../player/elements.js';
import { svg } from './svg.js';

const SHAPES = {
  female: { d: 'M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z', words: 'built-in voices, female' },
  male: { d: 'M0-5L5 4L-5 4z', words: 'built-in voices, male' },
  '': { d: 'M-3 0L0-3L3 0L0 3z', words: 'built-in voices' },
  enrolled: { d: 'M-5-5h10v10h-10z', words: 'voices of this machine' },
  'this voice': { d: 'M0-11L3-3L11-3L5 2L7 10L0 5L-7 10L-5 2L-11-3L-3-3z', words: 'this voice' },
  result: { d: 'M-7-9L0-2L7-9L9-7L2 0L9 7L7 9L0 2L-7 9L-9 7L-2 0L-9-7z', words: 'what it said' },
};
const ASPECT = 0.6;
const HEIGHT = [240, 460];
const MARGIN = 46;
const ROOM = 14; // that a name takes
const LETTER = 7;
const NAMED = 10;
const NARROW = 520; // pixels: fewer names have room then

/**
 * Returns the map with its legend and the same as a table.
 * @param {any} map  as the server has it
 * @param {string} [own]  what those are that it is about
 */
export function voiceMap(map, own = 'this voice') {
  const here = map.places.find(({ kind }) => kind === 'this voice') ?? map.places[0];
  const places = map.places
    .map((place) => ({ ...place, far: Math.hypot(place.x - here.x, place.y - here.y), words: wordsOf(shapeOf(place), own) }))
    .sort((one, other) => one.far - other.far);
  const told = element('p', { class: 'told', role: 'status' });
  const drawing = element('div', { class: 'drawing' });
  const shapes = new Set(places.map(shapeOf));
  const points = new Points(places, told);
  new ResizeObserver(([{ contentRect }]) => {
    if (contentRect.width) drawing.replaceChildren(points.draw(contentRect.width, map.axes));
  }).observe(drawing);
  return element('figure', { class: 'map' }, [
    element('figcaption', { text: 'Voices, where they differ most' }),
    drawing,
    told,
    element('ul', { class: 'legend' }, [...shapes].map((shape) => legendOf(shape, wordsOf(shape, own)))),
    element('p', {
      class: 'words',
      text: 'The nearer two voices lie, the more alike they are. Arrow keys walk from the nearest to the farthest.',
    }),
    asTable(places, bare(here)),
  ]);
}

class Points {
  #at = 0;

  constructor(places, told) {
    this.places = places;
    this.told = told;
  }

  draw(width, axes) {
    const height = Math.max(HEIGHT[0], Math.min(HEIGHT[1], width * ASPECT));
    const find = fit(this.places, width, height);
    this.marks = this.places.map((place, index) => this.#mark(place, index, find(place)));
    this.marks[this.#at].setAttribute('tabindex', '0');
    const label = `Map of ${this.places.length} voices`;
    return svg('svg', { viewBox: `0 0 ${width} ${height}`, width, height, role: 'group', 'aria-label': label }, [
      svg('rect', { class: 'frame', x: 0.5, y: 0.5, width: width - 1, height: height - 1 }),
      svg('text', {
        class: 'axis',
        x: width / 2,
        y: height - 8,
        'text-anchor': 'middle',
        text: `${width > NARROW ? axes.x : bareAxis(axes.x)} →`,
      }),
      svg('text', {
        class: 'axis',
        'text-anchor': 'middle',
        transform: `translate(14 ${height / 2}) rotate(-90)`,
        text: `${width > NARROW ? axes.y : bareAxis(axes.y)} →`,
      }),
      ...[...this.marks].reverse(),
      ...names(this.places, find, width),
    ]);
  }

  #mark(place, index, [x, y]) {
    const shape = shapeOf(place);
    const mark = svg('path', {
      class: `point ${shape.replace(' ', '-') || 'any'}`,
      d: SHAPES[shape].d,
      transform: `translate(${x} ${y})`,
      role: 'img',
      'aria-label': sayPlace(place),
      tabindex: '-1',
    });
    const tell = () => (this.told.textContent = sayPlace(place));
    mark.addEventListener('pointerenter', tell);
    mark.addEventListener('focus', tell);
    mark.addEventListener('keydown', (event) => this.#step(event, index));
    return mark;
  }

  #step(event, index) {
    const last = this.places.length - 1;
    const to = { ArrowRight: index + 1, ArrowDown: index + 1, ArrowLeft: index - 1, ArrowUp: index - 1, Home: 0, End: last };
    if (!(event.key in to)) return;
    event.preventDefault();
    this.marks[index].setAttribute('tabindex', '-1');
    this.#at = Math.max(0, Math.min(last, to[event.key]));
    this.marks[this.#at].setAttribute('tabindex', '0');
    this.marks[this.#at].focus();
  }
}

/** Returns what finds a place on the drawing; both axes have one scale. */
function fit(places, width, height) {
  const [xs, ys] = [places.map(({ x }) => x), places.map(({ y }) => y)];
  const middle = (values) => (Math.min(...values) + Math.max(...values)) / 2;
  const span = (values) => Math.max(Math.max(...values) - Math.min(...values), 1e-9);
  const scale = Math.min((width - 2 * MARGIN) / span(xs), (height - 2 * MARGIN) / span(ys));
  const [x0, y0] = [middle(xs), middle(ys)];
  return ({ x, y }) => [width / 2 + (x - x0) * scale, height / 2 - (y - y0) * scale];
}

/** Returns the names of what is no built-in voice, and of the nearest of those, where there is room. */
function names(places, find, width) {
  const taken = places.filter(({ kind }) => kind !== 'built-in').map((place) => around(...find(place)));
  const written = [];
  const sorted = [...places.filter(({ kind }) => kind !== 'built-in'), ...places.filter(({ kind }) => kind === 'built-in')];
  for (const place of sorted) {
    const [x, y] = find(place);
    const text = bare(place);
    const isBuiltIn = place.kind === 'built-in';
    if (isBuiltIn && written.length >= (width > NARROW ? NAMED : NAMED / 2)) break;
    const long = LETTER * text.length;
    const boxes = [
      { x: x + 10, y, long },
      { x: x - 10 - long, y, long },
      { x: x - long / 2, y: y - 16, long },
      { x: x - long / 2, y: y + 18, long },
    ].filter((box) => box.x > 24 && box.x + long < width - 4);
    const free = boxes.find((box) => taken.every((other) => !touch(box, other))) ?? (isBuiltIn ? undefined : boxes[0]);
    if (!free) continue;
    taken.push(free);
    const kind = isBuiltIn ? 'name' : 'name own';
    written.push(svg('text', { class: kind, x: free.x, y: free.y + 4, text, 'aria-hidden': 'true' }));
  }
  return written;
}

function around(x, y) {
  return { x: x - 9, y, long: 18 };
}

function touch(one, other) {
  return Math.abs(one.y - other.y) < ROOM && one.x < other.x + other.long && other.x < one.x + one.long;
}

function asTable(places, here) {
  const row = (place) =>
    element('tr', {}, [
      element('th', { scope: 'row', text: bare(place) }),
      element('td', { text: place.words }),
      element('td', { text: place.far.toFixed(3) }),
    ]);
  const head = ['Voice', 'Kind', 'Distance'].map((text) => element('th', { scope: 'col', text }));
  return element('details', {}, [
    element('summary', { text: 'The map as a table' }),
    element('table', {}, [
      element('caption', { text: `From the nearest to ${here} to the farthest` }),
      element('thead', {}, [element('tr', {}, head)]),
      element('tbody', {}, places.map(row)),
    ]),
  ]);
}

function legendOf(shape, words) {
  const mark = svg('svg', { viewBox: '-12 -12 24 24', width: 16, height: 16, 'aria-hidden': 'true' }, [
    svg('path', { class: `point ${shape.replace(' ', '-') || 'any'}`, d: SHAPES[shape].d }),
  ]);
  return element('li', {}, [mark, words]);
}

function wordsOf(shape, own) {
  return shape === 'this voice' ? own : SHAPES[shape].words;
}

function shapeOf({ kind, group }) {
  return kind === 'built-in' ? group : kind;
}

function sayPlace(place) {
  const far = place.far ? `, ${place.far.toFixed(3)} away on this map` : '';
  return `${bare(place)}: ${place.words.replace('voices', 'voice')}${far}`;
}

function bareAxis(text) {
  return text.replace(/ \(.*/, '');
}

function bare({ name }) {
  return name.split('/').pop();
}
