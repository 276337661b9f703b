"""What the controls of speech do: speed asked for and got, seeds, a stream beside the whole and beside the file."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import tts
from audio_ml.audio import Audio
from audio_ml.loader import ModelLoader
from audio_ml.speech import Speech
from audio_ml.streams import read_audio
from bench import speech_texts
from tts.voices import Speaker

SPEEDS = (0.5, 0.8, 1.25, 2.0)


@dataclass(frozen=True)
class Control:
    """What a model does of what is asked: `speeds` are pairs of the asked one and what came of it.

    They are those of speech without pauses between sentences, whose length is an option of its own.
    """

    model: str
    speeds: list[tuple[float, float]]
    same_seed_is_same: bool
    other_seed_is_same: bool
    fresh_loader_is_same: bool
    stream_is_whole: bool
    file_is_whole: bool


def measure(speaker: Speaker) -> Control:
    """Speaks a paragraph in several ways and compares."""
    text = speech_texts.paragraph(5, seed=6)
    asked: dict[str, Any] = {"voice": speaker.id, "model": speaker.spec, "loader": ModelLoader("cpu")}

    def spoken(loader: ModelLoader = asked["loader"], **options: Any) -> Audio:
        return tts.synthesize(text, **asked | {"loader": loader, "options": options}).audio

    plain = spoken()
    length = spoken(sentence_pause=0).n_samples
    speeds = [(speed, length / spoken(speed=speed, sentence_pause=0).n_samples) for speed in SPEEDS]
    return Control(
        model=speaker.spec.name,
        speeds=speeds,
        same_seed_is_same=_equal(spoken(seed=7), spoken(seed=7)),
        other_seed_is_same=_equal(spoken(seed=7), spoken(seed=8)),
        fresh_loader_is_same=_equal(plain, spoken(ModelLoader("cpu"))),
        stream_is_whole=_equal(plain, Speech.join(tts.stream(text, **asked)).audio),
        file_is_whole=_equal(plain, _through_a_file(text, asked)),
    )


def _through_a_file(text: str, asked: dict[str, Any]) -> Audio:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        tts.synthesize_file(text, path, **asked, delivery={"bit_depth": "32f"})
        return read_audio(path)


def _equal(one: Audio, other: Audio) -> bool:
    return np.array_equal(one.samples, other.samples)
