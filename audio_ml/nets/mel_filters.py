"""Triangular mel filters on Slaney's scale, each of area one, as librosa has them by default.

Slaney 1998, "Auditory Toolbox, version 2" (Interval Research technical report 1998-010).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

KNEE_HZ = 1000.0  # linear below, logarithmic above
HZ_PER_MEL = 200.0 / 3
KNEE_MEL = KNEE_HZ / HZ_PER_MEL
LOG_STEP = np.log(6.4) / 27  # of one mel above the knee


def slaney_filters(
    sample_rate: int, n_fft: int, n_mels: int, lowest_hz: float = 0.0, highest_hz: float | None = None
) -> NDArray[np.float32]:
    """Returns filters [n_mels, n_fft // 2 + 1] over the bins of a spectrum."""
    low, high = _mel(np.array([lowest_hz, highest_hz or sample_rate / 2])).tolist()
    feet = _hz(np.linspace(low, high, n_mels + 2))[:, None]
    bins = np.arange(n_fft // 2 + 1) * sample_rate / n_fft
    rising = (bins - feet[:-2]) / (feet[1:-1] - feet[:-2])
    falling = (feet[2:] - bins) / (feet[2:] - feet[1:-1])
    filters = np.minimum(rising, falling).clip(min=0) * 2 / (feet[2:] - feet[:-2])
    return filters.astype(np.float32)


def _mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    above = KNEE_MEL + np.log(np.maximum(hz, KNEE_HZ) / KNEE_HZ) / LOG_STEP
    return np.where(hz < KNEE_HZ, hz / HZ_PER_MEL, above)


def _hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    above = KNEE_HZ * np.exp(LOG_STEP * (np.maximum(mel, KNEE_MEL) - KNEE_MEL))
    return np.where(mel < KNEE_MEL, mel * HZ_PER_MEL, above)
