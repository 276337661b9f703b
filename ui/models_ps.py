"""`audio-ml models ps`: what is in memory now, in every process of this machine."""

from __future__ import annotations

import dataclasses
import json
import time
from typing import Annotated

import typer

from audio_ml.running import ModelState, RunningLoader, find_running
from audio_ml.weights import WeightStore
from ui import remote
from ui.console import megabytes, print_table

HEADER = ("MODEL", "DEVICE", "MEMORY", "STATE", "UNLOADS", "PID", "PROCESS", "BUDGET")


def list_running(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show the models in memory now: of the page, of batches and of scripts, or with --server, of a server."""
    server = remote.chosen()
    if server is None:
        loaders = find_running(WeightStore().cache)
    else:
        from ui.remote_models import loaders_of

        loaders = loaders_of(server)
    if as_json:
        print(json.dumps([dataclasses.asdict(loader) for loader in loaders], indent=2))
    elif loaders:
        now = time.time()
        print_table(HEADER, [_cells(loader, model, now) for loader in loaders for model in loader.models])
    else:
        print("No model is in memory.")


def _cells(loader: RunningLoader, model: ModelState, now: float) -> tuple[str, ...]:
    memory = megabytes(model.n_bytes)
    budget = "none" if loader.memory_budget is None else megabytes(loader.memory_budget)
    return (
        model.name,
        model.device,
        memory if model.measured else f"about {memory}",
        _state(model, now),
        _unloads(model, now),
        str(loader.pid),
        loader.command,
        budget,
    )


def _state(model: ModelState, now: float) -> str:
    if model.loading:
        return "loading"
    if model.n_leases:
        return "in use" if model.n_leases == 1 else f"in use by {model.n_leases}"
    return "idle" if model.idle_since is None else f"idle for {_duration(now - model.idle_since)}"


def _unloads(model: ModelState, now: float) -> str:
    if model.pinned:
        return "pinned"
    return "" if model.unloads_at is None else f"in {_duration(model.unloads_at - now)}"


def _duration(seconds: float) -> str:
    """Returns a length of time in one unit.

    >>> _duration(8.2), _duration(190), _duration(7300)
    ('8 s', '3 min', '2 h')
    """
    seconds = max(0, round(seconds))
    if seconds < 60:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 3600 else f"{seconds // 3600} h"
