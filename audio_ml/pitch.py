"""The pitch of speech over time, from a small network that every CPU runs in passing.

SwiftF0 (Nieradzik 2025, arXiv:2508.18440): 14,386 parameters read the pitch off a spectrogram, every 16 ms.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from audio_ml import loader as loaders
from audio_ml.audio import Audio, Samples
from audio_ml.catalogue import Licence, ModelSpec, WeightFile
from audio_ml.device import Device
from audio_ml.downmix import mixed_down
from audio_ml.loader import ModelLoader
from audio_ml.onnx_sessions import cpu_session
from audio_ml.progress import Progress
from audio_ml.sources import InstalledSource, PyPISource
from audio_ml.streams import Resampler

SAMPLE_RATE = 16000
HOP = 256
FRAME_SECONDS = HOP / SAMPLE_RATE
VOICED = 0.5  # the network's confidence at which it calls a frame voiced
SILENCE = 1e-3  # a frame without a sample above it is unvoiced: the network answers digital silence by chance
SPEECH_HZ = (65.0, 600.0)  # above the hum of mains, which is a pitch too where nobody speaks
N_WINDOW = 1875  # frames that are computed at once: 30 s
N_MARGIN = 12  # frames around them that the network looks at


@dataclass(frozen=True, eq=False)
class Pitch:
    """Pitch `f0_hz` [frames] in Hz, 0 where speech has none; frame i is centred at i * `frame_seconds`.

    >>> round(Pitch(np.array([0, 100, 100 * np.e]), 0.016).mean_log, 2)
    5.11
    """

    f0_hz: Samples
    frame_seconds: float

    @property
    def voiced(self) -> NDArray[np.bool_]:
        """Where there is a pitch [frames]."""
        return self.f0_hz > 0

    @property
    def mean_log(self) -> float | None:
        """Mean of the logarithm of the pitch in Hz; None where nothing is voiced."""
        return float(np.log(self.f0_hz[self.voiced]).mean()) if self.voiced.any() else None

    @property
    def spread_log(self) -> float | None:
        """Standard deviation of the logarithm of the pitch; None where nothing is voiced."""
        return float(np.log(self.f0_hz[self.voiced]).std()) if self.voiced.any() else None

    def at(self, seconds: NDArray[np.float64]) -> Samples:
        """Returns the pitch in Hz at times, its logarithm joined by straight lines between voiced frames.

        It goes on where nothing is voiced: the ends are held. 0 everywhere where nothing is voiced at all.
        """
        times = np.flatnonzero(self.voiced) * self.frame_seconds
        if not times.size:
            return np.zeros(seconds.shape, np.float32)
        return np.exp(np.interp(seconds, times, np.log(self.f0_hz[self.voiced]))).astype(np.float32)


def track(
    audio: Audio,
    loader: ModelLoader | None = None,
    progress: Progress | None = None,
    *,
    range_hz: tuple[float, float] = SPEECH_HZ,
) -> Pitch:
    """Returns the pitch of speech of any length; all channels are mixed.

    Raises:
        WeightsError: when the network cannot be had.
        Cancelled: when the progress was cancelled before it began.
    """
    resampled = Resampler(audio.sample_rate, SAMPLE_RATE, 1).stream([mixed_down(audio.samples)])
    samples: Samples = np.concatenate(list(resampled), axis=-1)[0]
    with (loader or loaders.default()).use(SWIFT_F0, progress) as engine:
        return Pitch(engine.track(samples, range_hz), FRAME_SECONDS)


class SwiftF0Engine:
    """Runs the network on a CPU, where it takes a hundredth of the time that the speech does."""

    def __init__(self, files: Mapping[str, Path], device: Device) -> None:
        self._session = cpu_session(files["model.onnx"], n_threads=1)

    def track(self, samples: Samples, range_hz: tuple[float, float] = SPEECH_HZ) -> Samples:
        """Returns the pitch [frames] in Hz of speech [time] at 16 kHz, 0 where it is unvoiced."""
        return np.concatenate(list(self._windows(samples, range_hz)))

    def _windows(self, samples: Samples, range_hz: tuple[float, float]) -> Iterator[Samples]:
        n_frames = max(1, samples.size // HOP)
        lowest, highest = (np.asarray(limit, np.float32) for limit in range_hz)
        for first in range(0, n_frames, N_WINDOW):
            begin = max(0, first - N_MARGIN)
            window = samples[begin * HOP : (first + N_WINDOW + N_MARGIN) * HOP]
            inputs = {"audio": window[None], "fmin": lowest, "fmax": highest}
            pitch, confidence = (values[0] for values in self._session.run(["pitch", "confidence"], inputs))
            found = np.where((confidence >= VOICED) & _is_heard(window, len(pitch)), pitch, 0)
            yield found[first - begin :][: min(N_WINDOW, n_frames - first)].astype(np.float32)


def _is_heard(samples: Samples, n_frames: int) -> NDArray[np.bool_]:
    padded = np.pad(samples, (0, max(0, n_frames * HOP - samples.size)))
    heard: NDArray[np.bool_] = np.abs(padded[: n_frames * HOP]).reshape(n_frames, HOP).max(axis=1) >= SILENCE
    return heard


SWIFT_F0 = ModelSpec(
    name="swift-f0",
    task="pitch",
    summary="The pitch of speech over time (SwiftF0); a part that voices are made and lent with.",
    licence=Licence("MIT", commercial=True),
    files=(
        WeightFile(
            "model.onnx",
            135_090,
            "6385e8c2ebc3872e82c9ff5946228de44cd3be77a750ea53698b7dbfe94b0a22",
            (
                InstalledSource("swift_f0", "model.onnx"),
                PyPISource("swift-f0", "0.3.0", "swift_f0/model.onnx"),
            ),
        ),
    ),
    outputs=("pitch",),
    sample_rate=SAMPLE_RATE,
    n_channels=1,
    memory_bytes=30_000_000,
    verified="2026-11-26",
    engine=SwiftF0Engine,
)
