"""Speech taken apart and put together again: a channel vocoder, and a wave from a spectrogram alone."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from audio_ml.audio import Audio, Samples
from audio_ml.nets.mel_filters import slaney_filters
from voiceclone.mel import HOP, N_FFT, N_MELS, SAMPLE_RATE

N_BANDS = 20
LOWEST_HZ, HIGHEST_HZ = 100.0, 8000.0
ENVELOPE_HZ = 40.0  # how fast the level of a band may change
N_ROUNDS = 32  # of Griffin and Lim
MONOTONE_HZ = 110.0
PEAK = 0.5

Floats = NDArray[np.float64]


def band_edges() -> Floats:
    """Returns the edges [21] in Hz of the bands: as wide as they are high, as the ear's are."""
    return np.geomspace(LOWEST_HZ, HIGHEST_HZ, N_BANDS + 1)


def channel_vocoder(audio: Audio, voiced: Samples) -> Audio:
    """Says a recording with the level of 20 bands alone, on a buzz of one pitch where it is `voiced` and else a hiss.

    `voiced` [frames] are 1 or 0 every 12.5 ms. After Dudley 1939, "Remaking speech" (J. Acoust.
    Soc. Am. 11); the filters are digital.
    """
    samples = audio.samples.mean(axis=0).astype(np.float64)
    times = np.arange(samples.size) / HOP
    share = np.interp(times, np.arange(voiced.size), voiced)
    buzz = pulses(np.full(samples.size, MONOTONE_HZ), audio.sample_rate)
    hiss = np.random.default_rng(0).standard_normal(samples.size)
    source = share * buzz + (1 - share) * hiss
    edges = band_edges()
    total = np.zeros_like(samples)
    for low, high in pairwise(edges):
        level = _envelope(_band(samples, low, high, audio.sample_rate), audio.sample_rate)
        carrier = _band(source, low, high, audio.sample_rate)
        total += carrier * level / np.maximum(_envelope(carrier, audio.sample_rate), 1e-3)
    return _at_peak(total, audio.sample_rate)


def pulses(f0_hz: Floats, sample_rate: int) -> Floats:
    """Returns pulses of power 1 at a pitch [time] in Hz, one a period."""
    phase = np.cumsum(f0_hz) / sample_rate
    train = np.diff(np.floor(phase), prepend=0.0)
    return np.asarray(train * np.sqrt(sample_rate / np.maximum(f0_hz, 1.0)), np.float64)


def _band(samples: Floats, low_hz: float, high_hz: float, sample_rate: int) -> Floats:
    from scipy.signal import butter, sosfilt

    return np.asarray(sosfilt(butter(2, [low_hz, high_hz], "bandpass", fs=sample_rate, output="sos"), samples))


def _envelope(samples: Floats, sample_rate: int) -> Floats:
    from scipy.signal import butter, sosfiltfilt

    smooth = butter(2, ENVELOPE_HZ, "lowpass", fs=sample_rate, output="sos")
    return np.asarray(np.sqrt(np.maximum(sosfiltfilt(smooth, samples**2), 0.0)))


def griffin_lim(mels: Samples, n_rounds: int = N_ROUNDS) -> Audio:
    """Returns sound whose mel spectrogram is the one given, as `voiceclone.mel.log_mel` makes them, [80, frames].

    The phase, which the picture does not have, is guessed and mended: Griffin and Lim 1984, "Signal estimation from
    modified short-time Fourier transform" (IEEE Trans. ASSP 32); with the momentum of Perraudin and others 2013.
    """
    magnitudes = linear_of(mels)
    random = np.random.default_rng(0)
    phases = np.exp(2j * np.pi * random.random(magnitudes.shape))
    before = np.zeros_like(phases)
    for _ in range(n_rounds):
        again = stft(istft(magnitudes * phases))[:, : magnitudes.shape[1]]
        ahead = again + 0.99 * (again - before)
        phases = ahead / np.maximum(np.abs(ahead), 1e-9)
        before = again
    return _at_peak(istft(magnitudes * phases), SAMPLE_RATE)


def linear_of(mels: Samples) -> Floats:
    """Returns magnitudes [601, frames] whose mel spectrogram is about the one given, none of them negative."""
    filters = slaney_filters(SAMPLE_RATE, N_FFT, N_MELS).astype(np.float64)
    wanted = np.exp(mels.astype(np.float64))
    found = np.maximum(np.linalg.pinv(filters) @ wanted, 1e-8)
    for _ in range(20):  # Lee and Seung's rule keeps them positive
        found *= (filters.T @ wanted) / np.maximum(filters.T @ (filters @ found), 1e-12)
    return np.asarray(found)


def stft(samples: Floats) -> NDArray[np.complex128]:
    """Returns the spectra [601, frames] of windows of 50 ms, 12.5 ms apart, the first around sample 0."""
    padded = np.pad(samples, N_FFT // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP]
    return np.asarray(np.fft.rfft(frames * np.hanning(N_FFT), axis=1).T)


def istft(spectra: NDArray[np.complex128]) -> Floats:
    """Returns the sound [(frames - 1) * 300] with spectra nearest to those given (Griffin and Lim, equation 6)."""
    window = np.hanning(N_FFT)
    frames = np.fft.irfft(spectra.T, N_FFT, axis=1) * window
    n_samples = (len(frames) - 1) * HOP + N_FFT
    total, weight = np.zeros(n_samples), np.zeros(n_samples)
    for index, frame in enumerate(frames):
        total[index * HOP : index * HOP + N_FFT] += frame
        weight[index * HOP : index * HOP + N_FFT] += window**2
    half = N_FFT // 2
    return np.asarray((total / np.maximum(weight, 1e-3))[half : n_samples - half])


def _at_peak(samples: Floats, sample_rate: int) -> Audio:
    return Audio((PEAK * samples / max(float(np.abs(samples).max()), 1e-9))[None].astype(np.float32), sample_rate)
