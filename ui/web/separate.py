"""The tab "Separate": drop a file, see how far the work is, listen to the stems, take them home."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, Protocol

import gradio as gr

from audio_ml import catalogue
from audio_ml.catalogue import ModelSpec
from audio_ml.errors import AudioMLError, InvalidInput
from audio_ml.options import OptionField, describe
from audio_ml.progress import Progress, ProgressState
from audio_ml.weights import WeightStore
from separation import DeliveryOptions, SeparationReport
from separation.options import DEFAULT_MODEL
from ui.web.jobs import Job, Separated, Sessions
from ui.web.player import player_html
from ui.web.widgets import Form, draw

NOT_ON_THE_PAGE = ("filename", "overwrite")  # every job has a folder of its own
FILENAME = "{track} - {stem}.{ext}"  # stems of several songs meet in one download folder
POLL_SECONDS = 0.25
TERMS = "I accept the terms of this model"


class Separate(Protocol):
    """What separates a file into a folder: a job of the server."""

    def __call__(
        self,
        path: str,
        out_dir: Path,
        *,
        model: str,
        options: Mapping[str, Any],
        delivery: Mapping[str, Any],
        progress: Progress,
    ) -> Separated: ...


@dataclass(frozen=True)
class Delivered:
    """What a job leaves in its folder: the stems the report names, and all of them in one archive."""

    report: SeparationReport
    archive: Path
    address: str


class SeparateTab:
    """Draws the tab into the Gradio `page` that is being built, and answers its buttons."""

    def __init__(
        self, page: Any, store: WeightStore, separate: Separate, sessions: Sessions, commercial_only: bool = False
    ) -> None:
        self._licences = store.licences
        self._run = separate
        self._sessions = sessions
        self._specs = {spec.name: spec for spec in _offered(store, commercial_only)}
        self._draw()
        self._connect(page)

    def _draw(self) -> None:
        with gr.Row(equal_height=False):
            with gr.Column():
                self._source = gr.File(label="Audio or video file", height=140)
                self._draw_options()
                with gr.Row():
                    self._start = gr.Button("Separate", variant="primary")
                    self._stop = gr.Button("Cancel", variant="stop", interactive=False)
            with gr.Column():
                self._status = _text(_line("The stems will appear here."))
                self._player = _text(visible=False)
                self._files = gr.File(label="Files", file_count="multiple", interactive=False, visible=False)
                self._archive = gr.DownloadButton("Download all as one file", visible=False)
                self._report = _text(visible=False)

    def _draw_options(self) -> None:
        chosen = DEFAULT_MODEL if DEFAULT_MODEL in self._specs else next(iter(self._specs), None)
        self._model = gr.Dropdown(list(self._specs), value=chosen, label="Model", filterable=False)
        self._about = _text(_about(self._specs[chosen]) if chosen else "")
        self._terms = gr.Checkbox(False, label=TERMS, visible=bool(chosen and self._asks(self._specs[chosen])))
        delivery = [field for field in describe(DeliveryOptions) if field.name not in NOT_ON_THE_PAGE]
        options = {spec: describe(spec.options) for spec in self._specs.values()}
        drawn: dict[tuple[ModelSpec | None, str], Any] = {}
        self._groups: list[tuple[ModelSpec, Any]] = []

        def rows(advanced: bool) -> None:
            for spec, fields in options.items():
                with gr.Column(visible=spec.name == chosen) as group:
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
        def keep_upload(path: str, request: gr.Request) -> None:
            self._sessions.keep_upload(request.session_hash, Path(path))

        def separate(values: dict[Any, Any], request: gr.Request) -> Iterator[dict[Any, Any]]:
            yield from self._separate(values, request.session_hash)

        def cancel(request: gr.Request) -> None:
            self._sessions.cancel(request.session_hash)

        def end(request: gr.Request) -> None:
            self._sessions.end(request.session_hash)

        hidden: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        widgets = [widget for form in (self._delivery, *self._options.values()) for _, widget in form.widgets]
        outputs = [self._start, self._stop, self._status, self._player, self._files, self._archive, self._report]
        self._source.upload(keep_upload, self._source, None, queue=False, **hidden)
        self._model.change(
            self._show_model,
            self._model,
            [self._about, self._terms, *(group for _, group in self._groups)],
            queue=False,
            **hidden,
        )
        # Work happens on the job's own thread: there is no need for one user to wait for another.
        given = {self._source, self._model, self._terms, *widgets}
        self._start.click(separate, given, outputs, concurrency_limit=None, **hidden)
        self._stop.click(cancel, None, None, queue=False, **hidden)
        page.unload(end)

    def _show_model(self, name: str) -> list[Any]:
        spec = self._specs[name]
        terms = gr.update(value=False, visible=self._asks(spec))
        return [_about(spec), terms, *(gr.update(visible=group_of.name == name) for group_of, _ in self._groups)]

    def _asks(self, spec: ModelSpec) -> bool:
        """Tells whether a model's terms have yet to be accepted."""
        return not all(self._licences.accepted(part) for part in spec.parts)

    def _separate(self, values: Mapping[Any, Any], session: str) -> Iterator[dict[Any, Any]]:
        """Runs a job for a session, yielding what changes on the page."""
        source, model = values[self._source], values[self._model]
        folders = [Path(source).parent] if source else []
        yield self._show_running(ProgressState("starting", 0.0))
        try:
            if source is None:
                raise InvalidInput("Choose an audio or video file first.")
            if self._asks(self._specs[model]):
                if not values[self._terms]:
                    raise InvalidInput("This model has terms: accept them in the box below its description first.")
                for part in self._specs[model].parts:
                    self._licences.accept(part)
            options, delivery = self._options[model].read(values), self._delivery.read(values) | {"filename": FILENAME}

            def work(folder: Path, progress: Progress) -> Delivered:
                done = self._run(source, folder, model=model, options=options, delivery=delivery, progress=progress)
                return Delivered(done.report, _pack(done.report, folder, progress), done.address)

            job: Job[Delivered] = self._sessions.start(session, work)
            folders.append(job.folder)
            while not job.finished(within_seconds=POLL_SECONDS):
                yield {self._status: _progress(job.state)}
            yield self._show_result(job.result(), folders)
        except AudioMLError as error:
            yield self._show_idle(_line(_without_folders(str(error), folders), role="alert"))
        except Exception:
            yield self._show_idle(_line("This is a mistake of ours; the server's output says where.", role="alert"))
            raise

    def _show_running(self, state: ProgressState) -> dict[Any, Any]:
        return self._show_idle(_progress(state)) | self._buttons(running=True)

    def _show_idle(self, status: str) -> dict[Any, Any]:
        """Shows a line, and no result."""
        results = [self._player, self._files, self._archive, self._report]
        gone = {component: gr.update(value=None, visible=False) for component in results}
        return gone | self._buttons(running=False) | {self._status: status}

    def _show_result(self, delivered: Delivered, folders: Sequence[Path]) -> dict[Any, Any]:
        report = delivered.report
        shown = self._show_idle(_line("Done."))
        shown[self._player] = gr.update(value=player_html(delivered.address), visible=True)
        shown[self._files] = gr.update(value=[file.path for file in report.files], visible=True)
        shown[self._archive] = gr.update(value=str(delivered.archive), visible=True)
        shown[self._report] = gr.update(value=_in_words(report, folders), visible=True)
        return shown

    def _buttons(self, running: bool) -> dict[Any, Any]:
        return {self._start: gr.update(interactive=not running), self._stop: gr.update(interactive=running)}


def _offered(store: WeightStore, commercial_only: bool) -> list[ModelSpec]:
    """Returns the models that are known to run: those that were verified, and those whose weights are here."""
    return [
        spec
        for spec in catalogue.models("separation")
        if (spec.licence.commercial or not commercial_only)
        and (spec.verified or all(store.find(part, file) for part in spec.parts for file in part.files))
    ]


def _text(html: str = "", visible: bool = True) -> Any:
    """Returns a component for our own HTML, every value in it escaped; `gr.HTML` would evaluate code in the browser."""
    return gr.Markdown(html, visible=visible, sanitize_html=False, latex_delimiters=[])


def _of(fields: Sequence[OptionField], advanced: bool) -> list[OptionField]:
    return [field for field in fields if field.advanced == advanced]


def _pack(report: SeparationReport, folder: Path, progress: Progress) -> Path:
    """Puts the stems into one archive, unpressed: sound hardly gets smaller."""
    archive = folder / f"{Path(report.source).stem} - stems.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packed:
        for done, file in enumerate(report.files):
            progress.update("packing", done / len(report.files))
            packed.write(file.path, Path(file.path).name)
    return archive


def _about(spec: ModelSpec) -> str:
    commercial = {True: "allowed", False: "not allowed", None: "not stated"}[spec.licence.commercial]
    terms = f"Licence: {spec.licence.name}; commercial use {commercial}. {spec.licence.note}"
    return f"<p>{escape(spec.summary)}<br><small>{escape(terms)}</small></p>"


def _line(text: str, role: str = "status") -> str:
    return f'<p role="{role}">{escape(text)}</p>'


def _progress(state: ProgressState) -> str:
    left = "" if state.eta_seconds is None else f", {_duration(state.eta_seconds)} left"
    text = f"{state.stage[:1].upper()}{state.stage[1:]}: {state.fraction:.0%}{left}"
    bar = f'<progress value="{state.fraction:.3f}" max="1" aria-label="Progress"></progress>'
    return _line(text) + bar


def _duration(seconds: float) -> str:
    """Returns a length of time as people say it.

    >>> _duration(8.2), _duration(190)
    ('8 s', '3 min 10 s')
    """
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _in_words(report: SeparationReport, folders: Sequence[Path]) -> str:
    """Returns the report as a list of plain sentences."""
    sentences = [
        f"{report.duration_seconds:.2f} s of sound were separated in {report.seconds_separating:.1f} s: "
        f"{report.times_real_time:.1f} times real time.",
        *report.summary(),
        *(f"Warning: {_without_folders(warning, folders)}" for warning in report.warnings),
    ]
    return "<ul>" + "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences) + "</ul>"


def _without_folders(text: str, folders: Sequence[Path]) -> str:
    """Leaves only the names of files in a message: the server's folders mean nothing to who reads the page."""
    for folder in folders:
        text = text.replace(f"{folder}{os.sep}", "").replace(str(folder), "the server")
    return text
