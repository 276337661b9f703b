/**
 * Frees the browser of a loop that Gradio's display of "Loading ..." leaves behind.
 *
 * That display counts frames to show seconds, and goes on for ever when it is removed (Gradio 6.31: its effect has no
 * clean-up). Nothing of this page shows Gradio's seconds, so its module gets no frames; all others get theirs, and the
 * browser's own function is back as soon as that module was found.
 */

(() => {
  const frames = window.requestAnimationFrame;
  const ofStatus = /\/statustracker-/;
  window.requestAnimationFrame = (step) => {
    if (!ofStatus.test(new Error().stack)) return frames.call(window, step);
    window.requestAnimationFrame = frames;
    return 0;
  };
})();
