"""Whether speech is of one person: how what a speaker encoder hears drifts along it.

Windows of speech are told apart into two groups (k-means with cosines, two means that begin with the two least alike
windows). Of one person, the two means are nearly the same; of two, they are as far apart as two people are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audio_ml.audio import Audio, Samples

WINDOW_SECONDS = 1.6  # what GE2E was trained to hear at once
STEP_SECONDS = 0.8
FEWEST_WINDOWS = 4
MOST_WINDOWS = 120  # of longer speech, evenly chosen
ROUNDS = 20

# Cosine of the two means with GE2E: one person 0.91 to 0.96 (LJ Speech, VCTK p287, LibriSpeech 1688 and 2033, three
# synthetic voices), the same with street noise 0.76, any two of these 0.45 to 0.72 (6 s and 6 s, 10 s and 3 s).
TWO_PEOPLE = 0.75
DOUBTFUL = 0.85

Embeddings = NDArray[np.float32]
Embed = Callable[[Sequence[Audio]], Embeddings]  # embeddings [n, size] of unit length of n sounds


@dataclass(frozen=True, eq=False)
class Drift:
    """How alike the two groups of windows are that are least alike, as a cosine.

    `second` [windows] tells which windows belong to the group that is heard later; they begin at `starts_seconds`.
    """

    likeness: float
    second: NDArray[np.bool_]
    starts_seconds: NDArray[np.float64]

    @property
    def n_fewer(self) -> int:
        """The number of windows in the smaller group."""
        return int(min(self.second.sum(), (~self.second).sum()))

    @property
    def change_seconds(self) -> float:
        """When the second group is first heard."""
        return float(self.starts_seconds[self.second][0]) + WINDOW_SECONDS / 2


def measure_drift(speech: Samples, sample_rate: int, embed: Embed) -> Drift | None:
    """Returns the drift along speech [time], or None where it is too short to tell (4 s)."""
    window, step = round(WINDOW_SECONDS * sample_rate), round(STEP_SECONDS * sample_rate)
    starts = np.arange(0, speech.size - window + 1, step)
    if starts.size < FEWEST_WINDOWS:
        return None
    if starts.size > MOST_WINDOWS:
        starts = starts[np.linspace(0, starts.size - 1, MOST_WINDOWS).round().astype(int)]
    found = embed([Audio(speech[None, start : start + window], sample_rate) for start in starts])
    likeness, labels = _two_means(np.asarray(found, np.float64))
    return Drift(likeness, labels != labels[0], starts / sample_rate)


def _two_means(embeddings: NDArray[np.float64]) -> tuple[float, NDArray[np.int64]]:
    """Returns the cosine of two means of embeddings [n, size], and to which of them each belongs [n]."""
    alike = embeddings @ embeddings.T
    first, second = np.unravel_index(int(alike.argmin()), alike.shape)
    means = embeddings[[first, second]]
    labels = np.zeros(len(embeddings), np.int64)
    for _ in range(ROUNDS):
        labels = (embeddings @ means.T).argmax(axis=1)
        if labels.min() == labels.max():
            return 1.0, labels
        means = np.stack([embeddings[labels == label].mean(axis=0) for label in (0, 1)])
        means /= np.linalg.norm(means, axis=1, keepdims=True)
    return float(means[0] @ means[1]), labels
