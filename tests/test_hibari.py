"""The hibari engine against the package's own front end, which is independent of our cutting of its network."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from signals import decibels

from audio_ml.loader import ModelLoader
from tts.engines.hibari import HibariOptions
from tts.nets.durations import paced
from tts.voices import find_speaker

pytestmark = pytest.mark.weights
PHONEMES = "ðə kwˈɪk bɹˈWn fˈɑks ʤˈʌmps ˈOvəɹ ðə lˈAzi dˈɔɡ, ænd nˈObˌɑdi ɪz səɹpɹˈIzd."


def test_says_what_hibari_says(loader: ModelLoader) -> None:
    from hibari import Hibari

    speaker = find_speaker("hibari/heart")
    theirs = Hibari().from_phonemes(PHONEMES, seed=5)
    with loader.use(speaker.spec) as engine:
        ours = engine.speak(PHONEMES, speaker.blend, HibariOptions(), 5)
    assert ours.samples.shape == (1, len(theirs))
    assert decibels(theirs, ours.samples[0] - theirs) > 35  # eight-bit sums depend on how a graph is fused


@given(st.lists(st.floats(1, 12), min_size=1, max_size=60), st.floats(0.5, 2))
def test_a_pace_is_kept_to_half_a_unit(natural: list[float], speed: float) -> None:
    durations = paced(np.array(natural), speed)
    assert (durations >= 1).all() and len(durations) == len(natural)
    assert durations.sum() >= sum(natural) / speed - 0.51
    if min(natural) >= speed:  # no symbol is at its shortest
        assert durations.sum() <= sum(natural) / speed + 0.51


def test_short_symbols_are_made_up_for_by_the_next() -> None:
    natural = np.array([1, 1, 1, 9, 1, 1, 1, 9], float)
    assert paced(natural, 2.0).sum() == 12


@given(st.lists(st.integers(1, 12), min_size=1, max_size=60))
def test_the_natural_pace_is_left_as_it_is(natural: list[int]) -> None:
    assert paced(np.array(natural, float), 1.0).tolist() == natural


def test_a_few_per_cent_of_speed_are_heard(loader: ModelLoader) -> None:
    speaker = find_speaker("hibari/heart")
    with loader.use(speaker.spec) as engine:
        plain, faster = (
            engine.speak(PHONEMES, speaker.blend, HibariOptions(speed=speed), 5).samples.shape[1] for speed in (1, 1.03)
        )
    assert faster == pytest.approx(plain / 1.03, abs=600)


def test_variation_changes_rhythm_and_pitch_with_the_seed_alone(loader: ModelLoader) -> None:
    speaker = find_speaker("hibari/heart")

    def durations(variation: float, seed: int) -> list[int]:
        with loader.use(speaker.spec) as engine:
            return list(engine.speak(PHONEMES, speaker.blend, HibariOptions(variation=variation), seed).durations)

    assert durations(0, 1) == durations(0, 2)
    assert durations(1, 1) == durations(1, 1) != durations(1, 2)
