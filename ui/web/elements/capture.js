/** Records from a microphone as it is: nothing evens out its level or takes its noise away. */

const AS_IT_IS = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };
const UPLOAD = 'or upload a recording';
const REFUSED = {
  NotAllowedError: `The microphone was refused: allow it for this page in the browser's address bar, ${UPLOAD}.`,
  NotFoundError: `No microphone was found: plug one in, ${UPLOAD}.`,
  NotReadableError: `The microphone gives no sound: another program may have it. Close that, ${UPLOAD}.`,
};
const NO_CONTEXT = `Browsers record only on this machine itself or over https: ${UPLOAD} instead.`;

/**
 * @typedef {{ samples: Float32Array, rate: number }} Recorded
 * @param {(level: number, seconds: number) => void} heard  told ten times a second; the level is the peak
 * @param {() => void} ended  told when the microphone stops by itself
 * @returns {Promise<{ stop: () => Promise<Recorded> }>}
 * @throws {Error} with a sentence
 */
export async function capture(heard, ended) {
  if (!navigator.mediaDevices?.getUserMedia || !window.AudioWorkletNode) throw new Error(NO_CONTEXT);
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio: AS_IT_IS });
  } catch (error) {
    throw new Error(REFUSED[error.name] ?? `The microphone cannot be used (${error.message}): ${UPLOAD}.`);
  }
  const context = new AudioContext();
  try {
    await context.audioWorklet.addModule(new URL('capture-worklet.js', import.meta.url));
  } catch (error) {
    stream.getTracks().forEach((track) => track.stop());
    await context.close();
    throw new Error(`Recording could not be begun, for the server does not answer: try again, ${UPLOAD}.`);
  }
  const node = new AudioWorkletNode(context, 'capture', { numberOfOutputs: 0 });
  const pieces = [];
  let n = 0;
  let over;
  const whole = new Promise((resolve) => (over = resolve));
  node.port.onmessage = ({ data }) => {
    if (data === null) return over();
    pieces.push(data);
    n += data.length;
    heard(
      data.reduce((peak, sample) => Math.max(peak, Math.abs(sample)), 0),
      n / context.sampleRate,
    );
  };
  context.createMediaStreamSource(stream).connect(node);
  stream.getTracks().forEach((track) => track.addEventListener('ended', ended));

  return {
    async stop() {
      node.port.postMessage('stop');
      await whole;
      stream.getTracks().forEach((track) => track.stop());
      const rate = context.sampleRate;
      await context.close();
      const samples = new Float32Array(n);
      pieces.reduce((at, piece) => (samples.set(piece, at), at + piece.length), 0);
      return { samples, rate };
    },
  };
}
