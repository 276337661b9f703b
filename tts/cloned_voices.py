"""The voices that were enrolled on this machine, as further voices of the models that can speak with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from audio_ml.cloned_voice import ClonedVoice
from audio_ml.errors import InvalidOption
from audio_ml.voice_library import VoiceLibrary
from tts.engine import SpeechModel, Voice

FAMILY = "cloned"  # the first half of their ids


def cloned_rows(rows: Sequence[SpeechModel]) -> list[SpeechModel]:
    """Returns a row with the voices of the library for each of those that can speak with them; none without voices.

    It has the name of its model, so that a loader lends the same engine for both. Voices that cannot be used are
    left out.
    """
    voices = VoiceLibrary.default().voices()[0] if any(spec.clone_options for spec in rows) else {}
    spoken = tuple(map(_as_voice, voices.values()))
    return [_with_voices(spec, spoken) for spec in rows if spec.clone_options] if spoken else []


def row_that_speaks(voices: Sequence[ClonedVoice], rows: Sequence[SpeechModel]) -> SpeechModel:
    """Returns the row of the first of these models that can speak with cloned voices, with those that are given.

    Raises:
        InvalidOption: when none of them can.
    """
    able = next((spec for spec in rows if spec.clone_options), None)
    if able is None:
        raise InvalidOption(f"{rows[0].name} cannot speak with a cloned voice; kokoro can.")
    return _with_voices(able, tuple(map(_as_voice, voices)))


def broken_cloned_voices() -> dict[Path, str]:
    """Returns the files of the library that cannot be used, each with the reason."""
    return VoiceLibrary.default().voices()[1]


def _as_voice(voice: ClonedVoice) -> Voice:
    return Voice(voice.name, voice.language, note="cloned", cloned=voice)


def _with_voices(spec: SpeechModel, voices: tuple[Voice, ...]) -> SpeechModel:
    assert spec.clone_options is not None
    base = spec.base or spec
    return replace(spec, family=FAMILY, voices=voices, options=spec.clone_options, mixes_voices=False, base=base)
