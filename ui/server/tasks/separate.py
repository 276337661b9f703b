"""Separates a recording into stems."""

from __future__ import annotations

from typing import Any

import separation
from separation.options import DEFAULT_MODEL
from ui.server.request import JobRequest
from ui.server.tasks import Work

TAKES = frozenset[str]()
N_INPUTS = (1, 1)
READS_SOUND = True


def check(request: JobRequest) -> None:
    separation.check_request(model=request.model or DEFAULT_MODEL, options=request.options, delivery=request.delivery)


def cloned(request: JobRequest) -> list[str]:
    return []


def run(work: Work) -> dict[str, Any]:
    request = work.request
    report = separation.separate_file(
        work.inputs[0],
        work.folder,
        model=request.model or DEFAULT_MODEL,
        options=request.options,
        delivery=request.delivery,
        loader=work.loader,
        progress=work.progress,
    )
    return report.as_dict()
