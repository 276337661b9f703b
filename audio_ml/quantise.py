"""From float samples to the steps of an integer bit depth: rounding, dither, clipping."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from audio_ml.audio import Samples
from audio_ml.formats import BitDepth


class Quantiser:
    """Rounds a stream to what a file of a bit depth can hold; float passes untouched.

    With a `seed`, rounding is dithered by triangular noise of two steps' width (TPDF; Lipshitz,
    Wannamaker and Vanderkooy 1992, "Quantization and Dither", J. Audio Eng. Soc. 40(5)). A sample
    that needs no rounding gets none, so digital silence and what is passed through stay as they are.
    `n_clipped` counts the samples that lay beyond full scale.

    >>> Quantiser("16")(np.array([[0.5, 2.0, 1e-6]], np.float32)).tolist()
    [[0.5, 0.999969482421875, 0.0]]
    """

    def __init__(self, bit_depth: BitDepth, seed: Sequence[int] | None = None) -> None:
        self.n_clipped = 0
        self.steps = None if bit_depth == "32f" else np.float32(1 << (int(bit_depth) - 1))  # of one polarity
        self._noise = None if seed is None else np.random.Generator(np.random.SFC64(list(seed)))

    def __call__(self, block: Samples) -> Samples:
        """Returns a block [channels, n] as the file will hold it."""
        if self.steps is None:
            self.n_clipped += int(np.count_nonzero(np.abs(block) > 1))
            return block
        scaled = block * self.steps
        codes = np.rint(scaled)
        if self._noise is not None and not np.array_equal(codes, scaled):
            dithered = self._dither(block.shape)
            dithered *= codes != scaled
            dithered += scaled
            codes = np.rint(dithered, out=dithered)
        if codes.max(initial=0) > self.steps - 1 or codes.min(initial=0) < -self.steps:
            self.n_clipped += int(np.count_nonzero((codes > self.steps - 1) | (codes < -self.steps)))
            codes = np.clip(codes, -self.steps, self.steps - 1)
        held: Samples = codes * (1 / self.steps)
        return held

    def _dither(self, shape: tuple[int, ...]) -> Samples:
        """Returns triangular noise between -1 and 1: the difference of the two halves of random words."""
        assert self._noise is not None
        words = self._noise.integers(0, 1 << 32, shape[::-1], np.uint32)  # time first: blocks of any size draw alike
        halves = words.view(np.int16)
        noise: Samples = np.subtract(halves[:, ::2].T, halves[:, 1::2].T, dtype=np.float32)
        noise *= np.float32(2.0**-16)
        return noise
