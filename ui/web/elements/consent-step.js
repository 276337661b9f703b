/** The step in which somebody agrees: who, when, to what; in writing, and if they like spoken. Nothing goes past it. */

import { element } from '../player/elements.js';
import { Field } from './field.js';
import { ReferenceList } from './reference-list.js';

const WHY = [
  'A voice belongs to the person who speaks. Without a record of their consent no voice is made here, and the record ' +
    'stays with the voice wherever it goes.',
  'Everything that the voice says is marked inaudibly as made by a machine, and the server writes down from which browser it ' +
    'was made and spoken with.',
  'Everybody who can open this page can speak with it, and sees who agreed to what.',
];
const SENDING = 'The recording of the consent is still on its way: wait until it has arrived.';
const BROKEN = 'The recording of the consent did not arrive: record it again, or remove it.';

export class ConsentStep {
  constructor() {
    const today = dateOf(new Date());
    this.who = new Field('Who agrees', { type: 'text', maxlength: 200, autocomplete: 'off' }, 'First and last name.');
    this.when = new Field('When', { type: 'date', max: today, value: today }, 'The day on which they agreed.');
    this.purpose = new Field(
      'To what',
      { type: 'text', maxlength: 300, autocomplete: 'off' },
      'What the voice may be used for, such as: temp ADR for reel 3.',
    );
    this.given = new Field('This person is the one in the recordings, and has agreed to this.', { type: 'checkbox' });
    this.sentence = element('blockquote');
    this.spoken = new ReferenceList({
      name: 'spoken consent',
      record: 'Record the consent',
      upload: 'Upload it',
      most: 1,
      changed: () => (this.alarm.textContent = ''),
    });
    this.alarm = element('p', { role: 'alert' });
    this.body = element('section', { class: 'step consent', 'aria-label': 'Consent' }, [
      element('h3', { tabindex: '-1', text: 'The consent of this person' }),
      ...WHY.map((text) => element('p', { text })),
      this.who.body,
      this.when.body,
      this.purpose.body,
      this.given.body,
      element('fieldset', {}, [
        element('legend', { text: 'Spoken, too (if you like)' }),
        element('p', { text: 'They say this sentence. It is compared with the words and the voice in the recordings:' }),
        this.sentence,
        this.spoken.body,
      ]),
      this.alarm,
    ]);
    for (const { input } of [this.who, this.purpose]) input.addEventListener('input', () => this.#sayIt());
    this.#sayIt();
  }

  /** Says at each place what is missing; true where nothing is. */
  check() {
    const fields = [
      [this.who, this.who.value ? '' : 'Say who agreed: without a name there is no consent.'],
      [this.when, this.#problemOfDate()],
      [this.purpose, this.purpose.value ? '' : 'Say to what they agreed: without that there is no consent.'],
      [this.given, this.given.value ? '' : 'Tick this only when it is so: without it no voice is made.'],
    ];
    const wrong = fields.filter(([field, sentence]) => field.complain(sentence));
    wrong[0]?.[0].input.focus();
    const { recordings, isSending } = this.spoken;
    this.alarm.textContent = isSending ? SENDING : recordings.some((each) => each.hasFailed) ? BROKEN : '';
    return !wrong.length && !this.alarm.textContent;
  }

  /** The consent as the server reads it. */
  get record() {
    const text = `who: ${this.who.value}\nwhen: ${this.when.value}\nfor: ${this.purpose.value}`;
    const [recording] = this.spoken.inputs;
    return recording ? { consent: text, consent_recording: recording } : { consent: text };
  }

  get summary() {
    const spoken = this.spoken.inputs.length ? ' Spoken as well.' : '';
    return `${this.who.value} agreed on ${this.when.value} to: ${this.purpose.value}.${spoken}`;
  }

  clear(isRead = false) {
    for (const { input } of [this.who, this.purpose]) input.value = '';
    this.given.input.checked = false;
    this.spoken.clear(isRead);
    this.alarm.textContent = '';
    this.#sayIt();
  }

  #problemOfDate() {
    if (!this.when.value) return 'Say when they agreed.';
    return this.when.value > dateOf(new Date()) ? 'That day is still to come: say when they agreed.' : '';
  }

  #sayIt() {
    const purpose = this.purpose.value.replace(/\.+$/, '');
    this.sentence.textContent = `“I, ${this.who.value || '…'}, agree that my voice is cloned for ${purpose || '…'}.”`;
  }
}

function dateOf(moment) {
  const two = (number) => String(number).padStart(2, '0');
  return `${moment.getFullYear()}-${two(moment.getMonth() + 1)}-${two(moment.getDate())}`;
}
