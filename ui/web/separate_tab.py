"""The tab "Separate": drop files, choose a model, hear the stems side by side, take them home."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from audio_ml import catalogue
from audio_ml.catalogue import ModelSpec
from audio_ml.errors import AudioMLError, InvalidInput
from audio_ml.options import OptionField, describe
from separation import DeliveryOptions
from separation.options import DEFAULT_MODEL
from ui.web.desk import Desk
from ui.web.model_cards import model_card
from ui.web.widgets import QUIET, Form, draw, error_line, escape, job_list, keep_what_comes, started, status_line, text

NOT_ON_THE_PAGE = ("filename", "overwrite")  # every job has a folder of its own
FILENAME = "{track} - {stem}.{ext}"  # stems of several songs meet in one download folder
TERMS = "I accept the terms of this model"
EMPTY = "The stems will appear here."


class SeparateTab:
    """Draws the tab into the Gradio page that is being built, and answers its buttons."""

    def __init__(self, page: Any, desk: Desk) -> None:
        self._desk = desk
        self._specs = {spec.name: spec for spec in _offered(desk)}
        self._draw()
        self._connect(page)

    def _draw(self) -> None:
        with gr.Row(equal_height=False):
            with gr.Column(scale=2, min_width=320):
                self._sources = gr.File(label="Audio or video files", file_count="multiple", height=140)
                self._problem = text()
                self._draw_model()
                self._start = gr.Button("Separate", variant="primary")
                self._status = text()
                self._draw_options()
            with gr.Column(scale=3, min_width=320):
                text(job_list("separate", empty=EMPTY))

    def _draw_model(self) -> None:
        self._chosen = chosen = DEFAULT_MODEL if DEFAULT_MODEL in self._specs else next(iter(self._specs), None)
        self._model = gr.Radio(self._cards(), value=chosen, label="Model", elem_classes="model-cards")
        self._about = text(_about(self._specs[chosen]) if chosen else "")
        self._terms = gr.Checkbox(False, label=TERMS, visible=bool(chosen and self._asks(self._specs[chosen])))

    def _draw_options(self) -> None:
        delivery = [field for field in describe(DeliveryOptions) if field.name not in NOT_ON_THE_PAGE]
        options = {spec: describe(spec.options) for spec in self._specs.values()}
        drawn: dict[tuple[ModelSpec | None, str], Any] = {}
        self._groups: list[tuple[ModelSpec, Any]] = []

        def rows(advanced: bool) -> None:
            for spec, fields in options.items():
                with gr.Column(visible=spec.name == self._chosen) as group:
                    drawn.update({(spec, field.name): draw(field, spec.outputs) for field in _of(fields, advanced)})
                self._groups.append((spec, group))
            with gr.Row():
                drawn.update({(None, field.name): draw(field) for field in _of(delivery, advanced)})

        rows(advanced=False)
        with gr.Accordion("Advanced", open=False):
            rows(advanced=True)
        self._delivery = Form([(field, drawn[None, field.name]) for field in delivery])
        self._options = {
            spec.name: Form([(field, drawn[spec, field.name]) for field in fields]) for spec, fields in options.items()
        }

    def _connect(self, page: Any) -> None:
        def begin(values: dict[Any, Any], request: gr.Request) -> dict[Any, Any]:
            return self._begin(values, request)

        widgets = [widget for form in (self._delivery, *self._options.values()) for _, widget in form.widgets]
        page.load(lambda: gr.update(choices=self._cards()), None, self._model, **QUIET)  # with the speeds of today
        keep_what_comes(self._desk, self._sources, self._problem)
        shown = [self._about, self._terms, *(group for _, group in self._groups)]
        self._model.change(self._show_model, self._model, shown, **QUIET)
        given = {self._sources, self._model, self._terms, *widgets}
        self._start.click(begin, given, [self._status, self._problem, self._terms], **QUIET)

    def _show_model(self, name: str) -> list[Any]:
        spec = self._specs[name]
        terms = gr.update(value=False, visible=self._asks(spec))
        return [_about(spec), terms, *(gr.update(visible=group_of.name == name) for group_of, _ in self._groups)]

    def _cards(self) -> list[tuple[str, str]]:
        speeds = self._desk.speeds()
        return [(model_card(spec, speeds.get(name)), name) for name, spec in self._specs.items()]

    def _asks(self, spec: ModelSpec) -> bool:
        """Tells whether a model's terms have yet to be accepted."""
        return not all(self._desk.store.licences.accepted(part) for part in spec.parts)

    def _begin(self, values: Mapping[Any, Any], request: gr.Request) -> dict[Any, Any]:
        """Asks for one job for each file, and returns what changes on the page."""
        jobs: list[str] = []
        cleared: dict[Any, Any] = {self._problem: "", self._status: ""}
        try:
            visitor, model = self._desk.visitor(request), values[self._model]
            if not values[self._sources]:
                return cleared | {self._problem: error_line("Choose an audio or video file first.")}
            self._accept_terms(visitor, model, values[self._terms])
            for path in values[self._sources]:
                jobs.append(self._submit(visitor, model, self._desk.keep(visitor, Path(path)), values))
        except AudioMLError as error:
            return cleared | {self._status: started(*jobs) + error_line(str(error))}
        word = "1 job was" if len(jobs) == 1 else f"{len(jobs)} jobs were"
        return cleared | {
            self._status: started(*jobs) + status_line(f"{word} handed in."),
            self._terms: gr.update(visible=self._asks(self._specs[model])),
        }

    def _accept_terms(self, visitor: str, model: str, accepted: bool) -> None:
        spec = self._specs[model]
        if self._asks(spec) and not accepted:
            raise InvalidInput("This model has terms: accept them in the box below its description first.")
        if self._asks(spec):
            self._desk.accept_terms(visitor, spec)

    def _submit(self, visitor: str, model: str, source: Mapping[str, str], values: Mapping[Any, Any]) -> str:
        return self._desk.submit(
            visitor,
            task="separate",
            model=model,
            inputs=[source],
            options=self._options[model].read(values),
            delivery=self._delivery.read(values) | {"filename": FILENAME},
        )


def _offered(desk: Desk) -> list[ModelSpec]:
    """Returns the models that are known to run, the usual one first: what was verified, and whose weights are here."""
    found = [
        spec
        for spec in catalogue.models("separation")
        if (spec.licence.commercial or not desk.commercial_only)
        and (spec.verified or all(desk.store.find(part, file) for part in spec.parts for file in part.files))
    ]
    return sorted(found, key=lambda spec: spec.name != DEFAULT_MODEL)


def _of(fields: Sequence[OptionField], advanced: bool) -> list[OptionField]:
    return [field for field in fields if field.advanced == advanced]


def _about(spec: ModelSpec) -> str:
    return f"<p><small>{escape(spec.licence.note)}</small></p>" if spec.licence.note else ""
