"""Speech taken apart and put together: spectra that come back, envelopes that are kept, paths that are likely."""

from __future__ import annotations

import numpy as np
import pytest
from signals import noise

from audio_ml.audio import Audio
from ui.learn import vocoder
from ui.learn.statistical import smooth_path
from voiceclone.mel import SAMPLE_RATE, log_mel

RANDOM = np.random.default_rng(3)


def syllables() -> Audio:
    """A buzz at 150 Hz through a vowel's formant, in four bursts."""
    n_samples = 2 * SAMPLE_RATE
    buzz = vocoder.pulses(np.full(n_samples, 150.0), SAMPLE_RATE)
    level = np.maximum(0, np.sin(2 * np.pi * 2 * np.arange(n_samples) / SAMPLE_RATE))
    from scipy.signal import lfilter

    radius = np.exp(-np.pi * 100 / SAMPLE_RATE)
    poles = [1, -2 * radius * np.cos(2 * np.pi * 700 / SAMPLE_RATE), radius**2]
    sound = lfilter([1], poles, buzz) * level
    return Audio((0.5 * sound / np.abs(sound).max())[None].astype(np.float32), SAMPLE_RATE)


def test_a_spectrum_and_back_is_the_sound() -> None:
    sound = RANDOM.standard_normal(24000)
    again = vocoder.istft(vocoder.stft(sound))
    assert np.abs(again[600:-600] - sound[: again.size][600:-600]).max() < 1e-9


def test_a_wave_from_mels_has_these_mels_and_more_rounds_come_nearer() -> None:
    wanted = log_mel(syllables())
    distances = []
    for n_rounds in (1, 8, 32):
        got = log_mel(vocoder.griffin_lim(wanted, n_rounds))
        loud = wanted[:, : got.shape[1]] > wanted.max() - 6
        difference = (got - wanted[:, : got.shape[1]])[loud]
        distances.append(float(difference.std()))  # the level itself is set to a peak
    assert distances[0] > distances[1] > distances[2] and distances[2] < 0.6


def test_linear_spectra_are_not_negative_and_give_back_the_mels() -> None:
    mels = log_mel(syllables())
    linear = vocoder.linear_of(mels)
    from audio_ml.nets.mel_filters import slaney_filters

    again = np.log(np.maximum(slaney_filters(SAMPLE_RATE, vocoder.N_FFT, vocoder.N_MELS) @ linear, 1e-5))
    loud = mels > mels.max() - 5
    assert (linear >= 0).all() and np.abs(again - mels)[loud].mean() < 0.15


def test_a_channel_vocoder_keeps_the_levels_and_changes_the_pitch() -> None:
    source = syllables()
    voiced = np.ones(source.n_samples // vocoder.HOP + 1, np.float32)
    said = vocoder.channel_vocoder(source, voiced)
    assert said.n_samples == source.n_samples
    one, other = (np.abs(audio.samples[0]).reshape(-1, 600).mean(axis=1) for audio in (source, said))
    assert np.corrcoef(one, other)[0, 1] > 0.9
    spectrum = np.abs(np.fft.rfft(said.samples[0]))
    hz = np.fft.rfftfreq(said.n_samples, 1 / SAMPLE_RATE)

    def near(frequency: float) -> float:
        return float(spectrum[np.abs(hz - frequency) < 4].max())

    assert near(660) > 5 * near(700)  # harmonics of 110 Hz, not of 150


def test_a_vocoder_without_a_voice_whispers() -> None:
    source = Audio(noise(1).samples[:1, :24000].astype(np.float32), SAMPLE_RATE)
    said = vocoder.channel_vocoder(source, np.zeros(81, np.float32)).samples[0].astype(np.float64)
    correlation = np.correlate(said, said, "full")[said.size - 1 :]
    period = round(SAMPLE_RATE / vocoder.MONOTONE_HZ)
    assert abs(correlation[period - 3 : period + 4]).max() < 0.3 * correlation[0]


def test_the_likeliest_path_is_that_of_a_dense_solution() -> None:
    """Tokuda's equation, once with whole matrices."""
    n_frames, size = 12, 2
    mean, delta_mean = RANDOM.standard_normal((2, n_frames, size))
    variance, delta_variance = RANDOM.uniform(0.1, 2, (2, n_frames, size))
    found = smooth_path(mean, variance, delta_mean, delta_variance)
    delta = np.zeros((n_frames, n_frames))
    for frame in range(1, n_frames - 1):
        delta[frame, frame - 1], delta[frame, frame + 1] = -0.5, 0.5
    for number in range(size):
        still, moving = np.diag(1 / variance[:, number]), np.diag(1 / delta_variance[:, number])
        left = still + delta.T @ moving @ delta
        right = still @ mean[:, number] + delta.T @ moving @ delta_mean[:, number]
        assert found[:, number] == pytest.approx(np.linalg.solve(left, right))


def test_a_path_without_trust_in_changes_is_the_means() -> None:
    mean = RANDOM.standard_normal((9, 3))
    path = smooth_path(mean, np.ones((9, 3)), np.zeros((9, 3)), np.full((9, 3), 1e9))
    assert path == pytest.approx(mean, abs=1e-6)
