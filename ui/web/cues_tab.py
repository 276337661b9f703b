"""The tab "Cue sheet": a sheet, its columns and its cast, every line before any work, and all of it rendered."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from audio_ml.errors import AudioMLError, InvalidInput
from audio_ml.loader import ModelLoader
from audio_ml.options import describe, parse
from audio_ml.timecode import find_frame_rate
from tts.cues import (
    Casting,
    CueOptions,
    LinePreview,
    Part,
    SheetPreview,
    TextToSpeech,
    preview_sheet,
    read_sheet,
    suggest_columns,
)
from tts.cues.columns import ALIASES, REQUIRED
from tts.options import DEFAULT_VOICE, SpeechOptions
from ui.web.desk import Desk
from ui.web.voice_terms import check_voices
from ui.web.widgets import NEWEST_ONLY, QUIET, Form, draw, error_line, escape, handed_in, job_list, status_line, text

NOT_ON_THE_PAGE = ("columns", "overwrite")  # a job has a folder of its own
SHOWN = ("frame_rate", "fit")  # the others are advanced
OF_VOICES = ("speed", "volume", "seed")
FIELDS = {
    "cue": "Cue",
    "character": "Character",
    "tc_in": "Timecode in",
    "tc_out": "Timecode out",
    "duration": "Duration",
    "line": "Line",
    "notes": "Notes",
    "scene": "Scene",
    "reel": "Reel",
}
NOTHING = ("none", "")
MOST_ROWS = 500  # that are shown
HEADINGS = ("Row", "Cue", "Character", "Voice", "In", "Slot", "About", "Line", "", "State")

assert FIELDS.keys() == ALIASES.keys()


class CuesTab:
    """Draws the tab into the Gradio page that is being built, and answers its buttons."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._draw()
        self._connect()

    def _draw(self) -> None:
        with gr.Row(equal_height=False):
            with gr.Column(scale=2, min_width=320):
                self._sheet = gr.File(label="Cue sheet (CSV, TSV, XLSX)", height=120, elem_id="cues-sheet")
                self._taken = gr.State(None)  # the sheet whose columns are shown
                self._problem = text()
                with gr.Accordion("Columns", open=False) as self._mapping, gr.Row():
                    self._columns = {
                        field: gr.Dropdown([NOTHING], value="", label=title, filterable=False, min_width=160)
                        for field, title in FIELDS.items()
                    }
                self._draw_cast()
                self._render = gr.Button("Render all", variant="primary")
                self._status = text()
                self._draw_options()
            with gr.Column(scale=3, min_width=320):
                self._preview = text(status_line("Every line of the sheet will appear here before any work is done."))
                text(job_list("cues", empty="Rendered sheets will appear here."))

    def _draw_cast(self) -> None:
        with gr.Accordion("Cast", open=True):
            self._voice = gr.Textbox(DEFAULT_VOICE, label="Voice of who is not cast", elem_id="cues-voice", max_lines=1)
            self._cast = gr.Textbox("{}", label="Cast", elem_id="cues-cast", visible="hidden")
            self._characters = text(self._cast_list(()))

    def _draw_options(self) -> None:
        of_sheet = [field for field in describe(CueOptions) if field.name not in NOT_ON_THE_PAGE]
        of_voices = [field for field in describe(SpeechOptions) if field.name in OF_VOICES]
        with gr.Row():
            drawn = [(field, draw(field)) for field in of_sheet if field.name in SHOWN]
        with gr.Accordion("Advanced", open=False):
            drawn += [(field, draw(field)) for field in of_sheet if field.name not in SHOWN]
            voiced = [(field, draw(field)) for field in of_voices]
        self._options, self._voice_options = Form(drawn), Form(voiced)

    def _connect(self) -> None:
        widgets = [widget for form in (self._options, self._voice_options) for _, widget in form.widgets]
        columns = list(self._columns.values())
        given = {self._sheet, self._voice, self._cast, *columns, *widgets}
        shown = [self._problem, self._preview, self._characters]

        def look(values: dict[Any, Any], request: gr.Request) -> dict[Any, Any]:
            is_new = values[self._sheet] != values[self._taken]
            return self._take(values, request) if is_new else self._look(values, request)

        def render(values: dict[Any, Any], request: gr.Request) -> dict[Any, Any]:
            return self._begin(values, request)

        # One event tells of sheet and columns, one answer after the other: an older one must not replace a newer one.
        changed = [
            self._sheet.upload,
            self._sheet.clear,
            *(column.input for column in columns),
            *(each.change for each in (self._voice, self._cast, *widgets)),
        ]
        told = [*shown, *columns, self._mapping, self._status, self._taken]
        gr.on(changed, look, given | {self._taken}, told, **NEWEST_ONLY)
        self._render.click(render, given, [*shown, self._status], **QUIET)

    def _take(self, values: Mapping[Any, Any], request: gr.Request) -> dict[Any, Any]:
        """Makes a sheet that came an upload, and finds out which of its columns is which."""
        blank: dict[Any, Any] = {column: gr.update(choices=[NOTHING], value="") for column in self._columns.values()}
        blank |= {self._problem: "", self._preview: "", self._characters: self._cast_list(()), self._status: ""}
        path = values[self._sheet]
        if not path:
            return blank | {self._taken: None}
        try:
            self._desk.keep(self._desk.visitor(request), Path(path))
            suggested = suggest_columns(Path(path))
        except AudioMLError as error:
            return blank | {self._problem: error_line(_plainly(error, path))}
        found = {self._columns[field]: suggested.found.get(field, "") for field in FIELDS}
        choices = [NOTHING, *((title, title) for title in suggested.titles)]
        changes = {column: gr.update(choices=choices, value=title) for column, title in found.items()}
        changes[self._mapping] = gr.update(open=bool(suggested.missing))
        return blank | {self._taken: path} | changes | self._look({**values, **found}, request)

    def _look(self, values: Mapping[Any, Any], request: gr.Request) -> dict[Any, Any]:
        """Returns what can be told of the sheet before any work."""
        path = values[self._sheet]
        if not path:
            return {self._problem: "", self._preview: "", self._characters: self._cast_list(())}
        try:
            self._desk.keep(self._desk.visitor(request), Path(path))
            told = self._foretold(values)
        except AudioMLError as error:
            return {self._problem: error_line(_plainly(error, path)), self._preview: ""}
        options = self._voice_options.read(values)
        return {
            self._problem: "",
            self._preview: _table(told, options),
            self._characters: self._cast_list(told.characters),
        }

    def _foretold(self, values: Mapping[Any, Any]) -> SheetPreview:
        missing = [FIELDS[field].lower() for field in REQUIRED if not values[self._columns[field]]]
        if missing:
            raise InvalidInput(f"Say in which column the {' and the '.join(missing)} is: open Columns.")
        chosen, parts = parse(CueOptions, self._sheet_options(values)), self._parts(values)
        check_voices(self._desk, [self._default(values).voice, *parts.values()])
        return preview_sheet(
            read_sheet(values[self._sheet], find_frame_rate(chosen.frame_rate), chosen.columns),
            speaker=TextToSpeech(ModelLoader("cpu")),
            casting=Casting({name: Part(voice) for name, voice in parts.items()}, self._default(values)),
            options=chosen,
            voice_options=self._voice_options.read(values),
        )

    def _begin(self, values: Mapping[Any, Any], request: gr.Request) -> dict[Any, Any]:
        """Asks for the job, and returns what changes on the page."""
        path = values[self._sheet]
        if not path:
            return {self._problem: error_line("Choose a cue sheet first."), self._status: ""}
        shown: dict[Any, Any] = {self._problem: "", self._status: ""}
        try:
            visitor = self._desk.visitor(request)
            sheet = self._desk.keep(visitor, Path(path))
            told = self._foretold(values)
            if not told.lines:
                return shown | {self._status: error_line("No line of the sheet can be spoken: the table says why.")}
            cast = {name: voice for name, voice in self._parts(values).items() if name in told.characters}
            options = self._sheet_options(values) | self._voice_options.read(values)
            job = self._desk.submit(
                visitor,
                task="cues",
                inputs=[sheet],
                voice=self._default(values).voice,
                cast=cast,
                options=options,
            )
        except AudioMLError as error:
            return shown | {self._status: error_line(_plainly(error, path))}
        takes = int(options.get("takes", 1))
        follower = f'<cue-progress job="{escape(job)}" lines="{len(told.lines)}" takes="{takes}"></cue-progress>'
        return shown | {
            self._preview: _table(told, self._voice_options.read(values)),
            self._status: handed_in(f"{len(told.lines)} lines are in the queue.", job) + follower,
        }

    def _sheet_options(self, values: Mapping[Any, Any]) -> dict[str, Any]:
        columns = [f"{field}={values[column]}" for field, column in self._columns.items() if values[column]]
        return self._options.read(values) | {"columns": columns}

    def _default(self, values: Mapping[Any, Any]) -> Part:
        return Part(values[self._voice].strip() or DEFAULT_VOICE)

    def _cast_list(self, characters: Sequence[str]) -> str:
        """Returns the element in which each character gets a voice, written down in the field `cues-cast`."""
        commercial = " commercial" if self._desk.commercial_only else ""
        return (
            f'<cast-list for="cues-cast" characters="{escape(json.dumps(list(characters)))}"{commercial}></cast-list>'
        )

    def _parts(self, values: Mapping[Any, Any]) -> dict[str, str]:
        """Returns the voices by character that the list of the cast has written down."""
        try:
            told = json.loads(values[self._cast] or "{}")
            return {str(name): str(voice) for name, voice in told.items() if voice}
        except (ValueError, AttributeError) as error:
            raise InvalidInput("The cast cannot be read: choose the voices anew.") from error


def _plainly(error: AudioMLError, path: str) -> str:
    """Returns what went wrong without the folder that the page received the sheet in."""
    return str(error).replace(f"{Path(path).parent}/", "")


def _table(told: SheetPreview, options: Mapping[str, Any]) -> str:
    """Returns the HTML of all rows: those that will be spoken, in order, and those that cannot."""
    rows = [(line.row, _line(line, options)) for line in told.lines]
    problems: dict[int, list[str]] = {}
    for problem in told.problems:
        problems.setdefault(problem.row, []).append(f"{problem.column}: {problem.message}")
    rows += [(row, _problem_row(row, said)) for row, said in problems.items()]
    rows.sort(key=lambda pair: pair[0])
    shown = "".join(html for _, html in rows[:MOST_ROWS])
    head = "".join(f'<th scope="col">{heading or "<span>Hear</span>"}</th>' for heading in HEADINGS)
    n_long = sum((line.excess_seconds or 0) > 0 for line in told.lines)
    said = f"Lines that can be spoken: {len(told.lines)}; that cannot: {len(problems)}; maybe too long: {n_long}."
    more = f" The first {MOST_ROWS} rows are shown." if len(rows) > MOST_ROWS else ""
    warnings = "".join(f"<li>{escape(warning)}</li>" for warning in told.warnings)
    return (
        status_line(said + more)
        + (f'<ul class="told">{warnings}</ul>' if warnings else "")
        + '<div class="cue-table" id="cue-preview" data-scrolls'
        + ' role="region" tabindex="0" aria-label="Lines of the sheet">'
        + f"<table><thead><tr>{head}</tr></thead><tbody>{shown}</tbody></table></div>"
    )


def _line(line: LinePreview, options: Mapping[str, Any]) -> str:
    name = " ".join(part for part in (line.scene, line.cue) if part)
    slot = "" if line.slot_seconds is None else f"{line.slot_seconds:.2f} s"
    is_long = (line.excess_seconds or 0) > 0
    remarks = [*(["may be too long"] if is_long else []), *line.warnings]
    told = f"<br><small>{escape(' '.join(remarks))}</small>" if remarks else ""
    hear = (
        f'<voice-sample voice="{escape(line.voice)}" say="{escape(line.line)}" '
        f'options="{escape(json.dumps(dict(options)))}" label="{escape(f"Hear cue {name}")}"></voice-sample>'
    )
    cells = (
        f'<td class="number">{line.row}</td><th scope="row">{escape(name)}</th><td>{escape(line.character)}</td>'
        f'<td class="voice">{escape(line.voice)}</td>'
        f'<td class="number">{escape(line.tc_in)}</td><td class="number">{slot}</td>'
        f'<td class="number">{line.seconds:.2f} s</td><td class="line">{escape(line.line)}{told}</td><td>{hear}</td>'
    )
    return f'<tr data-row="{line.row}" data-line>{cells}<td class="state">{"long?" if is_long else "ready"}</td></tr>'


def _problem_row(row: int, said: Sequence[str]) -> str:
    told = f'<td colspan="{len(HEADINGS) - 2}">{escape(" ".join(said))}</td>'
    return f'<tr data-status="failed"><td class="number">{row}</td>{told}<td class="state">cannot</td></tr>'
