"""What the tests of cue sheets share: a speaker that is quick and easy to foresee, and sheets."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from audio_ml.audio import Audio
from audio_ml.catalogue import Licence, ModelSpec
from audio_ml.cloned_voice import ClonedVoice
from audio_ml.errors import InvalidInput, InvalidOption, UnknownVoice
from audio_ml.options import parse
from audio_ml.speech import Speech, SpeechWarning, Word
from audio_ml.timecode import find_frame_rate
from tts.cues import CueReport, Sheet, read_sheet, render_sheet
from tts.options import SpeechOptions

RATE = 24000
SECONDS_PER_CHARACTER = 0.05
SILENCE_SECONDS = 0.2  # before and behind every line

FAKE_VOICE = ModelSpec(
    name="fake-voice",
    task="tts",
    summary="Noise as long as the text.",
    licence=Licence("none", commercial=True),
    files=(),
    options=SpeechOptions,
    engine=lambda files, device: None,
)


class FakeSpeaker:
    """Says a line as noise of 50 ms a character, at half of full scale, with silence around it."""

    device = "cpu"

    def __init__(self, voices: Sequence[str] = ("hibari/heart", "fake/one", "fake/two"), weights: str = "1") -> None:
        self.said: list[tuple[str, str, Mapping[str, Any]]] = []
        self.weights = weights
        self._voices = voices

    def model(self, voice: str) -> ModelSpec:
        if voice not in self._voices:
            raise UnknownVoice(f"Unknown voice '{voice}'.")
        return dataclasses.replace(FAKE_VOICE, options=SpeechOptions)

    def options(self, voice: str, given: Mapping[str, Any], take: int) -> Mapping[str, Any]:
        options = parse(SpeechOptions, given).model_dump()
        if take and voice == "fake/two":
            raise InvalidOption(f"Option 'takes' cannot be more than 1: {voice} says a line in one way only.")
        return options | {"speed": options["speed"] * (1 + 0.02 * take), "seed": options["seed"] + take}

    def fingerprint(self, voice: str, options: Mapping[str, Any]) -> Mapping[str, str]:
        return {"voice": voice, "weights": self.weights}

    def cloned(self, line: str, voice: str, options: Mapping[str, Any]) -> Sequence[tuple[ClonedVoice, bool]]:
        return ()

    def mark(self, audio: Audio) -> Audio:
        raise AssertionError("no voice here is cloned")

    def say(self, line: str, voice: str, options: Mapping[str, Any]) -> Speech:
        self.said.append((line, voice, options))
        if line == "...":
            raise InvalidInput("There is nothing to say in '...'.")
        seconds = SECONDS_PER_CHARACTER * len(line) / options["speed"]
        noise = np.random.default_rng(options["seed"]).uniform(-0.5, 0.5, round(seconds * RATE))
        silence = np.zeros(round(SILENCE_SECONDS * RATE))
        samples = np.concatenate([silence, noise, silence]).astype(np.float32)[np.newaxis]
        word = Word(line, SILENCE_SECONDS, SILENCE_SECONDS + seconds, "", (0, len(line)))
        warnings = (SpeechWarning("An odd word."),) if "odd" in line else ()
        return Speech(Audio(samples, RATE), (word,), "", warnings)


HEADER = "Scene,Cue,Character,TC In,TC Out,Line,Notes"

ROWS = (
    "12,3,HERO,01:00:00:12,01:00:02:00,Where is everybody?,calm",
    "12,4,Old Man,01:00:02:00,01:00:04:00,Gone long ago.,",
    "12,5,HERO,01:00:04:01,01:00:07:00,I see. Then we have to go there.,",
)


def sheet_of(folder: Path, *rows: str, rate: str = "24", header: str = HEADER) -> Sheet:
    """Writes a CSV sheet and reads it."""
    path = folder / "sheet.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return read_sheet(path, find_frame_rate(rate))


def render(sheet: Sheet, folder: Path, speaker: FakeSpeaker | None = None, **options: Any) -> CueReport:
    """Renders a sheet; `casting` and `voice_options` may be among the options."""
    casting = options.pop("casting", None)
    voice_options: Mapping[str, Any] = options.pop("voice_options", {})
    return render_sheet(
        sheet,
        folder,
        speaker=speaker or FakeSpeaker(),
        casting=casting,
        options=options,
        voice_options=voice_options,
    )
