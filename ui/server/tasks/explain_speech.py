"""Shows how a sentence becomes sound, stage by stage."""

from __future__ import annotations

from typing import Any

from audio_ml.errors import InvalidInput
from ui.learn.speech import built_in, check_text, explain_speech
from ui.server.request import JobRequest
from ui.server.tasks import Work

TAKES = frozenset({"text", "voice"})
N_INPUTS = (0, 0)
READS_SOUND = False


def check(request: JobRequest) -> None:
    check_text(request.text)
    built_in(request.voice)
    if request.model is not None or request.options or request.delivery:
        raise InvalidInput("Explaining speech takes no 'model', 'options' or 'delivery': a voice brings its model.")


def cloned(request: JobRequest) -> list[str]:
    return []


def run(work: Work) -> dict[str, Any]:
    return explain_speech(work.request.text or "", work.request.voice, work.folder, work.loader, work.progress)
