"""A speech engine that is quick and easy to foresee: each symbol is a tone of 50 ms, each mark and space silence."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from audio_ml.catalogue import Licence
from audio_ml.device import Device
from audio_ml.options import Options
from tts.engine import Blend, Pronouncer, SpeechModel, Utterance, Voice
from tts.options import ClonedVoiceOptions, SpeechOptions
from tts.phonemes.lexicon import Lexicon
from tts.variation import varied_speed

RATE = 8000
SYMBOL_SECONDS = 0.05
PITCHES = {"low": 200.0, "high": 400.0, "british": 300.0}


class FakeSpeechEngine:
    """Gives a tone whose pitch is the voice; `calls` keeps the phonemes it was given."""

    max_phonemes = 60
    first_phonemes = 30
    workers = 2
    device_note = ""

    def __init__(self, files: Mapping[str, Path], device: Device) -> None:
        from tts.phonemes.alphabet import VOCABULARY

        self.vocabulary = frozenset(VOCABULARY)
        self.calls: list[str] = []
        self._lock = threading.Lock()

    def pronouncer(self, blend: Blend, lexicon: Lexicon) -> Pronouncer:
        from tts.phonemes.pronounce import EnglishPronouncer

        return EnglishPronouncer(blend.language == "en-GB", lexicon)

    def speak(self, phonemes: str, blend: Blend, options: SpeechOptions, seed: int) -> Utterance:
        assert phonemes and len(phonemes) <= self.max_phonemes
        assert set(phonemes) <= self.vocabulary
        with self._lock:
            self.calls.append(phonemes)
        size = round(SYMBOL_SECONDS * RATE / options.speed)
        pitch = sum(_pitch(voice, options) * weight for voice, weight in blend.parts)
        time = np.arange(size * len(phonemes)) / RATE
        loud = np.repeat([symbol.isalpha() for symbol in phonemes], size)
        tone = 0.5 * np.sin(2 * np.pi * pitch * time) * loud
        durations = np.full(len(phonemes) + 2, size)
        noise = 1e-4 * np.random.default_rng(seed).standard_normal(len(tone))
        padded = np.pad(tone + noise, size)
        return Utterance(padded[None].astype(np.float32), durations)


def _pitch(voice: Voice, options: SpeechOptions) -> float:
    """Returns a voice's pitch in Hz; of a cloned one that of its reference, and half of it where it is clean."""
    if voice.cloned is None:
        return PITCHES[voice.name]
    assert isinstance(options, ClonedVoiceOptions)
    return float(np.exp(voice.cloned.pitch.mean_log_hz)) * (1 + options.likeness) / 2


class HighEngine(FakeSpeechEngine):
    """Speaks an octave higher."""

    def speak(self, phonemes: str, blend: Blend, options: SpeechOptions, seed: int) -> Utterance:
        return super().speak(phonemes, Blend(((Voice("high", "en-US"), 1.0),)), options, seed)


def _vary(options: Options, take: int, seed: int) -> Mapping[str, Any]:
    assert isinstance(options, SpeechOptions)
    return varied_speed(options, take, seed)


FAKE_SPEECH = SpeechModel(
    name="fake-speech",
    task="tts",
    family="fake",
    summary="Tones.",
    licence=Licence("none", commercial=True),
    files=(),
    outputs=("speech",),
    sample_rate=RATE,
    n_channels=1,
    memory_bytes=1_000_000,
    options=SpeechOptions,
    engine=FakeSpeechEngine,
    voices=(Voice("low", "en-US"), Voice("high", "en-US", aliases=("tenor",)), Voice("british", "en-GB")),
    mixes_voices=True,
    vary=_vary,
    clone_options=ClonedVoiceOptions,
)
