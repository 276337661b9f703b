"""Separates a recording into stems."""

from __future__ import annotations

from collections.abc import Mapping
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


def in_words(report: Mapping[str, Any]) -> list[str]:
    told = separation.SeparationReport.from_dict(report)
    speed = (
        f"{told.duration_seconds:.2f} s of sound were separated in {told.seconds_separating:.1f} s: "
        f"{told.times_real_time:.1f} times real time."
    )
    return [speed, *told.summary()]
