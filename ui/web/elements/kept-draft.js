/**
 * `<kept-draft for="ID OF A FIELD ..." usual="VALUE"></kept-draft>`: what stands in fields is there again after a reload,
 * unless somebody has written into them meanwhile; `usual` is what a field begins with that does not begin empty.
 *
 * It is kept by the browser for this window alone, and goes with it: a script is nobody else's business.
 */

import { fieldOf, fill } from './fields.js';

const KEY = 'audio-ml-draft-';

class KeptDraft extends HTMLElement {
  #ending = new AbortController();

  connectedCallback() {
    this.#ending = new AbortController();
    const ids = (this.getAttribute('for') ?? '').split(' ');
    const keep = ({ target }) => {
      const id = ids.find((each) => fieldOf(each) === target);
      if (id) sessionStorage.setItem(KEY + id, target.value);
    };
    for (const id of ids) {
      const field = fieldOf(id);
      const isUntouched = ['', '[]', this.getAttribute('usual')].includes(field?.value ?? '');
      if (isUntouched) fill(id, sessionStorage.getItem(KEY + id) ?? field?.value ?? '');
      else keep({ target: field }); // somebody was quicker than this
    }
    document.addEventListener('input', keep, { signal: this.#ending.signal });
  }

  disconnectedCallback() {
    this.#ending.abort();
  }
}

customElements.define('kept-draft', KeptDraft);
