/** One waveform, drawn by wavesurfer.js from peaks of the server; it plays nothing. */

import WaveSurfer from './wavesurfer.js';

const HAVE_ENOUGH_DATA = 4;
const CLEAR = 'rgba(0, 0, 0, 0)';
const ON_PICTURE = '#ffffff';

/** As much of a media element as wavesurfer.js looks at: a clock that is set. */
class Clock extends EventTarget {
  volume = 1;
  muted = false;
  playbackRate = 1;
  paused = true;
  ended = false;
  seeking = false;
  src = '';
  currentSrc = '';
  readyState = HAVE_ENOUGH_DATA;
  currentTime = 0;

  /** @param {number} duration */
  constructor(duration) {
    super();
    this.duration = duration;
  }

  play() {
    return Promise.resolve();
  }
  pause() {}
  load() {}
  remove() {}
  removeAttribute() {}
  canPlayType() {
    return '';
  }
}

export class Waveform {
  #clock;
  #surfer;
  #colours;
  #isShown = true;

  /**
   * @param {HTMLElement} container
   * @param {{lows: number[], highs: number[]}} peaks
   * @param {number} duration  seconds
   * @param {{wave: string, played: string, cursor: string}} colours
   */
  constructor(container, peaks, duration, colours) {
    this.#colours = colours;
    this.#clock = new Clock(duration);
    this.#surfer = WaveSurfer.create({
      container,
      media: /** @type {any} */ (this.#clock),
      peaks: [peaks.highs, peaks.lows],
      duration,
      height: 'auto',
      maxPeak: 1,
      normalize: true,
      interact: false,
      hideScrollbar: true,
      autoScroll: false,
      cursorWidth: 2,
      ...this.#drawn(),
    });
  }

  /** @param {number} seconds */
  setTime(seconds) {
    this.#clock.currentTime = seconds;
    this.#clock.dispatchEvent(new Event('timeupdate'));
  }

  /** Has a sample of this size reach the border. */
  scale(peak) {
    const maxPeak = peak || 1;
    if (maxPeak !== this.#surfer.options.maxPeak) this.#surfer.setOptions({ maxPeak });
  }

  /** Shows the wave, or the cursor alone. */
  show(isShown) {
    this.#isShown = isShown;
    this.#surfer.setOptions(this.#drawn());
  }

  /** @param {{wave: string, played: string, cursor: string}} colours */
  recolour(colours) {
    this.#colours = colours;
    this.#surfer.setOptions(this.#drawn());
  }

  destroy() {
    this.#surfer.destroy();
  }

  #drawn() {
    const { wave, played, cursor } = this.#colours;
    if (!this.#isShown) return { waveColor: CLEAR, progressColor: CLEAR, cursorColor: ON_PICTURE };
    return { waveColor: wave, progressColor: played, cursorColor: cursor };
  }
}
