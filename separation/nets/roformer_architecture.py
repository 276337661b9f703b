"""The sizes of the RoFormer networks and the bands they split a spectrum into; known without torch.

Lu et al. 2023, "Music source separation with band-split RoPE transformer" (arXiv 2309.02612), and
Wang et al. 2023, "Mel-Band RoFormer for music source separation" (arXiv 2310.01809).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SAMPLE_RATE = 44100
N_FFT = 2048
HOP = 441  # 10 ms

Band = tuple[int, int]  # its first bin, and the one after its last

# Slaney's mel scale: linear up to 1 kHz, then 27 steps for each factor of 6.4.
LINEAR_HZ_PER_MEL = 200 / 3
LINEAR_END_HZ = 1000.0
LOG_STEP = np.log(6.4) / 27


@dataclass(frozen=True)
class Architecture:
    """What tells one RoFormer from another.

    `norms_each` says that every transformer ends in a normalisation (Mel-Band RoFormer); otherwise one
    follows the last. A mask estimator is a perceptron of `mask_layers` linear layers, its hidden ones
    `mask_expansion` times as wide as `dim`. Segments should be whole multiples of `hop`.
    """

    bands: tuple[Band, ...]
    dim: int
    depth: int
    norms_each: bool
    mask_layers: int
    mask_expansion: int = 4
    n_stems: int = 1
    n_heads: int = 8
    head_dim: int = 64
    n_fft: int = N_FFT
    hop: int = HOP


def bands_of(widths: tuple[int, ...]) -> tuple[Band, ...]:
    """Returns bands of these widths, side by side from bin 0 on.

    >>> bands_of((2, 2, 4))
    ((0, 2), (2, 4), (4, 8))
    """
    ends = np.cumsum(widths)
    return tuple((int(end) - width, int(end)) for end, width in zip(ends, widths, strict=True))


def mel_bands(n_bands: int, n_fft: int = N_FFT, sample_rate: int = SAMPLE_RATE) -> tuple[Band, ...]:
    """Returns the bins that each triangle of a mel filter bank covers; every bin is in one band or two.

    A triangle is zero on the edges of its band, so the first and the last bin belong to none and are
    given to the outermost bands.
    """
    edges = _hz(np.linspace(0, _mel(sample_rate / 2), n_bands + 2))
    bins_hz = np.linspace(0, sample_rate / 2, n_fft // 2 + 1)
    starts = np.searchsorted(bins_hz, edges[:-2], side="right")
    ends = np.searchsorted(bins_hz, edges[2:], side="left")
    starts[0], ends[-1] = 0, len(bins_hz)
    return tuple((int(start), int(end)) for start, end in zip(starts, ends, strict=True))


def _mel(hz: float) -> float:
    return float(LINEAR_END_HZ / LINEAR_HZ_PER_MEL + np.log(hz / LINEAR_END_HZ) / LOG_STEP)


def _hz(mel: np.ndarray) -> np.ndarray:
    linear_end = LINEAR_END_HZ / LINEAR_HZ_PER_MEL
    grown = LINEAR_END_HZ * np.exp(LOG_STEP * (mel - linear_end))
    return np.where(mel < linear_end, mel * LINEAR_HZ_PER_MEL, grown)


BS_BANDS = bands_of((2,) * 24 + (4,) * 12 + (12,) * 8 + (24,) * 8 + (48,) * 8 + (128, 129))
