/** Everything of the tab "Clone", and what its jobs come to. */

import { below, element } from '../player/elements.js';
import { MINE } from './address.js';
import { defineResult, fileList, sentenceList } from './results.js';
import './sound-recorder.js';
import './voice-library.js';
import './voice-maker.js';
import './voice-view.js';
import { CHANGED } from './voices.js';

const VIEW = 'view.json';
const SOUND = /^audio\//;

defineResult('enroll', (job) => {
  const { voice, speech_seconds: seconds, consent, findings } = job.report;
  document.dispatchEvent(new CustomEvent(CHANGED));
  return element('div', { class: 'made' }, [
    sentenceList([
      `“${voice}” is here, made of ${seconds.toFixed(0)} s of speech. It speaks wherever voices do.`,
      ...(consent ? [`${consent.who} agreed on ${consent.when} to: ${consent.purpose}.`] : []),
      ...(consent?.recording_sha256 ? [`The spoken consent: ${consent.checked}.`] : []),
      ...findings.map(({ message }) => message),
    ]),
    pictures(`${MINE}/voices/${encodeURIComponent(voice)}/view`),
  ]);
});
defineResult('clone', said);
defineResult('convert', said);

/** What a voice said: to be heard, seen and taken home. */
function said(job, base) {
  const sounds = job.files.filter((file) => SOUND.test(file.media_type));
  const players = sounds.map((file) =>
    element('audio', { controls: true, preload: 'metadata', src: below(`${base}/files`, file.name), 'aria-label': file.name }),
  );
  const hasView = job.files.some((file) => file.name === VIEW);
  const files = { ...job, files: job.files.filter((file) => file.name !== VIEW) };
  return element('div', { class: 'said' }, [
    ...players,
    ...(job.warnings.length ? [sentenceList(job.warnings.map((warning) => `Warning: ${warning}`))] : []),
    fileList(files, base),
    ...(hasView ? [pictures(`${base}/files/${VIEW}`)] : []),
  ]);
}

/** Pictures that are drawn when they are looked at. */
function pictures(src) {
  const details = element('details', {}, [element('summary', { text: 'Pictures: what a machine hears in it' })]);
  details.addEventListener('toggle', () => {
    if (details.open && details.children.length === 1) details.append(element('voice-view', { src }));
  });
  return details;
}
