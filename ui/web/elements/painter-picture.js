/**
 * The spectrogram that is painted on: a canvas with the sound coloured by its mask, and one above it with what moves.
 *
 * @typedef {{from: number, to: number, low: number, high: number}} Rectangle  in frames and rows
 */

import { along, packed, WARM } from './colour-scale.js';

const LEFT = 52; // CSS pixels for the frequencies,
const BOTTOM = 24; // and for the seconds
const TICKS_HZ = [100, 250, 500, 1000, 2000, 4000, 8000, 16000];
const TICK_SECONDS = [0.25, 0.5, 1, 2, 5];
const FEWEST_PIXELS = 70; // between two times
const MASK_STEPS = 64;
const GONE = [
  [0, 0, 6],
  [22, 38, 62],
  [48, 82, 120],
  [96, 138, 176],
  [190, 214, 232],
];
const GREY = [
  [0, 0, 0],
  [128, 128, 128],
  [255, 255, 255],
];
const BRUSHES = { keep: '#ffd166', remove: '#7cc4ff', soften: '#c8f7c5', restore: '#ffffff' };

export class Picture {
  #image = null;
  #colours;
  #size = { width: 0, height: 0, scale: 1 };

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {HTMLCanvasElement} overlay
   */
  constructor(canvas, overlay) {
    this.canvas = canvas;
    this.overlay = overlay;
    this.#colours = mixedColours();
    this.view = 'both';
  }

  /**
   * Begins with a sound.
   * @param {{levels: Uint8Array, nRows: number, nFrames: number}} drawn
   * @param {{frameSeconds: number, firstSeconds: number, rowOf: (hz: number) => number,
   *     hzOf: (row: number) => number}} axes
   */
  open({ levels, nRows, nFrames }, axes) {
    Object.assign(this, { levels, nRows, nFrames, axes });
    this.mask = new Uint8Array(levels.length);
    this.strokes = new Uint8Array(levels.length).fill(128);
    this.buffer = Object.assign(document.createElement('canvas'), { width: nFrames, height: nRows });
    this.#image = new ImageData(nFrames, nRows);
  }

  /** Takes the mask and the strokes of some frames. */
  update({ from, to }, { mask, strokes }) {
    this.mask.set(mask, from * this.nRows);
    this.strokes.set(strokes, from * this.nRows);
    this.paint(from, to);
  }

  /** Draws some frames anew, or all. */
  paint(from = 0, to = this.nFrames) {
    if (!this.#image) return;
    const { data } = this.#image;
    for (let frame = from; frame < to; frame++) {
      for (let row = 0, at = frame * this.nRows; row < this.nRows; row++, at++) {
        const colour = this.#colour(at);
        const pixel = 4 * ((this.nRows - 1 - row) * this.nFrames + frame);
        data[pixel] = colour >> 16;
        data[pixel + 1] = (colour >> 8) & 255;
        data[pixel + 2] = colour & 255;
        data[pixel + 3] = 255;
      }
    }
    this.buffer.getContext('2d').putImageData(this.#image, 0, 0);
    this.#show();
  }

  #colour(at) {
    const level = this.levels[at];
    if (this.view === 'sound') return this.#colours.mixed[level * MASK_STEPS + MASK_STEPS - 1];
    if (this.view === 'mask') return this.#colours.grey[this.mask[at]];
    if (this.view === 'strokes') return strokeColour(level, this.strokes[at]);
    return this.#colours.mixed[level * MASK_STEPS + (this.mask[at] >> 2)];
  }

  /** Fits the canvases to their place on the page; returns whether that changed. */
  resize(width, height) {
    const scale = Math.min(window.devicePixelRatio || 1, 2);
    if (!width || (width === this.#size.width && height === this.#size.height && scale === this.#size.scale))
      return false;
    this.#size = { width, height, scale };
    for (const canvas of [this.canvas, this.overlay]) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
    }
    this.#show();
    return true;
  }

  get #plot() {
    return { width: this.#size.width - LEFT, height: this.#size.height - BOTTOM };
  }

  /** Returns the frame and row at a place of the canvas, in CSS pixels; null beside the plot. */
  placeAt(x, y) {
    const { width, height } = this.#plot;
    if (x < LEFT - 8 || y > height + 8) return null;
    return { frame: ((x - LEFT) / width) * this.nFrames, row: (1 - y / height) * this.nRows };
  }

  /** Returns a radius of so many CSS pixels in frames and rows. */
  radiusOf(pixels) {
    const { width, height } = this.#plot;
    return { frames: (pixels * this.nFrames) / width, rows: (pixels * this.nRows) / height };
  }

  frameAt(seconds) {
    return (seconds - this.axes.firstSeconds) / this.axes.frameSeconds;
  }

  secondsAt(frame) {
    return frame * this.axes.frameSeconds + this.axes.firstSeconds;
  }

  #show() {
    if (!this.#image || !this.#size.width) return;
    const context = this.canvas.getContext('2d');
    const { width, height } = this.#plot;
    context.setTransform(this.#size.scale, 0, 0, this.#size.scale, 0, 0);
    context.clearRect(0, 0, this.#size.width, this.#size.height);
    context.imageSmoothingEnabled = true;
    context.drawImage(this.buffer, LEFT, 0, width, height);
    context.fillStyle = getComputedStyle(this.canvas).color;
    context.font = '12px system-ui, sans-serif';
    context.textBaseline = 'middle';
    context.textAlign = 'right';
    for (const hz of TICKS_HZ) {
      const y = height * (1 - this.axes.rowOf(hz) / this.nRows);
      if (y < 6 || y > height - 4) continue;
      context.fillText(hz < 1000 ? `${hz} Hz` : `${hz / 1000} kHz`, LEFT - 6, y);
      context.fillRect(LEFT - 3, y, 3, 1);
    }
    this.#labelTimes(context, width, height);
  }

  #labelTimes(context, width, height) {
    const seconds = this.nFrames * this.axes.frameSeconds;
    const step = TICK_SECONDS.find((each) => (each * width) / seconds > FEWEST_PIXELS) ?? 10;
    context.textBaseline = 'top';
    context.textAlign = 'center';
    for (let at = step; ; at += step) {
      const x = LEFT + (this.frameAt(at) / this.nFrames) * width;
      if (x > LEFT + width - 12) break;
      context.fillRect(x, height, 1, 4);
      context.fillText(`${at} s`, x, height + 7);
    }
  }

  /**
   * Draws what moves.
   * @param {{seconds: ?number, points: {frame: number, row: number}[], radius: {frames: number, rows: number},
   *     brush: string, rectangle: ?Rectangle, cursor: ?{frame: number, row: number}}} shown
   */
  showMoving({ seconds, points, radius, brush, rectangle, cursor }) {
    const context = this.overlay.getContext('2d');
    const { width, height } = this.#plot;
    const x = (frame) => LEFT + (frame / this.nFrames) * width;
    const y = (row) => height * (1 - row / this.nRows);
    context.setTransform(this.#size.scale, 0, 0, this.#size.scale, 0, 0);
    context.clearRect(0, 0, this.#size.width, this.#size.height);
    context.save();
    context.beginPath();
    context.rect(LEFT, 0, width, height);
    context.clip();
    const pixels = (radius.frames / this.nFrames) * width;
    context.strokeStyle = context.fillStyle = BRUSHES[brush];
    if (points.length) {
      context.globalAlpha = 0.4;
      context.lineWidth = 1.5 * pixels;
      context.lineCap = context.lineJoin = 'round';
      context.beginPath();
      context.moveTo(x(points[0].frame), y(points[0].row));
      points.forEach((point) => context.lineTo(x(point.frame) + 0.01, y(point.row)));
      context.stroke();
      context.globalAlpha = 1;
    }
    context.lineWidth = 2;
    if (cursor) {
      context.beginPath();
      context.arc(x(cursor.frame), y(cursor.row), pixels, 0, 2 * Math.PI);
      context.stroke();
    }
    if (rectangle) {
      const { from, to, low, high } = rectangle;
      context.setLineDash([6, 4]);
      context.strokeRect(x(from), y(high), x(to) - x(from), y(low) - y(high));
      context.setLineDash([]);
    }
    if (seconds !== null) {
      context.fillStyle = '#ffffff';
      context.fillRect(Math.round(x(this.frameAt(seconds))), 0, 2, height);
    }
    context.restore();
  }
}

/** Returns the colours of all levels under all masks: warm where it is kept, cold where it is removed. */
function mixedColours() {
  const mixed = new Uint32Array(256 * MASK_STEPS);
  const grey = new Uint32Array(256);
  for (let level = 0; level < 256; level++) {
    const [kept, gone] = [along(WARM, level / 255), along(GONE, level / 255)];
    for (let step = 0; step < MASK_STEPS; step++) {
      const share = step / (MASK_STEPS - 1);
      mixed[level * MASK_STEPS + step] = packed(kept.map((value, i) => share * value + (1 - share) * gone[i]));
    }
    grey[level] = packed(along(GREY, level / 255));
  }
  return { mixed, grey };
}

function strokeColour(level, stroke) {
  const share = (stroke - 127.5) / 127.5;
  const strength = Math.min(Math.abs(share) * 1.5, 1);
  const towards = share > 0 ? [255, 170, 40] : [60, 150, 255];
  return packed(
    towards.map((value) => (1 - strength) * 0.6 * level + strength * value * (0.35 + (0.65 * level) / 255)),
  );
}
