/** Cue sheets: which line is being spoken, and what came of each. */

import { below, element } from '../player/elements.js';
import { jobAddress } from './address.js';
import { follow } from './follow.js';
import { defineResult, sentenceList } from './results.js';

/** `<cue-progress job="ID" lines="2" takes="1"></cue-progress>`: writes into the table of the sheet how far each line is. */
class CueProgress extends HTMLElement {
  #ending = new AbortController();

  connectedCallback() {
    this.#ending = new AbortController();
    const listeners = {
      progress: (told) => this.#show(told),
      lost: () => {},
      end: (job) => job && this.#end(job),
    };
    follow(this.getAttribute('job') ?? '', listeners, this.#ending.signal);
  }

  disconnectedCallback() {
    this.#ending.abort();
  }

  #rows() {
    return [...document.querySelectorAll('#cue-preview tr[data-line]')];
  }

  /** The share that is done counts takes, line by line; the table may show the first lines alone. */
  #show({ state, stage = '', fraction = 0 }) {
    const rows = this.#rows();
    const isOver = stage.startsWith('writing');
    const [nLines, nTakes] = ['lines', 'takes'].map((name) => Number(this.getAttribute(name)));
    const at = Math.floor(Math.round(fraction * nLines * nTakes) / nTakes);
    rows.forEach((row, place) => {
      if (state !== 'running' || (!isOver && place > at)) mark(row, 'waiting');
      else mark(row, isOver || place < at ? 'done' : 'speaking');
    });
  }

  #end(job) {
    const takes = job.report?.takes ?? [];
    const failed = new Set((job.report?.problems ?? []).map((problem) => problem.row));
    for (const row of this.#rows()) {
      const number = Number(row.dataset.row);
      const ofRow = takes.filter((take) => take.row === number);
      if (failed.has(number)) mark(row, 'failed');
      else if (ofRow.some((take) => take.status === 'over')) mark(row, 'over');
      else mark(row, ofRow.length ? 'ok' : job.state === 'failed' ? 'failed' : 'stopped');
    }
  }
}

function mark(row, status) {
  row.dataset.status = status;
  const cell = row.querySelector('.state');
  if (cell && cell.textContent !== status) cell.textContent = status;
}

customElements.define('cue-progress', CueProgress);

defineResult('cues', (job, base) => {
  const { takes, problems, session_files: others } = job.report;
  const parts = [
    element('p', { class: 'downloads' }, [
      element('a', { class: 'button', href: `${base}/archive`, download: '', text: 'Download all (zip)' }),
      ...others.map((name) => element('a', { class: 'button', href: below(`${base}/files`, name), download: '', text: name })),
    ]),
    sentenceList([...job.summary, ...job.warnings.map((warning) => `Warning: ${warning}`)]),
  ];
  if (others.includes('guide.wav')) {
    const source = below(`${base}/files`, 'guide.wav');
    parts.unshift(element('audio', { controls: true, preload: 'none', src: source, 'aria-label': 'Guide track' }));
  }
  return element('div', { class: 'take' }, [...parts, fitTable(takes, problems, base)]);
});

const COLUMNS = ['Cue', 'Character', 'State', 'Take', 'Voice', 'In', 'Slot', 'Length', 'Over', 'Done to it', 'LUFS', 'Peak'];

/** Returns what came of every take, and of the rows that failed. */
function fitTable(takes, problems, base) {
  const rows = [
    ...takes.map((take) => ({ row: take.row, node: takeRow(take, base) })),
    ...problems.map((problem) => ({ row: problem.row, node: problemRow(problem) })),
  ].sort((one, other) => one.row - other.row);
  const head = COLUMNS.map((text) => element('th', { scope: 'col', text }));
  return element('div', { class: 'cue-table', 'data-scrolls': true, role: 'region', tabindex: '0', 'aria-label': 'What came of each line' }, [
    element('table', {}, [
      element('thead', {}, [element('tr', {}, head)]),
      element('tbody', {}, rows.map(({ node }) => node)),
    ]),
  ]);
}

function takeRow(take, base) {
  const name = [take.scene, take.cue].filter(Boolean).join(' ');
  const seconds = (n) => (n === null ? '' : `${(n / 48000).toFixed(2)} s`);
  const number = (text) => element('td', { class: 'number', text });
  const link = element('a', { href: below(`${base}/files`, take.file), download: '', text: take.file });
  const source = below(`${base}/files`, take.file);
  const audio = element('audio', { controls: true, preload: 'none', src: source, 'aria-label': `Cue ${name}, take ${take.take}` });
  const state = element('td', { class: 'state', text: take.status });
  if (take.warnings.length) state.append(element('small', { text: ` ${take.warnings.join(' ')}` }));
  return element('tr', { 'data-status': take.status }, [
    element('th', { scope: 'row', text: name }),
    element('td', { text: take.character }),
    state,
    element('td', { class: 'heard' }, [audio, link]),
    element('td', { class: 'voice', text: take.voice }),
    number(take.tc_in),
    number(seconds(take.target_samples)),
    number(seconds(take.n_samples)),
    number(take.excess_ms === null ? '' : `${Math.round(take.excess_ms)} ms, ${take.excess_frames.toFixed(1)} fr.`),
    element('td', { text: take.fit || 'nothing' }),
    number(take.lufs === null ? '' : take.lufs.toFixed(1)),
    number(take.true_peak_dbtp === null ? '' : take.true_peak_dbtp.toFixed(1)),
  ]);
}

function problemRow({ row, column, message }) {
  return element('tr', { 'data-status': 'failed' }, [
    element('th', { scope: 'row', text: `Row ${row}` }),
    element('td'),
    element('td', { class: 'state', text: 'failed' }),
    element('td', { colspan: String(COLUMNS.length - 3), text: `${column}: ${message}` }),
  ]);
}
