"""Says a sentence as machines have said it since 1939."""

from __future__ import annotations

from typing import Any

from audio_ml.errors import InvalidInput
from ui.learn.history import LONGEST_TEXT, tell_history
from ui.learn.speech import check_text
from ui.server.request import JobRequest
from ui.server.tasks import Work

TAKES = frozenset({"text"})
N_INPUTS = (0, 0)
READS_SOUND = False


def check(request: JobRequest) -> None:
    check_text(request.text, LONGEST_TEXT)
    if request.model is not None or request.options or request.delivery:
        raise InvalidInput("The history of speech takes no 'model', 'options' or 'delivery': it is made in every way.")


def cloned(request: JobRequest) -> list[str]:
    return []


def run(work: Work) -> dict[str, Any]:
    return tell_history(work.request.text or "", work.folder, work.loader, work.progress)
