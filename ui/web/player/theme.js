/** Follows the page: Gradio marks a dark one by a class of its body, others leave it to the reader's system. */

const DARK = matchMedia('(prefers-color-scheme: dark)');

/** @param {HTMLElement} host */
function isDark(host) {
  if (document.querySelector('gradio-app, .gradio-container')) return document.body.classList.contains('dark');
  return host.closest('.dark') !== null || DARK.matches;
}

/**
 * Keeps `data-theme` of an element right, and tells of changes.
 * @param {HTMLElement} host
 * @param {() => void} changed
 * @returns {() => void}  ends it
 */
export function followTheme(host, changed) {
  const follow = () => {
    const theme = isDark(host) ? 'dark' : 'light';
    if (host.dataset.theme === theme) return;
    host.dataset.theme = theme;
    changed();
  };
  const observer = new MutationObserver(follow);
  observer.observe(document.body, { attributeFilter: ['class'] });
  DARK.addEventListener('change', follow);
  follow();
  return () => {
    observer.disconnect();
    DARK.removeEventListener('change', follow);
  };
}

/**
 * Returns the colours of the canvases, from the style sheet.
 * @param {HTMLElement} host
 */
export function coloursOf(host) {
  const style = getComputedStyle(host);
  const colour = (name) => style.getPropertyValue(name).trim() || 'currentColor';
  return { wave: colour('--wave'), played: colour('--played'), cursor: colour('--cursor') };
}
