"""The songs that a bench runs on: named without their folders, made longer by repeating, read into memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from audio_ml import catalogue
from audio_ml.audio import Audio
from audio_ml.formats import FORMATS
from audio_ml.streams import read_audio
from audio_ml.weights import WeightStore
from audio_ml.writer import AudioWriter

EXAMPLE = "spleeter-example"


@dataclass(frozen=True)
class Song:
    """A file and the `label` that reports give it."""

    label: str
    path: Path
    duration_seconds: float

    def read(self) -> Audio:
        return read_audio(self.path)


def find(paths: Sequence[Path]) -> list[Song]:
    """Returns the songs of these paths; of none, the example that can be fetched by name."""
    if not paths:
        files = WeightStore().open(catalogue.find_row(EXAMPLE))
        return [_song(EXAMPLE, files[name]) for name in files]
    stems = [path.stem for path in paths]
    return [
        _song(path.stem if stems.count(path.stem) == 1 else f"{path.resolve().parent.name}/{path.stem}", path)
        for path in paths
    ]


def repeated(song: Song, target: Path, minutes: int) -> Song:
    """Writes a 16-bit WAV of so many minutes that repeats a song."""
    audio = song.read()
    missing = minutes * 60 * audio.sample_rate
    with AudioWriter(target, FORMATS["wav"], audio.sample_rate, audio.n_channels, bit_depth="16") as writer:
        while missing > 0:
            block = audio.samples[:, :missing]
            writer.write(block)
            missing -= block.shape[-1]
        writer.close()
        writer.commit()
    return Song(f"{minutes} minutes", target, minutes * 60.0)


def _song(label: str, path: Path) -> Song:
    return Song(label, path.resolve(), read_audio(path).duration_seconds)
