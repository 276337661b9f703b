"""Who speaks with a cloned voice: a protocol, so that cloning needs no text to speech of its own.

Text to speech implements it (`tts.VoiceSpeaker`), and so do models that imitate a recording; a face passes one in, and
what spells words for conversion (`tts.spell`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from audio_ml.catalogue import ModelSpec
from audio_ml.cloned_voice import ClonedVoice
from audio_ml.progress import Progress
from audio_ml.provenance import Provenance
from audio_ml.speech import SpeechChunk

Speller = Callable[[Sequence[str]], Sequence[Sequence[int]]]
"""Spells words of English for Kokoro: for each, its numbers of phonemes, marks and of the space behind it."""


class Speaker(Protocol):
    """Speaks text with a cloned voice, by the model of the row `spec`, whose options it takes."""

    @property
    def spec(self) -> ModelSpec: ...

    def speak(
        self,
        text: str,
        voice: ClonedVoice,
        options: Mapping[str, Any] | None = None,
        progress: Progress | None = None,
    ) -> Iterator[SpeechChunk]:
        """Checks a request, and returns its speech chunk by chunk.

        Raises:
            InvalidInput: at once, when the text, the voice or an option does not fit.
        """
        ...

    def provenance(self, text: str, voice: ClonedVoice, options: Mapping[str, Any] | None = None) -> Provenance:
        """Returns what a file of such speech carries."""
        ...
