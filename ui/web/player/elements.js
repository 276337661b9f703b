/** Makes elements, says times. */

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, any>} [attributes]  `on` holds listeners, `text` the text
 * @param {(Node | string)[]} [children]
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function element(tag, { on = {}, text = '', ...attributes } = {}, children = []) {
  const made = document.createElement(tag);
  if (text) made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value === true ? '' : value);
  }
  for (const [type, listener] of Object.entries(on)) made.addEventListener(type, listener);
  made.append(...children);
  return made;
}

/**
 * Returns a time as people read it: 0:07.3, 1:59:00.0.
 * @param {number} seconds
 */
export function clockTime(seconds) {
  const tenths = Math.floor(seconds * 10 + 1e-6);
  const [h, m, s] = [Math.floor(tenths / 36000), Math.floor(tenths / 600) % 60, Math.floor(tenths / 10) % 60];
  const minutes = h ? `${h}:${String(m).padStart(2, '0')}` : `${m}`;
  return `${minutes}:${String(s).padStart(2, '0')}.${tenths % 10}`;
}

/**
 * Sets a toggle button.
 * @param {HTMLElement} button
 * @param {boolean} isOn
 */
export function press(button, isOn) {
  button.setAttribute('aria-pressed', String(isOn));
}

/**
 * Returns an address below another for a name that may have folders.
 * @param {string} base
 * @param {string} name
 */
export function below(base, name) {
  return `${base}/${name.split('/').map(encodeURIComponent).join('/')}`;
}
