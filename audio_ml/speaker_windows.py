"""Whose voice a recording of any length has, from what a speaker encoder hears in windows of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from audio_ml.audio import Samples
from audio_ml.errors import InvalidInput

if TYPE_CHECKING:
    import torch

LEAST_SECONDS = 0.5
QUIET_DB = -30.0  # of a window beside the loudest one: it is a pause, which tells of no voice

Embedding = NDArray[np.float32]


class Encoder(Protocol):
    """A network that tells voices apart."""

    def embed(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Returns embeddings [batch, n] of unit length of waveforms [batch, time]."""


def mean_embedding(
    samples: Samples, sample_rate: int, longest_seconds: float, embed: Callable[[Samples], Embedding]
) -> Embedding:
    """Returns the mean, of unit length, of the embeddings of equally long windows of a sound [time]; pauses count not.

    Raises:
        InvalidInput: when there is less than half a second.
    """
    if samples.size < LEAST_SECONDS * sample_rate:
        raise InvalidInput(
            f"{samples.size / sample_rate:.2f} s of sound do not tell whose voice it is: "
            f"{LEAST_SECONDS} s are the least."
        )
    windows = np.array_split(samples, math.ceil(samples.size / (longest_seconds * sample_rate)))
    powers = np.array([np.mean(window.astype(np.float64) ** 2) for window in windows])
    is_heard = powers >= powers.max() * 10 ** (QUIET_DB / 10)
    mean = np.mean([embed(window) for window, heard in zip(windows, is_heard, strict=True) if heard], axis=0)
    unit: Embedding = (mean / max(float(np.linalg.norm(mean)), 1e-12)).astype(np.float32)
    return unit


def embedded_by(encoder: Encoder, kind: str = "cpu") -> Callable[[Samples], Embedding]:
    """Returns what an encoder on a kind of device makes of a window [time]: its embedding [n]."""

    def embed(window: Samples) -> Embedding:
        import torch

        with torch.inference_mode():
            heard = torch.from_numpy(np.ascontiguousarray(window, np.float32))[None].to(kind)
            found: Embedding = encoder.embed(heard)[0].float().cpu().numpy()
        return found

    return embed
