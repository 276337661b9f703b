"""What a speaker embedding is: voices say one sentence, an encoder listens, and its numbers are laid side by side."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import tts
from audio_ml.audio import Audio
from audio_ml.errors import InvalidOption
from audio_ml.loader import ModelLoader
from audio_ml.progress import Progress
from audio_ml.speaker_windows import Embedding
from audio_ml.writer import write_audio
from tts.voices import Speaker, find_speaker, is_here, rows_of
from ui.learn.speech import check_text
from voiceclone.encoders import embeddings
from voiceclone.similarity import made_of, similarity
from voiceclone.view import ENCODER, VoiceMap, heat_map, map_voices
from voiceclone.voice_mix import voice_table

LONGEST_TEXT = 200  # characters
SMALL_VOICE = "hibari/heart"
LARGER_VOICES = ("af_heart", "af_bella", "am_michael", "bm_george")  # of Kokoro
OTHER_TEXT = "The ferry leaves at dawn, and nobody is allowed on board after that."
INDEX = "voices.json"


@dataclass(frozen=True, eq=False)
class Heard:
    """A voice that said a sentence: what the encoders heard in it, and in other words of the same voice."""

    name: str
    group: str
    licence: str
    audio: Audio
    embeddings: Mapping[str, Embedding]
    of_other: Mapping[str, Embedding]


def speakers_for(voice: str | None, loader: ModelLoader) -> list[Speaker]:
    """Returns who speaks: hibari, some of Kokoro's where its weights are here, and a voice that was asked for.

    Raises:
        UnknownVoice: when there is none of that name.
        InvalidOption: for a blend.
    """
    found = [find_speaker(SMALL_VOICE)]
    for spec in rows_of("kokoro"):
        of_row = [find_speaker(f"kokoro/{name}", spec) for name in LARGER_VOICES]
        if all(is_here(speaker, loader.store) for speaker in of_row):
            found += of_row
            break
    if voice:
        asked = find_speaker(voice)
        if len(asked.blend.parts) > 1:
            raise InvalidOption("A blend is no voice that others know: choose a single one.")
        found += [asked] if asked.id not in {speaker.id for speaker in found} else []
    return found


def explain_voices(
    text: str, voice: str | None, folder: Path, loader: ModelLoader, progress: Progress | None = None
) -> dict[str, Any]:
    """Has voices say a sentence, and writes what an encoder makes of it (`voices.json`) with a WAV of each voice.

    Cloned voices are watermarked, as everywhere.

    Raises:
        InvalidInput: for an empty or long text, or an unknown voice.
        WeightsError: when a model's files cannot be had.
    """
    progress = progress or Progress()
    text = check_text(text, LONGEST_TEXT)
    speakers = speakers_for(voice, loader)
    heard = []
    for done, speaker in enumerate(speakers):
        progress.update(f"listening to {speaker.id}", done / len(speakers))
        heard.append(listen(speaker, text, loader, progress))
    files = []
    for number, each in enumerate(heard):
        files.append(f"voice-{number}.wav")
        write_audio(folder / files[-1], each.audio, bit_depth="16")
    told = {"text": text, **compared(heard)}
    for entry, file in zip(told["voices"], files, strict=True):
        entry["file"] = file
    (folder / INDEX).write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")
    return {"text": text, "voices": [each.name for each in heard], "files": [_file(folder, n) for n in (INDEX, *files)]}


def _file(folder: Path, name: str) -> dict[str, str]:
    return {"path": str(folder / name)}


def listen(speaker: Speaker, text: str, loader: ModelLoader, progress: Progress | None = None) -> Heard:
    """Has a voice say a sentence, and returns what the encoders hear in it."""
    said = _say(speaker, text, loader, progress)
    return Heard(
        name=speaker.id,
        group="cloned" if speaker.cloned else speaker.blend.parts[0][0].gender,
        licence=speaker.spec.licence.name,
        audio=said,
        embeddings=embeddings(said, loader, progress),
        of_other=_in_other_words(speaker, loader, progress),
    )


def _say(speaker: Speaker, text: str, loader: ModelLoader, progress: Progress | None) -> Audio:
    if speaker.cloned:
        return tts.synthesize(text, speaker.cloned, loader=loader, progress=progress).audio
    return tts.synthesize(text, speaker.id, model=speaker.spec, loader=loader, progress=progress).audio


def _in_other_words(speaker: Speaker, loader: ModelLoader, progress: Progress | None) -> Mapping[str, Embedding]:
    """Returns embeddings of the same voice: those that are kept of it, or those of another sentence."""
    if speaker.cloned:
        return speaker.cloned.embeddings
    table, name = voice_table(), speaker.blend.parts[0][0].name
    if speaker.spec.family == "kokoro" and name in table.names:
        return {encoder: rows[table.names.index(name)] for encoder, rows in table.embeddings.items()}
    return embeddings(_say(speaker, OTHER_TEXT, loader, progress), loader, progress)


def compared(heard: Sequence[Heard]) -> dict[str, Any]:
    """Returns, as JSON has it, each voice's embedding, how alike all pairs of them are, and a map with all of Kokoro's.

    On the diagonal of `pairs` is each voice with itself in other words.
    """
    voices = [
        {
            "name": each.name,
            "group": each.group,
            "licence": each.licence,
            "seconds": each.audio.duration_seconds,
            "heat": heat_map(each.embeddings[ENCODER]).as_dict(),
        }
        for each in heard
    ]
    pairs = [
        {"one": one.name, "other": other.name, "same_voice": one is other, **_likeness(one, other)}
        for i, one in enumerate(heard)
        for other in heard[i:]
    ]
    return {
        "voices": voices,
        "pairs": pairs,
        "map": voice_map(heard).as_dict(),
        "meaning_from": made_of().partition(": ")[2],
    }


def _likeness(one: Heard, other: Heard) -> dict[str, float | str]:
    return similarity(one.embeddings, one.of_other if one is other else other.embeddings).as_dict()


def voice_map(heard: Sequence[Heard]) -> VoiceMap:
    """Returns the plane in which Kokoro's own voices differ most, with the voices that spoke here in it."""
    table = voice_table()
    built_in = {name: np.asarray(row) for name, row in zip(table.names, table.embeddings[ENCODER], strict=True)}
    return map_voices(built_in, {"this voice": {each.name: each.embeddings[ENCODER] for each in heard}})
