"""The tab "Learn": a tour in six sections, from what a spectrogram is to how machines have learnt to speak."""

from __future__ import annotations

from collections.abc import Callable

import gradio as gr

from ui.learn.lessons import LESSONS, Lesson
from ui.web.desk import Desk
from ui.web.learn_separation import draw_layers, draw_paint
from ui.web.learn_speech_tab import draw_history, draw_speech_path, draw_voices
from ui.web.learn_text import lesson_html, section_id, sources_html, tour_html
from ui.web.widgets import LookedAt, text

TITLE = "From paper to product"
OPENING = (
    "A tour through the ideas behind this software, with this software. Each section says in plain words what is going "
    "on, gives you something to do, and names the paper it comes from and the lines of our code that do it."
)


class LearnTab:
    """Draws the tab into the Gradio page that is being built, and answers its buttons."""

    def __init__(self, looked_at: LookedAt, desk: Desk) -> None:
        text(f'<div class="tour-title"><h1>{TITLE}</h1><p>{OPENING}</p></div>')
        text(tour_html())
        for number, (lesson, draw) in enumerate(zip(LESSONS, _sections(), strict=True), 1):
            with gr.Column(elem_id=section_id(number), elem_classes="learn-section"):
                _draw_section(desk, number, lesson, draw)
        text("<div><learn-steps></learn-steps></div>")


def _draw_section(desk: Desk, number: int, lesson: Lesson, draw: Callable[[Desk], None]) -> None:
    text(lesson_html(number, lesson))
    draw(desk)
    text(sources_html(lesson.papers, lesson.code, lesson.licence))


def _sections() -> list[Callable[[Desk], None]]:
    """Returns what draws the things to do in each section."""
    return [_draw_spectrum, draw_paint, draw_layers, draw_speech_path, draw_voices, draw_history]


def _draw_spectrum(desk: Desk) -> None:
    text("<div><spectrum-lesson></spectrum-lesson></div>")
