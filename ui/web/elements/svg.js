/** Makes parts of drawings. */

const SPACE = 'http://www.w3.org/2000/svg';

/**
 * @param {string} tag
 * @param {Record<string, any>} [attributes]  `text` is the text
 * @param {(Node | string)[]} [children]
 * @returns {SVGElement}
 */
export function svg(tag, { text = '', ...attributes } = {}, children = []) {
  const made = document.createElementNS(SPACE, tag);
  if (text) made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) if (value !== null) made.setAttribute(name, value);
  made.append(...children);
  return made;
}
