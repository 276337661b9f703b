/** Hands what a microphone gives to the page, a tenth of a second at a time; runs on the browser's audio thread. */

class Capture extends AudioWorkletProcessor {
  #kept = new Float32Array(Math.round(sampleRate / 10));
  #n = 0;
  #isOver = false;

  constructor() {
    super();
    this.port.onmessage = () => {
      this.#give();
      this.#isOver = true;
      this.port.postMessage(null);
    };
  }

  process([channels]) {
    const heard = channels[0] ?? [];
    for (let index = 0; index < heard.length; index++) {
      this.#kept[this.#n++] = channels.reduce((sum, channel) => sum + channel[index], 0) / channels.length;
      if (this.#n === this.#kept.length) this.#give();
    }
    return !this.#isOver;
  }

  #give() {
    this.port.postMessage(this.#kept.slice(0, this.#n));
    this.#n = 0;
  }
}

registerProcessor('capture', Capture);
