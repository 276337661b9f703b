"""One channel of several, for what listens to speech: those in which there is nothing do not thin the others out."""

from __future__ import annotations

import numpy as np

from audio_ml.audio import Samples

EMPTY_DB = -40.0  # a channel so far below the loudest is a microphone that nobody speaks into
CANCELLED_DB = -10.0  # a mix so far below its loudest channel: they are the same sound with opposite signs


class Downmix:
    """Mixes the channels of a recording, all of which is given to `add` before: one choice of channels holds for it.

    That is the mean of all channels that are not empty, or the loudest alone where they cancel each other out.

    >>> left = np.sin(np.arange(1000, dtype=np.float32))
    >>> wrongly_wired = np.stack([left, -left])
    >>> bool((mixed_down(wrongly_wired) == left).all())
    True
    """

    def __init__(self, n_channels: int) -> None:
        self._products = np.zeros((n_channels, n_channels))

    def add(self, block: Samples) -> None:
        """Hears a block [channels, n]."""
        self._products += block @ block.T

    @property
    def channels(self) -> list[int]:
        """The channels that are mixed."""
        powers = self._products.diagonal()
        heard = np.flatnonzero(powers >= powers.max() * 10 ** (EMPTY_DB / 10))
        mixed = self._products[np.ix_(heard, heard)].mean()
        if mixed < powers.max() * 10 ** (CANCELLED_DB / 10):
            return [int(powers.argmax())]
        return heard.tolist()

    def mix(self, block: Samples) -> Samples:
        """Returns a block [channels, n] as one channel [1, n]."""
        mixed: Samples = block[self.channels].mean(axis=0, keepdims=True)
        return mixed


def mixed_down(samples: Samples) -> Samples:
    """Returns a whole recording [channels, time] as one channel [1, time]."""
    mixer = Downmix(samples.shape[0])
    mixer.add(samples)
    return mixer.mix(samples)
