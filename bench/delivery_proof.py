"""Numbers taken from files as libsndfile or FFmpeg read them, in float64: null, lag, what is left above 11 kHz."""

from __future__ import annotations

import math
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from audio_ml.audio import Samples
from separation.proof import SILENCE_DB

Doubles = NDArray[np.float64]


def read(path: Path, start: int = 0) -> Doubles:
    """Returns a file's samples [channels, time] from `start` on."""
    samples: Doubles = soundfile.read(path, start=start, dtype="float64", always_2d=True)[0].T
    return samples


def decode(path: Path, sample_rate: int, n_channels: int) -> Samples:
    """Returns the samples [channels, time] that the FFmpeg command decodes."""
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-f", "f32le", "-ar", str(sample_rate), "-"]
    raw = subprocess.run(command, capture_output=True, check=True).stdout
    return np.frombuffer(raw, "<f4").reshape(-1, n_channels).T


def null_db(source: Doubles, stems: Sequence[Doubles]) -> float:
    """Returns the peak, in dBFS, of a source [channels, time] minus the sum of its stems; `SILENCE_DB` when equal."""
    peak = float(np.abs(source - np.sum(stems, axis=0)).max())
    return 20 * math.log10(peak) if peak else SILENCE_DB


def lag_samples(reference: NDArray[np.floating], delayed: NDArray[np.floating]) -> int:
    """Returns by how many samples a sound [channels, time] lags behind a reference: where their product is largest.

    >>> click = np.eye(1, 100, 10)
    >>> lag_samples(click, np.roll(click, 3))
    3
    """
    first, second = reference.mean(axis=0), delayed.mean(axis=0)
    size = 1 << (len(first) + len(second) - 1).bit_length()
    products = np.fft.irfft(np.fft.rfft(second, size) * np.conj(np.fft.rfft(first, size)), size)
    lag = int(np.argmax(products))
    return lag if lag < size // 2 else lag - size
