"""The sections on speech of the tab "Learn": each a form whose jobs show what they found."""

from __future__ import annotations

from typing import Any

import gradio as gr

from audio_ml.errors import AudioMLError
from audio_ml.voice_library import VoiceLibrary
from tts.options import DEFAULT_VOICE
from tts.voices import is_here, list_voices
from ui.learn import history, speech, voices
from ui.web.desk import Desk
from ui.web.learn_text import eras_html, systems_html
from ui.web.widgets import QUIET, error_line, job_list, started, text

SENTENCE = "Dr. Smith paid $5.50 for it at 3:45 pm."
SPOKEN = "The river was low that summer."
OLD_SENTENCE = "Hello, I am a machine that speaks."
NOBODY = "nobody else"


def draw_speech_path(desk: Desk) -> None:
    """Draws the form for a sentence and the picture of its stages."""
    with gr.Row(equal_height=False):
        words = gr.Textbox(SENTENCE, label="A sentence", max_length=speech.LONGEST_TEXT, lines=2, scale=3)
        voice = gr.Dropdown(_voices_here(desk), value=DEFAULT_VOICE, label="Voice", filterable=False, scale=1)
    voice.focus(lambda: gr.update(choices=_voices_here(desk)), None, voice, **QUIET)
    _connect(desk, "explain_speech", "Show the way", words, voice)


def draw_voices(desk: Desk) -> None:
    """Draws the form for what several voices say, and the pictures of their embeddings."""
    with gr.Row(equal_height=False):
        words = gr.Textbox(SPOKEN, label="What they say", max_length=voices.LONGEST_TEXT, lines=2, scale=3)
        asked = gr.Dropdown(_others(), value="", label="And a cloned voice", filterable=False, scale=1)
    asked.focus(lambda: gr.update(choices=_others()), None, asked, **QUIET)
    _connect(desk, "explain_voices", "Let them speak", words, asked)


def draw_history(desk: Desk) -> None:
    """Draws the form for a sentence that is said in every way, and the facts around it."""
    words = gr.Textbox(OLD_SENTENCE, label="A short sentence", max_length=history.LONGEST_TEXT)
    _connect(desk, "history", "Make it in every way", words, None)
    text(eras_html())
    text(systems_html())


def _connect(desk: Desk, task: str, what: str, words: Any, voice: Any) -> None:
    """Draws the button that begins a job, what is said of it, and the list of such jobs."""
    button = gr.Button(what, variant="primary")
    said = text()

    def begin(sentence: str, chosen: str, request: gr.Request) -> str:
        fields = {"voice": chosen} if chosen else {}
        try:
            return started(desk.submit(desk.visitor(request), task=task, text=sentence, **fields))
        except AudioMLError as error:
            return error_line(str(error))

    def begin_alone(sentence: str, request: gr.Request) -> str:
        return begin(sentence, "", request)

    inputs, answer = ([words], begin_alone) if voice is None else ([words, voice], begin)
    for event in (button.click, words.submit):
        event(answer, inputs, said, **QUIET)
    text(job_list(task))


def _voices_here(desk: Desk) -> list[str]:
    """Returns the built-in voices whose weights are on this machine."""
    return [s.id for s in list_voices("en") if s.cloned is None and (s.id == DEFAULT_VOICE or is_here(s, desk.store))]


def _others() -> list[tuple[str, str]]:
    """Returns the cloned voices of this server, and none."""
    return [(NOBODY, ""), *((name, f"cloned/{name}") for name in VoiceLibrary.default().names())]
