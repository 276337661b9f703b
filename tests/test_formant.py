"""Speech from formants: resonances where they are asked for, sounds as long as planned, nothing that clicks."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.linalg import solve_toeplitz
from scipy.signal import lfilter

from audio_ml.errors import InvalidInput
from ui.learn import formant
from ui.learn.formant import FRAME, SAMPLE_RATE, Sound, Track
from ui.learn.formant_targets import MEN, TARGETS


def steady(symbol: str, f0_hz: float = 100.0, seconds: float = 0.5) -> Track:
    """What is told of a vowel that is held."""
    n_frames = round(seconds * SAMPLE_RATE / FRAME)
    ones = np.ones(n_frames)
    formants = np.tile(np.array(TARGETS[symbol].start, np.float64), (n_frames, 1))
    return Track(formants, f0_hz * ones, ones, 0 * ones, (), np.zeros((n_frames, 1)))


def resonances(samples: NDArray[np.float32], order: int = 12) -> list[float]:
    """Returns the resonances in Hz of a vowel, below 4 kHz, by linear prediction of its middle at 8 kHz."""
    down = lfilter([1, -0.9], [1], samples.astype(np.float64))
    spectrum = np.fft.rfft(down[SAMPLE_RATE // 8 : SAMPLE_RATE // 8 + 7200] * np.hanning(7200))
    low = np.fft.irfft(spectrum[:1201], 2400)  # 8 kHz
    correlation = np.fft.irfft(np.abs(np.fft.rfft(low, 8192)) ** 2)[: order + 1]
    predictor = solve_toeplitz(correlation[:-1], correlation[1:])
    roots = np.roots([1, *-predictor])
    roots = roots[(roots.imag > 0) & (np.abs(roots) > 0.85)]
    return sorted(float(hz) for hz in np.angle(roots) * 8000 / (2 * np.pi) if 150 < hz < 3800)


@pytest.mark.parametrize("symbol", sorted(MEN))
def test_the_formants_of_a_vowel_are_where_they_were_measured(symbol: str) -> None:
    found = resonances(formant.render(steady(symbol)).samples[0])
    for wanted in MEN[symbol]:
        assert min(abs(hz - wanted) for hz in found) < max(50, 0.06 * wanted), (symbol, wanted, found)


def test_the_voice_has_the_pitch_that_was_asked_for() -> None:
    samples = formant.render(steady("ɑ", f0_hz=125.0)).samples[0, 2400:9600].astype(np.float64)
    correlation = np.correlate(samples, samples, "full")[samples.size - 1 :]
    period = 100 + int(correlation[100:400].argmax())
    assert period == pytest.approx(SAMPLE_RATE / 125, abs=1)


def test_hisses_are_as_high_as_in_a_mouth() -> None:
    centres = {}
    for symbol in ("s", "ʃ", "f"):
        audio, sounds = formant.speak(f"ɑ{symbol}ɑ")
        begin, end = (round(time * SAMPLE_RATE) for time in (sounds[1].begin, sounds[1].end))
        power = np.abs(np.fft.rfft(audio.samples[0, begin + 480 : end - 480])) ** 2
        centres[symbol] = float((power * np.fft.rfftfreq(end - begin - 960, 1 / SAMPLE_RATE)).sum() / power.sum())
    assert 5000 < centres["s"] < 10000 and 2500 < centres["ʃ"] < 5000  # sibilants: where books have them
    assert centres["ʃ"] < centres["s"]


def test_durations_are_planned_and_kept() -> None:
    audio, sounds = formant.speak("həlˈO, wˈɜɹld.")
    assert [sound.symbol for sound in sounds] == [*"həlO,wɜɹld."]
    assert all(one.end == other.begin for one, other in pairwise(sounds))
    assert audio.n_samples == pytest.approx(sounds[-1].end * SAMPLE_RATE, abs=FRAME)


def length_of(phonemes: str, symbol: str) -> float:
    found: Sound = next(sound for sound in formant.plan(phonemes) if sound.symbol == symbol)
    return found.end - found.begin


def test_stress_and_the_end_of_a_phrase_make_vowels_longer() -> None:
    assert length_of("tˈɑt tɪ", "ɑ") > length_of("tɑt tɪ", "ɑ")
    assert length_of("tɪt.", "ɪ") > length_of("tɪt tɑ.", "ɪ")


def test_every_phoneme_is_said_without_a_click() -> None:
    for symbol in TARGETS:
        samples = formant.speak(f"ɑ{symbol}ɑ")[0].samples[0]
        assert np.isfinite(samples).all() and np.abs(samples).max() == pytest.approx(formant.PEAK, rel=1e-5)
        assert np.abs(samples[:24]).max() < 0.02 and np.abs(samples[-24:]).max() < 0.1, symbol


def test_retuning_a_resonator_leaves_no_step() -> None:
    n_frames = 200
    tone = np.sin(2 * np.pi * 200 * np.arange(n_frames * FRAME) / SAMPLE_RATE)
    centres = np.where(np.arange(n_frames) % 20 < 10, 500.0, 520.0)
    heard = formant.resonate(tone, centres, 80.0)
    steps = np.abs(np.diff(heard, 2))[2400:]
    assert steps.max() < 2 * np.percentile(steps, 99)


def test_the_same_phonemes_give_the_same_sound() -> None:
    one, other = (formant.speak("spˈiʧ")[0].samples for _ in range(2))
    assert np.array_equal(one, other)


def test_what_has_no_phoneme_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no phoneme"):
        formant.speak("...")
