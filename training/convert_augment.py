"""Makes clean synthetic speech sound like recordings of many people in many rooms."""

from __future__ import annotations

from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from audio_ml.audio import Samples
from voiceclone.content import ACTIVE_DB, active_power

SAMPLE_RATE = 16000
Random = np.random.Generator

TILT_DB = 9.0
N_BANDS = 8
NOISE_DB = (8.0, 45.0)  # below the speech
CUT_HZ = (3300.0, 7500.0)
REVERBERATION_SECONDS = (0.1, 0.7)
LEVEL_DB = 4.0


def at_speed(samples: NDArray[Any], sample_rate: int, speed: float) -> Samples:
    """Returns speech [time] at 16 kHz, so much faster and higher."""
    faster = soxr.resample(samples.astype(np.float32), sample_rate * speed, SAMPLE_RATE)
    return np.asarray(faster, np.float32)


def roughened(samples: Samples, babble: Samples, random: Random) -> Samples:
    """Returns speech [time] at 16 kHz as a recording of it: coloured, in a room, with noise, at about one level.

    `babble` [any time] is other speech, which now and then is heard behind it.
    """
    speech = _coloured(samples, random)
    if random.random() < 0.4:
        speech = _in_a_room(speech, random)
    speech = at_level(speech)
    if random.random() < 0.65:
        speech = speech + _noise(speech.size, random) * _gain(-random.uniform(*NOISE_DB) + ACTIVE_DB)
    if random.random() < 0.12:
        behind = np.resize(at_level(babble), speech.size)
        speech = speech + behind * _gain(-random.uniform(15, 30))
    return np.asarray(at_level(speech) * _gain(random.uniform(-LEVEL_DB, LEVEL_DB)), np.float32)


def at_level(samples: Samples) -> Samples:
    """Returns speech [time] with its louder parts at `ACTIVE_DB`."""
    return samples * np.float32(np.sqrt(10 ** (ACTIVE_DB / 10) / max(active_power(samples), 1e-12)))


def _coloured(samples: Samples, random: Random) -> Samples:
    """A smooth random response of up to ±`TILT_DB`, and now and then a narrow band."""
    spectrum = np.fft.rfft(samples)
    hz = np.linspace(0, SAMPLE_RATE / 2, spectrum.size)
    borders = np.geomspace(60, SAMPLE_RATE / 2, N_BANDS)
    response_db = np.interp(hz, borders, random.uniform(-1, 1, N_BANDS) * TILT_DB * random.random())
    if random.random() < 0.25:
        response_db -= 48 * np.maximum(0, np.log2(np.maximum(hz, 1) / random.uniform(*CUT_HZ)))
    if random.random() < 0.5:
        response_db -= 18 * np.maximum(0, np.log2(random.uniform(60, 220) / np.maximum(hz, 1)))
    return np.asarray(np.fft.irfft(spectrum * 10 ** (response_db / 20), samples.size), np.float32)


def _in_a_room(samples: Samples, random: Random) -> Samples:
    seconds = random.uniform(*REVERBERATION_SECONDS)
    n_tail = int(seconds * SAMPLE_RATE)
    tail = random.standard_normal(n_tail) * 10 ** (-3 * np.arange(n_tail) / n_tail)
    tail[: int(random.uniform(0.001, 0.01) * SAMPLE_RATE)] = 0
    tail *= random.uniform(0.1, 0.8) / max(np.sqrt(np.square(tail).sum()), 1e-9)
    tail[0] = 1
    n_fft = samples.size + n_tail
    return np.asarray(np.fft.irfft(np.fft.rfft(samples, n_fft) * np.fft.rfft(tail, n_fft))[: samples.size], np.float32)


def _noise(n_samples: int, random: Random) -> Samples:
    """Noise of unit power whose spectrum falls by 0 to 8 dB an octave."""
    spectrum = np.fft.rfft(random.standard_normal(n_samples))
    spectrum /= np.maximum(np.arange(spectrum.size), 20.0) ** random.uniform(0, 1.3)
    noise = np.fft.irfft(spectrum, n_samples)
    return np.asarray(noise / noise.std(), np.float32)


def _gain(decibels: float) -> np.float32:
    return np.float32(10 ** (decibels / 20))
