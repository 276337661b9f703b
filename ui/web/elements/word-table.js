/**
 * `<word-table for="ID OF A FIELD"></word-table>`: words and how they sound, in as many rows as are wanted.
 *
 * The field holds the rows as JSON, up to the last that has something in it: [["Nguyen", "win"]]. There is always an
 * empty row below.
 */

import { element } from '../player/elements.js';
import { fieldOf, fill } from './fields.js';

class WordTable extends HTMLElement {
  connectedCallback() {
    this.classList.add('controls');
    const head = ['Word', 'Sounds like', ''].map((text) => element('th', { scope: 'col', text }));
    this.body = element('tbody');
    this.replaceChildren(
      element('table', { class: 'words-table', 'aria-label': 'Pronunciations' }, [
        element('thead', {}, [element('tr', {}, head)]),
        this.body,
      ]),
    );
    JSON.parse(fieldOf(this.getAttribute('for') ?? '')?.value || '[]').forEach((row) => this.#add(row));
    this.#add();
  }

  #add([word, sound] = ['', '']) {
    const number = this.body.rows.length + 1;
    const cell = (value, label) => {
      const input = element('input', { type: 'text', value, 'aria-label': `${label} ${number}`, spellcheck: 'false' });
      input.addEventListener('input', () => this.#note());
      return element('td', {}, [input]);
    };
    const away = element('button', { type: 'button', text: '✕', 'aria-label': `Remove word ${number}` });
    const row = element('tr', {}, [cell(word, 'Word'), cell(sound, 'Sound of word'), element('td', {}, [away])]);
    away.addEventListener('click', () => {
      row.remove();
      this.#note();
      this.body.querySelector('input')?.focus();
    });
    this.body.append(row);
  }

  #note() {
    const rows = [...this.body.rows].map((row) => [...row.querySelectorAll('input')].map((input) => input.value.trim()));
    if (!rows.length || rows.at(-1)?.some(Boolean)) this.#add();
    fill(this.getAttribute('for') ?? '', JSON.stringify(rows.slice(0, 1 + rows.findLastIndex((row) => row.some(Boolean)))));
  }
}

customElements.define('word-table', WordTable);
