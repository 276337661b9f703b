"""Tiny RoFormers with weights out of a random generator: the same for our code and for the one it is compared with.

Needs nothing but numpy: `bench/roformer_reference.py` runs this file where our packages are not.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

N_FFT, HOP, SAMPLE_RATE = 256, 64, 8000
N_SAMPLES = 25 * HOP
DIM, DEPTH, N_HEADS, HEAD_DIM = 16, 2, 2, 8
BAND_WIDTHS = (2, 2, 4, 8, 16, 32, 65)
N_MEL_BANDS = 8
STEMS = {"bs": 2, "mel": 1}  # of the two tiny networks


def weights(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, NDArray[np.float32]]:
    """Returns an array for each name, which depends on its name and shape alone."""
    return {name: _weight(name, shape) for name, shape in shapes.items()}


def _weight(name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    if name.endswith("rotary_embed.freqs"):  # not learned
        return (10000.0 ** -(np.arange(shape[0]) / shape[0])).astype(np.float32)
    drawn = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape)
    if name.endswith("gamma"):
        return (1 + 0.1 * drawn).astype(np.float32)
    scale = 0.1 if len(shape) == 1 else shape[-1] ** -0.5
    return (scale * drawn).astype(np.float32)


def mixture() -> NDArray[np.float32]:
    """Returns what the tiny networks hear [1, 2, N_SAMPLES]."""
    return (0.1 * np.random.default_rng(1).standard_normal((1, 2, N_SAMPLES))).astype(np.float32)
