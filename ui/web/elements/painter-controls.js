/** What surrounds the spectrogram of a painter: buttons, sliders, numbers. */

import { element } from '../player/elements.js';

const BRUSHES = {
  keep: ['Keep', 'adds to the mask: more of this comes into the result'],
  remove: ['Remove', 'takes from the mask: this leaves the result'],
  soften: ['Soften', 'makes the model less sure here, in both directions'],
  restore: ['Model', 'takes strokes away: the model decides again'],
};
const VIEWS = {
  both: 'sound, coloured by its mask',
  sound: 'sound alone',
  mask: 'mask alone',
  strokes: 'your strokes',
};
const HEARD = { result: 'Result', removed: 'What was removed', original: 'Original' };
const HELP =
  'In the picture: arrow keys move a rectangle, with Shift they change its size, Enter applies the brush to it. ' +
  'K, R, S and M choose the brush. Space plays and stops. Control+Z takes the last stroke back, Control+Shift+Z ' +
  'brings it again.';

/**
 * Builds the controls; `act` is told what was done.
 * @param {string[]} stems
 * @param {(kind: string, value?: any) => void} act
 */
export function buildControls(stems, act) {
  const button = (text, kind, more = {}) =>
    element('button', { type: 'button', text, on: { click: () => act(kind) }, ...more });
  const c = {
    play: button('Play', 'play', { class: 'main', disabled: true }),
    time: element('span', { class: 'time', text: '0:00.0' }),
    position: element('input', {
      type: 'range',
      min: 0,
      step: 0.01,
      value: 0,
      class: 'position',
      'aria-label': 'Position',
      on: { input: () => act('seek', Number(c.position.value)) },
    }),
    loop: tick('Loop', false, () => act('loop')),
    hear: choice('hear', 'Hear', HEARD, 'result', (value) => act('hear', value)),
    stem: choice('stem', 'Paint on', Object.fromEntries(stems.map((stem) => [stem, stem])), stems[0], (value) =>
      act('stem', value),
    ),
    brush: choice(
      'brush',
      'Brush',
      Object.fromEntries(Object.entries(BRUSHES).map(([k, v]) => [k, v[0]])),
      'keep',
      (value) => act('brush', value),
    ),
    shape: choice('shape', 'Shape', { brush: 'Brush', rectangle: 'Rectangle' }, 'brush', (value) =>
      act('shape', value),
    ),
    size: slider('Size', 6, 80, 1, 20, (value) => `${value} pixels`),
    strength: slider('Strength', 1, 12, 0.5, 6, strengthText),
    alike: tick('Follow what sounds alike', false, () => {}),
    preview: tick('Play after each stroke', true, () => {}),
    undo: button('Undo', 'undo', { disabled: true }),
    redo: button('Redo', 'redo', { disabled: true }),
    reset: button("Reset to the model's mask", 'reset', { disabled: true }),
    download: button('Download the result (WAV)', 'download', { disabled: true }),
    view: element(
      'select',
      { 'aria-label': 'Picture', on: { change: () => act('view', c.view.value) } },
      Object.entries(VIEWS).map(([value, text]) => element('option', { value, text })),
    ),
    from: number('From', 's', 0.1),
    to: number('to', 's', 0.1),
    low: number('from', 'Hz', 10),
    high: number('to', 'Hz', 10),
    apply: button('Apply the brush to this rectangle', 'apply', { disabled: true }),
    canvas: element('canvas', { class: 'picture', 'aria-hidden': 'true' }),
    overlay: element('canvas', {
      class: 'overlay',
      tabindex: '0',
      role: 'application',
      'aria-roledescription': 'spectrogram',
      'aria-label': 'Spectrogram to paint on: time goes to the right, pitch goes up',
      'aria-describedby': 'help',
    }),
    figures: element('ul', { class: 'figures' }),
    notes: element('ul', { class: 'notes' }),
    status: element('p', { role: 'status', class: 'status', text: 'Loading …' }),
    alarm: element('p', { role: 'alert' }),
    place: element('span', { class: 'place', text: ' ' }),
  };
  return c;
}

/** Lays the controls out. */
export function layOut(c) {
  const bar = (...children) => element('div', { class: 'bar' }, children);
  return element('div', { class: 'painter', role: 'group', 'aria-label': 'Mask painter' }, [
    bar(c.play, c.time, c.position, c.hear.body, c.loop.body),
    bar(c.stem.body, c.brush.body, c.shape.body),
    bar(c.size.body, c.strength.body, c.alike.body, c.preview.body),
    element('div', { class: 'stage' }, [c.canvas, c.overlay]),
    bar(element('label', {}, ['Picture: ', c.view]), c.undo, c.redo, c.reset, c.download),
    c.place,
    c.status,
    c.alarm,
    c.figures,
    element('details', {}, [
      element('summary', { text: 'By numbers and keys' }),
      bar(c.from.body, c.to.body, c.low.body, c.high.body, c.apply),
      element('p', { id: 'help', text: HELP }),
      element(
        'ul',
        {},
        Object.values(BRUSHES).map(([name, text]) => element('li', { text: `${name} ${text}.` })),
      ),
    ]),
    c.notes,
  ]);
}

function tick(text, checked, changed) {
  const input = element('input', { type: 'checkbox', checked, on: { change: changed } });
  return {
    input,
    body: element('label', {}, [input, text]),
    get on() {
      return input.checked;
    },
  };
}

/** A group of radio buttons. */
function choice(name, legend, options, chosen, changed) {
  const inputs = Object.entries(options).map(([value, text]) => {
    const input = element('input', {
      type: 'radio',
      name,
      value,
      checked: value === chosen,
      on: { change: () => changed(value) },
    });
    return { input, label: element('label', {}, [input, text]) };
  });
  const body = element('fieldset', {}, [element('legend', { text: legend }), ...inputs.map(({ label }) => label)]);
  return {
    body,
    get value() {
      return inputs.find(({ input }) => input.checked).input.value;
    },
    choose(value) {
      const found = inputs.find(({ input }) => input.value === value);
      found.input.checked = true;
      changed(value);
    },
  };
}

function slider(name, min, max, step, value, words) {
  const said = element('output', { text: words(value) });
  const input = element('input', {
    type: 'range',
    min,
    max,
    step,
    value,
    'aria-label': name,
    'aria-valuetext': words(value),
    on: {
      input: () => {
        said.textContent = words(Number(input.value));
        input.setAttribute('aria-valuetext', said.textContent);
      },
    },
  });
  return {
    body: element('label', { class: 'slider' }, [`${name} `, input, said]),
    get value() {
      return Number(input.value);
    },
  };
}

function number(name, unit, step) {
  const input = element('input', { type: 'number', min: 0, step });
  return { input, body: element('label', {}, [`${name} `, input, ` ${unit}`]) };
}

/** Says what a push of the logit does to a mask of one half. */
function strengthText(push) {
  const share = 100 / (1 + Math.exp(-push));
  return `50 % becomes ${share.toFixed(share > 99 ? 2 : 0)} %`;
}
