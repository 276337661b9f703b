"""A song made of arithmetic: the same 13 s of stereo on every machine, to compare separations without a recording."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 44100
SECONDS = 13  # a little more than one patch of Spleeter
N_SAMPLES = SECONDS * SAMPLE_RATE
NOTE_SECONDS = 0.5
SINGS_FROM_SECONDS, SINGS_TO_SECONDS = 0.5, 12.5
MELODY_HZ = (220.0, 246.94, 261.63, 329.63, 293.66, 261.63, 392.0, 329.63)
VOWELS_HZ = ((730, 1090, 2440), (270, 2290, 3010), (570, 840, 2410), (530, 1840, 2480))  # Peterson, Barney 1952
BASS_HZ = (55.0, 65.41, 73.42, 49.0)
VOICE_PAN, DRUM_PAN, CHORD_PAN = 0.5, 0.45, 0.65  # share of the right channel

Wave = NDArray[np.float64]


def samples() -> NDArray[np.float32]:
    """Returns the song [2, N_SAMPLES], full scale at 1.0.

    It is rounded to 16 bits, so that the last bits of a machine's sine do not matter, and its noise
    comes from numpy's legacy generator, whose numbers are frozen.
    """
    return rounded().astype(np.float32) / np.float32(32768)


def rounded() -> NDArray[np.int16]:
    """Returns the song [2, N_SAMPLES] as 16-bit integers."""
    random = np.random.RandomState(2154)
    seconds = np.arange(N_SAMPLES) / SAMPLE_RATE
    parts = (
        (0.30, VOICE_PAN, _voice(seconds, random)),
        (0.22, DRUM_PAN, _drums(seconds, random)),
        (0.16, 0.5, _bass(seconds)),
        (0.05, CHORD_PAN, _chords(seconds)),
    )
    left = sum(level * (1 - pan) * wave for level, pan, wave in parts)
    right = sum(level * pan * wave for level, pan, wave in parts)
    return np.round(np.stack([left, right]) * 32767).clip(-32768, 32767).astype(np.int16)


def _voice(seconds: Wave, random: np.random.RandomState) -> Wave:
    """A sung melody: harmonics with vibrato, shaped by the formants of a vowel per note, after a breathy onset."""
    note, phase_in_note = _grid(seconds, NOTE_SECONDS)
    f0 = np.take(MELODY_HZ, note % len(MELODY_HZ)) * (1 + 0.012 * np.sin(2 * np.pi * 5.5 * seconds))
    f0 = np.convolve(f0, np.full(1764, 1 / 1764), mode="same")  # 40 ms of glide between notes
    phase = 2 * np.pi * np.cumsum(f0) / SAMPLE_RATE
    formants = np.take(VOWELS_HZ, note % len(VOWELS_HZ), axis=0).T
    wave = np.zeros_like(seconds)
    for harmonic in range(1, 24):
        hz = harmonic * f0
        peaks = (np.exp(-(((hz - centre) / 140) ** 2)) * gain for centre, gain in zip(formants, (1, 0.6, 0.35)))  # noqa: B905
        wave += (0.04 / harmonic + sum(peaks)) * np.sin(harmonic * phase)
    breath = np.exp(-phase_in_note / 0.03) * random.uniform(-1, 1, seconds.size)
    envelope = np.minimum(phase_in_note / 0.05, 1) * np.minimum((NOTE_SECONDS - phase_in_note) / 0.08, 1)
    singing = (seconds >= SINGS_FROM_SECONDS) & (seconds < SINGS_TO_SECONDS)
    return singing * (envelope * wave + 0.25 * breath)


def _drums(seconds: Wave, random: np.random.RandomState) -> Wave:
    """A falling tone and a noise burst in turn, with a short hiss between."""
    beat, since_beat = _grid(seconds, 0.5)
    _, since_hiss = _grid(seconds, 0.25)
    noise = random.uniform(-1, 1, seconds.size)
    kick = np.exp(-since_beat / 0.12) * np.sin(2 * np.pi * (50 * since_beat - 4 * np.exp(-since_beat / 0.03)))
    snare = np.exp(-since_beat / 0.08) * noise
    hiss = np.exp(-since_hiss / 0.02) * np.diff(noise, prepend=0.0)
    return np.where(beat % 2 == 0, kick, 0.7 * snare) + 0.2 * hiss


def _bass(seconds: Wave) -> Wave:
    note, since_note = _grid(seconds, 1.0)
    phase = 2 * np.pi * np.take(BASS_HZ, note % len(BASS_HZ)) * since_note
    harmonics = sum(np.sin(harmonic * phase) / harmonic for harmonic in range(1, 8))
    return np.minimum(since_note / 0.01, 1) * np.exp(-since_note / 0.6) * harmonics


def _chords(seconds: Wave) -> Wave:
    note, since_note = _grid(seconds, 1.0)
    root = 4 * np.take(BASS_HZ, note % len(BASS_HZ))
    return np.minimum(since_note / 0.02, 1) * sum(
        np.sin(2 * np.pi * root * interval * harmonic * seconds) / harmonic**2
        for interval in (1.0, 1.25, 1.5)
        for harmonic in (1, 2, 3, 5)
    )


def _grid(seconds: Wave, step_seconds: float) -> tuple[NDArray[np.int64], Wave]:
    """Returns the number of the step that each instant lies in, and the time since it began."""
    number = np.floor(seconds / step_seconds).astype(np.int64)
    return number, seconds - number * step_seconds
