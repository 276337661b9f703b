"""Whether stems of lossy formats lie where they should when FFmpeg decodes them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import separation
from audio_ml.formats import FORMATS
from audio_ml.loader import ModelLoader
from bench import delivery_proof, delivery_sources
from bench.songs import Song
from separation.report import StemFile

LARGEST_LAG_MS = 1.0  # of the issue on delivery
LOSSY = [name for name, format in FORMATS.items() if format.lossy]


@dataclass(frozen=True)
class Lag:
    """By how much the decoded file of the `stem` that is worst lags behind the same stem in WAV."""

    format: str
    stem: str
    sample_rate: int
    lag_samples: int
    excess_samples: int

    @property
    def lag_ms(self) -> float:
        return 1000 * self.lag_samples / self.sample_rate


def measure(song: Song) -> Iterator[Lag]:
    """Separates the song at 48 kHz into WAV and into each lossy format, and compares."""
    loader = ModelLoader("cpu")
    with tempfile.TemporaryDirectory() as folder:
        source = delivery_sources.write_reel(Path(folder) / "reel.wav", song)
        exact = separation.separate_file(source, folder, delivery={"bit_depth": "32f"}, loader=loader)
        for format in LOSSY:
            coded = separation.separate_file(source, folder, delivery={"format": format}, loader=loader)
            yield max(map(_lag, exact.files, coded.files), key=lambda lag: abs(lag.lag_samples))


def _lag(exact: StemFile, coded: StemFile) -> Lag:
    sound = delivery_proof.read(Path(exact.path))
    decoded = delivery_proof.decode(Path(coded.path), exact.sample_rate, exact.n_channels)
    lag = delivery_proof.lag_samples(sound, decoded)
    return Lag(coded.format, coded.stem, coded.sample_rate, lag, decoded.shape[1] - sound.shape[1])
