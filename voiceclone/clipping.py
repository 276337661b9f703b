"""How much of a recording was cut off at full scale, before whatever was done to it since."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from audio_ml.audio import Samples

TOP = 0.98  # of the highest level so far: what lies above it may be cut off
FLAT = 1.5 / 32768  # samples that differ by no more are equal, rounding and dither apart
QUIET = 0.01  # a lower peak is not looked at: in faint sound neighbours are equal by rounding
SHORTEST_RUN, RUN_SECONDS = 3, 1 / 8000  # samples in a row that make a flat top; a sine of 100 Hz has none

TAILS = (0.0005, 0.005)  # shares of samples above the level that is looked below
TAIL_DB = 1.0
CROWDED = (
    10  # times a tail's share, within a decibel below it: natural speech has 1.8 to 6.4 times, clipped speech 11-70
)


class FlatTops:
    """Counts the samples of a stream [channels, n] in flat tops, frame by frame.

    A run across the border of two blocks counts only as far as each part is long enough by itself.
    """

    def __init__(self, sample_rate: int, frame_seconds: float) -> None:
        self._shortest = max(SHORTEST_RUN, round(RUN_SECONDS * sample_rate))
        self._frame_samples = frame_seconds * sample_rate
        self._position = 0
        self._peak = 0.0
        self._counts = np.zeros(0, np.int64)

    def add(self, block: Samples) -> None:
        """Takes the next block."""
        self._peak = max(self._peak, float(np.abs(block).max(initial=0)))
        first = int(self._position / self._frame_samples)
        places = ((self._position + np.arange(block.shape[1])) / self._frame_samples).astype(np.int64)
        counts = np.zeros(int(places[-1]) + 1 if places.size else first, np.int64)
        if self._peak >= QUIET:
            flat = np.logical_or.reduce([self._flat(channel) for channel in block])
            counts += np.bincount(places[flat], minlength=counts.size)
        counts[: self._counts.size] += self._counts
        self._counts = counts
        self._position += block.shape[1]

    def shares(self, first: int, end: int) -> NDArray[np.float64]:
        """Returns the share of clipped samples in each frame from `first` on."""
        found = self._counts[first:end] / self._frame_samples
        return np.pad(found, (0, end - first - found.size)).clip(0, 1)

    def _flat(self, channel: Samples) -> NDArray[np.bool_]:
        """Tells which samples [n] are part of a flat top."""
        high = np.abs(channel) >= TOP * self._peak
        steps = self._shortest - 1
        flat = np.zeros(channel.size, bool)
        if channel.size < self._shortest or np.count_nonzero(high) < self._shortest:
            return flat
        equal = np.concatenate([[0], np.cumsum((np.abs(np.diff(channel)) <= FLAT) & high[1:] & high[:-1])])
        starts = np.flatnonzero(equal[steps:] - equal[:-steps] == steps)
        for offset in range(self._shortest):
            flat[starts + offset] = True
        return flat


def crowded_share(speech: Samples) -> float:
    """Returns the share of speech [time] that crowds below its highest levels, 0 where it thins out as it should.

    So clipping is found that was filtered, resampled or coded since, which bends flat tops.
    """
    levels = np.abs(speech)
    found = 0.0
    for tail in TAILS:
        top = float(np.quantile(levels, 1 - tail))
        share = float(np.mean(levels >= top * 10 ** (-TAIL_DB / 20)))
        found = max(found, share) if top > 0 and share >= CROWDED * tail else found
    return found
