"""Takes of one line that differ: what every engine with a pace of its own can vary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tts.options import SpeechOptions

SPEED_SPREAD = 0.04
LEAST_CHANGE = 0.4  # of the spread: less would not move a short word by a single frame
GOLDEN = (5**0.5 - 1) / 2  # its multiples keep their distance from each other, whatever the number of takes


def take_rng(take: int, seed: int) -> np.random.Generator:
    """Returns the random numbers of a take; the same for the same take and seed."""
    return np.random.default_rng([seed, take])


def varied_speed(options: SpeechOptions, take: int, seed: int) -> Mapping[str, Any]:
    """Returns the options that differ in a take: a pace up to 4 % faster or slower, by turns; take 0 is as asked for.

    >>> varied_speed(SpeechOptions(), 0, seed=1)
    {}
    """
    if take == 0:
        return {}
    place = (take_rng(0, seed).random() + take * GOLDEN) % 1
    size = (LEAST_CHANGE + (1 - LEAST_CHANGE) * place) * SPEED_SPREAD
    factor = 1 + size if take % 2 else 1 - size
    return {"speed": float(np.clip(round(options.speed * factor, 4), 0.5, 2.0)), "seed": int(seed + take) % 2**32}
