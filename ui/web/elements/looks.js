/** When an element looks at the server: as it comes into view, as the page is looked at again, and when it is told to. */

import { hasEnded } from './follow.js';

export class Looks {
  #isSeen = false;
  #isLooking = false;
  #isWanted = false;

  /**
   * @param {Element} element
   * @param {() => Promise<void>} look  brings the element to what the server has
   * @param {() => void} rest  ends what goes on only for somebody who watches
   * @param {AbortSignal} signal  ends it
   */
  constructor(element, look, rest, signal) {
    this.look = look;
    this.signal = signal;
    const observer = new IntersectionObserver((entries) => {
      this.#isSeen = entries[entries.length - 1].isIntersecting;
      if (this.#isSeen) this.ask();
      else rest();
    });
    observer.observe(element);
    signal.addEventListener('abort', () => observer.disconnect());
    document.addEventListener('visibilitychange', () => (document.hidden ? rest() : this.ask()), { signal });
    window.addEventListener('focus', () => this.ask(), { signal });
  }

  /** Has the element look, now if it is seen, else when it is; what is asked for meanwhile is one more look. */
  async ask() {
    this.#isWanted = true;
    if (this.#isLooking || !this.#isSeen || document.hidden) return;
    this.#isLooking = true;
    while (this.#isWanted && !this.signal.aborted) {
      this.#isWanted = false;
      await this.look();
    }
    this.#isLooking = false;
  }
}

/**
 * Follows one job of some at a time, since a browser keeps few connections: the one that runs, or waits the longest.
 *
 * It goes on with the next when `ended` has had the others looked at.
 */
export class FollowsOne {
  #id = '';
  #ending = new AbortController();

  /**
   * @param {typeof import('./follow.js').follow} follow
   * @param {(id: string, told: any) => void} progress
   * @param {() => void} ended
   */
  constructor(follow, progress, ended) {
    this.follow = follow;
    this.progress = progress;
    this.ended = ended;
  }

  /** @param {any[]} jobs  the newest first */
  choose(jobs) {
    const active = jobs.filter((job) => !hasEnded(job)).reverse();
    const chosen = active.find((job) => job.state === 'running') ?? active[0];
    if (chosen?.id === this.#id) return;
    this.stop();
    if (!chosen) return;
    this.#id = chosen.id;
    this.#ending = new AbortController();
    const end = () => {
      this.stop();
      this.ended();
    };
    const listeners = { progress: (told) => this.progress(chosen.id, told), lost: () => {}, end };
    this.follow(chosen.id, listeners, this.#ending.signal);
  }

  stop() {
    this.#id = '';
    this.#ending.abort();
  }
}
