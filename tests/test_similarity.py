"""What similarities mean."""

from __future__ import annotations

import numpy as np
import pytest

from voiceclone.similarity import ENCODERS, Similarity, made_of, percentiles, similarity


def pair(score: float) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    one, other = np.array([1.0, 0.0]), np.array([score, np.sqrt(1 - score**2)])
    return dict.fromkeys(ENCODERS, one), dict.fromkeys(ENCODERS, other)


def test_the_encoders_tell_one_person_from_two() -> None:
    same, different = percentiles()
    assert len(same) == len(different) == 101
    assert same == sorted(same) and different == sorted(different)
    assert same[5] > different[95]
    assert "bench.likeness" in made_of()


def test_the_median_of_one_person_is_in_the_middle_of_one_person_and_above_all_others() -> None:
    found = similarity(*pair(percentiles()[0][50]))
    assert found.of_same == pytest.approx(0.5, abs=0.02) and found.of_different > 0.97
    assert found.meaning == "as alike as two recordings of one person"
    stranger = similarity(*pair(percentiles()[1][50]))
    assert stranger.of_different == pytest.approx(0.5, abs=0.02) and stranger.of_same == 0
    assert stranger.meaning == "no more alike than two people may be"


def test_the_score_is_the_mean_of_the_encoders() -> None:
    one, other = pair(0.6)
    assert similarity(one, other | {"ge2e": one["ge2e"]}).score == pytest.approx(0.8)


def test_more_alike_is_never_less_meant() -> None:
    found = [similarity(*pair(score)) for score in np.linspace(-1, 1, 401)]
    for name in ("of_same", "of_different"):
        shares = [getattr(each, name) for each in found]
        assert shares == sorted(shares) and (shares[0], shares[-1]) == (0.0, 1.0)
    assert len({each.meaning for each in found}) == 4


def test_it_goes_into_json() -> None:
    assert Similarity(0.9, 0.03, 0.99).as_dict() == {
        "score": 0.9,
        "of_same": 0.03,
        "of_different": 0.99,
        "meaning": "more alike than two people are, less than two recordings of one person",
    }
