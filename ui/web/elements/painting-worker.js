/** Holds a painting on a thread of its own: the page goes on while sound is made. First what is heard, then the rest. */

import { Painting } from './painting.js';

/** @type {?Painting} */
let painting = null;

self.addEventListener('message', ({ data: { id, kind, value } }) => {
  try {
    if (kind === 'open') {
      painting = new Painting(value);
      const { rows, levels, stft, binHz } = painting;
      answer(id, 'opened', { levels, nRows: rows.n, nFrames: stft.nFrames, nBins: stft.nBins, binHz });
    }
    update(id, framesOf(kind, value));
  } catch (error) {
    answer(id, 'failed', { message: error.message });
  }
});

/** Returns the frames that a message changes, or null. */
function framesOf(kind, value) {
  switch (kind) {
    case 'open':
      return painting.choose(0);
    case 'stem':
      return painting.choose(value);
    case 'stroke':
      return painting.paint(value);
    default:
      return painting[kind](); // undo, redo, reset
  }
}

function update(id, frames) {
  const began = performance.now();
  const { nStrokes, nUndone } = painting;
  if (!frames) return answer(id, 'nothing', { nStrokes, nUndone });
  const result = painting.makeResult(frames);
  const drawn = painting.drawMask(frames);
  answer(id, 'result', { frames, nStrokes, nUndone, result, drawn, workMs: performance.now() - began }, [
    ...result.channels.map((samples) => samples.buffer),
    drawn.mask.buffer,
    drawn.strokes.buffer,
  ]);
  const removed = painting.makeRemoved(frames);
  const buffers = removed.channels.map((samples) => samples.buffer);
  answer(id, 'rest', { removed, measured: painting.measure() }, buffers);
}

function answer(id, kind, value, transfer = []) {
  self.postMessage({ id, kind, value }, { transfer });
}
