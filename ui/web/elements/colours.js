/** Colours for numbers, from dark to light, even to the eye and to those who see fewer colours. */

import { along } from './colour-scale.js';

const MAGMA = [
  [0, 0, 4],
  [28, 16, 68],
  [79, 18, 123],
  [129, 37, 129],
  [181, 54, 122],
  [229, 80, 100],
  [251, 135, 97],
  [254, 194, 135],
  [252, 253, 191],
];
const VIRIDIS = [
  [68, 1, 84],
  [71, 44, 122],
  [59, 81, 139],
  [44, 113, 142],
  [33, 144, 141],
  [39, 173, 129],
  [92, 200, 99],
  [170, 220, 50],
  [253, 231, 37],
];

/** @typedef {(share: number) => number[]} Colours  gives red, green and blue of a share, 0 to 1 at its ends */

/** @type {Colours} */
export const magma = (share) => along(MAGMA, within(share));
/** @type {Colours} */
export const viridis = (share) => along(VIRIDIS, within(share));

/**
 * Returns colours as a background of CSS.
 * @param {Colours} colours
 */
export function gradient(colours) {
  const stops = Array.from({ length: 9 }, (_, index) => `rgb(${colours(index / 8).map(Math.round).join(' ')})`);
  return `linear-gradient(to right, ${stops.join(', ')})`;
}

function within(share) {
  return Math.max(0, Math.min(1, share));
}
