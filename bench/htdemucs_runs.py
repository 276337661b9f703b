"""The measurements of HTDemucs: whole processes from a cold start, and the network alone, on each side in turn."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from audio_ml import catalogue
from audio_ml.audio import Samples
from audio_ml.loader import ModelLoader
from bench import results, songs
from bench.demucs_peer import MODEL, ON_THE_CPU, OVERLAP, Peer
from bench.measure import Measurement, run
from bench.processes import COMMAND
from bench.songs import Song

SEGMENT_SAMPLES = 343_980  # what the published model was trained on, 7.8 s
THEIRS, THEIRS_EXACT = "demucs", "demucs --float32"
OURS, OURS_EXACT = "ours", "ours, exact"
OPTIONS: Mapping[str, Sequence[str]] = {  # of whole processes, by side
    THEIRS: (),
    OURS: ("--bit-depth", "16"),
    THEIRS_EXACT: ("--float32",),
    OURS_EXACT: ("--precision", "full", "--residual", "none", "--bit-depth", "32f"),
}
PRECISIONS = {OURS: "auto", OURS_EXACT: "full"}


@dataclass(frozen=True)
class Comparison:
    """The runs of every side on one song."""

    song: Song
    runs: dict[str, list[Measurement]]


@dataclass(frozen=True)
class Bound:
    """The arithmetic of one segment, what these cores can do, and the seconds a segment takes on each side."""

    flop: int
    rates: dict[str, float]
    segment_seconds: dict[str, float]


def compare(song: Song, peer: Peer, n_runs: int) -> Comparison:
    """Separates a song on every side in turn, so that a busy minute of the machine falls on all."""
    runs: dict[str, list[Measurement]] = {side: [] for side in OPTIONS}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(n_runs):
            for side, measured in runs.items():
                measured.append(separate(side, song, peer, Path(folder)))
    return Comparison(song, runs)


def separate(side: str, song: Song, peer: Peer, folder: Path) -> Measurement:
    """Separates a song once, in a process of its own, into files below a folder."""
    if side in (THEIRS, THEIRS_EXACT):
        return run(peer.command(song.path, folder / "theirs", *OPTIONS[side]), ON_THE_CPU)
    command = [COMMAND, "separate", str(song.path), "-m", MODEL, "-o", str(folder / "ours"), "--overlap", str(OVERLAP)]
    return run([*command, "--overwrite", "--quiet", "--device", "cpu", *OPTIONS[side]], ON_THE_CPU)


def long_file(song: Song, peer: Peer, minutes: int, work: Path) -> dict[str, dict[str, Measurement]]:
    """Separates the song repeated to so many minutes, once with ours and once with demucs; by length and side."""
    with tempfile.TemporaryDirectory(dir=work) as folder:
        long_song = songs.repeated(song, Path(folder) / "long.wav", minutes)
        measured = {}
        for side in (OURS, THEIRS):
            results.say(f"{long_song.label}, {side}")
            measured[side] = separate(side, long_song, peer, Path(folder))
    return {long_song.label: measured}


def bound(peer: Peer, n_rounds: int) -> Bound:
    """Times one segment of noise on every side in turn: the networks with their transforms, warm, nothing else."""
    found = peer.roofline()
    noise = 0.1 * np.random.default_rng(0).standard_normal((2, SEGMENT_SAMPLES), np.float32)
    took: dict[str, list[float]] = {}
    with ExitStack() as stack:
        mixture = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "mixture.npy"
        np.save(mixture, noise)
        sides: dict[str, Callable[[], float]] = {}
        for name, kind in peer.kinds.items():
            side = stack.enter_context(peer.side(kind))
            sides[name] = lambda side=side: float(side.ask(mixture)["seconds"])
        spec = catalogue.find("separation", MODEL)
        engine = stack.enter_context(ModelLoader("cpu").use(spec))
        for name, precision in PRECISIONS.items():
            options = spec.options(overlap=OVERLAP, precision=precision)  # type: ignore[call-arg]
            sides[name] = lambda options=options: _seconds(engine, spec.outputs, options, noise)
        for _ in range(1 + n_rounds):
            for name, once in sides.items():
                took.setdefault(name, []).append(once())
    seconds = {name: median(values[1:]) for name, values in took.items()}  # the first also allocates
    return Bound(found["flop"], found["rates"], seconds)


def _seconds(engine: Any, stems: Sequence[str], options: Any, noise: Samples) -> float:
    """Returns what a segment takes when as many are under way as the engine has threads for."""
    with ThreadPoolExecutor(engine.workers) as pool:
        began = time.perf_counter()
        list(pool.map(lambda _: engine.separate(noise, stems, options), range(engine.workers)))
        return (time.perf_counter() - began) / engine.workers


def load() -> float:
    """Returns the processes that ran or waited in the last minute, of all who share the machine."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
