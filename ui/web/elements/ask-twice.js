/** Buttons that ask once more before they do what cannot be undone. */

const QUESTION = 'Delete for good?';

/**
 * Has a button that deletes ask for a second press, unless there is nothing to lose; a double click is one press.
 * @param {HTMLButtonElement} button
 * @param {() => boolean} isPrecious  whether something would be lost
 * @param {() => void} act
 */
export function askTwice(button, isPrecious, act) {
  const [text, label] = [button.textContent, button.getAttribute('aria-label')];
  const show = (isAsking) => {
    button.classList.toggle('asks', isAsking);
    button.textContent = isAsking ? QUESTION : text;
    button.setAttribute('aria-label', isAsking ? label.replace(text, QUESTION) : label);
  };
  button.addEventListener('click', (event) => {
    if (event.detail > 1) return;
    const isAsking = isPrecious() && !button.classList.contains('asks');
    show(isAsking);
    if (!isAsking) act();
  });
  button.addEventListener('blur', () => show(false));
}
