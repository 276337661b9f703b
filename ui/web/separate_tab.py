"""The tab "Separate": drop files, choose a model, hear the stems side by side, take them home."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from audio_ml import catalogue
from audio_ml.catalogue import ModelSpec
from audio_ml.errors import AudioMLError
from audio_ml.licences import terms_of
from audio_ml.options import OptionField, Options, describe
from separation import DeliveryOptions
from separation.options import DEFAULT_MODEL
from ui.web.desk import Desk
from ui.web.model_cards import model_card
from ui.web.widgets import (
    NEWEST_ONLY,
    QUIET,
    Form,
    LookedAt,
    draw,
    error_line,
    escape,
    handed_in,
    job_list,
    keep_what_comes,
    refusal,
    started,
    text,
)

NOT_ON_THE_PAGE = ("filename", "overwrite")  # every job has a folder of its own
FILENAME = "{track} - {stem}.{ext}"  # stems of several songs meet in one download folder
ACCEPT_FIRST = "This model has terms: accept them in the box below its description first."
MORE_MODELS = "More are in the tab Models: what is fetched there can be chosen here."
TERMS = "I accept the terms of this model"
EMPTY = "The stems will appear here."
Kind = tuple[type[Options], tuple[str, ...]]  # of models that have their options in common, and their stems


class SeparateTab:
    """Draws the tab into the Gradio page that is being built, and answers its buttons."""

    def __init__(self, looked_at: LookedAt, desk: Desk) -> None:
        self._desk = desk
        self._chosen = _first(_offered(desk))
        self._draw()
        self._connect(looked_at)

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
        chosen = self._chosen
        cards, name = self._cards(_offered(self._desk)), chosen.name if chosen else None
        self._model = gr.Radio(cards, value=name, label="Model", info=MORE_MODELS, elem_classes="model-cards")
        self._about = text(_about(chosen) if chosen else "")
        self._terms = gr.Checkbox(False, label=TERMS, visible=bool(chosen and self._asks(chosen)))

    def _draw_options(self) -> None:
        delivery = [field for field in describe(DeliveryOptions) if field.name not in NOT_ON_THE_PAGE]
        options = {_kind(spec): describe(spec.options) for spec in _allowed(self._desk)}  # those to come as well
        drawn: dict[tuple[Kind | None, str], Any] = {}
        self._groups: list[tuple[Kind, Any]] = []

        def rows(advanced: bool) -> None:
            for kind, fields in options.items():
                with gr.Column(visible=bool(self._chosen and _kind(self._chosen) == kind)) as group:
                    drawn.update({(kind, field.name): draw(field, kind[1]) for field in _of(fields, advanced)})
                self._groups.append((kind, group))
            with gr.Row():
                drawn.update({(None, field.name): draw(field) for field in _of(delivery, advanced)})

        rows(advanced=False)
        with gr.Accordion("Advanced", open=False):
            rows(advanced=True)
        self._delivery = Form([(field, drawn[None, field.name]) for field in delivery])
        self._options = {
            kind: Form([(field, drawn[kind, field.name]) for field in fields]) for kind, fields in options.items()
        }

    def _connect(self, looked_at: LookedAt) -> None:
        def begin(values: dict[Any, Any], request: gr.Request) -> dict[Any, Any]:
            return self._begin(values, request)

        widgets = [widget for form in (self._delivery, *self._options.values()) for _, widget in form.widgets]
        gr.on([*looked_at], self._bring_up, self._model, self._model, **NEWEST_ONLY)
        keep_what_comes(self._desk, self._sources, self._problem)
        shown = [self._about, self._terms, *(group for _, group in self._groups)]
        self._model.change(self._show_model, self._model, shown, **QUIET)
        given = {self._sources, self._model, self._terms, *widgets}
        self._start.click(begin, given, [self._status, self._problem, self._terms], **QUIET)

    def _bring_up(self, chosen: str | None) -> Any:
        """Offers the models that are here by now, with their speeds; what is chosen stays so while it is offered."""
        offered = {spec.name: spec for spec in _offered(self._desk)}
        cards = self._cards(list(offered.values()))
        if chosen in offered:  # or another by now, which must stay
            return gr.update(choices=cards)
        first = _first(list(offered.values()))
        return gr.update(choices=cards, value=first.name if first else None)

    def _show_model(self, name: str) -> list[Any]:
        spec = catalogue.find("separation", name)
        terms = gr.update(value=False, visible=self._asks(spec))
        return [_about(spec), terms, *(gr.update(visible=kind == _kind(spec)) for kind, _ in self._groups)]

    def _cards(self, offered: Sequence[ModelSpec]) -> list[tuple[str, str]]:
        speeds = self._desk.speeds()
        return [(model_card(spec, speeds.get(spec.name)), spec.name) for spec in offered]

    def _asks(self, spec: ModelSpec) -> bool:
        """Tells whether a model's terms have yet to be accepted."""
        return not all(self._desk.store.licences.accepted(part) for part in spec.parts)

    def _begin(self, values: Mapping[Any, Any], request: gr.Request) -> dict[Any, Any]:
        """Asks for one job for each file, and returns what changes on the page."""
        jobs: list[str] = []
        cleared: dict[Any, Any] = {self._problem: "", self._status: ""}
        try:
            visitor, spec = self._desk.visitor(request), catalogue.find("separation", values[self._model])
            if not values[self._sources]:
                return cleared | {self._problem: error_line("Choose an audio or video file first.")}
            if self._asks(spec) and not values[self._terms]:
                return cleared | {self._status: error_line(ACCEPT_FIRST), self._terms: gr.update(visible=True)}
            if self._asks(spec):
                self._desk.accept_terms(visitor, spec)
            for path in values[self._sources]:
                jobs.append(self._submit(visitor, spec, self._desk.keep(visitor, Path(path)), values))
        except AudioMLError as error:
            return cleared | {self._status: started(*jobs) + refusal(error, self._delivery, *self._options.values())}
        word = "1 job was" if len(jobs) == 1 else f"{len(jobs)} jobs were"
        return cleared | {
            self._status: handed_in(f"{word} handed in.", *jobs),
            self._terms: gr.update(visible=self._asks(spec)),
        }

    def _submit(self, visitor: str, spec: ModelSpec, source: Mapping[str, str], values: Mapping[Any, Any]) -> str:
        return self._desk.submit(
            visitor,
            task="separate",
            model=spec.name,
            inputs=[source],
            options=self._options[_kind(spec)].read(values),
            delivery=self._delivery.read(values) | {"filename": FILENAME},
        )


def _allowed(desk: Desk) -> list[ModelSpec]:
    """Returns the models that this page may offer."""
    return [spec for spec in catalogue.models("separation") if spec.licence.commercial or not desk.commercial_only]


def _offered(desk: Desk) -> list[ModelSpec]:
    """Returns the models that are known to run, the usual one first: what was verified, and whose weights are here."""
    found = [
        spec
        for spec in _allowed(desk)
        if spec.verified or all(desk.store.find(part, file) for part in spec.parts for file in part.files)
    ]
    return sorted(found, key=lambda spec: spec.name != DEFAULT_MODEL)


def _first(offered: Sequence[ModelSpec]) -> ModelSpec | None:
    return next(iter(offered), None)


def _kind(spec: ModelSpec) -> Kind:
    return spec.options, tuple(spec.outputs)


def _of(fields: Sequence[OptionField], advanced: bool) -> list[OptionField]:
    return [field for field in fields if field.advanced == advanced]


def _about(spec: ModelSpec) -> str:
    """Returns the terms of a model, of each part of it that has any, as they are accepted."""
    told = dict.fromkeys(terms_of(part) for part in spec.parts if part.licence.note)
    return "".join(f"<p><small>{escape(terms)}</small></p>" for terms in told)
