/** Clicks and drags along the time: a click goes there, a drag selects. */

const DRAG_PIXELS = 5;

export class Selection {
  /**
   * @param {HTMLElement[]} lanes  elements that are as wide as the whole time
   * @param {{seek: (fraction: number) => void, select: (begin: number, end: number) => void}} listener
   */
  constructor(lanes, listener) {
    this.listener = listener;
    lanes.forEach((lane) => lane.addEventListener('pointerdown', (event) => this.#begin(event, lane)));
  }

  /**
   * @param {PointerEvent} down
   * @param {HTMLElement} lane
   */
  #begin(down, lane) {
    if (down.button !== 0) return;
    const fraction = (event) => {
      const { left, width } = lane.getBoundingClientRect();
      return Math.min(Math.max((event.clientX - left) / width, 0), 1);
    };
    const end = (up) => {
      lane.removeEventListener('pointerup', end);
      lane.removeEventListener('pointercancel', end);
      if (up.type === 'pointercancel') return; // the page was scrolled
      const [from, to] = [fraction(down), fraction(up)].sort((a, b) => a - b);
      if (Math.abs(up.clientX - down.clientX) < DRAG_PIXELS) this.listener.seek(fraction(up));
      else this.listener.select(from, to);
    };
    lane.setPointerCapture(down.pointerId);
    lane.addEventListener('pointerup', end);
    lane.addEventListener('pointercancel', end);
  }
}
