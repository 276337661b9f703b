/** The result of speech: the take to hear, with its words lit as they are heard, its settings, its files. */

import { below, clockTime, element } from '../player/elements.js';
import { defineResult, sentenceList } from './results.js';

const KEYS = 'Left and Right go from word to word, Enter plays from there.';
const WITHIN_SECONDS = 0.001; // behind the beginning of a word, so that it is this one

defineResult('speak', (job, base) =>
  element('div', { class: 'take' }, [
    settingsOf(job),
    ...job.report.files.map((file) => spokenFile(job, file, base)),
    sentenceList([...job.summary, ...job.warnings.map((warning) => `Warning: ${warning}`)]),
    downloads(job, base),
  ]),
);

/** Returns who spoke and how, as a list of short facts. */
export function settingsOf(job) {
  const { options = {}, model } = job.request ?? {};
  const facts = [`voice ${job.report.voice ?? job.request?.voice ?? ''}`, `seed ${options.seed ?? 0}`];
  if (model) facts.push(`model ${model}`);
  for (const [name, value] of Object.entries(options)) {
    if (name !== 'seed') facts.push(`${name.replaceAll('_', ' ')} ${value}`);
  }
  return element('ul', { class: 'facts', 'aria-label': 'Settings' }, facts.map((text) => element('li', { text })));
}

/**
 * Returns a player of a file of speech with its words below.
 * @param {any} job
 * @param {{ path: string, duration_seconds: number, words: any[] }} file
 * @param {string} base
 */
export function spokenFile(job, file, base) {
  const audio = element('audio', { controls: true, preload: 'metadata', src: below(`${base}/files`, file.path), 'aria-label': file.path });
  const words = [...file.words].sort((one, other) => one.start_seconds - other.start_seconds);
  const marks = words.map((word) =>
    element('span', {
      class: 'word',
      text: word.text,
      title: clockTime(word.start_seconds),
      on: { click: () => ((audio.currentTime = word.start_seconds), audio.play()) },
    }),
  );
  const box = element('div', { class: 'words', tabindex: '0', role: 'group', 'aria-label': 'Words', title: KEYS }, laidOut(job, words, marks));
  const reached = element('span', { role: 'status', class: 'spoken' });
  walk(box, audio, words, (word) => (reached.textContent = word.text));
  light(audio, words, marks, box);
  return element('div', { class: 'spoken-file' }, [audio, box, reached]);
}

/** Puts what was written between the words between them; without the text they stand side by side. */
function laidOut(job, words, marks) {
  const text = [...(job.request?.text ?? '')]; // places count characters, not halves of them
  if (!text.length) return marks.flatMap((mark) => [mark, ' ']);
  const order = words.map((word, place) => ({ word, mark: marks[place] })).sort((a, b) => a.word.span[0] - b.word.span[0]);
  const nodes = [];
  let at = order[0]?.word.span[0] ?? 0;
  for (const { word, mark } of order) {
    if (word.span[0] > at) nodes.push(text.slice(at, word.span[0]).join(''));
    nodes.push(mark);
    at = Math.max(at, word.span[1]);
  }
  return nodes;
}

/** Has the arrow keys go from word to word, which `say` gets to know, and Enter play from there. */
function walk(box, audio, words, say) {
  let [at, went] = [-1, -1]; // the word that was walked to, and when that is: several may begin together
  box.addEventListener('keydown', (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1, Enter: 0 }[event.key];
    if (by === undefined || !words.length || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (!by) return void audio.play();
    const isThere = Math.abs(audio.currentTime - went) < WITHIN_SECONDS;
    const from = isThere ? at : lastBegun(words, audio.currentTime);
    at = Math.max(0, Math.min(words.length - 1, from + by));
    audio.currentTime = words[at].start_seconds + WITHIN_SECONDS;
    went = audio.currentTime;
    say(words[at]);
  });
}

/** Lights the word that is heard, while it plays and where it stands. */
function light(audio, words, marks, box) {
  let lit = -1;
  const show = () => {
    const now = placeOf(words, audio.currentTime);
    if (now === lit) return;
    marks[lit]?.classList.remove('now');
    marks[now]?.classList.add('now');
    lit = now;
    if (now >= 0) keepInView(box, marks[now]);
  };
  const follow = () => {
    show();
    if (!audio.paused && !audio.ended && audio.isConnected) requestAnimationFrame(follow);
  };
  audio.addEventListener('play', follow);
  for (const event of ['seeked', 'timeupdate', 'ended']) audio.addEventListener(event, show);
}

/** Returns the last word that has begun, -1 before the first and where it has been over for a while. */
function placeOf(words, seconds) {
  const place = lastBegun(words, seconds);
  return place >= 0 && seconds < words[place].end_seconds + 0.05 ? place : -1;
}

function lastBegun(words, seconds) {
  let low = 0;
  let high = words.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (words[middle].start_seconds <= seconds) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function keepInView(box, mark) {
  const top = mark.offsetTop - box.offsetTop;
  if (top < box.scrollTop || top + mark.offsetHeight > box.scrollTop + box.clientHeight) box.scrollTop = top - box.clientHeight / 3;
}

/** Returns links to the files of a job, each named by its kind. */
export function downloads(job, base) {
  const link = (file) =>
    element('a', {
      class: 'button',
      href: below(`${base}/files`, file.name),
      download: '',
      text: job.files.length > 9 ? file.name : file.name.split('.').at(-1).toUpperCase(),
      'aria-label': `Download ${file.name}`,
    });
  return element('p', { class: 'downloads' }, job.files.map(link));
}
