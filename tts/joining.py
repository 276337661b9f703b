"""Joins what a model says piece by piece: silence cut to measure, natural pauses, no clicks, words with their times."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from audio_ml.audio import Audio, Samples
from audio_ml.speech import Span, SpeechChunk, SpeechWarning, Word
from tts import silence
from tts.engine import Utterance
from tts.pieces import Piece
from tts.script.items import Boundary
from tts.tracing import as_written, words_of

GUARD_SECONDS = 0.02  # of the model's own silence at the ends of a piece stay, for soft sounds
FADE_SECONDS = 0.005
END_SECONDS = 0.05
WORD_SECONDS = 0.03  # where a cut had to be made between two words
CLAUSE_SHARE = 0.5  # of the pause between sentences
PARAGRAPH_SHARE = 2.0


class Joiner:
    """Makes chunks that follow each other without a seam; the pause after a piece begins the next chunk.

    `sentence_pause` is in seconds; `script` is the text that the spans of the tokens point into, and
    `written` turns characters of it into those its writer meant.
    """

    def __init__(
        self, sample_rate: int, script: str, sentence_pause: float, written: Callable[[str], str] = str
    ) -> None:
        self._rate = sample_rate
        self._script = script
        self._written = written
        self._pauses: dict[Boundary, float] = {
            "word": WORD_SECONDS,
            "clause": CLAUSE_SHARE * sentence_pause,
            "sentence": sentence_pause,
            "paragraph": PARAGRAPH_SHARE * sentence_pause,
        }
        self._n_samples = 0
        self._paragraph = 0
        self._is_begun = False  # whether the paragraph has been heard
        self._due = 0  # samples of silence that the next piece begins with

    def add(
        self,
        piece: Piece,
        said: Utterance,
        after: Boundary | float,
        voice: str,
        warnings: tuple[SpeechWarning, ...] = (),
    ) -> SpeechChunk:
        """Returns the next chunk: the pause that is due, a piece, and the silence behind it if it was asked for."""
        guard = round(self._rate * GUARD_SECONDS)
        first, last = silence.heard(said.samples, self._rate)
        begin, end = max(0, first - guard), min(said.samples.shape[1], last + guard)
        lead = self._due
        asked = round(self._rate * after) if isinstance(after, float) else 0
        samples = np.pad(self._faded(said.samples[:, begin:end]), ((0, 0), (lead, asked)))
        words = self._words(piece, said, (begin, end), lead, voice)
        chunk = SpeechChunk(Audio(samples, self._rate), words, piece.phonemes, warnings, self._paragraph, lead)
        self._go_on(samples.shape[1], after)
        return chunk

    def pass_over(self, after: Boundary | float) -> SpeechChunk | None:
        """Returns the silence that was asked for where nothing is said; a paragraph may end there as well."""
        asked = round(self._rate * after) if isinstance(after, float) else 0
        self._go_on(asked, after)
        return (
            SpeechChunk(Audio(np.zeros((1, asked), np.float32), self._rate), paragraph=self._paragraph)
            if asked
            else None
        )

    def finish(self, warnings: Sequence[SpeechWarning]) -> SpeechChunk:
        """Returns the last chunk: a breath of silence, and the warnings that are left."""
        breath = Audio(np.zeros((1, round(self._rate * END_SECONDS)), np.float32), self._rate)
        return SpeechChunk(breath, warnings=tuple(warnings), paragraph=max(0, self._paragraph - (not self._is_begun)))

    def _go_on(self, n_samples: int, after: Boundary | float) -> None:
        self._n_samples += n_samples
        self._is_begun |= n_samples > 0
        if isinstance(after, float):
            self._due = 0  # this silence is there already, whatever pause would have been
            return
        if n_samples or after == "paragraph":
            self._due = max(self._due * (not n_samples), round(self._rate * self._pauses[after]))
        if after == "paragraph" and self._is_begun:
            self._paragraph += 1
            self._is_begun = False

    def _faded(self, samples: Samples) -> Samples:
        size = min(round(self._rate * FADE_SECONDS), samples.shape[1] // 2)
        ramp = np.linspace(0, 1, size, endpoint=False, dtype=np.float32)
        faded = samples.copy()
        faded[:, :size] *= ramp
        faded[:, faded.shape[1] - size :] *= ramp[::-1]
        return faded

    def _words(self, piece: Piece, said: Utterance, heard: Span, lead: int, voice: str) -> tuple[Word, ...]:
        """Returns the words of a piece at the stream's time; the samples `heard` of it follow `lead` of silence."""
        assert said.durations is not None
        borders = np.concatenate([[0], np.cumsum(said.durations)])
        places, ranges = [], []
        for word in words_of(piece.tokens):
            symbols = [symbol for place in word for symbol in piece.places[place]]
            if symbols:
                first, last = _sounding(symbols, piece.phonemes)
                begin = min(max(int(borders[first + 1]), heard[0]), heard[1] - 1)
                places.append((word, symbols))
                ranges.append((begin, max(begin + 1, min(int(borders[last + 2]), heard[1]))))
        words = []
        shift = self._n_samples + lead - heard[0]
        for (word, symbols), (begin, end) in zip(
            places, silence.at_pauses(ranges, said.samples, self._rate), strict=True
        ):
            text, span = as_written(self._script, [piece.tokens[place] for place in word])
            said_as = piece.phonemes[symbols[0] : symbols[-1] + 1]
            words.append(
                Word(
                    self._written(text), (shift + begin) / self._rate, (shift + end) / self._rate, said_as, span, voice
                )
            )
        return tuple(words)


def _sounding(symbols: Sequence[int], phonemes: str) -> tuple[int, int]:
    """Returns the first and the last symbol of a word that is more than a mark, which is silence; else of the marks."""
    letters = [symbol for symbol in symbols if phonemes[symbol].isalpha()] or symbols
    return letters[0], letters[-1]
