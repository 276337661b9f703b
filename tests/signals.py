"""Signals that tests make, and how they are measured."""

from __future__ import annotations

import numpy as np

from audio_ml.audio import Audio, Samples


def noise(seconds: float, sample_rate: int = 44100, n_channels: int = 2, seed: int = 0, peak: float = 0.5) -> Audio:
    """Returns reproducible noise with most of its power in the low octaves, as music has."""
    n_samples = max(1, round(seconds * sample_rate))
    white = np.random.default_rng(seed).standard_normal((n_channels, n_samples))
    spectrum = np.fft.rfft(white)
    spectrum /= np.sqrt(1 + np.arange(spectrum.shape[1]) / 50)
    samples = np.fft.irfft(spectrum, n_samples)
    return Audio((samples * peak / np.abs(samples).max()).astype(np.float32), sample_rate)


def decibels(signal: Samples, error: Samples) -> float:
    """Returns the ratio of a signal's energy to an error's."""
    return float(
        10
        * np.log10(np.sum(np.square(signal, dtype=np.float64)) / max(np.sum(np.square(error, dtype=np.float64)), 1e-30))
    )


def peak_db(samples: Samples) -> float:
    """Returns the peak level in dBFS."""
    return float(20 * np.log10(max(np.abs(samples).max(), 1e-12)))
