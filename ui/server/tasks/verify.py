"""Checks the files of a model against their checksums, every byte of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ui.models import parts_of
from ui.server.request import JobRequest
from ui.server.tasks import Work
from ui.server.tasks.pull import find

TAKES = frozenset[str]()
N_INPUTS = (0, 0)
READS_SOUND = False


def check(request: JobRequest) -> None:
    find(request)


def cloned(request: JobRequest) -> list[str]:
    return []


def run(work: Work) -> dict[str, Any]:
    row, store = find(work.request), work.loader.store
    states = [(part, state) for part in parts_of(row) for state in store.states(part, work.progress)]
    files = [{"name": f"{part.name}/{state.name}", "state": state.in_words} for part, state in states]
    damaged = [file["name"] for file in files if file["state"] == "damaged"]
    warnings = [f"Damaged: {', '.join(damaged)}. Fetch the model again to repair it."] if damaged else []
    is_right = bool(files) and all(file["state"] == "right" for file in files)
    return {"model": row.name, "files": files, "is_right": is_right, "warnings": warnings}


def in_words(report: Mapping[str, Any]) -> list[str]:
    if report["is_right"]:
        return [f"Every file of {report['model']} is the one that was published."]
    missing = [file["name"] for file in report["files"] if file["state"] == "missing"]
    return [f"Not on this machine: {', '.join(missing)}."] if missing else []
