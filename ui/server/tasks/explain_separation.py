"""Opens a separation up for a learner: the clip, the model's masks, and what every layer of its networks made."""

from __future__ import annotations

from typing import Any

from audio_ml.errors import InvalidInput
from ui.server.request import JobRequest
from ui.server.tasks import Work

TAKES = frozenset({"name"})  # what the job is called
N_INPUTS = (0, 1)
READS_SOUND = True


def check(request: JobRequest) -> None:
    if request.model is not None or request.options or request.delivery:
        raise InvalidInput("The task 'explain_separation' takes no 'model', no 'options' and no 'delivery'.")


def cloned(request: JobRequest) -> list[str]:
    return []


def run(work: Work) -> dict[str, Any]:
    from ui.learn.explained import explain

    source = work.inputs[0] if work.inputs else None
    return explain(source, work.folder, work.loader, work.progress)


def in_words(report: dict[str, Any]) -> list[str]:
    """Returns what was done, in sentences."""
    clip = report["clip"]
    return [f"{clip['name']}: {clip['seconds']:.1f} s were looked into.", *report["notes"]]
