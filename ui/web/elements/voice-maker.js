/**
 * `<voice-maker>` makes a voice in three steps: recordings, which are checked at once; the consent; the voice itself,
 * by a job of the server. No step can be gone past before it is done, and the server asks for the same once more.
 */

import { element } from '../player/elements.js';
import { ask } from './address.js';
import { ConsentStep } from './consent-step.js';
import { follow } from './follow.js';
import { MakeStep } from './make-step.js';
import { ReferenceChecks } from './reference-checks.js';
import { ReferenceList } from './reference-list.js';

const STEPS = ['Recordings', 'Consent', 'The voice'];
const ADVICE =
  'Ten seconds or more of one person, without music and echo, as close to the microphone as in a conversation. ' +
  'Several recordings are better than one.';
const READ_ALOUD =
  'The keeper of the old lighthouse usually wakes before the sun. He boils water for tea, pushes the heavy green door ' +
  'open, and listens. On quiet mornings you can hear boats a mile away; on rough ones, just the wind. “Good enough,” ' +
  'he says, and writes the date in a thick book. Yesterday a young woman asked why he never left. He thought about it, ' +
  'shrugged, and pointed at the sea. “Would you?”';
const NONE = 'Record or upload something first: a voice is made of recordings.';
const SENDING = 'The recordings are still on their way: wait until they have arrived.';
const CHECKING = 'The recordings are still being listened to: wait for the checks.';
const STARTED = 'audio-ml-job-started';

class VoiceMaker extends HTMLElement {
  #at = 0;
  #isBegun = false;

  connectedCallback() {
    if (this.steps) return;
    this.references = new ReferenceList({
      name: 'reference',
      record: 'Record a reference',
      upload: 'Upload recordings',
      changed: () => this.#check(),
    });
    this.checks = new ReferenceChecks(
      (error) => this.#blame(error),
      () => (this.alarm.textContent = ''),
    );
    this.consent = new ConsentStep();
    this.make = new MakeStep();
    this.alarm = element('p', { role: 'alert' });
    this.done = element('p', { role: 'status' });
    this.steps = [this.#drawRecordings(), this.consent.body, this.make.body];
    this.back = element('button', { type: 'button', text: 'Back', on: { click: () => this.#go(this.#at - 1) } });
    this.next = element('button', { type: 'button', class: 'primary', on: { click: () => this.#forward() } });
    this.another = element('button', { type: 'button', text: 'Make another voice', on: { click: () => this.#clear() } });
    this.trail = element('ol', { class: 'trail', 'aria-label': 'Steps' });
    this.replaceChildren(
      this.trail,
      ...this.steps,
      this.alarm,
      this.done,
      element('div', { class: 'row buttons' }, [this.back, this.next, this.another]),
    );
    this.addEventListener('input', () => this.#allow());
    this.#go(0, false);
  }

  #drawRecordings() {
    return element('section', { class: 'step', 'aria-label': 'Recordings' }, [
      element('h3', { tabindex: '-1', text: 'Recordings of the voice' }),
      element('p', { text: ADVICE }),
      element('details', { open: true }, [
        element('summary', { text: 'Something to read aloud' }),
        element('blockquote', { text: READ_ALOUD }),
      ]),
      this.references.body,
      this.checks.body,
    ]);
  }

  #go(step, isMoving = true) {
    this.#at = step;
    this.alarm.textContent = '';
    this.steps.forEach((body, index) => (body.hidden = index !== step));
    this.trail.replaceChildren(
      ...STEPS.map((text, index) =>
        element('li', { text, 'aria-current': index === step ? 'step' : null, class: index < step ? 'passed' : null }),
      ),
    );
    this.back.hidden = step === 0;
    this.next.textContent = ['Go on to the consent', 'The consent is given: go on', 'Make the voice'][step];
    this.#allow();
    if (step === 2) this.make.show([this.#heard, this.consent.summary]);
    if (isMoving) this.steps[step].querySelector('h3').focus();
  }

  #forward() {
    const problem = this.#at === 0 ? this.#problem() : '';
    this.alarm.textContent = problem;
    if (problem || (this.#at === 1 && !this.consent.check())) return;
    if (this.#at < 2) this.#go(this.#at + 1);
    else if (this.make.check()) this.#begin();
  }

  /** Returns why there is no going on from the recordings. */
  #problem() {
    if (this.references.isSending) return SENDING;
    if (!this.references.inputs.length) return NONE;
    if (this.checks.isFit === null) return this.checks.alarm.textContent || CHECKING;
    return this.checks.isFit ? '' : this.checks.alarm.textContent;
  }

  get #heard() {
    const n = this.references.inputs.length;
    return n === 1 ? '1 recording, which is fit for a voice.' : `${n} recordings, which are fit for a voice.`;
  }

  /** Has the recordings checked that are here now; returns when no others are read any more. */
  #check() {
    this.alarm.textContent = '';
    this.consent.given.input.checked = false; // it was for other recordings
    const stopped = this.checks.clear();
    this.#allow();
    if (!this.references.isSending) this.checks.run(this.references.inputs);
    return stopped;
  }

  /** Says what is wrong with one recording at that; the others are checked without it. */
  #blame(error) {
    if (!this.references.complain(error)) return false;
    if (this.references.inputs.length) queueMicrotask(() => this.#check());
    return true;
  }

  /** Lets somebody go on, unless this voice is in the making: it is made once. */
  #allow() {
    if (this.#isBegun) return;
    this.back.disabled = this.next.disabled = false;
    this.another.hidden = true;
    this.done.textContent = '';
  }

  async #begin() {
    this.back.disabled = this.next.disabled = this.#isBegun = true;
    this.make.alarm.textContent = '';
    try {
      const body = { ...this.make.wish, ...this.consent.record, inputs: this.references.inputs };
      const { id } = await ask('/jobs', { method: 'POST', body });
      document.dispatchEvent(new CustomEvent(STARTED, { detail: id }));
      this.another.hidden = false;
      this.done.textContent = `“${body.name}” is being made: see how far it is under “Voices in the making”.`;
      this.#tellTheEnd(id, body.name);
    } catch (error) {
      this.#isBegun = false;
      this.#allow();
      this.make.complain(error);
    }
  }

  /** Says what came of a voice, unless another one was begun. */
  #tellTheEnd(id, name) {
    const said = this.done.textContent;
    const end = (job) => {
      if (this.done.textContent !== said) return;
      this.done.textContent = job?.state === 'done' ? `“${name}” is made: it is in the library.` : `“${name}” was not made.`;
    };
    follow(id, { progress: () => {}, lost: () => {}, end }, new AbortController().signal);
  }

  /** Begins anew; what was sent stays, for the job reads it. */
  #clear() {
    this.#isBegun = false;
    this.references.clear(true);
    this.checks.clear();
    this.consent.clear(true);
    this.make.clear();
    this.#go(0);
  }
}

customElements.define('voice-maker', VoiceMaker);
