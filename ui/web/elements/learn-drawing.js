/** Pictures of the lessons: levels as colours, waves and curves as lines. */

import { element } from '../player/elements.js';
import { magma } from './colours.js';
import { svg } from './svg.js';

const LOWEST_DB = -80;

/**
 * Returns a picture with one cell for each number from 0 to 1; the first row is drawn at the bottom.
 * @param {number} nColumns
 * @param {number} nRows
 * @param {(column: number, row: number) => number} share
 * @param {string} label
 */
export function cells(nColumns, nRows, share, label) {
  const canvas = element('canvas', { class: 'cells', width: nColumns, height: nRows, role: 'img', 'aria-label': label });
  paintCells(canvas, share);
  return canvas;
}

/** Fills a picture anew. */
export function paintCells(canvas, share) {
  const { width, height } = canvas;
  const drawing = canvas.getContext('2d');
  const image = drawing.createImageData(width, height);
  for (let row = 0; row < height; row++)
    for (let column = 0; column < width; column++)
      image.data.set([...magma(share(column, row)), 255], 4 * ((height - 1 - row) * width + column));
  drawing.putImageData(image, 0, 0);
}

/** Returns the picture of a mel spectrogram in dB, [bands][columns]. */
export function melPicture(mel, label) {
  const rows = mel.levels_db;
  return cells(rows[0].length, rows.length, (column, row) => 1 - rows[row][column] / LOWEST_DB, label);
}

/** Returns a drawing that is stretched over its place. */
export function stretched(width, height, label, children) {
  const attributes = { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': label };
  return svg('svg', { ...attributes, class: 'stretched' }, children);
}

/** Returns the picture of a wave by its lowest and highest samples. */
export function wavePicture({ low, high }, label) {
  const most = Math.max(1e-3, ...high, ...low.map((value) => -value));
  const points = [...high.map((v, i) => `${i},${50 - (48 * v) / most}`)];
  for (let i = low.length - 1; i >= 0; i--) points.push(`${i},${50 - (48 * low[i]) / most}`);
  return stretched(high.length - 1, 100, label, [svg('polygon', { points: points.join(' '), class: 'wave' })]);
}

/** Returns the picture of a pitch in Hz, 0 where there is none, on a logarithmic scale. */
export function pitchPicture(hz, nTotal, label) {
  const voiced = hz.filter((value) => value > 0);
  const [low, high] = [Math.min(...voiced) / 1.1, Math.max(...voiced) * 1.1];
  const y = (value) => (100 - (100 * Math.log(value / low)) / Math.log(high / low)).toFixed(2);
  const lines = [];
  let line = [];
  for (const [i, value] of [...hz, 0].entries()) {
    if (value > 0) line.push(`${i},${y(value)}`);
    else if (line.length) {
      lines.push(svg('polyline', { points: line.join(' '), class: 'curve' }));
      line = [];
    }
  }
  return stretched(nTotal, 100, label, lines);
}
