"""What a similarity of two voices means: as alike as two recordings of one person, or as two people."""

from __future__ import annotations

import bisect
import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from statistics import fmean
from typing import Any

from numpy.typing import NDArray

ENCODERS = ("ge2e", "campplus")  # of the user's view; the file knows the judges, too
SELDOM, OFTEN = 5, 25  # percentiles


@dataclass(frozen=True)
class Similarity:
    """How alike two voices are: the `score` is the mean of two cosines, 1 for one and the same voice.

    `of_same` is the share of pairs of recordings of one person that are less alike than this, `of_different` the share
    of pairs of two people of the same sex that are.
    """

    score: float
    of_same: float
    of_different: float

    @property
    def meaning(self) -> str:
        """What it means, in words."""
        if self.of_same >= OFTEN / 100:
            return "as alike as two recordings of one person"
        if self.of_same >= SELDOM / 100:
            return "as alike as two rather different recordings of one person"
        if self.of_different >= 1 - SELDOM / 100:
            return "more alike than two people are, less than two recordings of one person"
        return "no more alike than two people may be"

    def as_dict(self) -> dict[str, float | str]:
        """Returns it for JSON."""
        return {
            "score": self.score,
            "of_same": self.of_same,
            "of_different": self.of_different,
            "meaning": self.meaning,
        }


def similarity(one: Mapping[str, NDArray[Any]], other: Mapping[str, NDArray[Any]]) -> Similarity:
    """Compares the embeddings of two voices, as `voiceclone.encoders.embeddings` gives them.

    A cloned voice is fitted to these encoders, so they flatter it: `audio-ml evaluate clone` asks ECAPA-TDNN and
    ERes2Net, which have no part in it.
    """
    score = fmean(float(one[name] @ other[name]) for name in ENCODERS)
    same, different = percentiles()
    return Similarity(score, _rank(same, score), _rank(different, score))


def percentiles() -> tuple[list[float], list[float]]:
    """Returns the 0th to 100th percentile of the scores of one person's recordings, and of two people's."""
    return list(_known()["same"]["percentiles"]), list(_known()["different"]["percentiles"])


def made_of() -> str:
    """Says which recordings the meaning comes from."""
    return str(_known()["made"])


def _rank(percentiles: list[float], score: float) -> float:
    """Returns the share of the scores that are below one, straight between percentiles."""
    above = bisect.bisect_left(percentiles, score)
    if above == 0 or above == len(percentiles):
        return float(above > 0)
    low, high = percentiles[above - 1], percentiles[above]
    return (above - 1 + (score - low) / (high - low)) / (len(percentiles) - 1)


@functools.cache
def _known() -> dict[str, Any]:
    """Reads the numbers, which `bench/likeness.py` measures."""
    source = resources.files("voiceclone") / "data" / "likeness.json"
    found: dict[str, Any] = json.loads(source.read_text(encoding="utf-8"))
    return found
