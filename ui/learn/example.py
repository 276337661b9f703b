"""A sound to learn with that is made here: a spoken sentence over a small tune, each of them known alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

import tts
from audio_ml.audio import Audio, Samples
from audio_ml.loader import ModelLoader
from audio_ml.progress import Progress
from audio_ml.streams import Resampler

SAMPLE_RATE = 44100
SENTENCE = "You hear my voice above a little tune. Paint over it, and decide what stays."
VOICE = "hibari/heart"
BEAT_SECONDS = 0.5
VOICE_STARTS_SECONDS = 1.0
TAIL_SECONDS = 1.0
N_HARMONICS = 10
TUNE_RMS, VOICE_RMS = 0.06, 0.09  # full scale is 1
CHORDS = ((57, 60, 64), (53, 57, 60), (48, 55, 64), (55, 59, 62))  # MIDI notes: A minor, F, C, G
MELODY = (76, 72, 69, 72, 77, 76, 72, 69, 67, 72, 76, 79, 74, 71, 67, 71)  # a note a beat
HAT_SECONDS = 0.05


@dataclass(frozen=True)
class Example:
    """The `mixture`, which is the sum of the `voice` and the `tune`: stereo, of one length."""

    mixture: Audio
    voice: Audio
    tune: Audio


def make_example(loader: ModelLoader, progress: Progress) -> Example:
    """Speaks and plays the example; the same each time.

    Raises:
        WeightsError: when the voice is not here and cannot be had.
    """
    speech = tts.synthesize(SENTENCE, VOICE, loader=loader, progress=progress)
    resampler = Resampler(speech.audio.sample_rate, SAMPLE_RATE, 1)
    spoken = np.concatenate([*resampler.stream([speech.audio.samples])], axis=1)[0]
    before, after = (round(seconds * SAMPLE_RATE) for seconds in (VOICE_STARTS_SECONDS, TAIL_SECONDS))
    voice = _levelled(np.tile(np.pad(spoken, (before, after)), (2, 1)), VOICE_RMS)
    tune = _levelled(make_tune(voice.shape[1]), TUNE_RMS)
    mixture = voice + tune
    return Example(*(Audio(sound, SAMPLE_RATE) for sound in (mixture, voice, tune)))


def make_tune(n_samples: int) -> Samples:
    """Returns plucked chords, a bass, a melody and a hi-hat [2, n_samples], over and over.

    >>> make_tune(1000).shape
    (2, 1000)
    """
    beat = round(BEAT_SECONDS * SAMPLE_RATE)
    n_beats = -(-n_samples // beat)
    tune = np.zeros((2, (n_beats + 8) * beat), np.float32)
    hat = _hat()
    for number in range(n_beats):
        start, chord = number * beat, CHORDS[number // 4 % len(CHORDS)]
        _add(tune, start, _note(MELODY[number % len(MELODY)], 1.5, 0.8), 0.5, pan=0.3)
        _add(tune, start + beat // 2, hat, 0.25, pan=-0.4)
        if number % 4 == 0:
            _add(tune, start, _note(chord[0] - 12, 2.0, 0.5), 1.0, pan=0.0)
            for note, pan in zip(chord, (-0.5, 0.0, 0.5), strict=True):
                _add(tune, start, _note(note, 2.0, 0.7), 0.5, pan)
    return tune[:, :n_samples]


def _note(midi: int, seconds: float, brightness: float) -> Samples:
    """Returns a plucked note: harmonics that fade the faster the higher they are."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    hz = 440 * 2 ** ((midi - 69) / 12)
    sound = np.zeros_like(time)
    for harmonic in range(1, N_HARMONICS + 1):
        if harmonic * hz < SAMPLE_RATE / 2:
            fades = np.exp(-time * (1.5 + 0.8 * harmonic) / seconds)
            sound += brightness ** (harmonic - 1) * fades * np.sin(2 * np.pi * harmonic * hz * time)
    rise = np.minimum(1, time / 0.005)
    fall = np.minimum(1, (seconds - time) / 0.02)
    return np.asarray(sound * rise * fall, np.float32)


def _hat() -> Samples:
    time = np.arange(round(HAT_SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    noise = np.random.default_rng(0).standard_normal(len(time))
    return np.asarray(np.diff(noise, prepend=0) * np.exp(-time * 80), np.float32)


def _add(target: Samples, start: int, sound: Samples, gain: float, pan: float) -> None:
    """Adds a mono sound to [2, n] at a place between left (-1) and right (1), at equal power."""
    angle = (pan + 1) * np.pi / 4
    for channel, side in zip(target, _sides(angle), strict=True):
        channel[start : start + len(sound)] += np.float32(gain * side) * sound


def _sides(angle: float) -> Sequence[float]:
    return (float(np.cos(angle)), float(np.sin(angle)))


def _levelled(sound: Samples, rms: float) -> Samples:
    return np.asarray(sound * (rms / np.sqrt(np.mean(np.square(sound)))), np.float32)
