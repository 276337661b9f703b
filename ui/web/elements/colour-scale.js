/** Scales of colours for pictures of sound: darker is less, also in print and to eyes that see no red or green. */

/** From black over red and orange to white. */
export const WARM = [
  [0, 0, 6],
  [120, 28, 60],
  [236, 105, 37],
  [252, 200, 90],
  [255, 252, 225],
];

/**
 * Returns the colour at a place between 0 and 1 of a scale.
 * @param {number[][]} scale
 * @param {number} place
 */
export function along(scale, place) {
  const at = place * (scale.length - 1);
  const first = Math.min(Math.floor(at), scale.length - 2);
  return scale[first].map((value, i) => value + (at - first) * (scale[first + 1][i] - value));
}

/** @param {number[]} colour */
export const packed = ([r, g, b]) => (Math.round(r) << 16) | (Math.round(g) << 8) | Math.round(b);

/**
 * Draws bytes [rows, columns] on a canvas of that size, the first row at the bottom.
 * @param {HTMLCanvasElement} canvas
 * @param {Uint8Array} bytes
 * @param {number[]} shape
 */
export function drawBytes(canvas, bytes, [nRows, nColumns]) {
  Object.assign(canvas, { width: nColumns, height: nRows });
  const image = new ImageData(nColumns, nRows);
  for (let row = 0, at = 0; row < nRows; row++) {
    for (let column = 0; column < nColumns; column++, at++) {
      const pixel = 4 * ((nRows - 1 - row) * nColumns + column);
      const colour = COLOURS[bytes[at]];
      image.data[pixel] = colour >> 16;
      image.data[pixel + 1] = (colour >> 8) & 255;
      image.data[pixel + 2] = colour & 255;
      image.data[pixel + 3] = 255;
    }
  }
  canvas.getContext('2d').putImageData(image, 0, 0);
}

const COLOURS = Uint32Array.from({ length: 256 }, (_, byte) => packed(along(WARM, byte / 255)));
