/** `<voice-library>`: the cloned voices of the machine, each with its consent; heard, seen, taken away, deleted. */

import { element } from '../player/elements.js';
import { MINE, ask, sentenceOf } from './address.js';
import { CHANGED, SAYS } from './voices.js';

class VoiceLibrary extends HTMLElement {
  #ending = new AbortController();
  #shown = '';
  #nLooks = 0;

  connectedCallback() {
    this.#ending = new AbortController();
    const { signal } = this.#ending;
    this.#shown = '';
    this.nothing = element('p', { class: 'nothing', text: 'There is no cloned voice on this machine.', hidden: true });
    this.alarm = element('p', { role: 'alert' });
    this.status = element('p', { role: 'status', class: 'spoken' });
    this.rows = element('div', { class: 'cards' });
    this.replaceChildren(this.nothing, this.alarm, this.status, this.rows);
    const seen = new IntersectionObserver((entries) => entries.some((each) => each.isIntersecting) && this.#look());
    seen.observe(this);
    signal.addEventListener('abort', () => seen.disconnect());
    document.addEventListener(CHANGED, () => this.#look(), { signal });
  }

  disconnectedCallback() {
    this.#ending.abort();
  }

  async #look() {
    const number = ++this.#nLooks;
    try {
      const { voices, unavailable, may_keep: mayKeep } = await ask('/voices', { signal: this.#ending.signal });
      if (number !== this.#nLooks) return; // a later look knows more
      this.alarm.textContent = '';
      this.nothing.hidden = voices.length + unavailable.length > 0;
      const shown = JSON.stringify([voices, unavailable]);
      if (shown === this.#shown) return;
      this.#shown = shown;
      this.rows.replaceChildren(
        ...voices.map((voice) => card(voice, mayKeep, (said) => (this.status.textContent = said))),
        ...unavailable.map(brokenCard),
      );
    } catch (error) {
      if (!this.#ending.signal.aborted && number === this.#nLooks) this.alarm.textContent = error.message;
    }
  }
}

function card(voice, mayKeep, say) {
  const { name, consent, reference } = voice;
  const address = `${MINE}/voices/${encodeURIComponent(name)}`;
  const alarm = element('p', { role: 'alert' });
  const sound = element('audio', { controls: true, hidden: true, 'aria-label': `${name} speaks` });
  const hear = button('Hear', name, () => speak(voice, sound, alarm, hear));
  const pictures = element('details', { on: { toggle: () => drawOnce(pictures, `${address}/view`) } }, [
    element('summary', { text: 'Pictures' }),
  ]);
  const spoken = consent.recording_sha256 ? `spoken as well: ${consent.checked}` : 'in writing';
  return element('article', { class: 'voice', 'aria-label': name }, [
    element('header', {}, [
      element('strong', { class: 'name', text: name }),
      hear,
      mayKeep
        ? element('a', { class: 'button', href: `${address}/file`, download: '', text: 'Export', 'aria-label': `Export ${name}` })
        : '',
      mayKeep ? button('Delete', name, () => confirmDeletion(voice, address, alarm, say)) : '',
    ]),
    element('p', { class: 'consent' }, [
      element('strong', { text: 'Consent: ' }),
      `${consent.who} agreed on ${consent.when} to: ${consent.purpose} (${spoken}).`,
    ]),
    element('p', {
      class: 'facts',
      text:
        `${voice.kind[0].toUpperCase()}${voice.kind.slice(1)}; ${reference.speech_seconds.toFixed(0)} s of speech, around ${reference.pitch_hz.toFixed(0)} Hz; ` +
        `spoken by ${voice.models.join(', ')}.`,
    }),
    sound,
    alarm,
    pictures,
  ]);
}

function brokenCard({ name, reason }) {
  return element('article', { class: 'voice', 'aria-label': name }, [
    element('strong', { text: name }),
    element('p', { role: 'alert', text: reason }),
  ]);
}

function button(text, name, click) {
  return element('button', { type: 'button', text, 'aria-label': `${text} ${name}`, on: { click } });
}

function drawOnce(details, src) {
  if (details.open && !details.querySelector('voice-view')) details.append(element('voice-view', { src }));
}

/** Has a voice say its sentence. */
async function speak(voice, sound, alarm, hear) {
  alarm.textContent = '';
  hear.disabled = true;
  hear.textContent = 'Speaking …';
  try {
    const reply = await fetch(`${MINE}/audio/speech`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ voice: voice.voice, input: SAYS, response_format: 'wav' }),
    });
    if (!reply.ok) throw new Error(await sentenceOf(reply));
    URL.revokeObjectURL(sound.src);
    sound.src = URL.createObjectURL(await reply.blob());
    sound.hidden = false;
    await sound.play().catch(() => {}); // where the browser wants another click
  } catch (error) {
    alarm.textContent = error.message;
  }
  hear.disabled = false;
  hear.textContent = 'Hear';
}

/** Asks first: what is deleted does not come back. */
function confirmDeletion(voice, address, alarm, say) {
  const close = () => dialog.close();
  const keep = element('button', { type: 'button', text: 'Keep it', autofocus: true, on: { click: close } });
  const remove = element('button', { type: 'button', class: 'stop', text: `Delete ${voice.name} for ever` });
  remove.addEventListener('click', async () => {
    remove.disabled = true;
    try {
      await ask(`/voices/${encodeURIComponent(voice.name)}`, { method: 'DELETE' });
      say(`${voice.name} was deleted.`);
      document.dispatchEvent(new CustomEvent(CHANGED));
    } catch (error) {
      alarm.textContent = error.message;
    }
    close();
  });
  const dialog = element('dialog', { class: 'clone-dialog', 'aria-label': `Delete ${voice.name}?` }, [
    element('p', {
      text: `The voice “${voice.name}” and all that was derived from it go for ever. What was spoken with it, or exported, stays.`,
    }),
    element('div', { class: 'row' }, [keep, remove]),
  ]);
  document.body.append(dialog);
  dialog.addEventListener('close', () => dialog.remove()); // by then the focus is back where it was
  dialog.showModal();
}

customElements.define('voice-library', VoiceLibrary);
