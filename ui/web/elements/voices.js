/** What voices there are: asked for once, and again when a voice was made, or a model came or went. */

import { ask } from './address.js';

/**
 * @typedef {{ id: string, name: string, language: string, gender: string, model: string, note: string, here: boolean,
 *   verified: boolean, reads_text: boolean, mixes: boolean, cloned: boolean, licence: { name: string, commercial: ?boolean } }} Voice
 */

/** The event on the document after which there may be other voices. */
export const CHANGED = 'audio-ml-voices-changed';

/** What a cloned voice says to be heard. */
export const SAYS = 'This is how I sound. Nothing that I say was ever said by the person whose voice it is.';

/** @type {Promise<Voice[]> | null} */
let asked = null;

document.addEventListener(CHANGED, () => {
  asked = null;
});

/** Returns the voices that are known to work or are here; `isFresh` asks the server again. */
function findVoices(isFresh) {
  if (!asked || isFresh) {
    asked = ask('/audio/voices').then(({ voices }) =>
      voices.filter((voice) => voice.stands_for === null && (voice.verified || voice.here)),
    );
    asked.catch(() => {
      asked = null;
    });
  }
  return asked;
}

/**
 * Returns the voices that an element offers: all, or where it says `commercial` those whose licence allows that.
 * @param {HTMLElement} place
 * @param {boolean} isFresh
 */
export async function offeredVoices(place, isFresh = false) {
  const voices = await findVoices(isFresh);
  return place.hasAttribute('commercial') ? voices.filter((voice) => voice.licence.commercial) : voices;
}

/** Says a language as people do: "American English". */
export function languageName(tag) {
  return new Intl.DisplayNames(['en'], { type: 'language' }).of(tag) ?? tag;
}

/** @param {Voice} voice */
export function familyOf(voice) {
  return voice.id.split('/')[0];
}

/** @param {Voice} voice */
export function shortName(voice) {
  const bare = voice.name.replace(/^[a-z]{2}_/, '');
  return bare[0].toUpperCase() + bare.slice(1);
}

/** @param {Voice} voice */
export function describeVoice(voice) {
  const kind = voice.cloned ? 'cloned' : voice.gender;
  return [languageName(voice.language), kind, familyOf(voice), voice.licence.name].filter(Boolean).join(' · ');
}
