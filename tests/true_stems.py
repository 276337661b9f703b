"""Stems that are known, and estimates of them, for the tests of evaluation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from audio_ml.audio import Audio

RATE = 8000  # seconds are windows: at a low rate they are quick
Floats = NDArray[np.float64]


def noise(seed: int, *shape: int, level: float = 0.1) -> Floats:
    return np.random.default_rng(seed).normal(0, level, shape)


def coloured(seed: int, n_sources: int, n_channels: int, n_samples: int) -> Floats:
    """Returns sources [sources, channels, n] that have spectra of their own, and swell and fade, as music does."""
    white = noise(seed, n_sources, n_channels, n_samples)
    spectra = (
        np.fft.rfft(white) / (1 + np.linspace(0, 20, n_samples // 2 + 1)) ** np.arange(1, n_sources + 1)[:, None, None]
    )
    swell = 1 + 0.8 * np.sin(np.arange(n_samples) / RATE * 3 + np.arange(n_sources)[:, None, None])
    return np.fft.irfft(spectra, n_samples) * swell


def separated(true: Floats, seed: int = 9) -> Floats:
    """Returns estimates as a separator makes them: quieter, with what leaks in, late echoes and noise."""
    mixture = true.sum(axis=0)
    return 0.8 * true + 0.1 * mixture + 0.05 * np.roll(mixture, 7, axis=-1) + noise(seed, *true.shape, level=0.003)


def below(samples: Floats, share: float) -> Floats:
    spectra = np.fft.rfft(samples)
    spectra[..., round(share * spectra.shape[-1]) :] = 0
    return np.fft.irfft(spectra, samples.shape[-1])


def stems_of(samples: Floats, rate: int = RATE) -> dict[str, Audio]:
    names = ("vocals", "drums", "other", "bass")
    return {name: Audio(np.asarray(stem, np.float32), rate) for name, stem in zip(names, samples, strict=False)}


def write_stems(folder: Path, stems: dict[str, Audio], ending: str = "wav", subtype: str | None = "FLOAT") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, audio in stems.items():
        soundfile.write(folder / f"{name}.{ending}", audio.samples.T, audio.sample_rate, subtype=subtype)
    return folder


def read(path: Path) -> NDArray[np.float32]:
    return np.asarray(soundfile.read(path, dtype="float32")[0].T)
