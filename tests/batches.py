"""Batches that tests run, and what they look at afterwards."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np
from fake_engine import FAKE, FakeEngine
from signals import noise

from audio_ml.loader import ModelLoader
from audio_ml.writer import write_audio
from ui.batch import Batch, Outcome, Request
from ui.batch_state import STATE_NAME, BatchState
from ui.items import find_items

FAKE_REQUEST = Request(FAKE)


class SlowEngine(FakeEngine):
    """Takes its time."""

    def separate(self, *arguments: object) -> np.ndarray:
        time.sleep(0.02)
        return super().separate(*arguments)  # type: ignore[arg-type]


def make_reels(folder: Path) -> Path:
    """Makes a folder of two reels, one in a folder of its own, and things that are no reels."""
    names = ("reels/a.wav", "reels/day/b.WAV", "reels/.hidden/c.wav", "reels/._a.wav")
    for seed, path in enumerate(folder / name for name in names):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_audio(folder / "x.wav", noise(0.5, seed=seed))
        (folder / "x.wav").rename(path)
    for name in ("reels/notes.txt", "reels/README"):
        (folder / name).write_text("no sound")
    return folder / "reels"


def run(
    out_dir: Path, *paths: Path, request: Request = FAKE_REQUEST, jobs: int = 1, report: list[Outcome] | None = None
) -> dict[str, str]:
    """Runs a batch with a state and returns what came of each item."""
    with BatchState(out_dir) as state:
        items = find_items(paths, out_dir, is_output=state.is_output)
        outcomes = list(Batch(request, ModelLoader("cpu"), jobs=jobs, state=state).run(items))
    if report is not None:
        report.extend(outcomes)
    return {Path(outcome.item.name).as_posix(): outcome.status for outcome in outcomes}


def files_below(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.*") if path.suffix == ".wav"
    }


def age(path: Path) -> None:
    """Makes a file look a minute older, as another program's copy of it would."""
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns - 60_000_000_000))


def state_of(out_dir: Path) -> dict[str, list[dict[str, dict[str, int]]]]:
    content: dict[str, list[dict[str, dict[str, int]]]] = json.loads((out_dir / STATE_NAME).read_text())
    return content
