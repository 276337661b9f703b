"""BSS Eval version 4: what of an estimate is the source, its distortion, the other sources, and none of them.

Vincent, Gribonval and Fevotte 2006, "Performance measurement in blind audio source separation", IEEE TASLP 14(4),
1462-1469, with the images of sources of Vincent et al. 2007 and the filters of Stoeter, Liutkus and Ito 2018, "The
2018 Signal Separation Evaluation Campaign", LVA/ICA: they are found once for the whole track. So does `museval`.

Every energy is that of a product of spectra (Parseval), so that nothing is transformed back, and the track is read
twice, block by block: once for the correlations, once for the windows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from audio_ml.audio import Samples
from audio_ml.chunks import Fifo
from separation.evaluation.toeplitz import Floats, solve

Spectra = NDArray[np.complex128]

N_TAPS = 512  # of the filters through which a source may pass and still be the source
N_FFT_CORRELATION = 1 << 14
WINDOW_SECONDS = 1.0  # and the hop: museval's own
RATIOS = ("sdr", "isr", "sir", "sar")


def decibels(part: Floats, rest: Floats) -> Floats:
    """Returns 10 log10 of two energies' ratio: infinite where there is no rest, NaN where there is neither."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(10 * np.log10(np.divide(part, rest)), np.float64)


class Correlations:
    """Sums the correlations of sources [sources, channels, n] with themselves and their estimates, block by block."""

    def __init__(self, n_sources: int, n_channels: int) -> None:
        self._n_rows = n_sources * n_channels
        self._shape = (n_sources, n_channels)
        self._sum = np.zeros((self._n_rows, 2 * self._n_rows, N_FFT_CORRELATION // 2 + 1), np.complex128)
        self._waiting = Fifo()
        self._before = np.zeros((self._n_rows, N_TAPS - 1))

    def add(self, sources: Samples, estimates: Samples) -> None:
        """Takes the next samples."""
        self._waiting.push(np.concatenate([_rows(sources), _rows(estimates)]))
        while self._waiting.n_samples >= N_FFT_CORRELATION - N_TAPS + 1:
            self._add(N_FFT_CORRELATION - N_TAPS + 1)

    def filters(self) -> tuple[Floats, Floats]:
        """Returns the filters that bring the sources next to their estimates.

        The first, [rows, rows, taps], lead from all channels of all sources to those of each estimate; the second,
        [sources, channels, channels, taps], from those of its own source alone (source, to, from).
        """
        if self._waiting.n_samples:
            self._add(self._waiting.n_samples)
        n_sources, n_channels = self._shape
        found = np.fft.irfft(self._sum, N_FFT_CORRELATION, axis=-1)[..., :N_TAPS].transpose(2, 0, 1)
        gamma, right = found[..., : self._n_rows], found[..., self._n_rows :]
        own = [slice(i * n_channels, (i + 1) * n_channels) for i in range(n_sources)]
        every = solve(gamma, right).transpose(2, 1, 0)
        alone = np.stack([solve(gamma[:, part, part], right[:, part, part]).transpose(2, 1, 0) for part in own])
        return every, alone

    def _add(self, n_samples: int) -> None:
        rows = self._waiting.pop(n_samples).astype(np.float64)
        delayed = np.concatenate([self._before, rows[: self._n_rows]], axis=-1)
        # Both begin N_TAPS - 1 samples early, so that sources are found at lags of 0 to N_TAPS - 1.
        now = np.concatenate([np.zeros((len(rows), N_TAPS - 1)), rows], axis=-1)
        spectra = np.fft.rfft(now, N_FFT_CORRELATION)
        for row, spectrum in enumerate(np.fft.rfft(delayed, N_FFT_CORRELATION)):
            self._sum[row] += spectrum.conj() * spectra
        self._before = delayed[:, -(N_TAPS - 1) :]


def _rows(sources: Samples) -> Samples:
    return sources.reshape(-1, sources.shape[-1])


class Windows:
    """Tells the ratios of every window of a track, given the filters of the whole.

    A window in which a source or an estimate is silent has no ratios: they are NaN for all, as museval has it.
    Those that are silent from beginning to end do not count; `audible` are the others.
    """

    def __init__(self, filters: tuple[Floats, Floats], window: int, audible: Sequence[int]) -> None:
        every, alone = filters
        self._n_sources, self._n_channels = alone.shape[:2]
        self._window = window
        self._audible = list(audible)
        self._n_fft = _quick_size(window + N_TAPS - 1)
        self._every = np.fft.rfft(every, self._n_fft)
        self._alone = np.fft.rfft(alone, self._n_fft)
        self._weights = np.full(self._n_fft // 2 + 1, 2 / self._n_fft)  # Parseval's, for half a spectrum
        self._weights[0] /= 2
        if self._n_fft % 2 == 0:
            self._weights[-1] /= 2
        self._waiting = Fifo()
        self._ratios: list[Floats] = []

    @property
    def gains(self) -> Floats:
        """The most by which the filters to each estimate [sources] raise any frequency."""
        return np.asarray(np.abs(self._every).reshape(self._n_sources, -1).max(axis=1), np.float64)

    def add(self, sources: Samples, estimates: Samples) -> None:
        """Takes the next samples."""
        self._waiting.push(np.concatenate([_rows(sources), _rows(estimates)]))
        while self._waiting.n_samples >= self._window:
            self._ratios.append(self._measure(self._waiting.pop(self._window)))

    def ratios(self) -> Floats:
        """Returns [4, sources, windows]: of `RATIOS`; a track shorter than a window is one."""
        if not self._ratios and self._waiting.n_samples:
            self._ratios.append(self._measure(self._waiting.pop(self._waiting.n_samples)))
        return np.stack(self._ratios, axis=-1)

    def _measure(self, rows: Samples) -> Floats:
        sources, estimates = rows.astype(np.float64).reshape(2, self._n_sources, self._n_channels, -1)
        sounding = np.logical_and(sources.any(axis=(1, 2)), estimates.any(axis=(1, 2)))
        if not sounding[self._audible].all():
            return np.full((len(RATIOS), self._n_sources), np.nan)
        source, estimate = np.fft.rfft(sources, self._n_fft), np.fft.rfft(estimates, self._n_fft)
        near = np.zeros_like(source)  # the source through its own filters
        for channel in range(self._n_channels):
            near += self._alone[:, :, channel] * source[:, None, channel]
        every = self._every.reshape(*source.shape[:2], -1, source.shape[-1])
        known = np.zeros_like(source)  # all that is made of the sources
        for row, spectrum in enumerate(source.reshape(-1, source.shape[-1])):
            known += every[:, :, row] * spectrum
        true, wrong = np.sum(sources**2, axis=(1, 2)), np.sum((estimates - sources) ** 2, axis=(1, 2))
        ratios = np.stack(
            [
                decibels(true, wrong),
                decibels(true, self._energy(near - source)),
                decibels(self._energy(near), self._energy(known - near)),
                decibels(self._energy(known), self._energy(estimate - known)),
            ]
        )
        ratios[:, ~sounding] = np.nan
        return ratios

    def _energy(self, spectra: Spectra) -> Floats:
        """Returns the energies [sources] of spectra [sources, channels, bins]."""
        return np.asarray((spectra.real**2 + spectra.imag**2).sum(axis=1) @ self._weights, np.float64)


def _quick_size(n_samples: int) -> int:
    """Returns the next size whose only factors are 2, 3 and 5, which transforms like.

    >>> _quick_size(44100 + N_TAPS - 1)
    45000
    """
    odd = [int(3**b * 5**c) for b in range(16) for c in range(11)]
    return min(size << a for size in odd for a in range(25) if size << a >= n_samples)
