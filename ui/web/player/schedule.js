/**
 * When which samples are heard: whole numbers only, so that no error can add up.
 *
 * A track is cut into chunks of equal length; a piece is what is played of a chunk. All tracks of a piece begin at
 * the same frame of the audio context, and the next piece begins at the frame after its last.
 *
 * @typedef {{begin: number, end: number}} Loop  samples, the end excluded
 * @typedef {{total: number, chunkSamples: number, loop: ?Loop}} Course  what is played, and how it is cut
 * @typedef {{chunk: number, offset: number, start: number, n: number, next: number}} Piece
 *     `n` samples from `start` on, which lie at `offset` in their chunk; `next` is the sample after them
 * @typedef {{frame: number, piece: Piece}} Placed  a piece and the frame of the context at which it begins
 */

export const CHUNK_SECONDS = 10;

/** In samples: enough for a frame's time not to be rounded below it, too little to be seen (a browser divides by 1024). */
const NUDGE = 2 ** -14;

/**
 * Returns the piece that begins at a sample, or null at the end.
 * @param {number} position
 * @param {Course} course
 * @returns {?Piece}
 */
export function pieceAt(position, { total, chunkSamples, loop }) {
  if (position >= total) return null;
  const chunk = Math.floor(position / chunkSamples);
  const end = Math.min((chunk + 1) * chunkSamples, total);
  const offset = position - chunk * chunkSamples;
  if (loop && position < loop.end && loop.end <= end) {
    return { chunk, offset, start: position, n: loop.end - position, next: loop.begin };
  }
  return { chunk, offset, start: position, n: end - position, next: end };
}

/**
 * Returns how many samples a chunk has.
 * @param {number} chunk
 * @param {Course} course
 */
export function chunkLength(chunk, { total, chunkSamples }) {
  return Math.min(chunkSamples, total - chunk * chunkSamples);
}

/**
 * Returns the first frame of a context that is not before a time.
 * @param {number} seconds
 * @param {number} rate
 */
export function frameAfter(seconds, rate) {
  return Math.ceil(seconds * rate);
}

/**
 * Returns the time to start at for a frame: a hair after it, since k / rate * rate may be less than k, and a browser
 * would then begin between two samples.
 * @param {number} frame
 * @param {number} rate
 */
export function timeOf(frame, rate) {
  return (frame + NUDGE) / rate;
}

/**
 * Returns the sample that is heard at a frame, or null before the first piece.
 * @param {number} frame
 * @param {Placed[]} placed  in the order of their frames
 * @returns {?number}
 */
export function positionAt(frame, placed) {
  const current = placed.findLast((each) => each.frame <= frame);
  if (!current) return null;
  return current.piece.start + Math.min(frame - current.frame, current.piece.n);
}

/**
 * Tells whether a piece has been heard to its end at a frame.
 * @param {number} frame
 * @param {Placed} placed
 */
export function isOver(frame, placed) {
  return placed.frame + placed.piece.n <= frame;
}

/**
 * Returns how many pieces are not over at a frame.
 * @param {number} frame
 * @param {Placed[]} placed
 */
export function nAhead(frame, placed) {
  return placed.filter((each) => !isOver(frame, each)).length;
}

/**
 * Returns the pieces that are not over at a frame, and the one before them.
 * @param {number} frame
 * @param {Placed[]} placed
 * @returns {Placed[]}
 */
export function stillNeeded(frame, placed) {
  const first = placed.findIndex((each) => !isOver(frame, each));
  return first < 0 ? placed.slice(-1) : placed.slice(Math.max(0, first - 1));
}
