/** The last step to a voice: its name, how well it is made, and the job that makes it. */

import { element } from '../player/elements.js';
import { ask } from './address.js';
import { Field } from './field.js';
import { SAYS } from './voices.js';

const MODEL = 'kokoro-inversion';
const QUICK = 'Quick: a mix of built-in voices, in seconds. It is less alike.';
const FULL = 'Full: fitted to this person, in about a minute, or several where the machine is busy. It is as alike as it gets here.';

export class MakeStep {
  #options = new Map();

  constructor() {
    this.name = new Field(
      'Name of the voice',
      { type: 'text', maxlength: 48, autocomplete: 'off' },
      'What you call it from now on: letters and digits, with single spaces, - or _ between them.',
    );
    this.full = element('input', { type: 'radio', name: 'quality', value: 'full', checked: true });
    this.quick = element('input', { type: 'radio', name: 'quality', value: 'quick' });
    this.advanced = element('div', { class: 'options' });
    this.summary = element('ul', { class: 'report' });
    this.alarm = element('p', { role: 'alert' });
    this.body = element('section', { class: 'step', 'aria-label': 'The voice' }, [
      element('h3', { tabindex: '-1', text: 'The voice' }),
      this.summary,
      this.name.body,
      element('fieldset', {}, [
        element('legend', { text: 'How it is made' }),
        element('label', { class: 'row' }, [this.full, FULL]),
        element('label', { class: 'row' }, [this.quick, QUICK]),
      ]),
      element('details', {}, [element('summary', { text: 'Advanced' }), this.advanced]),
      this.alarm,
    ]);
  }

  /** Shows what was chosen so far, and asks the server what there is to choose from. */
  async show(sentences) {
    this.summary.replaceChildren(...sentences.map((text) => element('li', { text })));
    this.alarm.textContent = '';
    if (this.#options.size) return;
    try {
      const { options } = await ask(`/models/${MODEL}`);
      for (const [name, option] of Object.entries(options.properties)) if (name !== 'quick') this.#draw(name, option);
    } catch (error) {
      this.advanced.replaceChildren(element('p', { role: 'alert', text: error.message }));
    }
  }

  /** Says what is missing; true where nothing is. */
  check() {
    const isWrong = this.name.complain(this.name.value ? '' : 'Give the voice a name.');
    if (isWrong) this.name.input.focus();
    return !isWrong;
  }

  /** What a job is asked for: only what differs from the defaults. */
  get wish() {
    const options = {};
    if (this.quick.checked) options.quick = true;
    for (const [name, { field, option }] of this.#options) {
      const value = read(field, option);
      if (value !== undefined) options[name] = value;
    }
    return { task: 'enroll', name: this.name.value, text: SAYS, options };
  }

  /** Shows at its place what the server has against the name or anything else. */
  complain(error) {
    if (error.param === 'name') {
      this.name.complain(error.message);
      this.name.input.focus();
    } else this.alarm.textContent = error.message;
  }

  clear() {
    this.name.input.value = '';
    this.alarm.textContent = '';
  }

  #draw(name, option) {
    const label = `${option.title ?? name}${option.unit ? ` (${option.unit})` : ''}`;
    const isNumber = ['integer', 'number'].includes(option.type);
    const attributes = isNumber
      ? { type: 'number', min: option.minimum, max: option.maximum, step: option.type === 'integer' ? 1 : 'any' }
      : { type: 'text', autocomplete: 'off' };
    const shown = Array.isArray(option.default) ? option.default.join(', ') : option.default;
    const field = new Field(label, { ...attributes, value: String(shown ?? '') }, option.description);
    this.#options.set(name, { field, option });
    this.advanced.append(field.body);
  }
}

/** Returns what was chosen, undefined where that is nothing or the default. */
function read(field, option) {
  if (option.type === 'array') {
    const parts = field.value.split(',').map((part) => part.trim());
    const some = parts.filter(Boolean);
    return some.length ? some : undefined;
  }
  if (field.value === '') return undefined;
  const value = ['integer', 'number'].includes(option.type) ? Number(field.value) : field.value;
  return value === option.default ? undefined : value;
}
