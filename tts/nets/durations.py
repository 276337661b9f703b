"""Durations of symbols that models decide on: kept to a pace, and moved to where the symbols are heard."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

LAG_FRAMES = 3  # of 25 ms: Kokoro, and what was distilled from it, is heard before its places (so the package `kokoro`)


def paced(natural: NDArray[np.floating[Any]], speed: float) -> NDArray[np.int64]:
    """Returns whole durations [symbols], one at least, whose sum is the natural one divided by `speed`.

    Rounding each on its own would leave a few per cent more or less of speed without any effect.

    >>> paced(np.array([2.0, 3.0, 2.0, 3.0, 2.0]), 1.2).tolist()
    [2, 2, 2, 2, 2]
    """
    borders, reached = [], 0
    for border in np.rint(np.cumsum(natural) / speed).astype(np.int64).tolist():
        reached = max(reached + 1, border)
        borders.append(reached)
    return np.array([end - begin for begin, end in pairwise([0, *borders])], np.int64)


def as_heard(frames: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns durations [symbols] with all symbols moved to where they are heard; the sum stays.

    >>> as_heard(np.array([18, 2, 4, 1])).tolist()
    [15, 2, 4, 4]
    """
    lag = min(LAG_FRAMES, int(frames[0]) - 1)
    return np.array([frames[0] - lag, *frames[1:-1], frames[-1] + lag])
