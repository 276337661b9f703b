"""More than two channels: which the model hears together, and where everything else goes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fake_engine import FAKE
from signals import decibels, noise, peak_db

import separation
from audio_ml import catalogue
from audio_ml.audio import Audio
from audio_ml.errors import InvalidOption
from audio_ml.layouts import NAMED, find_layout, mask_of_speakers, parse_layout
from audio_ml.loader import ModelLoader
from audio_ml.streams import read_audio
from separation.channels import ChannelPlan, plan_channels
from separation.options import SeparationOptions

LFE = 3


def plan(n_channels: int, mask: int | None = None, tracks: tuple[str, ...] = (), **options: Any) -> ChannelPlan:
    return plan_channels(SeparationOptions(**options), n_channels, 2, mask, tracks)


@pytest.mark.parametrize(
    ("made", "policy", "lanes", "passed"),
    [
        (plan(1), "mono", ((0,),), ()),
        (plan(2), "stereo", ((0, 1),), ()),
        (plan(2, channels="each"), "each", ((0,), (1,)), ()),
        (plan(6), "per-pair", ((0, 1), (2,), (4, 5)), (3,)),
        (plan(6, mask=0x60F), "per-pair", ((0, 1), (2,), (4, 5)), (3,)),
        (plan(8), "per-pair", ((0, 1), (2,), (4, 5), (6, 7)), (3,)),
        (plan(6, channels="centre-only"), "centre-only", ((2,),), (0, 1, 3, 4, 5)),
        (plan(6, channels="downmix"), "downmix", ((0, 1),), (3,)),
        (plan(6, layout="5.1-film"), "per-pair", ((0, 2), (1,), (3, 4)), (5,)),
        (plan(6, layout="L,R,Ls,Rs,C,LFE"), "per-pair", ((0, 1), (2, 3), (4,)), (5,)),
        (plan(4), "each", ((0,), (1,), (2,), (3,)), ()),
        (plan(4, mask=0x33), "per-pair", ((0, 1), (2, 3)), ()),
        (plan(6, tracks=("Boom", "Lav1", "Lav2", "Lav3", "MixL", "MixR")), "each", tuple((c,) for c in range(6)), ()),
        (plan(6, tracks=("L", "C", "R", "Ls", "Rs", "LFE")), "per-pair", ((0, 2), (1,), (3, 4)), (5,)),
        (plan(2, tracks=("Boom", "Lav 1")), "each", ((0,), (1,)), ()),
        (plan(2, tracks=("Mix L", "Mix R")), "stereo", ((0, 1),), ()),
        (plan(3, mask=0xB), "per-pair", ((0, 1),), (2,)),
        (plan(32), "each", tuple((c,) for c in range(32)), ()),
    ],
)
def test_lanes(made: ChannelPlan, policy: str, lanes: tuple[tuple[int, ...], ...], passed: tuple[int, ...]) -> None:
    assert (made.policy, made.lanes, made.passed) == (policy, lanes, passed)


@pytest.mark.parametrize(
    ("n_channels", "options", "words"),
    [
        (6, {"layout": "7.1"}, "names 8 loudspeakers"),
        (6, {"layout": "5.2"}, "no loudspeaker '5.2'"),
        (2, {"layout": "L,L"}, "more than once"),
        (4, {"channels": "centre-only"}, "'centre-only'"),
        (4, {"channels": "downmix"}, "'downmix'"),
        (6, {"channels": "downmix", "residual": "file"}, "'downmix'"),
        (1, {"layout": "LFE"}, "nothing but an LFE"),
    ],
)
def test_what_cannot_be_is_refused(n_channels: int, options: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidOption, match=words):
        plan(n_channels, **options)


def test_layouts_know_their_masks() -> None:
    for name in NAMED:
        mask = mask_of_speakers(parse_layout(name).speakers)
        assert mask is None if name == "5.1-film" else mask
        if mask and parse_layout(name).speakers.__len__() > 2:
            assert find_layout(mask.bit_count(), mask) == parse_layout(name)


@pytest.mark.parametrize("policy", ["per-pair", "downmix", "centre-only", "each"])
@pytest.mark.parametrize("rate", [44100, 48000])
def test_every_policy_adds_up_and_keeps_the_lfe_whole(policy: str, rate: int, loader: ModelLoader) -> None:
    mixture = noise(1, rate, 6)
    stems = separation.separate(mixture, model=FAKE, options={"channels": policy}, loader=loader).stems
    assert peak_db(sum(stem.samples for stem in stems.values()) - mixture.samples) <= -120
    np.testing.assert_array_equal(stems["rest"].samples[LFE], mixture.samples[LFE])
    assert not stems["share"].samples[LFE].any()
    separated = [2] if policy == "centre-only" else [0, 1, 2, 4, 5]
    for channel in range(6):
        assert stems["share"].samples[channel].any() == (channel in separated)


def test_a_downmix_shares_out_each_channel_alike(loader: ModelLoader) -> None:
    mixture = noise(1, 44100, 6)
    stems = separation.separate(mixture, model=FAKE, options={"channels": "downmix"}, loader=loader).stems
    for channel in (0, 1, 2, 4, 5):  # the fake's stems have equal power, so each takes half
        np.testing.assert_allclose(stems["share"].samples[channel], mixture.samples[channel] / 2, atol=1e-5)


def test_the_downmix_is_that_of_the_standard() -> None:
    """ITU-R BS.775: centre and surrounds 3 dB down, no LFE."""
    matrix = plan(8, channels="downmix").downmix
    half = 0.5**0.5
    np.testing.assert_allclose(
        matrix, [[1, 0, half, 0, half, 0, half, 0], [0, 1, half, 0, 0, half, 0, half]], atol=1e-6
    )
    wide = plan(6, channels="downmix", layout="L,R,C,LFE,Lc,Rc").downmix
    np.testing.assert_allclose(wide, [[1, 0, half, 0, half, 0], [0, 1, half, 0, 0, half]], atol=1e-6)


def test_mono_is_the_mean_of_what_a_stereo_model_says() -> None:
    made = plan(1)
    np.testing.assert_array_equal(made.place(np.array([[[1.0], [3.0]]], np.float32)), [[[2.0]]])


def test_nothing_is_lost_when_the_residual_is_dropped(loader: ModelLoader) -> None:
    mixture = noise(0.5, 16000, 6)
    stems = separation.separate(mixture, model=FAKE, options={"residual": "none"}, loader=loader).stems
    np.testing.assert_array_equal(stems["rest"].samples[LFE], mixture.samples[LFE])


@pytest.mark.weights
@pytest.mark.parametrize("policy", ["auto", "centre-only"])
def test_dialogue_of_the_centre_arrives_in_the_centre_of_vocals(policy: str, loader: ModelLoader) -> None:
    """The voice is that of a real song, which the model itself took out; the rest is the song's own bed."""
    row = catalogue.find_row("spleeter-example")
    song = read_audio(loader.store.open(row)["audio_example.mp3"])
    stems = {name: stem.samples for name, stem in separation.separate(song, loader=loader).stems.items()}
    voice, bed = stems["vocals"].mean(axis=0), stems["accompaniment"]
    silence = np.zeros_like(voice)
    mixture = Audio(np.stack([bed[0], bed[1], voice, silence, 0.3 * bed[1], 0.3 * bed[0]]), song.sample_rate)
    found = separation.separate(mixture, options={"channels": policy}, loader=loader).stems["vocals"].samples
    assert decibels(voice, voice - found[2]) > 10
    elsewhere = np.delete(found, 2, axis=0)
    assert np.sum(np.square(found[2])) > 10 * np.sum(np.square(elsewhere))
