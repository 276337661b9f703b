"""Shows what a speaker encoder makes of a few voices that say one sentence."""

from __future__ import annotations

from typing import Any

from audio_ml.errors import InvalidInput
from audio_ml.loader import ModelLoader
from tts.voices import find_speaker
from ui.learn.speech import check_text
from ui.learn.voices import LONGEST_TEXT, explain_voices, speakers_for
from ui.server.request import JobRequest
from ui.server.tasks import Work

TAKES = frozenset({"text", "voice"})
N_INPUTS = (0, 0)
READS_SOUND = False


def check(request: JobRequest) -> None:
    check_text(request.text, LONGEST_TEXT)
    speakers_for(request.voice, ModelLoader("cpu"))
    if request.model is not None or request.options or request.delivery:
        raise InvalidInput("Explaining voices takes no 'model', 'options' or 'delivery': voices bring their models.")


def cloned(request: JobRequest) -> list[str]:
    voice = find_speaker(request.voice).cloned if request.voice else None
    return [voice.name] if voice else []


def run(work: Work) -> dict[str, Any]:
    return explain_voices(work.request.text or "", work.request.voice, work.folder, work.loader, work.progress)
