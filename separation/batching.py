"""Several of a model's segments in one call, as a GPU wants them, joined again by the mean of their weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from audio_ml.audio import Samples
from audio_ml.chunks import WeightedSegmentation


@dataclass(frozen=True, eq=False)
class Batch:
    """`size` segments of a model, `length` samples each and `hop` apart, cut out of one longer segment.

    Each counts by `weights` [length], the longer one by the sum of theirs; so every size gives the same stream.
    """

    length: int
    hop: int
    weights: Samples
    size: int = 1

    @property
    def starts(self) -> range:
        return range(0, self.size * self.hop, self.hop)

    def segmentation(self) -> WeightedSegmentation:
        """Returns how a stream is cut into the longer segments."""
        return WeightedSegmentation(self.length + self.starts[-1], self.size * self.hop, self._total())

    def cut(self, segment: Samples) -> Samples:
        """Returns the model's segments [size, channels, length] of a longer one [channels, n]."""
        return np.stack([segment[:, start : start + self.length] for start in self.starts])

    def join(self, pieces: Samples) -> Samples:
        """Returns stems [stems, channels, n] of the longer segment for its parts' [size, stems, channels, length]."""
        if self.size == 1:
            only: Samples = pieces[0]
            return only
        total = self._total()
        joined = np.zeros((*pieces.shape[1:3], len(total)), np.float32)
        for piece, start in zip(pieces, self.starts, strict=True):
            joined[..., start : start + self.length] += piece * self.weights
        joined /= total
        return joined

    def _total(self) -> Samples:
        total = np.zeros(self.length + self.starts[-1], np.float32)
        for start in self.starts:
            total[start : start + self.length] += self.weights
        return total
