/** A page that is a player alone: /player/index.html?job=/v1/jobs/ID, also within a frame of another page. */

import './player.js';

const player = document.createElement('stem-player');
player.setAttribute('job', new URLSearchParams(location.search).get('job') ?? '');
document.querySelector('main').append(player);

if (window.parent !== window) {
  new ResizeObserver(() => {
    window.parent.postMessage({ playerHeight: document.documentElement.offsetHeight }, location.origin);
  }).observe(document.body);
}
