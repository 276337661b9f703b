"""Draws an option as the widget that fits it, and reads it back."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from audio_ml.errors import AudioMLError
from audio_ml.options import OptionField

if TYPE_CHECKING:
    from ui.web.desk import Desk

MIN_WIDTH_PIXELS = 220  # two of them stand side by side in a column
LONGEST_SLIDER = 1000  # beyond that, a pixel is too much
# What every event of ours is: answered at once, on a thread, and no part of an interface.
QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
# One at a time: what comes meanwhile is answered once, with the newest values, so that no older answer comes last.
NEWEST_ONLY: dict[str, Any] = {**QUIET, "trigger_mode": "always_last"}
LookedAt = Sequence[Any]  # the events of Gradio's by which a tab comes to be seen, at which its lists are brought up


def text(source: str = "", **settings: Any) -> Any:
    """Returns a component for our own HTML, every value in it escaped; `gr.HTML` would evaluate code in the browser."""
    return gr.Markdown(source, sanitize_html=False, latex_delimiters=[], **settings)


def escape(words: str) -> str:
    """Returns words as HTML on one line: at an empty line Markdown would leave the HTML and read links.

    >>> escape("a < b\\n\\n[c](d)")
    'a &lt; b [c](d)'
    """
    return html.escape(" ".join(words.split()))


def error_line(sentence: str) -> str:
    """Returns the HTML of what went wrong, which readers of screens are told at once.

    >>> error_line("a < b")
    '<p role="alert">a &lt; b</p>'
    """
    return f'<p role="alert">{escape(sentence)}</p>'


def status_line(sentence: str) -> str:
    """Returns the HTML of a sentence about what is going on.

    >>> status_line("Done.")
    '<p role="status">Done.</p>'
    """
    return f'<p role="status">{escape(sentence)}</p>'


def started(*jobs: str) -> str:
    """Returns the HTML which tells the page's lists of jobs that some were begun.

    >>> started("0a1b")
    '<div><job-started job="0a1b"></job-started></div>'
    """
    return "<div>" + "".join(f'<job-started job="{escape(job)}"></job-started>' for job in jobs) + "</div>"


def handed_in(sentence: str, *jobs: str) -> str:
    """Returns the HTML which tells the page's lists of jobs that some were begun, and says so until they have ended.

    >>> handed_in("1 job was handed in.", "0a1b").partition("</div>")[2]
    '<p role="status"><job-note jobs="0a1b">1 job was handed in.</job-note></p>'
    """
    note = f'<job-note jobs="{escape(" ".join(jobs))}">{escape(sentence)}</job-note>'
    return started(*jobs) + f'<p role="status">{note}</p>'


def job_list(*tasks: str, empty: str = "") -> str:
    """Returns the HTML of the visitor's jobs of these tasks; `empty` is said where there are none.

    >>> job_list("speak", "clone", empty="No takes yet.")
    '<job-list tasks="speak clone" empty="No takes yet."></job-list>'
    """
    return f'<job-list tasks="{escape(" ".join(tasks))}" empty="{escape(empty)}"></job-list>'


def label(field: OptionField) -> str:
    """Returns the name of an option on a page.

    >>> label(OptionField("start_seconds", "number", 0.0, "Where to start.", "--start", unit="s"))
    'Start (s)'
    """
    words = field.flag.removeprefix("--").replace("-", " ").capitalize()
    return f"{words} ({field.unit})" if field.unit else words


def draw(field: OptionField, stems: Sequence[str] = ()) -> Any:
    """Returns the Gradio component of an option; `stems` are offered where it names stems."""
    info = _as_it_is(field.description)
    common: dict[str, Any] = {"label": label(field), "info": info, "min_width": MIN_WIDTH_PIXELS}
    if field.kind == "flag":
        return gr.Checkbox(field.default, **common)
    if field.kind == "choice":
        return gr.Dropdown(list(field.choices), value=field.default, filterable=False, **common)
    if field.names == "stems":
        return _draw_stems(field, stems, common)
    if field.kind in ("text", "list") or field.optional:  # Gradio shows an empty number as 0
        return _draw_text(field, common)
    precision = 0 if field.kind == "integer" else None
    if field.minimum is None or field.maximum is None or field.maximum - field.minimum > LONGEST_SLIDER:
        return gr.Number(field.default, precision=precision, **common)
    step = field.step or (1 if field.kind == "integer" else None)
    return gr.Slider(field.minimum, field.maximum, field.default, step=step, precision=precision, buttons=[], **common)


def _as_it_is(words: str) -> str:
    """Returns words for a widget's `info`, in which Gradio makes text between marks bold, and links.

    It finds no pair of marks across lines, and main.css hides the ends of these lines.

    >>> _as_it_is("[a](b)")
    '[a]\\n(b)'
    """
    return re.sub(r"([*_\]])(?=.)", r"\1\n", " ".join(words.split()))


def _draw_stems(field: OptionField, stems: Sequence[str], common: dict[str, Any]) -> Any:
    if field.kind == "list":
        return gr.CheckboxGroup(list(stems), value=list(field.default), **common)
    return gr.Dropdown([("none", ""), *((stem, stem) for stem in stems)], value="", filterable=False, **common)


def _draw_text(field: OptionField, common: dict[str, Any]) -> Any:
    if field.kind == "list":
        return gr.Textbox(", ".join(field.default), placeholder="separate several with commas", **common)
    return gr.Textbox(field.default, placeholder="default" if field.optional else None, **common)


def keep_what_comes(desk: Desk, sources: Any, problem: Any) -> None:
    """Makes what comes into a field of files uploads of the visitor's, which stay longer than what a browser sent."""

    def keep(paths: Sequence[str] | str | None, request: gr.Request) -> str:
        try:
            visitor = desk.visitor(request)
            for path in [paths] if isinstance(paths, str) else paths or ():
                desk.keep(visitor, Path(path))
        except AudioMLError as error:
            return error_line(str(error))
        return ""

    sources.upload(keep, sources, problem, **NEWEST_ONLY)


@dataclass(frozen=True)
class Form:
    """The options of a model, each with its widget."""

    widgets: Sequence[tuple[OptionField, Any]]

    def read(self, values: Mapping[Any, Any]) -> dict[str, Any]:
        """Picks the options that were chosen out of the values that Gradio gives by component.

        What is empty or at its default was not chosen: an option may depend on whether another was.
        """
        given = [(field, _value(field, values[widget])) for field, widget in self.widgets]
        return {field.name: value for field, value in given if value not in ("", None, [], field.default)}


def refusal(error: AudioMLError, *forms: Form) -> str:
    """Returns the HTML of what went wrong, with options called what they are called in these forms.

    >>> start = OptionField("start_seconds", "number", 0.0, "Where to start.", "--start", unit="s")
    >>> refusal(AudioMLError("Option 'start_seconds' cannot be -5."), Form([(start, None)]))
    '<p role="alert">“Start (s)” cannot be -5.</p>'
    """
    sentence = str(error)
    for field, _ in (each for form in forms for each in form.widgets):
        sentence = sentence.replace(f"Option '{field.name}'", f"“{label(field)}”")
    return error_line(sentence)


def _value(field: OptionField, shown: Any) -> Any:
    """Returns what a widget means: a list that was typed is cut at its commas.

    >>> _value(OptionField("gain", "list", (), "Louder.", "--gain"), "vocals=-6, drums=2")
    ['vocals=-6', 'drums=2']
    """
    if field.kind == "list" and isinstance(shown, str):
        return [part.strip() for part in shown.split(",") if part.strip()]
    return shown
