/** One stop of the Tab key for a long list: Up, Down, Home and End go from row to row, Tab goes on within the row. */

const STEPS = { ArrowUp: -1, ArrowDown: 1, Home: -Infinity, End: Infinity };

/**
 * @param {HTMLElement} list  whose children are the rows, each with the same buttons
 * @returns {(index: number) => void}  to be called when rows were drawn: which of them Tab reaches
 */
export function rove(list) {
  const reach = (index) =>
    [...list.children].forEach((row, place) => {
      for (const button of row.querySelectorAll('button')) button.tabIndex = place === index ? 0 : -1;
    });
  list.addEventListener('focusin', ({ target }) => reach([...list.children].findIndex((row) => row.contains(target))));
  list.addEventListener('keydown', (event) => {
    const step = STEPS[event.key];
    const row = event.target.closest('li');
    if (step === undefined || !row || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const [rows, place] = [[...list.children], [...row.querySelectorAll('button')].indexOf(event.target)];
    const next = rows[Math.min(rows.length - 1, Math.max(0, rows.indexOf(row) + step))].querySelectorAll('button');
    next[Math.min(place, next.length - 1)]?.focus();
  });
  return reach;
}
