/**
 * `<kept-draft for="ID OF A FIELD ..." usual="VALUE"></kept-draft>`: what stands in fields is there again after a reload,
 * unless somebody has written into them meanwhile; `usual` is what a field begins with that does not begin empty.
 *
 * The browser keeps it for this tab of its own alone, and where it keeps nothing, nothing is kept.
 */

import { fieldOf, fill } from './fields.js';

const KEY = 'audio-ml-draft-';

function read(key) {
  try {
    return sessionStorage.getItem(key);
  } catch {
    return null; // storage is switched off
  }
}

function write(key, value) {
  try {
    sessionStorage.setItem(key, value);
  } catch {
    // it is switched off, or full: what is on the page stays there until it is left
  }
}

class KeptDraft extends HTMLElement {
  #ending = new AbortController();

  connectedCallback() {
    this.#ending = new AbortController();
    const ids = (this.getAttribute('for') ?? '').split(' ');
    const keep = ({ target }) => {
      const id = ids.find((each) => fieldOf(each) === target);
      if (id) write(KEY + id, target.value);
    };
    for (const id of ids) {
      const field = fieldOf(id);
      const isUntouched = ['', '[]', this.getAttribute('usual')].includes(field?.value ?? '');
      if (isUntouched) fill(id, read(KEY + id) ?? field?.value ?? '');
      else keep({ target: field }); // somebody was quicker than this
    }
    document.addEventListener('input', keep, { signal: this.#ending.signal });
  }

  disconnectedCallback() {
    this.#ending.abort();
  }
}

customElements.define('kept-draft', KeptDraft);
