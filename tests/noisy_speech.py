"""A voice in noise made of arithmetic: the same 4 s on every machine, to compare clean-ups without a recording."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 48000
SECONDS = 4
N_SAMPLES = SECONDS * SAMPLE_RATE
SYLLABLE_SECONDS = 0.18
SYLLABLES = 8  # and then again; the last is a pause
PAUSE_SECONDS = ((SYLLABLES - 1) * SYLLABLE_SECONDS, SYLLABLES * SYLLABLE_SECONDS)
VOWELS_HZ = (  # Peterson and Barney 1952
    (730, 1090, 2440),
    (270, 2290, 3010),
    (300, 870, 2240),
    (570, 840, 2410),
    (530, 1840, 2480),
    (660, 1720, 2410),
    (270, 2290, 3010),
    (730, 1090, 2440),
)
BANDWIDTHS_HZ = (80, 100, 140)
GLIDE_SECONDS = 0.05
HARMONICS = 70
HIGHEST_HZ = 7000
VOICE_LEVEL, NOISE_LEVEL = 0.25, 0.02

Wave = NDArray[np.float64]


def samples() -> NDArray[np.float32]:
    """Returns voice and noise [N_SAMPLES], full scale at 1.0; the noise goes on to the last sample."""
    return rounded().astype(np.float32) / np.float32(32768)


def rounded() -> NDArray[np.int16]:
    """Returns them as 16-bit integers, so that the last bits of a machine's sine do not matter."""
    random = np.random.RandomState(2305)  # its numbers are frozen
    both = voice() + NOISE_LEVEL * random.standard_normal(N_SAMPLES)
    return np.round(both * 32767).clip(-32768, 32767).astype(np.int16)


def voice() -> Wave:
    """Returns the voice alone: harmonics of a gliding pitch through three resonances, gliding from vowel to vowel."""
    seconds = np.arange(N_SAMPLES) / SAMPLE_RATE
    syllable = (seconds / SYLLABLE_SECONDS).astype(int)
    within = seconds / SYLLABLE_SECONDS - syllable
    f0 = 110 * (1 + 0.15 * np.sin(2 * np.pi * 0.6 * seconds) + 0.05 * np.sin(2 * np.pi * 1.7 * seconds))
    phase = 2 * np.pi * np.cumsum(f0) / SAMPLE_RATE
    formants = [_gliding(track) for track in np.take(VOWELS_HZ, syllable % SYLLABLES, axis=0).T.astype(float)]
    wave = np.zeros(N_SAMPLES)
    for harmonic in range(1, HARMONICS):
        hz = harmonic * f0
        gain = np.where(hz < HIGHEST_HZ, 1 / harmonic, 0)
        for centre, width in zip(formants, BANDWIDTHS_HZ):  # noqa: B905
            gain = gain * centre**2 / np.sqrt((centre**2 - hz**2) ** 2 + (width * hz) ** 2)
        wave += gain * np.sin(harmonic * phase)
    envelope = np.clip(np.minimum(within / 0.15, (1 - within) / 0.2), 0, 1)
    speaks = syllable % SYLLABLES != SYLLABLES - 1
    return VOICE_LEVEL * speaks * envelope * wave / np.abs(wave).max()


def _gliding(track: Wave) -> Wave:
    """Smooths [N_SAMPLES] over `GLIDE_SECONDS`."""
    size = round(GLIDE_SECONDS * SAMPLE_RATE)
    padded = np.pad(track, (size, size), mode="edge")
    return np.convolve(padded, np.full(size, 1 / size), mode="same")[size:-size]
