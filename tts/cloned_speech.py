"""Text to speech as what speaks with cloned voices, for `voiceclone.clone`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from audio_ml.cloned_voice import ClonedVoice
from audio_ml.loader import ModelLoader
from audio_ml.progress import Progress
from audio_ml.provenance import Provenance
from audio_ml.speech import SpeechChunk
from tts.api import provenance_of, stream
from tts.cloned_voices import row_that_speaks
from tts.engine import SpeechModel
from tts.voices import rows_of


class VoiceSpeaker:
    """Speaks with cloned voices: an `audio_ml.speaking.Speaker`, by the model that is named or the first that can.

    Raises:
        UnknownModel: when there is no such model.
        InvalidOption: when it cannot speak with cloned voices.

    >>> VoiceSpeaker().spec.name
    'kokoro'
    """

    def __init__(self, loader: ModelLoader | None = None, model: str | SpeechModel | None = None) -> None:
        self.spec = row_that_speaks((), rows_of(model))
        self._loader = loader

    def speak(
        self,
        text: str,
        voice: ClonedVoice,
        options: Mapping[str, Any] | None = None,
        progress: Progress | None = None,
    ) -> Iterator[SpeechChunk]:
        """Speaks a text, in which markup means what it does elsewhere; as `tts.stream`."""
        return stream(text, voice, model=self.spec, options=options, loader=self._loader, progress=progress)

    def provenance(self, text: str, voice: ClonedVoice, options: Mapping[str, Any] | None = None) -> Provenance:
        """Returns what a file of this speech carries."""
        return provenance_of(text, voice, model=self.spec, options=options, loader=self._loader)
