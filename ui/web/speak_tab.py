"""The tab "Speak": a text, a voice or a mix of some, and takes of it to hear, word by word."""

from __future__ import annotations

import hashlib
import re
import tempfile
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

import tts
from audio_ml.errors import AudioMLError
from audio_ml.loader import ModelLoader
from audio_ml.options import OptionField, describe
from tts.cues import TextToSpeech
from tts.options import DEFAULT_VOICE, SpeechOptions
from tts.voices import find_speaker, option_models, speech_models
from ui.web.cues_tab import CuesTab
from ui.web.desk import Desk
from ui.web.pronunciations import faults_of, lexicon_csv, rows_of
from ui.web.voice_terms import check_voices
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
    refusal,
    status_line,
    text,
)

SHOWN = ("speed", "volume")  # the others are advanced
NOT_ON_THE_PAGE = ("lexicon",)  # which has a table of its own
SAMPLE = "This is {name}. The quick brown fox jumps over the lazy dog, and nobody is surprised."
NO_TEXT = "Write what is to be said first."
MEND_WORDS = "Pronunciations below has a row that cannot be read: mend it first."
USUAL_MODEL = ("the voice's usual one", "")
MOST_WARNINGS = 8  # that are shown below the text
DELIVERY = {"captions": ["srt"], "also": ["mp3"]}
Kept = dict[str, dict[str, str]]  # lexicons that were made uploads, by what stands in them


class SpeakTab:
    """Draws the tab into the Gradio page that is being built, and answers its buttons."""

    def __init__(self, looked_at: LookedAt, desk: Desk) -> None:
        self._desk = desk
        with gr.Tabs():
            with gr.Tab("Text"):
                self._draw()
                self._connect()
            with gr.Tab("Cue sheet"):
                CuesTab(desk)

    def _draw(self) -> None:
        with gr.Row(equal_height=False):
            with gr.Column(scale=2, min_width=320):
                self._text = gr.Textbox(
                    label="Text", lines=5, max_lines=20, placeholder="What is to be said.", elem_id="speak-text"
                )
                self._told = text()
                with gr.Row():
                    self._start = gr.Button("Speak", variant="primary")
                    self._again = gr.Button("Another take")
                self._refused = gr.Textbox(label="Refused", visible="hidden")  # how often, since the last take
                self._answered = gr.State("")  # the refusals that were told of: once each, whatever is written then
                self._status = text()
                self._voice = gr.Textbox(DEFAULT_VOICE, label="Voice", elem_id="speak-voice", max_lines=1)
                commercial = " commercial" if self._desk.commercial_only else ""
                text(
                    f'<div><kept-draft for="speak-text speak-voice" usual="{escape(DEFAULT_VOICE)}"></kept-draft>'
                    f'<voice-gallery for="speak-voice" sample="{escape(SAMPLE)}"{commercial}></voice-gallery></div>'
                )
                self._draw_options()
            with gr.Column(scale=3, min_width=320):
                text(job_list("speak", empty="Your takes will appear here."))

    def _draw_options(self) -> None:
        fields = [field for field in _all_fields() if field.name not in NOT_ON_THE_PAGE]
        drawn: dict[str, Any] = {}
        self._own: dict[str, Any] = {}  # where the options stand that not every model has
        with gr.Row():
            drawn |= {field.name: draw(field) for field in fields if field.name in SHOWN}
        with gr.Accordion("Pronunciations", open=False) as self._words_fold:
            told = "How words are said: as respelled (REK-erd), or in IPA between slashes (/ˈkoʊkəɹoʊ/)."
            text(f"<p>{escape(told)}</p>")
            self._lexicon = gr.Textbox("[]", label="Words", elem_id="speak-words", visible="hidden")
            text('<div><kept-draft for="speak-words"></kept-draft><word-table for="speak-words"></word-table></div>')
            self._lexicon_problem = text()
            self._kept = gr.State({})
        with gr.Accordion("Advanced", open=False):
            models = [spec.name for spec in speech_models() if not spec.base]
            self._model = gr.Dropdown([USUAL_MODEL, *models], value="", label="Model", filterable=False)
            known = set(find_speaker(DEFAULT_VOICE).spec.options.model_fields)
            for field in fields:
                if field.name in SHOWN:
                    continue
                with gr.Column(visible=field.name in known) as place:
                    drawn[field.name] = draw(field)
                if field.name not in SpeechOptions.model_fields:
                    self._own[field.name] = place
        self._form = Form([(field, drawn[field.name]) for field in fields])

    def _connect(self) -> None:
        widgets = [widget for _, widget in self._form.widgets]
        given = {self._text, self._voice, self._model, self._lexicon, self._refused, *widgets}

        def look(values: dict[Any, Any]) -> dict[Any, Any]:
            return self._look(values)

        def speak(values: dict[Any, Any], request: gr.Request) -> dict[Any, Any]:
            return self._begin(values, request, is_another=False)

        def again(values: dict[Any, Any], request: gr.Request) -> dict[Any, Any]:
            return self._begin(values, request, is_another=True)

        # One event tells what is wrong, one answer after the other: an older one must not replace a newer one.
        shown = [self._told, self._lexicon_problem, self._words_fold, self._answered, *self._own.values()]
        gr.on([widget.change for widget in given], look, given | {self._answered}, shown, **NEWEST_ONLY)
        for button, begin in ((self._start, speak), (self._again, again)):
            button.click(begin, given | {self._kept}, [self._status, self._refused, self._kept], **QUIET)

    def _look(self, values: Mapping[Any, Any]) -> dict[Any, Any]:
        """Returns what can be told before any work, and which options the voice has."""
        is_refused = values[self._refused] not in ("", values[self._answered])
        return self._judge(values, is_refused)[0] | {self._answered: values[self._refused]}

    def _judge(self, values: Mapping[Any, Any], is_refused: bool = False) -> tuple[dict[Any, Any], bool]:
        """Returns what changes on the page, and whether a take can be begun; who was just refused one is told why."""
        faults = faults_of(rows_of(values[self._lexicon]))
        shown: dict[Any, Any] = {self._told: "", self._lexicon_problem: error_line(" ".join(faults)) if faults else ""}
        if faults and is_refused:
            shown[self._words_fold] = gr.update(open=True)
        try:
            asked = self._asked(values)
            check_voices(self._desk, [asked["voice"]], asked["model"])
            known = find_speaker(asked["voice"], asked["model"]).spec.options
            shown |= {place: gr.update(visible=name in known.model_fields) for name, place in self._own.items()}
            if not values[self._text].strip():
                return shown | ({self._told: error_line(NO_TEXT)} if is_refused else {}), False
            told = self._foretold(values, with_words=not faults)
        except AudioMLError as error:
            return shown | {self._place_of(error): refusal(error, self._form)}, False
        mend = error_line(MEND_WORDS) if faults and is_refused else ""
        return shown | {self._told: _in_words(told) + mend}, told.seconds > 0 and not faults

    def _place_of(self, error: AudioMLError) -> Any:
        return self._lexicon_problem if error.param == "lexicon" else self._told

    def _foretold(self, values: Mapping[Any, Any], *, with_words: bool) -> tts.Estimate:
        with tempfile.TemporaryDirectory() as folder:
            lexicon = self._write_lexicon(values, Path(folder)) if with_words else []
            try:
                return tts.estimate(**self._asked(values), options=self._chosen(values, lexicon))
            except AudioMLError as error:
                error.args = (str(error).replace(f"{folder}/", ""),)  # nobody knows this folder
                raise

    def _begin(self, values: Mapping[Any, Any], request: gr.Request, *, is_another: bool) -> dict[Any, Any]:
        """Asks for a take, or has `_look` say why not, and returns what changes on the page."""
        if not self._judge(values)[1]:
            return {self._status: "", self._refused: str(int(values[self._refused] or 0) + 1)}
        try:
            visitor, kept = self._desk.visitor(request), dict(values[self._kept])
            chosen = self._chosen(values, ())
            if is_another:
                chosen = self._next_take(visitor, values, chosen)
            inputs = self._keep_lexicon(visitor, values, kept)
            job = self._desk.submit(
                visitor,
                task="speak",
                **self._asked(values),
                options=chosen,
                inputs=inputs,
                delivery=DELIVERY | {"filename": _file_name(values[self._text], values[self._voice], chosen)},
            )
        except AudioMLError as error:
            return {self._status: refusal(error, self._form)}
        return {self._status: handed_in("The take is in the queue.", job), self._refused: "", self._kept: kept}

    def _asked(self, values: Mapping[Any, Any]) -> dict[str, Any]:
        voice = values[self._voice].strip() or None
        return {"text": values[self._text], "voice": voice, "model": values[self._model] or None}

    def _chosen(self, values: Mapping[Any, Any], lexicon: Sequence[Path]) -> dict[str, Any]:
        """Returns the options that differ from their defaults, as far as the voice's model has them."""
        asked = self._asked(values)
        known = find_speaker(asked["voice"], asked["model"]).spec.options.model_fields
        chosen = {name: value for name, value in self._form.read(values).items() if name in known}
        return chosen | ({"lexicon": tuple(map(str, lexicon))} if lexicon else {})

    def _varied(self, values: Mapping[Any, Any], chosen: Mapping[str, Any], take: int) -> dict[str, Any]:
        """Returns the options of a further take: those that the model varies from take to take."""
        asked = self._asked(values)
        speaker = TextToSpeech(ModelLoader("cpu"), asked["model"])
        voice = asked["voice"] or find_speaker(None, asked["model"]).id
        plain = speaker.options(voice, chosen, 0)
        varied = speaker.options(voice, chosen, max(1, take))
        return dict(chosen) | {name: value for name, value in varied.items() if value != plain[name]}

    def _next_take(self, visitor: str, values: Mapping[Any, Any], chosen: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the options of a take that is not there yet; some may have been deleted."""
        asked = self._asked(values)
        requests = [job["request"] for job in self._desk.jobs(visitor, "speak")]
        takes = [request for request in requests if all(request.get(name) == asked[name] for name in asked)]
        known = [request.get("options", {}) for request in takes]
        varied = [self._varied(values, chosen, len(takes) + more) for more in range(len(takes) + 1)]
        return next((options for options in varied if options not in known), varied[0])

    def _write_lexicon(self, values: Mapping[Any, Any], folder: Path) -> list[Path]:
        content = lexicon_csv(rows_of(values[self._lexicon]))
        if not content:
            return []
        path = folder / "Pronunciations.csv"
        path.write_text(content, encoding="utf-8")
        return [path]

    def _keep_lexicon(self, visitor: str, values: Mapping[Any, Any], kept: Kept) -> list[dict[str, str]]:
        """Makes the table an upload, once; `kept` remembers it."""
        with tempfile.TemporaryDirectory() as folder:
            paths = self._write_lexicon(values, Path(folder))
            for path in paths:
                key = hashlib.sha256(path.read_bytes()).hexdigest()
                kept[key] = kept.get(key) or self._desk.keep(visitor, path)
                return [kept[key]]
        return []


def _all_fields() -> list[OptionField]:
    """Returns every option of speech once, those of all models first."""
    fields: dict[str, OptionField] = {}
    for model in option_models():
        for field in describe(model):
            fields.setdefault(field.name, field)
    return list(fields.values())


def _file_name(script: str, voice: str, options: Mapping[str, Any]) -> str:
    """Returns what the files of a take are called: what is said, by whom, and how, as far as it is not as usual.

    >>> _file_name("Dr. Smith paid $5: done.", "kokoro/af_heart", {"seed": 2})
    'Dr Smith paid 5 done - kokoro af_heart - seed 2'
    """
    told = ", ".join(f"{name} {value}" for name, value in options.items() if isinstance(value, (int, float, str)))
    parts = (_plain(script, 40), _plain(voice or DEFAULT_VOICE, 50), _plain(told, 60))
    return " - ".join(filter(None, parts)) or "speech"


def _plain(words: str, most: int) -> str:
    """Returns the beginning of a text in letters, figures and blanks, at most so many bytes of UTF-8 long.

    >>> _plain("हिन्दी में: नमस्ते! ❤️ 2.5", 100)
    'हिन्दी में नमस्ते 2.5'
    """
    kept = " "
    for c in unicodedata.normalize("NFC", words):
        kind = unicodedata.category(c)[0]
        is_kept = kind in "LN" or c in "_.'-" or (kind == "M" and kept[-1] != " ")  # a mark belongs to its letter
        kept += c if is_kept else " "
    plain = " ".join(re.sub(r"\.(?!\d)", " ", kept).split())
    return plain.encode()[:most].decode(errors="ignore").strip(" .'-")


def _in_words(told: tts.Estimate) -> str:
    """Returns the HTML of what is told below the text."""
    if not told.seconds:
        return error_line(told.warnings[0].message if told.warnings else "Nothing in the text can be spoken.")
    minutes, seconds = divmod(round(told.seconds), 60)
    length = f"{minutes} min {seconds} s" if minutes else f"{told.seconds:.0f} s"
    about = f"About {length}" if told.seconds > 2 else "2 s or less"
    more = ", by its beginning" if told.is_partial else ""
    line = status_line(f"{about}, {told.n_words} words{more}.")
    messages = list(dict.fromkeys(warning.message for warning in told.warnings))
    if len(messages) > MOST_WARNINGS:
        messages = [*messages[:MOST_WARNINGS], f"And {len(messages) - MOST_WARNINGS} more."]
    items = "".join(f"<li>{escape(message)}</li>" for message in messages)
    return line + (f'<ul class="told" aria-label="Warnings">{items}</ul>' if items else "")
