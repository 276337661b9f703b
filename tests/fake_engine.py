"""A tiny engine, quick and easy to foresee, that stands in for a model."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from pydantic import Field

from audio_ml.audio import Samples
from audio_ml.catalogue import Licence, ModelSpec
from audio_ml.chunks import Segmentation, crossfade
from audio_ml.device import Device
from separation.options import SeparationOptions


class FakeOptions(SeparationOptions):
    """Options of the fake engine."""

    part: float = Field(0.5, ge=0, le=1, description="Share of the mixture that is the first stem.")


class FakeEngine:
    """Gives a share of the mixture as its first stem: quick, and easy to foresee."""

    workers = 2

    def __init__(self, files: Mapping[str, Path], device: Device) -> None:
        self.n_calls = 0

    def segmentation(self, options: FakeOptions) -> Segmentation:
        return Segmentation(length=4000, hop=3000, lead=1000)

    def separate(self, segment: Samples, stems: Sequence[str], options: FakeOptions) -> Samples:
        self.n_calls += 1
        shares = {"share": options.part, "rest": 1 - options.part}
        windowed = segment * crossfade(4000, 3000)
        return np.stack([windowed * np.float32(shares[stem]) for stem in stems])


FAKE = ModelSpec(
    name="fake",
    task="separation",
    summary="Half and half.",
    licence=Licence("none", commercial=True),
    files=(),
    outputs=("share", "rest"),
    sample_rate=16000,
    n_channels=2,
    memory_bytes=1_000_000,
    options=FakeOptions,
    engine=FakeEngine,
)


class FourEngine(FakeEngine):
    """Gives four stems of different size."""

    def separate(self, segment: Samples, stems: Sequence[str], options: SeparationOptions) -> Samples:
        shares = {"vocals": 0.4, "drums": 0.3, "bass": 0.2, "other": 0.1}
        windowed = segment * crossfade(4000, 3000)
        return np.stack([windowed * np.float32(shares[stem]) for stem in stems])


FOUR = dataclasses.replace(
    FAKE,
    name="four",
    outputs=("vocals", "drums", "bass", "other"),
    sample_rate=44100,
    options=SeparationOptions,
    engine=FourEngine,
)
