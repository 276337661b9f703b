"""Of the tab "Learn": what a mask is, by painting on one; and the network that makes it, layer by layer."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from audio_ml.errors import AudioMLError
from ui.web.desk import Desk
from ui.web.widgets import QUIET, error_line, job_list, keep_what_comes, started, text

TASK = "explain_separation"
EXAMPLE = "Example"  # what its job is called
EMPTY = "Choose the example or a sound of yours: its picture appears here."
PAINT = """
<p>Here the model has drawn a mask for the voice and one for the rest: what is warm in the picture is kept, what is
blue goes. Your strokes do not cut; they change the model's mind, and the surer it was, the stronger they must be.
With &ldquo;Follow what sounds alike&rdquo; a stroke over one overtone takes the others along. Of the example the
true voice is known, so you see whether you are better than the model.</p>
"""


def draw_paint(desk: Desk) -> None:
    """Draws where a sound is chosen, and painted on where the list of jobs shows it."""
    text(PAINT)
    with gr.Row(equal_height=False):
        source = gr.File(label="A sound of yours; the first 20 s of it are used", height=120, scale=2)
        with gr.Column(scale=1, min_width=220):
            begin = gr.Button("Look into this sound", variant="primary")
            example = gr.Button("Use the example")
    status, problem = text(), text()
    text(job_list(TASK, empty=EMPTY))
    keep_what_comes(desk, source, problem)
    begin.click(_Beginning(desk).of_file, source, status, **QUIET)
    example.click(_Beginning(desk).of_example, None, status, **QUIET)


def draw_layers(desk: Desk) -> None:
    """Draws the network of the sound that is painted on."""
    text("<div><layer-view></layer-view></div>")  # or Markdown makes it a paragraph
    example = gr.Button("Use the example")
    status = text()
    example.click(_Beginning(desk).of_example, None, status, **QUIET)


class _Beginning:
    """Answers the buttons."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def of_file(self, path: str | None, request: gr.Request) -> str:
        if path is None:
            return error_line("Choose an audio or video file first, or use the example.")
        try:
            visitor = self._desk.visitor(request)
            return self._submit(visitor, [self._desk.keep(visitor, Path(path))])
        except AudioMLError as error:
            return error_line(str(error))

    def of_example(self, request: gr.Request) -> str:
        try:
            return self._submit(self._desk.visitor(request), [], name=EXAMPLE)
        except AudioMLError as error:
            return error_line(str(error))

    def _submit(self, visitor: str, inputs: list[dict[str, str]], **more: str) -> str:
        return started(self._desk.submit(visitor, task=TASK, inputs=inputs, **more))
