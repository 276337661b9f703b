/** Everything of the tab "Clone", and what its jobs come to. */

import { below, element } from '../player/elements.js';
import { MINE } from './address.js';
import { fill } from './fields.js';
import { defineResult, fileList, sentenceList } from './results.js';
import './sound-recorder.js';
import './voice-library.js';
import './voice-maker.js';
import './voice-view.js';
import { CHANGED } from './voices.js';

const VIEW = 'view.json';
const SOUND = /^audio\//;
const WANTED = 'clone-wanted'; // the field into which the name of a voice goes that is to speak

defineResult('enroll', (job, base) => {
  const { voice, speech_seconds: seconds, consent, findings, likenesses } = job.report;
  document.dispatchEvent(new CustomEvent(CHANGED));
  return element('div', { class: 'made' }, [
    ...players(job, base, `${voice} speaks`),
    element('button', { type: 'button', text: `Speak with “${voice}”`, on: { click: () => speakWith(voice) } }),
    sentenceList([
      `“${voice}” is here, made of ${seconds.toFixed(0)} s of speech. It speaks wherever voices do.`,
      ...alike(likenesses),
      ...warnings(job),
      ...(consent ? [`${consent.who} agreed on ${consent.when} to: ${consent.purpose}.`] : []),
      ...(consent?.recording_sha256 ? [`The spoken consent: ${consent.checked}.`] : []),
      ...findings.map(({ message }) => message),
    ]),
    pictures(hasView(job) ? `${base}/files/${VIEW}` : `${MINE}/voices/${encodeURIComponent(voice)}/view`),
  ]);
});
let nAsked = 0; // so that a voice that is asked for again is something new

function speakWith(voice) {
  fill(WANTED, JSON.stringify([voice, ++nAsked]));
}

defineResult('clone', said);
defineResult('convert', said);

/** What a voice said: to be heard, seen and taken home. */
function said(job, base) {
  const files = { ...job, files: job.files.filter((file) => file.name !== VIEW) };
  const told = [...alike(job.report.likenesses), ...warnings(job)];
  return element('div', { class: 'said' }, [
    ...players(job, base),
    ...(told.length ? [sentenceList(told)] : []),
    fileList(files, base),
    ...(hasView(job) ? [pictures(`${base}/files/${VIEW}`)] : []),
  ]);
}

function players(job, base, label) {
  const sounds = job.files.filter((file) => SOUND.test(file.media_type));
  return sounds.map((file) =>
    element('audio', {
      controls: true,
      preload: 'metadata',
      src: below(`${base}/files`, file.name),
      'aria-label': label ?? file.name,
    }),
  );
}

/** Says how alike voices are, by what is compared. */
function alike(likenesses = {}) {
  return Object.entries(likenesses).map(
    ([what, { meaning, score }]) => `${what[0].toUpperCase()}${what.slice(1)}: ${meaning} (${score.toFixed(2)} of 1).`,
  );
}

function warnings(job) {
  return job.warnings.map((warning) => `Warning: ${warning}`);
}

function hasView(job) {
  return job.files.some((file) => file.name === VIEW);
}

/** Pictures that are drawn when they are looked at. */
function pictures(src) {
  const details = element('details', {}, [element('summary', { text: 'Pictures: what a machine hears in it' })]);
  details.addEventListener('toggle', () => {
    if (details.open && details.children.length === 1) details.append(element('voice-view', { src }));
  });
  return details;
}
