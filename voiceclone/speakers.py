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

# Cosine of the two means with GE2E, over pieces of LJ Speech, VCTK p287, LibriSpeech 1688 and 2033 and six synthetic
# voices. One person: 4 s .73 and more, 6 s .78, 10 s .79, 20 s .90; with changing street noise .67. Two people, one of
# them 50 or 30 %: medians .68, .65, .62, .60, at the most .74 from 10 s on (.91 for two voices that are nearly one).
TWO_PEOPLE = 0.75
TWO_PEOPLE_IN_LITTLE_SPEECH = 0.70
TWO_PEOPLE_IN_NOISE = 0.65
DOUBTFUL = 0.85
FEW_WINDOWS, ENOUGH_WINDOWS = 11, 24  # 10 s and 20 s
FEWEST_OF_SECOND = 3  # windows that make a second person, rather than a laugh

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

    def tells_of_two(self, in_noise: bool) -> bool:
        """Tells whether these are two people; noise that changes makes one person less alike."""
        few = self.second.size < FEW_WINDOWS
        limit = TWO_PEOPLE_IN_NOISE if in_noise else TWO_PEOPLE_IN_LITTLE_SPEECH if few else TWO_PEOPLE
        return self.likeness < limit and self.n_fewer >= FEWEST_OF_SECOND

    @property
    def is_doubtful(self) -> bool:
        """Tells whether they may be two."""
        return self.likeness < (DOUBTFUL if self.second.size >= ENOUGH_WINDOWS else TWO_PEOPLE)

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
