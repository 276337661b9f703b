"""Where stems lie behind their mixture, and when that cannot be told."""

from __future__ import annotations

import numpy as np
import pytest
from signals import noise

from audio_ml.audio import Samples
from separation.proof import AlignmentMeter, NullMeter, offset_samples

RATE = 48000


def tone(hz: float, seconds: float = 1.0) -> Samples:
    return (0.5 * np.sin(2 * np.pi * hz / RATE * np.arange(round(RATE * seconds)))).astype(np.float32)


@pytest.mark.parametrize("lag", [-3000, -1, 0, 1, 7, 1024])
def test_a_lag_is_found_under_other_sound(lag: int) -> None:
    voice, other = noise(1, RATE, 1, seed=1).samples[0], noise(1, RATE, 1, seed=2).samples[0]
    assert offset_samples(voice + 0.3 * other, np.roll(voice, lag)) == lag


@pytest.mark.parametrize("sound", [tone(1000), tone(440) + tone(554) + tone(659), np.full(RATE, 0.1, np.float32)])
def test_what_fits_itself_anywhere_has_no_lag(sound: Samples) -> None:
    assert offset_samples(sound, np.roll(sound, 5)) is None


def test_unrelated_noise_has_no_lag() -> None:
    assert offset_samples(noise(1, RATE, 1, seed=1).samples[0], noise(1, RATE, 1, seed=2).samples[0]) is None


def test_repeated_clicks_lie_where_they_are() -> None:
    clicks = np.zeros(RATE, np.float32)
    clicks[::4800] = 0.5
    assert offset_samples(clicks, 0.5 * clicks) in (0, None)


def test_the_meter_looks_where_the_stem_is_loudest() -> None:
    loud, quiet = noise(1, RATE, 2, seed=3).samples, noise(1, RATE, 2, seed=4).samples * 0.01
    meter = AlignmentMeter()
    assert meter.offset_samples is None
    for block in (quiet, loud, quiet):
        meter.add(block, np.roll(block, 11, axis=1))
    assert (meter.begin, meter.offset_samples) == (RATE, 11)
    early = AlignmentMeter(within=RATE)
    for block in (quiet, loud):
        early.add(block, block)
    assert early.begin == 0


def test_the_null_meter_keeps_the_worst() -> None:
    meter = NullMeter()
    mixture = noise(0.1).samples
    meter.add(mixture, np.stack([mixture, 0 * mixture]))
    assert meter.depth_db == -200
    meter.add(mixture, np.stack([mixture, 0 * mixture + np.float32(0.001)]))
    meter.add(mixture, np.stack([mixture, 0 * mixture]))
    assert meter.depth_db == pytest.approx(-60, abs=0.01)
