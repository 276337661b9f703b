"""What there is to see of a cloned voice, among Kokoro's voices and those of the library: as a value, and as a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from audio_ml.audio import Audio
from audio_ml.cloned_voice import ClonedVoice
from audio_ml.loader import ModelLoader
from audio_ml.streams import AudioReader
from audio_ml.voice_library import VoiceLibrary

if TYPE_CHECKING:
    from voiceclone.view import VoiceView

VIEW = "view.json"
HEARD_SECONDS = 60.0  # of a result, at the most


def view_of(voice: ClonedVoice, result: Audio | None = None, loader: ModelLoader | None = None) -> VoiceView:
    """Returns what there is to see of a voice, and of what it said, among Kokoro's and those of the library."""
    from voiceclone.view import view_cloned
    from voiceclone.voice_mix import voice_table

    table, (known, _) = voice_table(), VoiceLibrary.default().voices()
    built_in = {
        f"kokoro/{name}": {encoder: vectors[index] for encoder, vectors in table.embeddings.items()}
        for index, name in enumerate(table.names)
    }
    return view_cloned(voice, built_in=built_in, enrolled=known.values(), result=result, loader=loader)


def write_view(folder: Path, voice: ClonedVoice, result: Path, loader: ModelLoader) -> Mapping[str, Mapping[str, Any]]:
    """Writes what there is to see of a voice and of a file that it said, as JSON into a folder.

    Returns how alike they are, by what is compared.
    """
    reader = AudioReader(result, duration_seconds=HEARD_SECONDS)
    said = Audio(np.concatenate(list(reader), axis=1), reader.info.sample_rate)
    view = view_of(voice, said, loader)
    (folder / VIEW).write_text(json.dumps(view.as_dict()), encoding="utf-8")
    return view.likenesses
