/** What is in memory, as a bar for each worker against its budget. */

import { element } from '../player/elements.js';
import { size } from './results.js';

const WORKERS = { device: 'Separation and cloning', speech: 'Speech' };

export class MemoryView {
  constructor() {
    this.rows = element('div', { class: 'workers' });
    this.body = element('section', { class: 'memory', 'aria-label': 'Memory' }, [
      element('strong', { text: 'In memory' }),
      this.rows,
    ]);
  }

  /**
   * @param {{ workers: any[], memory_budget: ?number }} memory  as the server tells it
   * @param {Set<string>} listed  the models that are told of elsewhere; what others are for is told here
   */
  show({ workers, memory_budget: total }, listed) {
    this.listed = listed;
    const taken = Math.max(1, ...workers.map((worker) => sumOf(worker.models)));
    this.rows.replaceChildren(...workers.map((worker) => this.#row(worker, worker.memory_budget ?? total, taken)));
  }

  #row(worker, budget, taken) {
    const used = sumOf(worker.models);
    const title = WORKERS[worker.name] ?? worker.name;
    const told = `${size(used)}${budget ? ` of ${size(budget)}` : ''}`;
    const whole = Math.max(budget || taken, used, 1);
    const bar = element(
      'div',
      {
        ...{ class: 'budget', role: 'meter', 'aria-label': title, 'aria-valuetext': told },
        ...{ 'aria-valuemin': '0', 'aria-valuemax': String(whole), 'aria-valuenow': String(used) },
      },
      worker.models.map((model) => {
        const part = element('span', { title: `${model.name}: ${size(model.n_bytes)}` });
        part.style.width = `${(100 * model.n_bytes) / whole}%`;
        return part;
      }),
    );
    const models = worker.models.map((model) => {
      const told = `${model.name}: ${model.measured ? '' : 'about '}${size(model.n_bytes)}, ${stateOf(model)}`;
      return element('li', {}, [told, this.listed.has(model.name) ? '' : element('small', { text: ` ${model.summary}` })]);
    });
    return element('div', { class: 'worker' }, [
      element('p', { text: `${title}: ${told}` }),
      bar,
      element('ul', { 'aria-label': `Models for ${title.toLowerCase()}` }, models),
    ]);
  }
}

function sumOf(models) {
  return models.reduce((sum, model) => sum + model.n_bytes, 0);
}

function stateOf(model) {
  if (model.loading) return 'loading';
  return model.n_leases ? 'at work' : 'idle';
}
