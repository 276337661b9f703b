"""The value that crosses every border of the suite: sound with its sample rate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audio_ml.errors import InvalidInput

Samples = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Audio:
    """Sound in memory: float32 `samples` [channels, time], full scale at 1.0, and its `sample_rate` in Hz.

    Raises:
        InvalidInput: when the samples are not a two-dimensional array of floats, are empty or not
            finite, or the rate is not positive.

    >>> audio = Audio(np.zeros((2, 44100), np.float32), 44100)
    >>> audio.n_channels, audio.duration_seconds
    (2, 1.0)
    """

    samples: Samples
    sample_rate: int

    def __post_init__(self) -> None:
        samples = np.asarray(self.samples)
        if samples.ndim != 2 or samples.dtype.kind != "f":
            raise InvalidInput(
                f"Audio wants float samples [channels, time], not {samples.dtype} of shape {samples.shape}."
            )
        if samples.size == 0:
            raise InvalidInput("The audio has no samples.")
        if self.sample_rate <= 0:
            raise InvalidInput(f"A sample rate of {self.sample_rate} Hz is not possible.")
        samples = samples.astype(np.float32, copy=False)
        if not np.isfinite(samples).all():
            raise InvalidInput("The audio holds NaN or infinite samples.")
        object.__setattr__(self, "samples", samples)

    @property
    def n_channels(self) -> int:
        return int(self.samples.shape[0])

    @property
    def n_samples(self) -> int:
        """Samples per channel."""
        return int(self.samples.shape[1])

    @property
    def duration_seconds(self) -> float:
        return self.n_samples / self.sample_rate
