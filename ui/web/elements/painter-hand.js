/** The hand that paints: strokes of a pointer, and a rectangle that is drawn, moved by keys, or given in numbers. */

const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
const [STEP_FRAMES, STEP_ROWS] = [4, 4];
const LETTERS = { k: 'keep', r: 'remove', s: 'soften', m: 'restore' };

/**
 * @typedef {import('./painter-picture.js').Picture} Picture
 * @typedef {{frame: number, row: number}} Point
 */
export class Hand {
  #drag = null; // where a rectangle began
  /** @type {Point[]} */
  points = [];
  /** @type {?Point} */
  cursor = null;
  /** @type {?import('./painter-picture.js').Rectangle} */
  rectangle = null;

  /**
   * @param {any} controls
   * @param {Picture} picture
   * @param {{stroke: (stroke: object) => void, moved: () => void, act: (kind: string) => void}} tell
   */
  constructor(controls, picture, tell) {
    Object.assign(this, { controls, picture, tell });
    const { overlay } = controls;
    overlay.addEventListener('pointerdown', (event) => this.#press(event));
    overlay.addEventListener('pointermove', (event) => this.#move(event));
    overlay.addEventListener('pointerup', () => this.#release(false));
    overlay.addEventListener('pointercancel', () => this.#release(true));
    overlay.addEventListener('pointerleave', () => {
      this.cursor = null;
      tell.moved();
    });
    overlay.addEventListener('keydown', (event) => this.#onKey(event));
    for (const name of ['from', 'to', 'low', 'high']) {
      controls[name].input.addEventListener('change', () => this.#readNumbers());
    }
  }

  /** Returns a rectangle of seconds and Hz in frames and rows. */
  rectangleOf(seconds, hz) {
    const [from, to] = seconds.map((at) => this.picture.frameAt(at));
    const [low, high] = hz.map((at) => this.picture.axes.rowOf(at));
    return { from, to, low, high };
  }

  #placeOf(event) {
    const { left, top } = this.controls.overlay.getBoundingClientRect();
    return this.picture.levels ? this.picture.placeAt(event.clientX - left, event.clientY - top) : null;
  }

  #press(event) {
    const point = event.button === 0 ? this.#placeOf(event) : null;
    if (!point) return;
    this.controls.overlay.setPointerCapture(event.pointerId);
    if (this.controls.shape.value === 'rectangle') this.#drag = point;
    else this.points = [point];
    this.tell.moved();
  }

  #move(event) {
    const place = this.#placeOf(event);
    this.cursor = this.controls.shape.value === 'brush' ? place : null;
    if (place) this.#say(`${this.#seconds(place.frame)} s, ${this.#hz(place.row)} Hz`);
    const events = event.getCoalescedEvents?.() ?? [];
    if (this.points.length) {
      const places = (events.length ? events : [event]).map((each) => this.#placeOf(each));
      this.points.push(...places.filter((each) => each !== null));
    }
    if (this.#drag && place) this.#setRectangle(this.#drag, place);
    this.tell.moved();
  }

  #release(isCancelled) {
    const [points, isRectangle] = [this.points, this.#drag !== null];
    [this.points, this.#drag] = [[], null];
    if (!isCancelled && isRectangle && this.rectangle) this.tell.stroke({ rectangle: this.rectangle });
    if (!isCancelled && points.length) {
      this.tell.stroke({ points, radius: this.picture.radiusOf(this.controls.size.value) });
    }
    this.tell.moved();
  }

  #onKey(event) {
    if (!this.picture.levels) return;
    const key = event.key.toLowerCase();
    const isControl = event.ctrlKey || event.metaKey;
    if (isControl && key === 'z') this.tell.act(event.shiftKey ? 'redo' : 'undo');
    else if (isControl || event.altKey) return;
    else if (event.key in MOVES) this.#moveRectangle(MOVES[event.key], event.shiftKey);
    else if (key === 'enter') this.tell.act('apply');
    else if (key === ' ') this.tell.act('play');
    else if (key === 'escape' && this.rectangle) this.#forgetRectangle();
    else if (key in LETTERS) this.controls.brush.choose(LETTERS[key]);
    else return;
    event.preventDefault();
  }

  #moveRectangle([x, y], isResized) {
    const { nFrames, nRows } = this.picture;
    const start = { from: nFrames / 2 - 10, to: nFrames / 2 + 10, low: nRows / 3, high: nRows / 3 + 20 };
    const { from, to, low, high } = this.rectangle ?? start;
    const [dx, dy] = this.rectangle ? [x * STEP_FRAMES, y * STEP_ROWS] : [0, 0];
    const isOutside = !isResized && (from + dx < 0 || to + dx > nFrames || low + dy < 0 || high + dy > nRows);
    if (isOutside) return;
    const [fromX, fromY] = isResized ? [0, 0] : [dx, dy];
    this.#setRectangle({ frame: from + fromX, row: low + fromY }, { frame: to + dx, row: high + dy });
  }

  #forgetRectangle() {
    this.rectangle = null;
    this.controls.apply.disabled = true;
    this.tell.moved();
  }

  #readNumbers() {
    const inputs = ['from', 'to', 'low', 'high'].map((name) => this.controls[name].input.valueAsNumber);
    if (!inputs.every(Number.isFinite)) return;
    const [from, to, low, high] = inputs;
    this.rectangle = this.rectangleOf([from, to], [low, high]);
    this.controls.apply.disabled = !(to > from && high > low);
    this.tell.moved();
  }

  /** Takes two corners. */
  #setRectangle(a, b) {
    const { nFrames, nRows } = this.picture;
    const within = (value, most) => Math.min(Math.max(value, 0), most);
    const [from, to] = [a.frame, b.frame].map((frame) => within(frame, nFrames)).sort((x, y) => x - y);
    const [low, high] = [a.row, b.row].map((row) => within(row, nRows)).sort((x, y) => x - y);
    this.rectangle = { from, to, low, high };
    const shown = { from: this.#seconds(from), to: this.#seconds(to), low: this.#hz(low), high: this.#hz(high) };
    for (const [name, value] of Object.entries(shown)) this.controls[name].input.value = String(value);
    this.controls.apply.disabled = !(to > from && high > low);
    this.#say(`${shown.from} to ${shown.to} s, ${shown.low} to ${shown.high} Hz`);
    this.tell.moved();
  }

  #seconds(frame) {
    return Math.max(this.picture.secondsAt(frame), 0).toFixed(2);
  }

  #hz(row) {
    return Math.round(this.picture.axes.hzOf(row));
  }

  #say(text) {
    this.controls.place.textContent = text;
  }
}
