/** Numbers in rows and columns as colours; what a place says is told where the pointer or the arrow keys are. */

import { element } from '../player/elements.js';

const STEPS = {
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  PageUp: [-10, 0],
  PageDown: [10, 0],
};

export class GridPicture {
  #place = [0, 0];

  /**
   * @param {object} settings
   * @param {number[][]} settings.values  [rows, columns], the first row on top
   * @param {[number, number]} settings.range  what the first and the last colour stand for
   * @param {import('./colours.js').Colours} settings.colours
   * @param {string} settings.label  the picture in words
   * @param {(row: number, column: number) => string} settings.tell  what a place says
   */
  constructor({ values, range: [low, high], colours, label, tell }) {
    this.tell = tell;
    this.nRows = values.length;
    this.nColumns = values[0].length;
    this.canvas = element('canvas', { width: this.nColumns, height: this.nRows });
    const context = this.canvas.getContext('2d');
    const image = context.createImageData(this.nColumns, this.nRows);
    values.flat().forEach((value, index) => {
      image.data.set([...colours((value - low) / (high - low)), 255], 4 * index);
    });
    context.putImageData(image, 0, 0);
    this.mark = element('span', { class: 'place', hidden: true });
    this.frame = element(
      'div',
      { class: 'grid', tabindex: '0', role: 'application', 'aria-roledescription': 'picture', 'aria-label': label },
      [this.canvas, this.mark],
    );
    this.told = element('p', { class: 'told', role: 'status' });
    this.body = element('div', { class: 'grid-picture' }, [this.frame, this.told]);
    this.frame.addEventListener('pointermove', (event) => this.#point(event));
    this.frame.addEventListener('pointerleave', () => this.#leave());
    this.frame.addEventListener('blur', () => this.#leave());
    this.frame.addEventListener('focus', () => this.#show(...this.#place));
    this.frame.addEventListener('keydown', (event) => this.#step(event));
  }

  #point({ clientX, clientY }) {
    const { left, top, width, height } = this.canvas.getBoundingClientRect();
    this.#show(((clientY - top) / height) * this.nRows, ((clientX - left) / width) * this.nColumns);
  }

  #step(event) {
    const [down, right] = STEPS[event.key] ?? [];
    if (down === undefined) return;
    event.preventDefault();
    this.#show(this.#place[0] + down, this.#place[1] + right);
  }

  #show(row, column) {
    const within = (value, n) => Math.max(0, Math.min(n - 1, Math.floor(value)));
    this.#place = [within(row, this.nRows), within(column, this.nColumns)];
    const [y, x] = this.#place;
    this.told.textContent = this.tell(y, x);
    this.mark.hidden = false;
    this.mark.style.left = `${((x + 0.5) / this.nColumns) * 100}%`;
    this.mark.style.top = `${((y + 0.5) / this.nRows) * 100}%`;
  }

  #leave() {
    if (this.frame === document.activeElement) return;
    this.mark.hidden = true;
    this.told.textContent = '';
  }
}
