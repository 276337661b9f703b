"""Levels of a recording in frequency bands, frame by frame: how noisy it is, and how high it reaches.

Noise is the larger of two things, band by band: what is left in the quietest moments of speech (minimum statistics,
Martin 2001, "Noise power spectral density estimation based on optimal smoothing and minimum statistics", without its
smoothing), and what is usual where nobody speaks.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from audio_ml.audio import Samples

SAMPLE_RATE = 24000
FRAME = 768  # samples: the 32 ms of the voice activity
N_BINS = FRAME // 2 + 1
BIN_HZ = SAMPLE_RATE / FRAME
BANDS_PER_DECADE = 11
LOWEST_BIN = 3  # 94 Hz: rumble below it is no noise to a voice
QUIETEST = 0.05  # of the frames of speech
FEWEST_GAPS = 8  # frames without speech that tell what is usual there
HIGHEST_SNR_DB = 80.0

EDGE_BINS = 8  # over which a spectrum is averaged when its upper edge is looked for: 250 Hz
EDGE_DB = 60.0  # below the loudest: nothing is there

Powers = NDArray[np.float64]


def spectra(samples: Samples) -> Powers:
    """Returns power spectra [frames, N_BINS] of sound [frames * FRAME] at 24 kHz."""
    frames = samples.reshape(-1, FRAME).astype(np.float64)
    found: Powers = np.abs(np.fft.rfft(frames * np.hanning(FRAME))) ** 2
    return found


def bands(powers: Powers) -> Powers:
    """Returns powers [frames, bands] of bands, each about as wide as it is high."""
    return np.add.reduceat(powers[:, LOWEST_BIN:], _edges() - LOWEST_BIN, axis=1)


@functools.cache
def _edges() -> NDArray[np.int64]:
    """Returns the first bin of each band."""
    n_bands = round(BANDS_PER_DECADE * np.log10(N_BINS / LOWEST_BIN))
    return np.round(np.geomspace(LOWEST_BIN, N_BINS, n_bands + 1)).astype(np.int64)[:-1]


@functools.cache
def _quantiles_of_noise() -> tuple[Powers, Powers]:
    """Returns how far steady noise of mean power one stays down at `QUIETEST` and at the median, band by band."""
    noise = np.random.default_rng(0).standard_normal(4000 * FRAME).astype(np.float32)
    levels = bands(spectra(noise))
    mean = levels.mean(axis=0)
    return np.quantile(levels, QUIETEST, axis=0) / mean, np.median(levels, axis=0) / mean


def noise_powers(near_speech: Powers, gaps: Powers) -> Powers:
    """Returns the noise [bands] among bands of frames in and beside speech [n, bands] and away from it."""
    of_quietest, of_median = _quantiles_of_noise()
    found: Powers = np.quantile(near_speech, QUIETEST, axis=0) / of_quietest
    if len(gaps) >= FEWEST_GAPS:
        found = np.maximum(found, np.median(gaps, axis=0) / of_median)
    return found


def snr_db(speech: Powers, noise: Powers) -> float:
    """Returns how far speech, of mean band powers [bands] with its noise, lies above the noise [bands]."""
    total, rest = float(speech.sum()), float(noise.sum())
    if rest <= total * 10 ** (-HIGHEST_SNR_DB / 10):
        return HIGHEST_SNR_DB
    return float(10 * np.log10(max(total - rest, rest * 1e-2) / rest))


def bandwidth_hz(spectrum: Powers) -> float:
    """Returns the highest frequency at which a mean spectrum [N_BINS] still holds something."""
    smooth = np.convolve(spectrum, np.full(EDGE_BINS, 1 / EDGE_BINS), mode="valid")
    present = np.flatnonzero(smooth >= smooth.max() * 10 ** (-EDGE_DB / 10))
    return float((present[-1] + EDGE_BINS / 2) * BIN_HZ) if smooth.max() > 0 else 0.0
