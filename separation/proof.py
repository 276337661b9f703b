"""What proves that stems belong to their mixture: they add up to it, and lie where they were in it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from audio_ml.audio import Samples

SILENCE_DB = -200.0  # a null that is exact
LARGEST_OFFSET = 8192  # samples
AUDIBLE_SHARE = 1e-6  # of the strongest bin's power: what lies below has a phase by chance
LEAST_BANDWIDTH = 0.02  # of all bins, that have to be audible
LEAST_PEAK = 0.2  # of the whitened correlation, which is 1 for equal sounds
CLEARLY = 0.7  # of the best peak: when no lag at all reaches that, it is believed instead


class NullMeter:
    """Measures, block by block, how far stems fail to add up to their mixture."""

    def __init__(self) -> None:
        self._peak = 0.0

    def add(self, mixture: Samples, stems: Samples) -> None:
        """Takes a mixture [channels, n] and its stems [stems, channels, n]."""
        residual = np.abs(mixture - stems.sum(axis=0))
        self._peak = float(np.maximum(self._peak, residual.max(initial=0.0)))  # NaN stays NaN

    @property
    def depth_db(self) -> float:
        """The peak of the residual in dBFS; `SILENCE_DB` when there is none."""
        return 20 * math.log10(self._peak) if self._peak > 0 else SILENCE_DB


class AlignmentMeter:
    """Keeps the loudest block of one channel of a stem and of its mixture, to tell whether they lie together.

    `begin` and `channel` say where the block was. Blocks beyond `within` samples are not looked at.
    """

    def __init__(self, within: int | None = None) -> None:
        self._within = within
        self._energy = 0.0
        self._n_seen = 0
        self.begin = 0
        self.channel = 0
        self.mixture: Samples | None = None
        self.stem: Samples | None = None

    def add(self, mixture: Samples, stem: Samples) -> None:
        """Takes blocks [channels, n] of both."""
        begin, self._n_seen = self._n_seen, self._n_seen + mixture.shape[1]
        if self._within is not None and self._n_seen > max(self._within, mixture.shape[1]):
            return
        energies = [float(np.dot(channel, channel)) for channel in stem]
        loudest = int(np.argmax(energies))
        if energies[loudest] > self._energy:
            self._energy, self.begin, self.channel = energies[loudest], begin, loudest
            self.mixture, self.stem = mixture[loudest].copy(), stem[loudest].copy()

    @property
    def offset_samples(self) -> int | None:
        """By how much the stem lags behind the mixture; None where it is silent or unlike it."""
        if self.mixture is None or self.stem is None:
            return None
        return offset_samples(self.mixture, self.stem)


def offset_samples(reference: Samples, delayed: Samples) -> int | None:
    """Returns by how many samples a sound [n] lags behind a reference [n], by whitened cross-correlation.

    Knapp and Carter 1976, "The generalized correlation method for estimation of time delay" (PHAT),
    over the bins where both have power. None when the two have too little in common to tell: a tone or
    a hum fits itself in many places, and noise fits nowhere.

    >>> click = np.random.default_rng(0).standard_normal(1000).astype(np.float32)
    >>> offset_samples(click, np.roll(click, 3))
    3
    """
    size = 1 << (len(reference) + len(delayed) - 1).bit_length()
    first, second = _spectrum(reference, size), _spectrum(delayed, size)
    audible = _audible(first) & _audible(second)
    if np.count_nonzero(audible) < LEAST_BANDWIDTH * audible.size:
        return None
    cross = second * np.conj(first)
    whitened = np.where(audible, cross / np.maximum(np.abs(cross), 1e-30), 0)
    correlation = np.fft.irfft(whitened, size) * (size / 2 / np.count_nonzero(audible))
    reach = min(LARGEST_OFFSET, size // 2 - 1)
    near = np.concatenate([correlation[-reach:], correlation[: reach + 1]])
    best = int(np.argmax(near))
    if near[best] < LEAST_PEAK:
        return None
    return 0 if near[reach] > CLEARLY * near[best] else best - reach


def _spectrum(samples: Samples, size: int) -> NDArray[np.complexfloating]:
    """Returns the spectrum of a windowed block: without the window a tone would leak into every bin."""
    return np.fft.rfft(samples * np.hanning(len(samples)), size)


def _audible(spectrum: NDArray[np.complexfloating]) -> NDArray[np.bool_]:
    power = np.abs(spectrum) ** 2
    return np.asarray(power > AUDIBLE_SHARE * power.max(initial=1e-30))
