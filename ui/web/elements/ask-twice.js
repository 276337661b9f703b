/** Buttons that ask once more before they do what cannot be undone. */

const QUESTION = 'Delete for good?';
const [TOO_SOON_MS, PATIENCE_MS] = [400, 10_000]; // in which a press is still the first one; after which it is forgotten

/**
 * Has a button that deletes ask for a second press, unless there is nothing to lose; a double click, or a key
 * that is held, is one press.
 * @param {HTMLButtonElement} button
 * @param {() => boolean} isPrecious  whether something would be lost
 * @param {() => void} act
 */
export function askTwice(button, isPrecious, act) {
  const [text, label] = [button.textContent, button.getAttribute('aria-label')];
  let [soon, late] = [0, 0];
  const show = (isAsking) => {
    clearTimeout(soon);
    clearTimeout(late);
    button.removeAttribute('aria-disabled');
    button.classList.toggle('asks', isAsking);
    button.textContent = isAsking ? QUESTION : text;
    button.setAttribute('aria-label', isAsking ? label.replace(text, QUESTION) : label);
  };
  button.addEventListener('keydown', (event) => event.repeat && event.preventDefault());
  button.addEventListener('click', () => {
    if (button.getAttribute('aria-disabled')) return;
    const isAsking = isPrecious() && !button.classList.contains('asks');
    show(isAsking);
    if (!isAsking) return act();
    button.focus(); // not every browser does so, and without it there is no blur
    button.setAttribute('aria-disabled', 'true');
    soon = setTimeout(() => button.removeAttribute('aria-disabled'), TOO_SOON_MS);
    late = setTimeout(() => show(false), PATIENCE_MS);
  });
  button.addEventListener('blur', () => show(false));
}
