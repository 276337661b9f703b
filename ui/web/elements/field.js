/** Fields of a form, each with its label, its hint, and the sentence about what is wrong with it. */

import { element } from '../player/elements.js';

let n = 0;

export class Field {
  /**
   * @param {string} label
   * @param {Record<string, any>} attributes  of the `input`
   * @param {string} [hint]
   */
  constructor(label, attributes, hint = '') {
    const id = `field-${++n}`;
    this.input = element('input', { id, 'aria-describedby': `${id}-hint ${id}-alarm`, ...attributes });
    this.alarm = element('p', { role: 'alert', id: `${id}-alarm` });
    const named = element('label', { for: id, text: label });
    const isBox = attributes.type === 'checkbox';
    const hinted = element('small', { id: `${id}-hint`, text: hint });
    const parts = isBox ? [element('div', { class: 'row' }, [this.input, named]), hinted] : [named, hinted, this.input];
    this.body = element('div', { class: 'field' }, [...parts, this.alarm]);
    this.input.addEventListener('input', () => this.complain(''));
  }

  get value() {
    return this.input.type === 'checkbox' ? this.input.checked : this.input.value.trim();
  }

  /** Shows what is wrong, nothing with an empty sentence; returns whether there is something. */
  complain(sentence) {
    this.alarm.textContent = sentence;
    this.input.setAttribute('aria-invalid', String(sentence !== ''));
    return sentence !== '';
  }
}
