"""The tab "Clone": make a voice of recordings of somebody who agrees, have it speak, lend it to a recording."""

from __future__ import annotations

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
from ui.web.widgets import QUIET, Form, draw, error_line, escape, job_list, keep_what_comes, started, status_line, text
from voiceclone import zero_shot
from voiceclone.engines.kokoro_convert import CONVERT
from voiceclone.options import CloneOptions, ConversionFileOptions

NOT_ON_THE_PAGE = ("lexicon", "markup", "date_order", "watermark")  # everything is marked, as the consent says
AT_ONCE = ("speed", "likeness", "pitch", "semitones", "temperature", "format")  # the others are advanced
RECORDINGS = "clone-recordings"  # the id of the field for files, which the recorder fills
NO_VOICE = "Choose a voice first; if there is none, make one under “Make a voice”."


class CloneTab:
    """Draws the tab into the Gradio page that is being built."""

    def __init__(self, page: Any, desk: Desk) -> None:
        with gr.Tabs():
            with gr.Tab("Make a voice", id="clone-make"), gr.Row(equal_height=False):
                with gr.Column(scale=3, min_width=320):
                    text("<voice-maker></voice-maker>")
                with gr.Column(scale=2, min_width=320):
                    text(_heading("Voices in the making"))
                    text(job_list("enroll", empty="The voice will appear here, and then under “Voices”."))
            with gr.Tab("Voices", id="clone-voices"):
                text("<voice-library></voice-library>")
            with gr.Tab("Speak with it", id="clone-speak") as speaking:
                SpeakForm(page, desk, speaking)
            with gr.Tab("Lend it to a recording", id="clone-convert") as lending:
                ConvertForm(page, desk, lending)


class SpeakForm:
    """A text in a cloned voice."""

    def __init__(self, page: Any, desk: Desk, tab: Any) -> None:
        self._desk = desk
        models = {spec.name: spec for spec in _speaking(desk)}
        first = next(iter(models), None)
        self._forms: dict[str, tuple[Any, Form]] = {}
        with gr.Row(equal_height=False):
            with gr.Column(scale=2, min_width=320):
                self._voice = _draw_voice()
                self._voice_problem = text()
                self._text = gr.Textbox(label="Text", lines=5, placeholder="What the voice says")
                self._text_problem = text()
                self._model = gr.Dropdown(list(models), value=first, label="Spoken by", filterable=False)
                for name, spec in models.items():
                    with gr.Column(visible=name == first) as group:
                        self._forms[name] = group, _draw_form(_options_of(spec))
                self._form = _draw_form([ConversionFileOptions])
                self._start = gr.Button("Speak", variant="primary")
                self._status = text()
            with gr.Column(scale=3, min_width=320):
                text(job_list("clone", empty="What the voice says will appear here."))
        _keep_voices(page, tab, self._voice)
        groups = [group for group, _ in self._forms.values()]
        self._model.change(
            lambda name: [gr.update(visible=each == name) for each in self._forms], self._model, groups, **QUIET
        )
        widgets = {widget for form in self._all_forms() for _, widget in form.widgets}
        given = {self._voice, self._text, self._model, *widgets}
        changed = [self._status, self._voice_problem, self._text_problem]
        self._start.click(_taking_values(self._begin), given, changed, **QUIET)

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
                options=self._forms[model][1].read(values),
                delivery={**self._form.read(values), "view": True},
            )
        except AudioMLError as error:
            return cleared | {self._status: error_line(str(error))}
        return cleared | {self._status: started(job) + status_line("It is in the queue.")}


class ConvertForm:
    """Recordings in a cloned voice: the same words at the same times."""

    def __init__(self, page: Any, desk: Desk, tab: Any) -> None:
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
        _keep_voices(page, tab, self._voice)
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
            return cleared | {self._status: started(*jobs) + error_line(str(error))}
        word = "1 recording is" if len(jobs) == 1 else f"{len(jobs)} recordings are"
        return cleared | {self._status: started(*jobs) + status_line(f"{word} in the queue.")}


def _draw_voice() -> Any:
    """Returns the list of voices; those that were made since are in it when it is looked at."""
    voices = VoiceLibrary.default().names()
    return gr.Dropdown(voices, value=next(iter(voices), None), label="Voice", filterable=False)


def _keep_voices(page: Any, tab: Any, dropdown: Any) -> None:
    """Has a list of voices hold what is there, whenever the page or its tab is opened, or it is looked at."""

    def update(chosen: str | None) -> Any:
        voices = VoiceLibrary.default().names()
        if chosen in voices:  # or another by now, which must stay
            return gr.update(choices=voices)
        return gr.update(choices=voices, value=next(iter(voices), None))

    for event in (page.load, tab.select, dropdown.focus):
        event(update, dropdown, dropdown, **QUIET)


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


def _speaking(desk: Desk) -> list[ModelSpec]:
    """Returns the models that speak with cloned voices: Kokoro's, and those that imitate a recording and are here."""
    kokoro = [spec for spec in catalogue.models("tts") if isinstance(spec, SpeechModel) and spec.clone_options]
    here = [
        spec for spec in zero_shot.models().values() if spec.files and all(desk.store.find(spec, f) for f in spec.files)
    ]
    return [spec for spec in [*kokoro, *here] if spec.licence.commercial or not desk.commercial_only]


def _options_of(spec: ModelSpec) -> list[type[Options]]:
    own = spec.clone_options if isinstance(spec, SpeechModel) and spec.clone_options else spec.options
    return [own, CloneOptions]


def _taking_values(begin: Callable[..., dict[Any, Any]]) -> Callable[..., dict[Any, Any]]:
    """Returns a function that Gradio calls with all values by component; it looks at its annotations."""

    def handler(values: dict[Any, Any], request: gr.Request) -> dict[Any, Any]:
        return begin(values, request)

    return handler


def _heading(words: str) -> str:
    return f"<h3>{escape(words)}</h3>"
