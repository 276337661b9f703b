"""PerTh in ONNX Runtime: what writes a watermark into sound, and what judges whether one is there.

`audio_ml/watermark.py` is the way to use them. They run on a CPU, wherever the other models are: one core marks a
second of sound in a few hundredths of a second.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from audio_ml.audio import Samples
from audio_ml.catalogue import DerivedFile, Licence, ModelSpec, Row, WeightFile
from audio_ml.device import Device
from audio_ml.onnx_sessions import cpu_session
from audio_ml.sources import PyPISource

SAMPLE_RATE = 32000
MARKED = 6.15  # what the network says of a frame that is marked without a doubt
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
    """Runs the network that looks for a mark; `evidence` may be called from several threads."""

    def __init__(self, files: Mapping[str, Path], device: Device) -> None:
        self._session = cpu_session(files["detector.onnx"], n_threads=1)

    def evidence(self, band: Samples) -> Samples:
        """Returns how marked each frame [frames] of scaled decibels [frames, BINS] is: 0 not at all, 1 surely."""
        (evidence,) = self._session.run(None, {"band": np.ascontiguousarray(band.T[None])})
        marked: Samples = np.clip(evidence[0, 1] / MARKED, 0, 1)
        return marked


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
    derived=(DerivedFile("marker.onnx", (CHECKPOINT,), "audio_ml.nets.perth:build_marker", version="2"),),
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
    derived=(DerivedFile("detector.onnx", (CHECKPOINT,), "audio_ml.nets.perth:build_detector", version="2"),),
    files_shared_with=("perth",),
    outputs=("evidence",),
    sample_rate=SAMPLE_RATE,
    n_channels=1,
    memory_bytes=40_000_000,
    verified="2026-11-26",
    engine=PerthDetector,
)

MODELS: list[Row] = [MARKER, DETECTOR]
