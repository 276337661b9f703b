"""PerTh in ONNX Runtime: what writes a watermark into sound, and what judges whether one is there.

`audio_ml/watermark.py` is the way to use them. They run on a CPU, wherever the other models are: one core marks a
second of sound in a few hundredths of a second.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from audio_ml.audio import Samples
from audio_ml.catalogue import DerivedFile, Licence, ModelSpec, Row, WeightFile
from audio_ml.device import Device
from audio_ml.nets.perth import SPEEDS
from audio_ml.onnx_sessions import cpu_session
from audio_ml.sources import PyPISource

SAMPLE_RATE = 32000
CHECKPOINT = "perth_net_250000.pth.tar"


class PerthMarker:
    """Runs the network that writes; `residual` may be called from several threads."""

    def __init__(self, files: Mapping[str, Path], device: Device) -> None:
        self._session = cpu_session(files["marker.onnx"], n_threads=1)

    def residual(self, band: Samples) -> Samples:
        """Returns what a mark adds to scaled decibels [frames, BINS]."""
        (residual,) = self._session.run(None, {"band": np.ascontiguousarray(band.T[None])})
        marked: Samples = residual[0].T
        return marked


class PerthDetector:
    """Runs the networks that look for a mark; `score` may be called from several threads."""

    def __init__(self, files: Mapping[str, Path], device: Device) -> None:
        self._session = cpu_session(files["detector.onnx"], n_threads=1)

    def score(self, band: Samples, audible: NDArray[np.bool_]) -> float:
        """Returns how marked scaled decibels [frames, BINS] are, about 0 to 1; only `audible` frames [frames] count.

        Each of three networks hears the band at a speed of its own; they are averaged by how far they are to be
        trusted, as the published decoder does.
        """
        lengths = {speed: int(len(band) * factor) for speed, factor in SPEEDS.items()}
        given = {speed: np.ascontiguousarray(_stretched(band, n).T[None]) for speed, n in lengths.items()}
        results = self._session.run([f"{speed}_evidence" for speed in SPEEDS], given)
        told = np.array([
            evidence[0][:, _nearest(audible, n)].mean(axis=1, dtype=np.float64)
            for evidence, n in zip(results, lengths.values(), strict=True)
        ])  # fmt: skip
        trust = np.exp(told[:, 0] - told[:, 0].max())
        return float(trust @ told[:, 1] / trust.sum())


def _stretched(band: Samples, n_frames: int) -> Samples:
    """Returns a band at another speed: so many frames between its first and its last, linearly interpolated."""
    if n_frames == len(band):
        return band
    places = np.linspace(0, len(band) - 1, n_frames)
    before = np.minimum(places.astype(np.int64), len(band) - 2)
    share = (places - before).astype(np.float32)[:, None]
    stretched: Samples = band[before] * (1 - share) + band[before + 1] * share
    return stretched


def _nearest(audible: NDArray[np.bool_], n_frames: int) -> NDArray[np.bool_]:
    nearest: NDArray[np.bool_] = audible[np.arange(n_frames) * len(audible) // n_frames]
    return nearest


_LICENCE = Licence("MIT", commercial=True)
_CHECKPOINT = WeightFile(
    CHECKPOINT,
    37_429_684,
    "a15bce457ebc53ce5e6c9c3f11df78cf7ee2bf9cdab0a798902135b4c4027670",
    (PyPISource("resemble-perth", "1.0.1", f"perth/perth_net/pretrained/implicit/{CHECKPOINT}"),),
)

MARKER = ModelSpec(
    name="perth",
    task="judge",
    summary="Writes an inaudible watermark into cloned speech.",
    licence=_LICENCE,
    files=(_CHECKPOINT,),
    derived=(DerivedFile("marker.onnx", (CHECKPOINT,), "audio_ml.nets.perth:build_marker", version="1"),),
    files_shared_with=("perth-detector",),
    outputs=("marked",),
    sample_rate=SAMPLE_RATE,
    n_channels=1,
    memory_bytes=40_000_000,
    verified="2026-11-26",
    engine=PerthMarker,
)

DETECTOR = ModelSpec(
    name="perth-detector",
    task="judge",
    summary="Finds the watermark of cloned speech.",
    licence=_LICENCE,
    files=(_CHECKPOINT,),
    derived=(DerivedFile("detector.onnx", (CHECKPOINT,), "audio_ml.nets.perth:build_detector", version="1"),),
    files_shared_with=("perth",),
    outputs=("score",),
    sample_rate=SAMPLE_RATE,
    n_channels=1,
    memory_bytes=80_000_000,
    verified="2026-11-26",
    engine=PerthDetector,
)

MODELS: list[Row] = [MARKER, DETECTOR]
