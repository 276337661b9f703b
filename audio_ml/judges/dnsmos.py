"""DNSMOS: how good speech sounds, as listeners of ITU-T P.835 would say, without a recording to compare with.

Reddy et al. 2022, "DNSMOS P.835: a non-intrusive perceptual objective speech quality metric to evaluate noise
suppressors", ICASSP.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from audio_ml import loader as loaders
from audio_ml.audio import Audio, Samples
from audio_ml.catalogue import Licence, ModelSpec, Row, WeightFile
from audio_ml.device import Device
from audio_ml.judges import heard
from audio_ml.loader import ModelLoader
from audio_ml.onnx_sessions import cpu_session
from audio_ml.sources import PyPISource, UrlSource

SAMPLE_RATE = 16000
WINDOW_SECONDS = 9.01  # what the network hears at once
WINDOW = int(WINDOW_SECONDS * SAMPLE_RATE)
HOP = SAMPLE_RATE
OVERALL = 2  # of the three outputs: speech, background, overall
# From the network's scale to that of listeners, as the authors' dnsmos_local.py has it.
TO_MEAN_OPINION = np.polynomial.Polynomial([0.04602535, 1.11546468, -0.06766283])


def overall_quality(audio: Audio, loader: ModelLoader | None = None) -> float:
    """Returns the mean opinion score of speech, overall, from 1 (bad) to 5 (excellent); all channels are mixed.

    Raises:
        WeightsError, MissingDependency: when the network cannot be had.
    """
    with (loader or loaders.default()).use(DNSMOS) as engine:
        return float(engine.overall(heard(audio, SAMPLE_RATE)))


class DnsmosEngine:
    """Runs the network of P.835; on a CPU, wherever the other models are."""

    def __init__(self, files: Mapping[str, Path], device: Device) -> None:
        self._session = cpu_session(files["sig_bak_ovr.onnx"], n_threads=1)

    def overall(self, samples: Samples) -> float:
        """Returns the mean score of windows of 9 s, one every second; a shorter sound [time] is repeated."""
        while samples.size < WINDOW:
            samples = np.concatenate([samples, samples])
        n_windows = int(samples.size // SAMPLE_RATE - WINDOW_SECONDS) + 1  # as the authors count them
        windows = (samples[None, start * HOP : start * HOP + WINDOW] for start in range(n_windows))
        raw = [self._session.run(None, {"input_1": window})[0][0, OVERALL] for window in windows]
        return float(np.mean(TO_MEAN_OPINION(np.array(raw, np.float64))))


_RELEASE = "https://github.com/microsoft/DNS-Challenge/raw/master/DNSMOS/DNSMOS/sig_bak_ovr.onnx"

DNSMOS = ModelSpec(
    name="dnsmos",
    task="judge",
    summary="Speech quality as listeners of ITU-T P.835 would rate it.",
    licence=Licence("MIT", commercial=True),
    files=(
        WeightFile(
            "sig_bak_ovr.onnx",
            1_157_965,
            "269fbebdb513aa23cddfbb593542ecc540284a91849ac50516870e1ac78f6edd",
            (UrlSource(_RELEASE), PyPISource("speechmos", "0.0.1.1", "speechmos/dnsmos_models/sig_bak_ovr.onnx")),
        ),
    ),
    outputs=("score",),
    sample_rate=SAMPLE_RATE,
    n_channels=1,
    memory_bytes=50_000_000,
    verified="2026-11-22",
    engine=DnsmosEngine,
)

MODELS: list[Row] = [DNSMOS]
