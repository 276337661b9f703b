"""The measurements of whole processes, each from a cold start: separation, first run, long files, help."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench import songs
from bench.measure import Measurement, in_turn, run
from bench.reference import QUIET, Reference
from bench.songs import Song

HELP_RUNS = 5
LONG_MINUTES = (10, 120)
COMMAND = str(Path(sys.executable).with_name("audio-ml"))


@dataclass(frozen=True)
class Comparison:
    """The runs of real Spleeter and of ours on one song."""

    song: Song
    reference: list[Measurement]
    ours: list[Measurement]


def compare(song: Song, reference: Reference, n_runs: int) -> Comparison:
    """Separates a song with real Spleeter and with ours in turn; both write 16-bit WAV."""
    with tempfile.TemporaryDirectory() as folder:
        command = reference.command(song.path, Path(folder) / "reference", song.duration_seconds)
        runs = in_turn(
            lambda: run(command, reference.environment), lambda: separate(song, Path(folder) / "ours"), n_runs
        )
    return Comparison(song, *runs)


def separate(song: Song, out_dir: Path, environment: Mapping[str, str] | None = None) -> Measurement:
    """Separates a song with our command on the CPU."""
    options = ["--bit-depth", "16", "--overwrite", "--quiet", "--device", "cpu"]
    command = [COMMAND, "separate", str(song.path), "-o", str(out_dir), *options]
    return run(command, {**QUIET, **(environment or {})})


def first_run(song: Song) -> Measurement:
    """Separates a song with an empty cache: the weights are fetched and the network is built."""
    with tempfile.TemporaryDirectory() as folder:
        return separate(song, Path(folder) / "stems", {"AUDIO_ML_CACHE": str(Path(folder) / "cache")})


def long_files(song: Song, work: Path) -> dict[str, Measurement]:
    """Separates the song repeated to each length of `LONG_MINUTES`, once."""
    measured = {}
    for minutes in LONG_MINUTES:
        with tempfile.TemporaryDirectory(dir=work) as folder:
            long_song = songs.repeated(song, Path(folder) / "long.wav", minutes)
            measured[long_song.label] = separate(long_song, Path(folder) / "stems")
    return measured


def help_runs() -> list[Measurement]:
    """Asks our command for its help."""
    return [run([COMMAND, "--help"]) for _ in range(HELP_RUNS)]
