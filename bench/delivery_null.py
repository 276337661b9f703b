"""How far stems are from adding up to their source, by sample rate and bit depth, over the whole band."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import separation
from audio_ml.formats import BitDepth
from audio_ml.loader import ModelLoader
from bench import delivery_proof, delivery_sources
from bench.metrics import share_above_cutoff
from bench.songs import Song

RATES = (44100, 48000, 96000, 192000)
TARGETS_DB: dict[BitDepth, float] = {"32f": -120.0, "24": -115.0, "16": -70.0}  # of the issue on delivery


@dataclass(frozen=True)
class Null:
    """The peak of source minus stems in dBFS, `SILENCE_DB` when equal, and the stems' share of the sound up high.

    `float_source_db` is that of a float source, which an integer depth has to round; `same_depth_db` that of
    a source of the stems' own depth.
    """

    sample_rate: int
    bit_depth: BitDepth
    float_source_db: float
    same_depth_db: float
    share_above_cutoff: float
    n_clipped: int


def measure(song: Song) -> Iterator[Null]:
    """Separates material with sound up to the Nyquist frequency, at every rate, into every depth."""
    loader = ModelLoader("cpu")
    for sample_rate in RATES:
        with tempfile.TemporaryDirectory() as folder:
            yield from _at_rate(song, sample_rate, Path(folder), loader)


def _at_rate(song: Song, sample_rate: int, folder: Path, loader: ModelLoader) -> Iterator[Null]:
    material = delivery_sources.full_band(song, sample_rate)
    sources = {depth: delivery_sources.write(folder / f"{depth}.wav", material, depth) for depth in TARGETS_DB}
    for depth in TARGETS_DB:
        worst = _separate(sources["32f"], depth, loader)
        equal = worst if depth == "32f" else _separate(sources[depth], depth, loader)
        yield Null(sample_rate, depth, worst[0], equal[0], worst[1], worst[2] + equal[2])


def _separate(path: Path, depth: BitDepth, loader: ModelLoader) -> tuple[float, float, int]:
    """Returns null depth, share above the networks' band and number of clipped samples of the files."""
    delivery = {"bit_depth": depth, "overwrite": True}
    report = separation.separate_file(path, path.parent / "stems", delivery=delivery, loader=loader)
    source = delivery_proof.read(path)
    stems = [delivery_proof.read(Path(file.path)) for file in report.files]
    whole = {"sum": np.sum(stems, axis=0).astype(np.float32)}
    share = share_above_cutoff(source.astype(np.float32), whole, report.sample_rate)
    depth_db = delivery_proof.null_db(source, stems)
    return depth_db, share, sum(file.n_clipped for file in report.files)
