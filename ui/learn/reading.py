"""A text on its way to sound, with every stage kept: what is said, as which phonemes, how long each, and the wave."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from audio_ml.audio import Audio, Samples
from audio_ml.errors import InvalidInput
from audio_ml.loader import ModelLoader
from audio_ml.progress import Progress
from audio_ml.speech import SpeechWarning
from tts.engine import SpeechEngine, Utterance
from tts.options import DateOrder, SpeechOptions
from tts.phonemes.alphabet import CONSONANTS, STRESSES, VOWELS, is_heard
from tts.phonemes.lexicon import EMPTY
from tts.pieces import Piece, cut
from tts.reading import read_passages
from tts.script.markup import read_unmarked
from tts.text.normalise import normalise
from tts.text.spoken import SpokenText
from tts.tracing import within_vocabulary
from tts.voices import Speaker

SILENCE = ""  # the symbol of the pauses at the ends of what an engine says


@dataclass(frozen=True)
class Symbol:
    """A symbol that an engine was given, and the samples `begin` to `end` it made of it; `word` is -1 between words."""

    symbol: str
    begin: int
    end: int
    word: int = -1


@dataclass(frozen=True)
class Phone:
    """A sound of speech with the stress mark and the space that belong to it: samples `begin` to `end`.

    `symbol` is `SILENCE` for pauses.
    """

    symbol: str
    stressed: bool
    begin: int
    end: int


@dataclass(frozen=True)
class SpokenWord:
    """A word or mark: as the text has it, as it is said, and its phonemes."""

    text: str
    phonemes: str
    begin: int
    end: int


@dataclass(frozen=True, eq=False)
class Reading:
    """All stages of a text; the symbols follow each other without a gap, from the first sample of `audio` to the last.

    `changes` are (what was written, what is said instead).
    """

    text: str
    normalised: str
    changes: tuple[tuple[str, str], ...]
    words: tuple[SpokenWord, ...]
    symbols: tuple[Symbol, ...]
    audio: Audio
    warnings: tuple[str, ...] = ()

    @property
    def phonemes(self) -> str:
        """What the engine was given, in misaki's alphabet."""
        return "".join(symbol.symbol for symbol in self.symbols)

    @property
    def phones(self) -> list[Phone]:
        """The sounds and pauses, without a gap from the first sample to the last."""
        return list(_phones(self.symbols))


def read_aloud(text: str, speaker: Speaker, loader: ModelLoader, progress: Progress | None = None) -> Reading:
    """Says a text with a built-in voice, exactly as its engine says it: no silence is cut, nothing is faded.

    Raises:
        InvalidInput: when nothing in the text can be spoken.
        WeightsError: when the model's files cannot be had.
    """
    progress = progress or Progress()
    is_british = speaker.blend.language == "en-GB"
    with loader.use(speaker.spec, progress) as engine:
        written = _Written(text)
        pronouncer = engine.pronouncer(speaker.blend, EMPTY)
        order: DateOrder = "dmy" if is_british else "mdy"
        for passage in read_passages(read_unmarked(text), date_order=order, british=is_british):
            if isinstance(passage, SpeechWarning) or not passage.text.text.strip():
                continue
            said = passage.text
            if speaker.blend.language.startswith("en"):
                said = normalise(said, date_order=order, british=is_british)
            found = pronouncer.pronounce(said)
            tokens, foreign = within_vocabulary(found, engine.vocabulary, speaker.spec.family)
            written.note(said, [warning.message for warning in (*said.warnings, *foreign)])
            if not is_heard("".join(token.phonemes for token in tokens)):
                continue  # marks alone are no speech
            for piece in cut(tokens, engine.max_phonemes, "sentence"):
                progress.check()
                written.add(piece, _say(piece, engine, speaker, loader, progress))
    return written.finish(speaker.spec.sample_rate)


def _say(piece: Piece, engine: SpeechEngine, speaker: Speaker, loader: ModelLoader, progress: Progress) -> Utterance:
    options = speaker.spec.options()
    assert isinstance(options, SpeechOptions)
    said = engine.speak(piece.phonemes, speaker.blend, options, options.seed)
    if said.durations is None:
        from tts.alignment import aligned

        said = aligned(said, piece, speaker.spec.sample_rate, loader, progress)
    return said


class _Written:
    """Gathers a reading piece by piece."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._normalised: list[str] = []
        self._changes: list[tuple[str, str]] = []
        self._words: list[SpokenWord] = []
        self._symbols: list[Symbol] = []
        self._samples: list[Samples] = []
        self._warnings: list[str] = []
        self._n_samples = 0

    def note(self, said: SpokenText, warnings: Sequence[str]) -> None:
        self._normalised.append(said.text.strip())
        self._changes += _changes(said, self._text)
        self._warnings += warnings

    def add(self, piece: Piece, said: Utterance) -> None:
        assert said.durations is not None
        borders = self._n_samples + np.concatenate([[0], np.cumsum(said.durations)])
        words = {place: len(self._words) + i for i, places in enumerate(piece.places) for place in places}
        spans = [(int(borders[i]), int(borders[i + 1])) for i in range(len(borders) - 1)]
        self._symbols.append(Symbol(SILENCE, *spans[0]))
        for place, symbol in enumerate(piece.phonemes):
            self._symbols.append(Symbol(symbol, *spans[place + 1], word=words.get(place, -1)))
        self._symbols.append(Symbol(SILENCE, *spans[-1]))
        for token, places in zip(piece.tokens, piece.places, strict=True):
            begin, end = (spans[places[0] + 1][0], spans[places[-1] + 1][1]) if places else (0, 0)
            self._words.append(SpokenWord(token.text, token.phonemes, begin, end))
        self._samples.append(said.samples)
        self._n_samples += said.samples.shape[1]

    def finish(self, sample_rate: int) -> Reading:
        if not self._samples:
            told = f": {self._warnings[0]}" if self._warnings else "."
            raise InvalidInput(f"Nothing in the text can be spoken{told}")
        return Reading(
            text=self._text,
            normalised=" ".join(self._normalised),
            changes=tuple(self._changes),
            words=tuple(self._words),
            symbols=tuple(self._symbols),
            audio=Audio(np.concatenate(self._samples, axis=1), sample_rate),
            warnings=tuple(self._warnings),
        )


def _changes(said: SpokenText, text: str) -> Iterator[tuple[str, str]]:
    """Yields what was written and what is said instead: runs of characters that stand for the same place."""
    begin = 0
    for end in range(1, len(said.text) + 1):
        if end == len(said.text) or said.spans[end] != said.spans[begin]:
            first, last = said.spans[begin]
            written, spoken = text[first:last], said.text[begin:end]
            if written != spoken and written.strip():
                yield written, spoken
            begin = end


def _phones(symbols: Sequence[Symbol]) -> Iterator[Phone]:
    """Yields sounds and pauses: stress goes to the vowel behind it, a space to the sound before it."""
    begin, stressed = 0, False
    pending: Phone | None = None
    for symbol in symbols:
        if symbol.symbol in STRESSES and symbol.symbol:
            stressed = True
            continue
        if symbol.symbol == " " and pending is not None and pending.symbol:
            pending = Phone(pending.symbol, pending.stressed, pending.begin, symbol.end)
            begin = symbol.end
            continue
        if pending is not None:
            yield pending
        is_sound = symbol.symbol in VOWELS or symbol.symbol in CONSONANTS
        is_sound = is_sound and symbol.symbol != ""
        pending = Phone(symbol.symbol if is_sound else SILENCE, stressed and is_sound, begin, symbol.end)
        begin, stressed = symbol.end, stressed and not symbol.symbol.strip()
    if pending is not None:
        yield Phone(pending.symbol, pending.stressed, pending.begin, symbols[-1].end)
