/** The result of a separation: the multitrack player, the report in words, the files. */

import { element } from '../player/elements.js';
import { defineResult, fileList, sentenceList } from './results.js';

defineResult('separate', (job, base) =>
  element('div', { class: 'stems' }, [
    element('stem-player', { job: base }),
    sentenceList([...job.summary, ...job.warnings.map((warning) => `Warning: ${warning}`)]),
    element('details', {}, [element('summary', { text: 'Files' }), fileList(job, base)]),
  ]),
);
