"""Looks at recordings that a voice could be made of; nothing of them is kept, so nobody has to agree yet."""

from __future__ import annotations

from typing import Any

import voiceclone
from audio_ml.errors import InvalidInput
from ui.server.request import JobRequest
from ui.server.tasks import Work

TAKES = frozenset[str]()
N_INPUTS = (1, 50)
READS_SOUND = True


def check(request: JobRequest) -> None:
    if request.model is not None or request.delivery or request.options:
        raise InvalidInput("Checking a reference takes no 'model', 'options' or 'delivery'.")


def cloned(request: JobRequest) -> list[str]:
    return []


def run(work: Work) -> dict[str, Any]:
    return voiceclone.check(list(work.inputs), loader=work.loader, progress=work.progress).as_dict()
