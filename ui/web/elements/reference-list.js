/** The recordings of a voice: recorded here or uploaded, sent to the server at once, heard and taken out again. */

import { element } from '../player/elements.js';
import { size } from './results.js';
import { send, withdraw } from './send.js';

const KINDS = 'audio/*,video/*,.wav,.flac,.mp3,.m4a,.ogg,.opus,.aif,.aiff,.w64,.caf,.mxf';

/** One recording; `upload` is there once it was sent. */
class Recording {
  #ending = new AbortController();
  upload = null;

  /**
   * @param {File} file
   * @param {(recording: Recording) => void} changed
   * @param {(recording: Recording) => void} removed
   */
  constructor(file, changed, removed) {
    this.file = file;
    this.changed = changed;
    this.sound = element('audio', { controls: true, preload: 'metadata', src: URL.createObjectURL(file) });
    this.sound.setAttribute('aria-label', file.name);
    this.bar = element('progress', { max: '1', value: '0', 'aria-label': `Sending ${file.name}` });
    this.alarm = element('p', { role: 'alert' });
    const remove = element('button', {
      type: 'button',
      text: 'Remove',
      'aria-label': `Remove ${file.name}`,
      on: { click: () => removed(this) },
    });
    this.body = element('li', { class: 'recording' }, [
      element('div', { class: 'row' }, [
        element('span', { class: 'name', text: file.name, title: file.name }),
        element('span', { class: 'size', text: size(file.size) }),
        remove,
      ]),
      this.sound,
      this.bar,
      this.alarm,
    ]);
  }

  async send() {
    try {
      const progress = (share) => (this.bar.value = share);
      const { upload } = await send(this.file, { progress, signal: this.#ending.signal });
      this.upload = upload;
    } catch (error) {
      if (this.#ending.signal.aborted) return;
      this.complain(error.message);
    }
    this.bar.hidden = true;
    this.changed(this);
  }

  /** @param {string} sentence */
  complain(sentence) {
    this.alarm.textContent = sentence;
    this.hasFailed = sentence !== '';
    this.body.dataset.state = this.hasFailed ? 'failed' : '';
  }

  /** Takes it off the page. */
  close() {
    this.#ending.abort();
    this.sound.pause();
    URL.revokeObjectURL(this.sound.src);
    this.body.remove();
  }
}

/** What is recorded and uploaded; `most` recordings at the most, the last one counts where it is one. */
export class ReferenceList {
  /** @type {Recording[]} */
  recordings = [];

  /**
   * @param {{ name: string, record: string, upload: string, most?: number, changed: () => void | Promise<void> }} settings
   *   what `changed` returns is waited for before a recording is taken off the server
   */
  constructor({ name, record, upload, most = Infinity, changed }) {
    this.most = most;
    this.changed = changed;
    const recorder = element('sound-recorder', {
      label: record,
      name,
      on: { recorded: (event) => this.add([event.detail]) },
    });
    this.field = element('input', {
      type: 'file',
      accept: KINDS,
      multiple: most > 1,
      class: 'spoken',
      on: {
        change: () => {
          this.add([...this.field.files]);
          this.field.value = '';
        },
      },
    });
    this.rows = element('ul', { class: 'recordings', 'aria-label': `Your ${name}` });
    this.body = element('div', { class: 'sources' }, [
      element('div', { class: 'row' }, [recorder, element('label', { class: 'button' }, [upload, this.field])]),
      this.rows,
    ]);
    this.#takeDrops();
  }

  /** @param {File[]} files */
  add(files) {
    for (const file of files) {
      while (this.recordings.length >= this.most) this.#drop(this.recordings[0]);
      const recording = new Recording(file, this.changed, (gone) => this.#drop(gone));
      this.recordings.push(recording);
      this.rows.append(recording.body);
      recording.send();
    }
    this.changed();
  }

  /** What a job reads, of all that were sent. */
  get inputs() {
    return this.#sent.map(({ upload }) => ({ upload }));
  }

  get #sent() {
    return this.recordings.filter((each) => each.upload && !each.hasFailed);
  }

  get isSending() {
    return this.recordings.some((each) => !each.upload && !each.hasFailed);
  }

  /** Says what is wrong with one of the `inputs`; false where the error names none. */
  complain({ message, param }) {
    const [, place] = /^inputs\.(\d+)$/.exec(param ?? '') ?? [];
    const named = place === undefined ? undefined : this.#sent[Number(place)];
    named?.complain(message);
    return named !== undefined;
  }

  /** @param {boolean} areRead  whether a job reads them still */
  clear(areRead = false) {
    for (const recording of this.recordings) {
      recording.close();
      if (recording.upload && !areRead) withdraw(recording.upload);
    }
    this.recordings = [];
  }

  async #drop(recording) {
    recording.close();
    this.recordings = this.recordings.filter((each) => each !== recording);
    const isLetGo = this.changed();
    this.body.querySelector('button')?.focus();
    await isLetGo; // the server keeps what a job reads
    if (recording.upload) withdraw(recording.upload);
  }

  #takeDrops() {
    const hold = (event) => {
      event.preventDefault();
      this.body.classList.toggle('over', event.type === 'dragover');
    };
    for (const type of ['dragover', 'dragleave']) this.body.addEventListener(type, hold);
    this.body.addEventListener('drop', (event) => {
      hold(event);
      this.add([...event.dataTransfer.files]);
    });
  }
}
