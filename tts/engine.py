"""What an engine of this task gives: speech of one piece of phonemes, and how long each of them lasts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from audio_ml.audio import Samples
from audio_ml.catalogue import ModelSpec
from audio_ml.cloned_voice import ClonedVoice
from audio_ml.options import Options
from tts.options import ClonedVoiceOptions
from tts.phonemes.lexicon import Lexicon
from tts.text.spoken import SpokenText, Token


@dataclass(frozen=True)
class Voice:
    """A voice of a model: its `name` in the model, `aliases`, language tag ("en-US"), and who is heard.

    `file` is the one of the row's files that this voice alone needs, "" where all voices are in the same files.
    `cloned` is what a voice consists of that was cloned.
    """

    name: str
    language: str
    gender: str = ""
    aliases: tuple[str, ...] = ()
    note: str = ""
    file: str = ""
    cloned: ClonedVoice | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class SpeechModel(ModelSpec):
    """A row of text to speech.

    `family` is the first half of a voice id ("kokoro" in "kokoro/af_heart"). `vary` returns the options
    of take number `take` (0 is the plain one) as a mapping of what differs, derived from the seed;
    None where a model says a line in one way only. `open_voice` makes a row of a user's own voice file,
    or returns None for a file that is none of its own. `reads` are the languages ("en") whose text it can read;
    in others only words with phonemes are spoken. `unused` says in a sentence which of the options that were
    given does nothing beside the others, or returns "". `clone_options` are the options of cloned voices, where
    it can speak with them; a row that has cloned voices is made of its `base`.
    """

    family: str = ""
    voices: tuple[Voice, ...] = ()
    mixes_voices: bool = False
    vary: Callable[[Options, int, int], Mapping[str, Any]] | None = None  # (options, take, seed)
    open_voice: Callable[[Path], SpeechModel | None] | None = None
    reads: tuple[str, ...] | None = None  # None: whatever its voices speak
    unused: Callable[[Options], str] | None = None
    clone_options: type[ClonedVoiceOptions] | None = None
    base: SpeechModel | None = None


@dataclass(frozen=True)
class Blend:
    """Voices of one model with their weights, which sum to one; one voice has the weight 1."""

    parts: tuple[tuple[Voice, float], ...]

    @property
    def language(self) -> str:
        return self.parts[0][0].language

    @property
    def cloned(self) -> ClonedVoice | None:
        """The cloned voice that speaks, if it is one; cloned voices are never blended."""
        return self.parts[0][0].cloned


@dataclass(frozen=True, eq=False)
class Utterance:
    """What an engine says: `samples` [1, time], and how many samples each symbol takes.

    `durations` [len(phonemes) + 2] begins with the silence before the first symbol and ends with the one after
    the last; it sums to `time`. None where the model does not tell.
    """

    samples: Samples
    durations: NDArray[np.int64] | None


class Pronouncer(Protocol):
    """Turns text into the phonemes of one engine's alphabet."""

    def pronounce(self, text: SpokenText) -> Sequence[Token]:
        """Returns tokens whose phonemes, joined in order, are what the engine is to say."""
        ...


class SpeechEngine(Protocol):
    """Runs one model.

    `max_phonemes` is the most symbols of one call; a stream's first call gets `first_phonemes` at most, so that
    sound comes soon; `workers` calls may run side by side. `device_note` says in a sentence why the device that
    was asked for is not used, where it is not.
    """

    max_phonemes: int
    first_phonemes: int
    workers: int
    vocabulary: frozenset[str]
    device_note: str

    def pronouncer(self, blend: Blend, lexicon: Lexicon) -> Pronouncer:
        """Returns what reads text for a voice; the words of `lexicon` that name a part of speech are for it to find."""
        ...

    def speak(self, phonemes: str, blend: Blend, options: Any, seed: int) -> Utterance:
        """Says phonemes of the vocabulary, `max_phonemes` at most; the same seed gives the same samples."""
        ...
