/** Fields of a form that Gradio draws, filled in by elements of ours. */

/**
 * Returns the input of a field.
 * @param {string} id  the element's id on the page
 * @returns {HTMLInputElement | HTMLTextAreaElement | null}
 */
export function fieldOf(id) {
  return document.querySelector(`#${CSS.escape(id)} textarea, #${CSS.escape(id)} input`);
}

/**
 * Writes into a field as somebody who types.
 * @param {string} id
 * @param {string} value
 */
export function fill(id, value) {
  const field = fieldOf(id);
  if (!field || field.value === value) return;
  field.value = value;
  field.dispatchEvent(new Event('input', { bubbles: true }));
}
