"""What the report costs: the meters and the hash alone, against the separation that they ride on."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

import separation
from audio_ml.audio import Samples
from audio_ml.hashing import file_sha256
from audio_ml.loader import ModelLoader
from audio_ml.loudness import LoudnessMeter
from audio_ml.streams import AudioReader
from bench import delivery_sources
from bench.songs import Song
from separation.proof import AlignmentMeter, NullMeter

MINUTES = 5
N_RUNS = 3
LARGEST_SHARE = 0.10  # of the separation's time, of the issue on delivery
SEPARATION = "the separation, its report included"
LOUDNESS, WITH_TRUE_PEAK = "loudness", "loudness with true peak (--report full)"
BASIC = ("null depth", "alignment", LOUDNESS, "sha256 of the source")


@dataclass(frozen=True)
class Seconds:
    """On the clock, and of all processors."""

    wall: float = 0.0
    cpu: float = 0.0


@dataclass(frozen=True)
class Cost:
    """What the separation and each part of the report take alone: medians."""

    separation: Seconds
    parts: dict[str, Seconds]

    @property
    def share(self) -> Seconds:
        """The share of the basic report, which the separation has in it."""
        wall, cpu = (sum(getattr(self.parts[name], clock) for name in BASIC) for clock in ("wall", "cpu"))
        return Seconds(wall / self.separation.wall, cpu / self.separation.cpu)


class Stopwatch:
    """Adds up the time of its `with` blocks by name."""

    def __init__(self) -> None:
        self.spent: dict[str, Seconds] = {}

    @contextmanager
    def timing(self, name: str) -> Iterator[None]:
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        before = self.spent.get(name, Seconds())
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        self.spent[name] = Seconds(before.wall + wall, before.cpu + cpu)


def measure(song: Song) -> Cost:
    """Separates a few minutes, and runs each meter over the same sound, in turn."""
    loader, runs = ModelLoader("cpu"), []
    with tempfile.TemporaryDirectory() as folder:
        path = delivery_sources.write_repeated(Path(folder) / "long.wav", song, MINUTES).path
        separation.separate_file(path, folder, delivery={"overwrite": True}, loader=loader)  # loads the model
        for _ in range(N_RUNS):
            watch = Stopwatch()
            with watch.timing(SEPARATION):
                report = separation.separate_file(path, folder, delivery={"overwrite": True}, loader=loader)
            with watch.timing("sha256 of the source"):
                file_sha256(path)
            _run_meters(path, [Path(file.path) for file in report.files], watch)
            runs.append(watch.spent)
    medians = {name: _median([spent[name] for spent in runs]) for name in runs[0]}
    return Cost(medians.pop(SEPARATION), medians)


def _run_meters(source: Path, stems: list[Path], watch: Stopwatch) -> None:
    """Runs the meters over the blocks of a source and its stems; reading them is not counted."""
    info = AudioReader(source).info
    nulls = [NullMeter(), NullMeter()]  # of the stems as computed, and as written
    alignments = [AlignmentMeter() for _ in stems]
    meters = {
        name: [LoudnessMeter(info.sample_rate, info.n_channels, true_peak=true_peak) for _ in stems]
        for name, true_peak in ((LOUDNESS, False), (WITH_TRUE_PEAK, True))
    }
    for mixture, outputs in _blocks(source, stems):
        with watch.timing("null depth"):
            for null in nulls:
                null.add(mixture, outputs)
        with watch.timing("alignment"):
            for alignment, stem in zip(alignments, outputs, strict=True):
                alignment.add(mixture, stem)
        for name, of_stems in meters.items():
            with watch.timing(name):
                for meter, stem in zip(of_stems, outputs, strict=True):
                    meter.add(stem)
    with watch.timing("alignment"):
        for alignment in alignments:
            assert alignment.offset_samples in {0, None}
    for name, of_stems in meters.items():
        with watch.timing(name):
            for meter in of_stems:
                meter.result()


def _blocks(source: Path, stems: list[Path]) -> Iterator[tuple[Samples, Samples]]:
    """Yields blocks as long as those of a separation."""
    for mixture, *outputs in zip(*(AudioReader(path).blocks() for path in (source, *stems)), strict=True):
        yield mixture, np.stack(outputs)


def _median(runs: list[Seconds]) -> Seconds:
    return Seconds(median(run.wall for run in runs), median(run.cpu for run in runs))
