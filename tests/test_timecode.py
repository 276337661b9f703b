"""Timecode: against the package `timecode`, against published numbers, and what cannot be."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from timecode import Timecode

from audio_ml.errors import InvalidInput, InvalidOption
from audio_ml.timecode import FRAME_RATES, find_frame_rate, to_samples, to_seconds

THEIR_NAMES = {  # of the rates that the package `timecode` knows
    "23.976": ("23.976", False),
    "24": ("24", False),
    "25": ("25", False),
    "29.97": ("29.97", True),
    "29.97df": ("29.97", False),
    "30": ("30", False),
    "48": ("48", False),
    "50": ("50", False),
    "59.94df": ("59.94", False),
    "60": ("60", False),
}


@pytest.mark.parametrize("name", THEIR_NAMES)
@given(share=st.floats(0, 1, exclude_max=True))
def test_labels_are_those_of_the_package_timecode(name: str, share: float) -> None:
    rate = FRAME_RATES[name]
    theirs, force_non_drop = THEIR_NAMES[name]
    frames = int(share * rate.frames_per_day)
    reference = Timecode(theirs, frames=frames + 1, force_non_drop_frame=force_non_drop)  # counts from one
    assert rate.label(frames).replace(";", ":") == str(reference).replace(";", ":")


@pytest.mark.parametrize("name", FRAME_RATES)
@given(share=st.floats(0, 1, exclude_max=True))
def test_every_frame_has_a_label_that_finds_it_again(name: str, share: float) -> None:
    rate = FRAME_RATES[name]
    frames = int(share * rate.frames_per_day)
    assert rate.frames(rate.label(frames)) == frames
    assert rate.label_at(rate.seconds(rate.label(frames))) == rate.label(frames)


@pytest.mark.parametrize(
    ("name", "label", "frames"),
    [
        ("29.97df", "00:01:00;02", 1800),  # SMPTE ST 12-1: labels 0 and 1 of the minute do not exist
        ("29.97df", "00:10:00;00", 17982),
        ("29.97df", "01:00:00;00", 107892),
        ("59.94df", "00:01:00;04", 3600),
        ("59.94df", "01:00:00;00", 215784),
        ("23.976", "01:00:00:00", 86400),
        ("47.952", "00:00:01:00", 48),
    ],
)
def test_frames_as_published(name: str, label: str, frames: int) -> None:
    assert FRAME_RATES[name].frames(label) == frames
    assert FRAME_RATES[name].label(frames) == label


@pytest.mark.parametrize("label", ["01;00;00;00", "01:00;00;00", "01;00:00:00"])
def test_a_semicolon_anywhere_means_drop_frame(label: str) -> None:
    assert FRAME_RATES["29.97df"].frames(label) == 107892
    with pytest.raises(InvalidInput, match="drop-frame timecode"):
        FRAME_RATES["29.97"].frames(label)


def test_drop_frame_keeps_up_with_the_clock() -> None:
    hour = FRAME_RATES["29.97df"].seconds("01:00:00;00")
    assert abs(hour - 3600) < Fraction(1, 250)  # 3.6 ms
    assert FRAME_RATES["29.97"].seconds("01:00:00:00") == Fraction(18018, 5)


@pytest.mark.parametrize("minute", range(60))
def test_labels_that_drop_frame_leaves_out_are_refused(minute: int) -> None:
    for frame in ("00", "01"):
        label = f"00:{minute:02}:00;{frame}"
        if minute % 10:
            with pytest.raises(InvalidInput, match="left out of drop-frame"):
                FRAME_RATES["29.97df"].frames(label)
        else:
            assert FRAME_RATES["29.97df"].label(FRAME_RATES["29.97df"].frames(label)) == label


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("24", "01:00:00:24", "no frame 24"),
        ("24", "01:00:60:00", "go up to 59"),
        ("24", "24:00:00:00", "past midnight"),
        ("24", "01:00:00;00", "drop-frame timecode"),
        ("24", "one o'clock", "is not a time"),
        ("24", "", "is not a time"),
        ("24", "-1", "is not a time"),
        ("23.976", "01:00:00", "may be timecode or clock"),
    ],
)
def test_what_is_no_time_is_refused(name: str, text: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        FRAME_RATES[name].seconds(text)


def test_clocks_and_seconds_are_exact() -> None:
    rate = FRAME_RATES["23.976"]
    assert rate.seconds("01:00:00.001") == Fraction(3600001, 1000)
    assert rate.seconds("02:03,5") == Fraction(247, 2)
    assert rate.seconds("12.25") == Fraction(49, 4)
    assert FRAME_RATES["25"].seconds("01:00:00") == 3600


@given(frames=st.integers(0, 2_589_407), sample_rate=st.sampled_from([44100, 48000, 96000]))
def test_samples_are_the_nearest_and_halves_go_up(frames: int, sample_rate: int) -> None:
    seconds = frames / FRAME_RATES["29.97"].fps
    samples = to_samples(seconds, sample_rate)
    assert -Fraction(1, 2) < samples - seconds * sample_rate <= Fraction(1, 2)
    assert to_samples(to_seconds(samples, sample_rate), sample_rate) == samples


def test_half_a_sample_is_the_later_one() -> None:
    assert [to_samples(Fraction(n, 2), 1) for n in range(4)] == [0, 1, 1, 2]


def test_a_day_wraps() -> None:
    rate = FRAME_RATES["30"]
    assert rate.label(rate.frames_per_day) == "00:00:00:00"


def test_unknown_rates_are_told_with_the_known_ones() -> None:
    assert find_frame_rate("23.98").name == "23.976"
    assert find_frame_rate("29.97 NDF").name == "29.97"
    with pytest.raises(InvalidOption, match=r"one of 23\.976, 24"):
        find_frame_rate("12")
