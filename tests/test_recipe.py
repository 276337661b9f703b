"""What is delivered: stems, two stems, mixes, gains, and who takes the remainder."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fake_engine import FAKE, FOUR
from signals import noise, peak_db

import separation
from audio_ml.errors import InvalidOption
from audio_ml.loader import ModelLoader
from audio_ml.options import parse
from separation.recipe import find_recipe


def recipe(**options: Any) -> Any:
    return find_recipe(FOUR, parse(FOUR.options, options))


def test_all_stems_by_default() -> None:
    made = recipe()
    assert made.outputs == made.sources == FOUR.outputs
    assert made.complete and made.outputs[made.remainder] == "other"


@pytest.mark.parametrize(
    ("options", "outputs", "complete"),
    [
        ({"stems": ("drums", "vocals")}, ("drums", "vocals"), False),
        ({"two_stems": "vocals"}, ("vocals", "no_vocals"), True),
        ({"mix": ("karaoke=drums+bass+other",)}, ("karaoke",), False),
        ({"mix": ("karaoke=drums+bass+other", "voice=vocals")}, ("karaoke", "voice"), True),
        ({"mix": ("beat = drums + bass",), "stems": ("vocals", "other")}, ("vocals", "other", "beat"), True),
        ({"residual": "file"}, (*FOUR.outputs, "residual"), True),
        ({"residual": "file", "two_stems": "drums"}, ("drums", "no_drums", "residual"), True),
        ({"residual": "none"}, FOUR.outputs, True),
        ({"residual": "none", "stems": ("vocals",)}, ("vocals",), False),
        ({"gain": ("vocals=-6",)}, FOUR.outputs, False),
        ({"gain": ("vocals=0",)}, FOUR.outputs, True),
    ],
)
def test_outputs(options: dict[str, Any], outputs: tuple[str, ...], complete: bool) -> None:
    made = recipe(**options)
    assert (made.outputs, made.complete) == (outputs, complete)
    if complete:
        np.testing.assert_array_equal(made.weights.sum(axis=0), 1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"stems": ("voice",)}, "no stem 'voice'"),
        ({"two_stems": "vocal"}, "Did you mean 'vocals'"),
        ({"two_stems": "vocals", "stems": ("drums",)}, "two_stems"),
        ({"mix": ("karaoke",)}, "NAME=STEM"),
        ({"mix": ("../x=drums",)}, "NAME=STEM"),
        ({"mix": ("vocals=drums",)}, "'vocals' already"),
        ({"mix": ("a=drums+vocls",)}, "Did you mean 'vocals'"),
        ({"gain": ("vocals",)}, "STEM=DB"),
        ({"gain": ("vocals=loud",)}, "STEM=DB"),
        ({"gain": ("vocals=nan",)}, "STEM=DB"),
        ({"gain": ("vocals=99",)}, "at most 24"),
        ({"residual": "into"}, "'residual'"),
        ({"residual": "into basss"}, "Did you mean 'bass'"),
        ({"residual": "away"}, "'residual'"),
    ],
)
def test_mistakes_are_named(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidOption, match=words):
        recipe(**options)


def test_mixes_and_gains_are_sums_of_stems(loader: ModelLoader) -> None:
    mixture = noise(1)

    def stems(**options: Any) -> dict[str, np.ndarray]:
        made = separation.separate(mixture, model=FOUR, options=options, loader=loader).stems
        return {name: stem.samples for name, stem in made.items()}

    plain = stems()
    mixed = stems(mix=("beat=drums+bass",), gain=("drums=-6", "bass=-inf"))
    np.testing.assert_allclose(mixed["beat"], plain["drums"] * 10 ** (-6 / 20), atol=1e-6)
    two = stems(two_stems="vocals")
    np.testing.assert_allclose(two["no_vocals"], mixture.samples - plain["vocals"], atol=1e-6)


@pytest.mark.parametrize("policy", ["project", "into share", "into rest", "file"])
@pytest.mark.parametrize("rate", [16000, 44100])
def test_every_policy_but_none_adds_up(policy: str, rate: int, loader: ModelLoader) -> None:
    mixture = noise(1.3, rate)
    result = separation.separate(mixture, model=FAKE, options={"residual": policy}, loader=loader)
    total = sum(stem.samples for stem in result.stems.values())
    assert peak_db(total - mixture.samples) <= -120
    assert ("residual" in result.stems) == (policy == "file")
    dropped = separation.separate(mixture, model=FAKE, options={"residual": "none"}, loader=loader)
    if rate == 44100:  # the fake hears up to 8 kHz
        assert peak_db(dropped.residual.samples) > -40


def test_into_gives_all_of_it_to_one_stem(loader: ModelLoader) -> None:
    mixture = noise(1)
    raw = separation.separate(mixture, model=FAKE, options={"residual": "none"}, loader=loader)
    one = separation.separate(mixture, model=FAKE, options={"residual": "into share"}, loader=loader)
    np.testing.assert_array_equal(one.stems["rest"].samples, raw.stems["rest"].samples)
    np.testing.assert_allclose(one.stems["share"].samples, raw.stems["share"].samples + raw.residual.samples, atol=1e-6)
