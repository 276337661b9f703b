"""Lines that are fitted to their slots: lengths, limits, pitch, and that no sound is lost."""

from __future__ import annotations

import numpy as np
import pytest

from audio_ml.audio import Audio
from tts.cues.fit import FASTEST, LARGEST_STRETCH, SLOWEST, Say, fit_line, stretch_to, trimmed
from tts.cues.options import Fit

RATE = 48000
SILENCE = 0.2


def tone(seconds: float, frequency_hz: float = 220.0) -> Audio:
    """Returns a tone between two silences."""
    time = np.arange(round(seconds * RATE)) / RATE
    silence = np.zeros(round(SILENCE * RATE))
    samples = np.concatenate([silence, 0.5 * np.sin(2 * np.pi * frequency_hz * time), silence])
    return Audio(samples.astype(np.float32)[np.newaxis], RATE)


def speaker(seconds: float, follows: float = 1.0) -> Say:
    """Returns a line whose length follows the pace in this proportion, as pauses do not."""
    return lambda speed: tone(seconds * (follows / speed + 1 - follows))


def pitch_hz(audio: Audio) -> float:
    """Returns the strongest frequency of the middle of a sound."""
    middle = audio.samples[0, audio.n_samples // 4 : -audio.n_samples // 4]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle)), 1 << 18))
    return float(np.argmax(spectrum) * RATE / (1 << 18))


def test_without_a_fit_a_line_stays_as_it_comes() -> None:
    fitted = fit_line(speaker(1.0), RATE // 2, "none")
    assert np.array_equal(fitted.audio.samples, tone(1.0).samples) and fitted.means == ""


def test_trimming_takes_silence_and_no_sound() -> None:
    before, after = tone(1.0), trimmed(tone(1.0))
    assert after.n_samples == pytest.approx(1.09 * RATE, abs=0.02 * RATE)
    assert np.sum(after.samples**2) == pytest.approx(np.sum(before.samples**2), rel=1e-6)
    assert after.samples[0, 0] == 0 and after.samples[0, -1] == 0


def test_what_is_trimmed_fades_where_it_was_cut_and_nowhere_else() -> None:
    noise = np.random.default_rng(0).uniform(-1, 1, RATE) * np.where(np.arange(RATE) % RATE < RATE // 2, 0.5, 1e-4)
    after = trimmed(Audio(noise.astype(np.float32)[np.newaxis], RATE)).samples[0]
    ends = [float(np.abs(part).max()) for part in (after[-480:-240], after[-240:], after[-24:])]
    assert len(after) < RATE and after[-1] == 0 and ends[2] < 1e-5 < ends[1] < ends[0]
    assert np.array_equal(after[:480], noise[:480].astype(np.float32))


def test_silence_and_sound_without_silent_ends_stay_as_they_are() -> None:
    silence = Audio(np.zeros((1, RATE), np.float32), RATE)
    full = Audio(np.full((1, RATE), 0.1, np.float32), RATE)
    assert trimmed(silence).n_samples == RATE and np.array_equal(trimmed(full).samples, full.samples)


def test_a_soft_ending_is_not_cut() -> None:
    time = np.arange(RATE) / RATE
    loud_then_soft = np.where(time < 0.5, 0.5, 0.5 * 10 ** (-40 / 20)) * np.sin(2 * np.pi * 3000 * time)
    samples = np.concatenate([loud_then_soft, np.zeros(RATE)]).astype(np.float32)[np.newaxis]
    assert trimmed(Audio(samples, RATE)).n_samples >= RATE


@pytest.mark.parametrize("follows", [1.0, 0.8])
@pytest.mark.parametrize("slot_seconds", [1.05, 1.0, 0.95])
def test_the_pace_alone_makes_a_line_fit_within_its_limits(slot_seconds: float, follows: float) -> None:
    slot = round(slot_seconds * RATE)
    fitted = fit_line(speaker(1.0, follows), slot, "speed")
    assert 0.9 * slot < fitted.audio.n_samples <= slot
    assert 1 < fitted.speed <= FASTEST and fitted.stretch == 1 and fitted.means == "speed"


def test_stretching_does_what_the_pace_leaves_and_ends_on_the_sample() -> None:
    slot = round(0.8 * RATE)
    fitted = fit_line(speaker(1.0), slot, "stretch")
    assert fitted.audio.n_samples == slot and fitted.means == "speed+stretch"
    assert fitted.speed == FASTEST and 1 - LARGEST_STRETCH <= fitted.stretch < 1


def test_what_cannot_fit_is_brought_as_near_as_the_limits_allow() -> None:
    slot = round(0.3 * RATE)
    fitted = fit_line(speaker(1.0), slot, "stretch")
    assert fitted.speed == FASTEST and fitted.stretch == pytest.approx(1 - LARGEST_STRETCH, abs=1e-3)
    assert fitted.excess_samples(slot) > 0


@pytest.mark.parametrize("how", ["trim", "speed", "stretch", "fail"])
def test_a_line_that_fits_is_said_once_and_not_slowed(how: Fit) -> None:
    paces: list[float] = []

    def say(speed: float) -> Audio:
        paces.append(speed)
        return tone(1.0)

    assert fit_line(say, 3 * RATE, how).means == "" and paces == [1.0]


def test_a_line_fills_its_slot_when_asked_for() -> None:
    slot = round(1.4 * RATE)
    fitted = fit_line(speaker(1.0), slot, "stretch", fill=True)
    assert fitted.audio.n_samples == slot and SLOWEST <= fitted.speed < 1
    longer = fit_line(speaker(1.0), 5 * RATE, "stretch", fill=True)
    assert longer.speed == SLOWEST and longer.stretch == pytest.approx(1 + LARGEST_STRETCH, abs=1e-3)


def test_the_pace_keeps_within_what_may_be_asked_for() -> None:
    paces: list[float] = []

    def say(speed: float) -> Audio:
        paces.append(speed)
        return tone(1.0 / speed)

    assert fit_line(say, RATE // 2, "speed", paces=(0.9, 1.1)).speed == 1.1 and max(paces) == 1.1
    paces.clear()
    assert fit_line(say, RATE // 2, "speed", paces=(0.8, 1.0)).speed == 1.0 and paces == [1.0]
    assert fit_line(say, 5 * RATE, "speed", fill=True, paces=(0.9, 1.1)).speed == 0.9


@pytest.mark.parametrize("factor", [1 - LARGEST_STRETCH, 0.97, 1.0, 1.05, 1 + LARGEST_STRETCH])
def test_stretching_keeps_pitch_place_and_level(factor: float) -> None:
    before = tone(1.0, 440.0)
    n_samples = round(before.n_samples * factor)
    after = stretch_to(before, n_samples)
    assert after.n_samples == n_samples
    assert pitch_hz(after) == pytest.approx(440.0, abs=1.0)
    assert np.std(after.samples) == pytest.approx(np.std(before.samples), rel=0.1)
    heard = np.flatnonzero(np.abs(after.samples[0]) > 0.25)
    assert heard[0] == pytest.approx(SILENCE * RATE * factor, abs=0.02 * RATE)
    assert heard[-1] == pytest.approx((SILENCE + 1.0) * RATE * factor, abs=0.02 * RATE)
