"""A text in a cloned voice as a file, and who speaks it: a model that imitates recordings, or text to speech."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import tts
import voiceclone
from audio_ml.cloned_voice import ClonedVoice
from audio_ml.loader import ModelLoader
from audio_ml.options import parse
from audio_ml.progress import Progress
from audio_ml.speaking import Speaker
from audio_ml.speech import SpeechChunk
from audio_ml.voice_library import ID_PREFIX
from tts import SpeechReport
from tts.delivery import FileForm, deliver
from tts.options import SpeechFileOptions
from voiceclone import zero_shot


def speaker_of(model: str | None, loader: ModelLoader) -> Speaker:
    """Returns what speaks with cloned voices by the name of a model; raises `UnknownModel`."""
    if model in zero_shot.models():
        return zero_shot.ZeroShotSpeaker(model, loader)
    return tts.VoiceSpeaker(loader, model)


def clone_file(
    text: str,
    path: Path,
    voice: ClonedVoice,
    *,
    speaker: Speaker,
    options: Mapping[str, Any],
    delivery: SpeechFileOptions | Mapping[str, Any],
    loader: ModelLoader,
    on_chunk: Callable[[SpeechChunk], None] | None = None,
    progress: Progress | None = None,
) -> SpeechReport:
    """Speaks a text with a cloned voice into a file, or one for each paragraph; raises as `voiceclone.clone_stream`."""
    form = FileForm.of(path, parse(SpeechFileOptions, delivery), speaker.spec.sample_rate)
    chunks = voiceclone.clone_stream(text, voice, speaker=speaker, options=options, loader=loader, progress=progress)
    made_by = speaker.provenance(text, voice, options)
    return deliver(chunks, form, made_by, voice=ID_PREFIX + voice.name, on_chunk=on_chunk)
