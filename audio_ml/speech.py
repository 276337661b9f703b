"""Speech as a value: sound, and which word is heard when. Text to speech and cloned voices both give it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from audio_ml.audio import Audio
from audio_ml.errors import InvalidInput

Span = tuple[int, int]  # first character and the one after the last, of the text that was given


@dataclass(frozen=True)
class Word:
    """A token of the text as it was written, when it is heard (in seconds), and as which phonemes.

    `span` says where it stands in the text that was given. A token that is read together with its
    neighbours ("3:45 pm") is one word with them.
    """

    text: str
    start_seconds: float
    end_seconds: float
    phonemes: str
    span: Span
    voice: str = ""


@dataclass(frozen=True)
class SpeechWarning:
    """Something of the text that is not spoken as it stands there; `span` tells where, if it is one place."""

    message: str
    span: Span | None = None


@dataclass(frozen=True, eq=False)
class SpeechChunk:
    """A piece of speech as it comes out of a stream; the times of its words count from the stream's beginning.

    `paragraph` counts the paragraphs of the text; the first `n_lead` samples are the pause before the piece.
    `marked` says that its sound carries the watermark of cloned voices.
    """

    audio: Audio
    words: tuple[Word, ...] = ()
    phonemes: str = ""
    warnings: tuple[SpeechWarning, ...] = ()
    paragraph: int = 0
    n_lead: int = 0
    marked: bool = False


@dataclass(frozen=True, eq=False)
class Speech:
    """All of a text: mono `audio`, its `words` in order, the `phonemes` line by line as the model got them, and what
    could not be spoken as it was written. `marked` says that what is said in cloned voices carries the watermark."""

    audio: Audio
    words: tuple[Word, ...]
    phonemes: str
    warnings: tuple[SpeechWarning, ...]
    marked: bool = False

    @staticmethod
    def join(chunks: Iterable[SpeechChunk]) -> Speech:
        """Returns a stream of chunks as a whole; they follow each other without a gap."""
        parts = list(chunks)
        if not parts:
            raise InvalidInput("There is no speech to join.")
        return Speech(
            audio=Audio(np.concatenate([part.audio.samples for part in parts], axis=-1), parts[0].audio.sample_rate),
            words=tuple(word for part in parts for word in part.words),
            phonemes="\n".join(part.phonemes for part in parts if part.phonemes),
            warnings=tuple(warning for part in parts for warning in part.warnings),
            marked=any(part.marked for part in parts),
        )
