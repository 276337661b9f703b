"""What speech sounds like from frame to frame, told so that two voices that say the same are alike: mel cepstra.

Davis and Mermelstein 1980, "Comparison of parametric representations for monosyllabic word recognition", IEEE
Transactions on Acoustics, Speech, and Signal Processing 28(4).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audio_ml.audio import Samples

SAMPLE_RATE = 16000
HOP_SECONDS = 0.01
HOP = int(HOP_SECONDS * SAMPLE_RATE)
N_FFT = 512
N_MELS = 40
N_CEPSTRA = 13
LOWEST_HZ, HIGHEST_HZ = 80.0, 7600.0
DYNAMIC_RANGE = 1e-6  # of power
SPEECH_DB = -40.0  # below the loud frames: what is softer does not count for mean and spread
LOUDNESS_WEIGHT = 2.0
CHANGE_WEIGHT = 0.5


@dataclass(frozen=True, eq=False)
class Cepstra:
    """Frames [n, features] of zero mean and unit spread over speech, and the level of each in dB below the loud."""

    frames: NDArray[np.float64]
    level_db: NDArray[np.float64]


def cepstra(samples: Samples) -> Cepstra:
    """Returns the mel cepstra, and how they change, of speech [time] at `SAMPLE_RATE`, one frame for each hop.

    >>> cepstra(np.zeros(SAMPLE_RATE, np.float32)).frames.shape
    (101, 26)
    """
    padded = np.pad(samples.astype(np.float64), N_FFT // 2)
    windows = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP] * np.hanning(N_FFT)
    power = np.abs(np.fft.rfft(windows)) ** 2 @ _mel_filters().T
    loudness = 10 * np.log10(power.sum(axis=1) + 1e-12)
    level_db = loudness - np.percentile(loudness, 95)
    bands = np.log(np.maximum(power, power.max() * DYNAMIC_RANGE + 1e-12))
    static = _standardised(bands @ _cosines().T, level_db > SPEECH_DB)
    change = np.gradient(static, axis=0)
    change /= change[level_db > SPEECH_DB].std() + 1e-6
    static[:, 0] *= LOUDNESS_WEIGHT
    return Cepstra(np.concatenate([static, CHANGE_WEIGHT * change], axis=1), level_db)


def _standardised(frames: NDArray[np.float64], is_speech: NDArray[np.bool_]) -> NDArray[np.float64]:
    standard: NDArray[np.float64] = (frames - frames[is_speech].mean(axis=0)) / (frames[is_speech].std(axis=0) + 1e-6)
    return standard


@functools.cache
def _mel_filters() -> NDArray[np.float64]:
    """Returns triangles [N_MELS, bins], alike wide on the mel scale of O'Shaughnessy 1987."""
    bins = np.linspace(0, SAMPLE_RATE / 2, N_FFT // 2 + 1)
    lowest, highest = 2595 * np.log10(1 + np.array([LOWEST_HZ, HIGHEST_HZ]) / 700)
    edges = 700 * (10 ** (np.linspace(lowest, highest, N_MELS + 2) / 2595) - 1)
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    return np.maximum(0, np.minimum(rising, falling))


@functools.cache
def _cosines() -> NDArray[np.float64]:
    """Returns the first rows [N_CEPSTRA, N_MELS] of the cosine transform."""
    rows = np.arange(N_CEPSTRA)[:, None]
    return np.cos(np.pi * rows * (np.arange(N_MELS) + 0.5) / N_MELS)
