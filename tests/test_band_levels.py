"""Noise, its distance from speech, and the width of a recording, from sounds whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from signals import noise

from voiceclone import band_levels
from voiceclone.band_levels import FRAME, SAMPLE_RATE, bands, bandwidth_hz, noise_powers, snr_db, spectra

N_BANDS = bands(np.zeros((1, band_levels.N_BINS))).shape[1]
NO_GAPS = np.zeros((0, N_BANDS))


def of_noise(seconds: float = 20, seed: int = 0) -> np.ndarray:
    """Returns band powers [frames, N_BANDS] of low noise."""
    samples = noise(seconds, SAMPLE_RATE, 1, seed=seed).samples[0]
    return bands(spectra(samples[: samples.size // FRAME * FRAME]))


def decibels(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return 10 * np.log10(one / other)


def test_steady_noise_is_found_in_its_quietest_moments() -> None:
    powers = of_noise()
    assert np.abs(decibels(noise_powers(powers, NO_GAPS), powers.mean(axis=0))).max() < 2


def test_what_sounds_between_speech_is_noise_if_it_is_louder() -> None:
    quiet, loud = of_noise() * 1e-3, of_noise(5, seed=1)
    found = noise_powers(quiet, loud)
    assert np.abs(decibels(found, loud.mean(axis=0))).max() < 2
    assert np.allclose(noise_powers(quiet, loud * 1e-9), noise_powers(quiet, NO_GAPS))
    assert np.allclose(noise_powers(quiet, loud[:3]), noise_powers(quiet, NO_GAPS))  # too few to tell


def test_speech_that_comes_and_goes_does_not_hide_the_noise() -> None:
    powers = of_noise()
    spoken = powers.copy()
    spoken[np.random.default_rng(0).random(len(spoken)) < 0.8] *= 1000
    assert np.abs(decibels(noise_powers(spoken, NO_GAPS), powers.mean(axis=0))).max() < 9
    assert snr_db(spoken.mean(axis=0), noise_powers(spoken, NO_GAPS)) == pytest.approx(29, abs=5)


def test_the_ratio_is_what_was_added() -> None:
    flat = np.full(N_BANDS, 1.0)
    assert snr_db(101 * flat, flat) == pytest.approx(20)
    assert snr_db(flat, 0 * flat) == band_levels.HIGHEST_SNR_DB
    assert snr_db(flat, 2 * flat) == pytest.approx(-20)


@pytest.mark.parametrize("edge_hz", [1000, 4000, 8000, 11000])
def test_the_width_is_that_of_the_filter(edge_hz: float) -> None:
    white = np.random.default_rng(0).standard_normal(100 * FRAME)
    spectrum = np.fft.rfft(white)
    spectrum[round(edge_hz / SAMPLE_RATE * white.size) :] *= 1e-5
    powers = spectra(np.fft.irfft(spectrum, white.size).astype(np.float32)).mean(axis=0)
    assert bandwidth_hz(powers) == pytest.approx(edge_hz, abs=250)


def test_nothing_has_no_width() -> None:
    assert bandwidth_hz(np.zeros(band_levels.N_BINS)) == 0


def test_bands_hold_all_of_the_power_above_rumble() -> None:
    powers = spectra(noise(1, SAMPLE_RATE, 1).samples[0, : 31 * FRAME])
    assert bands(powers).sum() == pytest.approx(powers[:, band_levels.LOWEST_BIN :].sum())
