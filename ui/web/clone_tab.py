"""The tab "Clone": make a voice of recordings of somebody who agrees, have it speak, lend it to a recording."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from audio_ml import catalogue
from audio_ml.catalogue import ModelSpec
from audio_ml.errors import AudioMLError
from audio_ml.options import OptionField, Options, describe
from audio_ml.voice_library import VoiceLibrary
from tts.engine import SpeechModel
from ui.web.desk import Desk
from ui.web.widgets import (
    NEWEST_ONLY,
    QUIET,
    Form,
    LookedAt,
    draw,
    error_line,
    escape,
    job_list,
    keep_what_comes,
    refusal,
    started,
    status_line,
    text,
)
from voiceclone import zero_shot
from voiceclone.engines.kokoro_convert import CONVERT
from voiceclone.options import CloneOptions, ConversionFileOptions

NOT_ON_THE_PAGE = ("lexicon", "markup", "date_order", "watermark")  # everything is marked, as the consent says
AT_ONCE = ("speed", "likeness", "pitch", "semitones", "temperature", "format")  # the others are advanced
WANTED, SPEAK = "clone-wanted", "clone-speak"  # the id of the field for a voice that is to speak, and of its tab
RECORDINGS = "clone-recordings"  # the id of the field for files, which the recorder fills
NO_VOICE = "Choose a voice first; if there is none, make one under “Make a voice”."


class CloneTab:
    """Draws the tab into the Gradio page that is being built."""

    def __init__(self, looked_at: LookedAt, desk: Desk) -> None:
        with gr.Tabs() as tabs:
            with gr.Tab("Make a voice", id="clone-make"), gr.Row(equal_height=False):
                with gr.Column(scale=3, min_width=320):
                    text("<voice-maker></voice-maker>")
                with gr.Column(scale=2, min_width=320):
                    text(_heading("Voices in the making"))
                    text(job_list("enroll", empty="The voice will appear here, and then under “Voices”."))
                    wanted = gr.Textbox(label="Voice that is to speak", elem_id=WANTED, visible="hidden")
            with gr.Tab("Voices", id="clone-voices"):
                text("<voice-library></voice-library>")
            with gr.Tab("Speak with it", id=SPEAK) as speaking:
                form = SpeakForm((*looked_at, speaking.select), desk)
            with gr.Tab("Lend it to a recording", id="clone-convert") as lending:
                ConvertForm((*looked_at, lending.select), desk)
        form.open_with(wanted, tabs)


class SpeakForm:
    """A text in a cloned voice."""

    def __init__(self, looked_at: LookedAt, desk: Desk) -> None:
        self._desk = desk
        here = _here(desk)
        first = _options_of(here[0]) if here else None
        self._forms: dict[tuple[type[Options], ...], tuple[Any, Form]] = {}  # of the models that are to come as well
        with gr.Row(equal_height=False):
            with gr.Column(scale=2, min_width=320):
                self._voice = _draw_voice()
                self._voice_problem = text()
                self._text = gr.Textbox(label="Text", lines=5, placeholder="What the voice says")
                self._text_problem = text()
                names = [spec.name for spec in here]
                chosen = next(iter(names), None)
                self._model = gr.Dropdown(names, value=chosen, label="Spoken by", filterable=False)
                for options in dict.fromkeys(map(_options_of, _speaking(desk).values())):
                    with gr.Column(visible=options == first) as group:
                        self._forms[options] = group, _draw_form(options)
                self._form = _draw_form([ConversionFileOptions])
                self._start = gr.Button("Speak", variant="primary")
                self._status = text()
            with gr.Column(scale=3, min_width=320):
                text(job_list("clone", empty="What the voice says will appear here."))
        _keep_voices(looked_at, self._voice)
        _keep_list(looked_at, self._model, lambda: [spec.name for spec in _here(desk)])
        groups = [group for group, _ in self._forms.values()]
        self._model.change(self._show_options, self._model, groups, **QUIET)
        widgets = {widget for form in self._all_forms() for _, widget in form.widgets}
        given = {self._voice, self._text, self._model, *widgets}
        changed = [self._status, self._voice_problem, self._text_problem]
        self._start.click(_taking_values(self._begin), given, changed, **QUIET)

    def open_with(self, wanted: Any, tabs: Any) -> None:
        """Has the form open with the voice whose name is written into a field, which is empty then."""

        def choose(asked: str) -> tuple[Any, ...]:
            if not asked:
                return gr.skip(), gr.skip(), gr.skip(), gr.skip()
            name, names = str(json.loads(asked)[0]), VoiceLibrary.default().names()
            if name not in names:
                problem = error_line(f"There is no voice “{name}” any more.")
                return gr.update(selected=SPEAK), gr.update(choices=names), problem, ""
            return gr.update(selected=SPEAK), gr.update(choices=names, value=name), "", ""

        wanted.change(choose, wanted, [tabs, self._voice, self._voice_problem, wanted], **QUIET)

    def _show_options(self, name: str) -> list[Any]:
        wanted = _options_of(_speaking(self._desk)[name])
        return [gr.update(visible=options == wanted) for options in self._forms]

    def _all_forms(self) -> list[Form]:
        return [self._form, *(form for _, form in self._forms.values())]

    def _begin(self, values: Mapping[Any, Any], request: gr.Request) -> dict[Any, Any]:
        """Asks for the job, and returns what changes on the page."""
        cleared: dict[Any, Any] = {self._status: "", self._voice_problem: "", self._text_problem: ""}
        if not values[self._voice]:
            return cleared | {self._voice_problem: error_line(NO_VOICE)}
        if not (values[self._text] or "").strip():
            return cleared | {self._text_problem: error_line("Write what the voice is to say.")}
        model = values[self._model]
        try:
            job = self._desk.submit(
                self._desk.visitor(request),
                task="clone",
                model=model,
                voice=values[self._voice],
                text=values[self._text],
                options=self._forms[_options_of(_speaking(self._desk)[model])][1].read(values),
                delivery={**self._form.read(values), "view": True},
            )
        except AudioMLError as error:
            return cleared | {self._status: refusal(error, *self._all_forms())}
        return cleared | {self._status: started(job) + status_line("It is in the queue.")}


class ConvertForm:
    """Recordings in a cloned voice: the same words at the same times."""

    def __init__(self, looked_at: LookedAt, desk: Desk) -> None:
        self._desk = desk
        with gr.Row(equal_height=False):
            with gr.Column(scale=2, min_width=320):
                self._voice = _draw_voice()
                self._voice_problem = text()
                self._sources = gr.File(
                    label="Recordings of speech", file_count="multiple", height=140, elem_id=RECORDINGS
                )
                text(f'<sound-recorder label="Record it here" name="speech" into="#{RECORDINGS}"></sound-recorder>')
                self._problem = text()
                self._options = _draw_form([CONVERT.options, CloneOptions])
                self._form = _draw_form([ConversionFileOptions])
                self._start = gr.Button("Convert", variant="primary")
                self._status = text()
            with gr.Column(scale=3, min_width=320):
                text(job_list("convert", empty="The recordings in the voice will appear here."))
        _keep_voices(looked_at, self._voice)
        keep_what_comes(self._desk, self._sources, self._problem)
        widgets = {widget for form in (self._options, self._form) for _, widget in form.widgets}
        given = {self._voice, self._sources, *widgets}
        changed = [self._status, self._voice_problem, self._problem]
        self._start.click(_taking_values(self._begin), given, changed, **QUIET)

    def _begin(self, values: Mapping[Any, Any], request: gr.Request) -> dict[Any, Any]:
        """Asks for one job for each recording, and returns what changes on the page."""
        cleared: dict[Any, Any] = {self._status: "", self._voice_problem: "", self._problem: ""}
        if not values[self._voice]:
            return cleared | {self._voice_problem: error_line(NO_VOICE)}
        if not values[self._sources]:
            return cleared | {self._problem: error_line("Upload or record speech first.")}
        jobs: list[str] = []
        try:
            visitor = self._desk.visitor(request)
            for path in values[self._sources]:
                job = self._desk.submit(
                    visitor,
                    task="convert",
                    voice=values[self._voice],
                    inputs=[self._desk.keep(visitor, Path(path))],
                    options=self._options.read(values),
                    delivery={**self._form.read(values), "view": True},
                )
                jobs.append(job)
        except AudioMLError as error:
            return cleared | {self._status: started(*jobs) + refusal(error, self._options, self._form)}
        word = "1 recording is" if len(jobs) == 1 else f"{len(jobs)} recordings are"
        return cleared | {self._status: started(*jobs) + status_line(f"{word} in the queue.")}


def _draw_voice() -> Any:
    """Returns the list of voices; those that were made since are in it when it is looked at."""
    voices = VoiceLibrary.default().names()
    return gr.Dropdown(voices, value=next(iter(voices), None), label="Voice", filterable=False)


def _keep_voices(looked_at: LookedAt, dropdown: Any) -> None:
    _keep_list(looked_at, dropdown, lambda: VoiceLibrary.default().names())


def _keep_list(looked_at: LookedAt, dropdown: Any, find: Callable[[], Sequence[str]]) -> None:
    """Has a list hold what is there, whenever the page or its tab is opened, or it is looked at."""

    def update(chosen: str | None) -> Any:
        names = list(find())
        if chosen in names:  # or another by now, which must stay
            return gr.update(choices=names)
        return gr.update(choices=names, value=next(iter(names), None))

    gr.on([*looked_at, dropdown.focus], update, dropdown, dropdown, **NEWEST_ONLY)


def _draw_form(models: Sequence[type[Options]]) -> Form:
    """Draws options, those that are seldom changed folded; of two of one name the first counts."""
    fields: dict[str, OptionField] = {}
    for model in models:
        fields = {field.name: field for field in describe(model) if field.name not in NOT_ON_THE_PAGE} | fields
    now = [field for field in fields.values() if field.name in AT_ONCE]
    later = [field for field in fields.values() if field.name not in AT_ONCE]
    widgets = [(field, draw(field)) for field in now]
    if later:
        with gr.Accordion("Advanced", open=False):
            widgets += [(field, draw(field)) for field in later]
    return Form(widgets)


def _speaking(desk: Desk) -> dict[str, ModelSpec]:
    """Returns the models that speak with cloned voices, by name: Kokoro's, and those that imitate a recording."""
    kokoro = [spec for spec in catalogue.models("tts") if isinstance(spec, SpeechModel) and spec.clone_options]
    all_of_them: list[ModelSpec] = [*kokoro, *zero_shot.models().values()]
    return {spec.name: spec for spec in all_of_them if spec.licence.commercial or not desk.commercial_only}


def _here(desk: Desk) -> list[ModelSpec]:
    """Returns those that can be chosen: Kokoro, which comes by itself, and others whose weights are on this machine."""
    return [
        spec
        for spec in _speaking(desk).values()
        if isinstance(spec, SpeechModel) or (spec.files and all(desk.store.find(spec, file) for file in spec.files))
    ]


def _options_of(spec: ModelSpec) -> tuple[type[Options], ...]:
    own = spec.clone_options if isinstance(spec, SpeechModel) and spec.clone_options else spec.options
    return own, CloneOptions


def _taking_values(begin: Callable[..., dict[Any, Any]]) -> Callable[..., dict[Any, Any]]:
    """Returns a function that Gradio calls with all values by component; it looks at its annotations."""

    def handler(values: dict[Any, Any], request: gr.Request) -> dict[Any, Any]:
        return begin(values, request)

    return handler


def _heading(words: str) -> str:
    return f"<h3>{escape(words)}</h3>"
