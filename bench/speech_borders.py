"""When words are heard, by their times and by the energy of the sound: texts of words that begin with an s.

No other sound of them is as sharp, and all end in a voiced one: a word begins where the treble rises and ends where the
bass falls, even where words run into one another. This measure shares nothing with what makes the times.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

import tts
from audio_ml.audio import Audio
from audio_ml.loader import ModelLoader
from audio_ml.speech import Speech
from bench import speech_texts
from tts.voices import Speaker

TARGET_MS = 50
WINDOW_SECONDS = 0.01
HOP_SECONDS = 0.001
TREBLE_HZ, BASS_HZ = 5000, 3000  # above the one is an s, below the other a voice
TREBLE_DB, BASS_DB = -20.0, -40.0  # below the loudest window: where they begin and end
S_DB = -11.0  # the least height of an s, above any other sound
SHORTEST_VOICE_SECONDS = 0.03  # less is the bass that an s has where it begins
LONGEST_DIP_SECONDS = 0.02  # inside a sound
N_WORDS = 6  # of a text
FORMS: dict[str, Callable[[Sequence[str]], str]] = {
    "sentences": lambda words: " ".join(f"{word.capitalize()}." for word in words),
    "a list": lambda words: f"{', '.join(words).capitalize()}.",
    "no marks": lambda words: f"{' '.join(words).capitalize()}.",
}

Seconds = tuple[float, float]


@dataclass(frozen=True)
class Borders:
    """By how many ms the words of a form of text begin and end too late (below 0: too early), for a model.

    `n_unclear` texts are not counted: there were not as many sounds of an s as words.
    """

    model: str
    form: str
    begins_ms: list[float]
    ends_ms: list[float]
    n_texts: int
    n_unclear: int
    worst_text: str


def measure(speaker: Speaker, n_texts: int) -> Iterator[Borders]:
    """Speaks so many texts of each form, and compares the times of their words with the energy of the sound."""
    speak = partial(tts.synthesize, voice=speaker.id, model=speaker.spec, loader=ModelLoader("cpu"))
    for form, written in FORMS.items():
        yield _compare(speaker.spec.name, form, written, n_texts, speak)


def _compare(
    model: str, form: str, written: Callable[[Sequence[str]], str], n_texts: int, speak: Callable[[str], Speech]
) -> Borders:
    chance = random.Random(0)
    found: list[tuple[float, float, str]] = []
    n_unclear = 0
    for _ in range(n_texts):
        words = chance.sample(speech_texts.WORDS, N_WORDS)
        speech = speak(written(words))
        heard = heard_words(speech.audio)
        if len(heard) != len(words) or len(speech.words) != len(words):
            n_unclear += 1
            continue
        for word, (begin, end), name in zip(speech.words, heard, words, strict=True):
            late = 1000 * (word.start_seconds - begin), 1000 * (word.end_seconds - end)
            found.append((*late, f"{written(words)} ({name})"))
    worst = max(found, key=lambda errors: max(map(abs, errors[:2])), default=(0.0, 0.0, ""))
    begins, ends = [begin for begin, _, _ in found], [end for _, end, _ in found]
    return Borders(model, form, begins, ends, n_texts, n_unclear, worst[2])


def heard_words(audio: Audio) -> list[Seconds]:
    """Returns when the words of mono audio are heard, each of which begins with an s."""
    treble, bass = _band_power(audio)
    is_s = _is_loud(treble, S_DB)
    begins = [first for first, last in _loud_stretches(treble, TREBLE_DB) if is_s[first : last + 1].any()]
    words = []
    for begin, next_begin in zip(begins, [*begins[1:], treble.size], strict=True):
        voiced = [(max(first, begin), min(last, next_begin)) for first, last in _loud_stretches(bass, BASS_DB)]
        ends = [last for first, last in voiced if (last - first) * HOP_SECONDS >= SHORTEST_VOICE_SECONDS]
        if ends:
            words.append((begin * HOP_SECONDS, ends[-1] * HOP_SECONDS))
    return words


def _band_power(audio: Audio) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns the power above `TREBLE_HZ` and below `BASS_HZ` [windows] of windows of 10 ms around every ms."""
    window, hop = (round(length * audio.sample_rate) for length in (WINDOW_SECONDS, HOP_SECONDS))
    windows = sliding_window_view(np.pad(audio.samples[0], window // 2), window)[::hop] * np.hanning(window)
    power = np.square(np.abs(np.fft.rfft(windows)))
    hz = np.fft.rfftfreq(window, 1 / audio.sample_rate)
    return power[:, hz >= TREBLE_HZ].sum(axis=1), power[:, hz <= BASS_HZ].sum(axis=1)


def _loud_stretches(power: NDArray[np.float64], threshold_db: float) -> list[tuple[int, int]]:
    """Returns the first and last window of each stretch that is loud, short dips included."""
    loud = np.flatnonzero(_is_loud(power, threshold_db))
    breaks = np.flatnonzero(np.diff(loud) * HOP_SECONDS > LONGEST_DIP_SECONDS)
    return list(zip(loud[[0, *(breaks + 1)]].tolist(), loud[[*breaks, -1]].tolist(), strict=True))


def _is_loud(power: NDArray[np.float64], threshold_db: float) -> NDArray[np.bool_]:
    loud: NDArray[np.bool_] = power > power.max() * 10 ** (threshold_db / 10)
    return loud
