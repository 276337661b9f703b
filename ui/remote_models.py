"""What a server has: its models, and which of them are in memory."""

from __future__ import annotations

import json
from typing import Any

from audio_ml.progress import Progress
from audio_ml.running import RunningLoader
from ui.console import print_table
from ui.remote import Remote, errors_of_ours, read_report

HEADER = ("MODEL", "TASK", "LICENCE", "COMMERCIAL", "VERIFIED", "ON THE SERVER")


def list_models_of(remote: Remote, *, as_json: bool, commercial_only: bool) -> None:
    """Prints the models of a server."""
    with errors_of_ours():
        models = remote.client(Progress()).models()
    known = [model for model in models if not model["unavailable"]]
    broken = {model["id"]: model["unavailable"] for model in models if model["unavailable"]}
    wanted = [model for model in known if model["licence"]["commercial"] or not commercial_only]
    if as_json:
        print(json.dumps({"models": wanted, "unavailable": broken}, indent=2, ensure_ascii=False))
        return
    print_table(HEADER, [_cells(model) for model in wanted])
    for name, reason in broken.items():
        print(f"{name} is unavailable: {reason}")


def _cells(model: dict[str, Any]) -> tuple[str, ...]:
    licence = model["licence"]
    return (
        model["id"],
        model["task"],
        licence["name"] + ("" if licence["accepted"] or not licence["must_accept"] else " (to be accepted)"),
        {True: "yes", False: "no", None: "not stated"}[licence["commercial"]],
        model["verified"] or "no",
        "in memory" if model["loaded"] else "yes" if model["here"] else "not fetched",
    )


def loaders_of(remote: Remote) -> list[RunningLoader]:
    """Returns what the workers of a server have in memory, as `models ps` shows it of processes here."""
    with errors_of_ours():
        workers = remote.client(Progress()).memory()["workers"]
    return [read_report(RunningLoader, worker, command=f"worker {worker['name']}") for worker in workers]
