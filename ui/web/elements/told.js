/** Messages of errors: a sentence, and below it what only those want to know who look for the cause. */

import { element } from '../player/elements.js';

/** @type {WeakMap<Element, string>} what stands in an alarm, so that it is not said twice */
const told = new WeakMap();

/**
 * Returns the sentence of a message.
 * @param {string} message
 */
export function sentenceIn(message) {
  return message.split('\n')[0];
}

/**
 * Shows a message in an element, all but its sentence folded; "" shows nothing.
 * @param {HTMLElement} alarm
 * @param {string} message
 */
export function tell(alarm, message) {
  if (told.get(alarm) === message) return;
  told.set(alarm, message);
  const more = message.slice(sentenceIn(message).length + 1);
  alarm.textContent = sentenceIn(message);
  if (!more) return;
  alarm.append(element('details', { class: 'more' }, [element('summary', { text: 'More' }), element('span', { text: more })]));
}
