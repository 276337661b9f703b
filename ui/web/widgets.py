"""Draws an option as the widget that fits it, and reads it back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from audio_ml.options import OptionField

MIN_WIDTH_PIXELS = 220  # two of them stand side by side in a column


def label(field: OptionField) -> str:
    """Returns the name of an option on a page.

    >>> label(OptionField("start_seconds", "number", 0.0, "Where to start.", "--start", unit="s"))
    'Start (s)'
    """
    words = field.flag.removeprefix("--").replace("-", " ").capitalize()
    return f"{words} ({field.unit})" if field.unit else words


def draw(field: OptionField, choices: Sequence[str] = ()) -> Any:
    """Returns the Gradio component of an option; `choices` are what a list may hold."""
    common: dict[str, Any] = {"label": label(field), "info": field.description, "min_width": MIN_WIDTH_PIXELS}
    if field.kind == "flag":
        return gr.Checkbox(field.default, **common)
    if field.kind == "choice":
        return gr.Dropdown(list(field.choices), value=field.default, filterable=False, **common)
    if field.kind == "list":
        return gr.CheckboxGroup(list(choices), value=list(field.default), **common)
    if field.kind == "text" or field.optional:  # Gradio shows an empty number as 0
        return gr.Textbox(field.default, placeholder="default" if field.optional else None, **common)
    precision = 0 if field.kind == "integer" else None
    if field.minimum is None or field.maximum is None:
        return gr.Number(field.default, precision=precision, **common)
    step = field.step or (1 if field.kind == "integer" else None)
    return gr.Slider(field.minimum, field.maximum, field.default, step=step, precision=precision, buttons=[], **common)


@dataclass(frozen=True)
class Form:
    """The options of a model, each with its widget."""

    widgets: Sequence[tuple[OptionField, Any]]

    def read(self, values: Mapping[Any, Any]) -> dict[str, Any]:
        """Picks the options out of the values that Gradio gives by component; an empty field is the default."""
        given = {field.name: values[widget] for field, widget in self.widgets}
        return {name: value for name, value in given.items() if value not in ("", None)}
