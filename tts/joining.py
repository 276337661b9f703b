"""Joins what a model says piece by piece: silence cut to measure, natural pauses, no clicks, words with their times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from audio_ml.audio import Audio, Samples
from audio_ml.speech import Span, SpeechChunk, SpeechWarning, Word
from tts import silence
from tts.engine import Utterance
from tts.phonemes.alphabet import STOPS, STRESSES
from tts.pieces import Piece
from tts.script.items import Boundary
from tts.text.spoken import Token
from tts.tracing import as_written, words_of

GUARD_SECONDS = 0.02  # of the model's own silence at the ends of a piece stay, for soft sounds
FADE_SECONDS = 0.005
END_SECONDS = 0.05
WORD_SECONDS = 0.03  # where a cut had to be made between two words
CLAUSE_SHARE = 0.5  # of the pause between sentences
PARAGRAPH_SHARE = 2.0
MARKUP = "[]<>"


@dataclass(frozen=True)
class _Heard:
    """The tokens of a word with their phonemes, from which sample of the stream to which they are heard, and whose."""

    tokens: tuple[Token, ...]
    phonemes: str
    begin: int
    end: int
    voice: str

    def joined(self, rest: _Heard) -> _Heard:
        """Returns both as one word."""
        space = " " if self.tokens[-1].spaced else ""
        phonemes = self.phonemes + space + rest.phonemes
        return _Heard(self.tokens + rest.tokens, phonemes, self.begin, rest.end, self.voice)


class Joiner:
    """Makes chunks that follow each other without a seam; the pause after a piece begins the next chunk.

    A word that is torn over pieces is among the words of the chunk in which it ends.

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
        self._is_asked = False  # whether silence was asked for since the last piece: no other pause is added to it
        self._torn: _Heard | None = None  # what has been heard of a word that goes on

    def add(
        self,
        piece: Piece,
        said: Utterance,
        after: Boundary | float,
        voice: str,
        warnings: tuple[SpeechWarning, ...] = (),
    ) -> SpeechChunk:
        """Returns the next chunk: the silence that is due, a piece, and the silence behind it if it was asked for."""
        guard = round(self._rate * GUARD_SECONDS)
        first, last = silence.heard(said.samples, self._rate)
        begin, end = max(0, first - guard), min(said.samples.shape[1], last + guard)
        lead, n_lead = self._due, 0 if self._is_asked else self._due
        asked = round(self._rate * after) if isinstance(after, float) else 0
        samples = np.pad(self._faded(said.samples[:, begin:end]), ((0, 0), (lead, asked)))
        words = self._words(piece, self._heard(piece, said, (begin, end), lead, voice), after)
        chunk = SpeechChunk(Audio(samples, self._rate), words, piece.phonemes, warnings, self._paragraph, n_lead)
        self._n_samples += samples.shape[1]
        self._is_begun = True
        self._is_asked = isinstance(after, float)
        self._due = 0 if isinstance(after, float) else round(self._rate * self._pauses[after])
        self._end_paragraph(after)
        return chunk

    def pass_over(self, after: Boundary | float) -> None:
        """Takes note of what follows where nothing is said: silence that was asked for, or the end of a paragraph."""
        if isinstance(after, float):
            self._due = round(self._rate * after) + (self._due if self._is_asked else 0)
            self._is_asked = True
        elif after == "paragraph" and self._n_samples and not self._is_asked:
            self._due = round(self._rate * self._pauses[after])
        self._end_paragraph(after)

    def finish(self, warnings: Sequence[SpeechWarning]) -> SpeechChunk:
        """Returns the last chunk: the silence that was asked for or else a breath of it, and the warnings left."""
        n_asked = self._due if self._is_asked else 0
        silent = Audio(np.zeros((1, n_asked or round(self._rate * END_SECONDS)), np.float32), self._rate)
        words = () if self._torn is None else (self._word(self._torn),)  # the rest of it was not heard
        return SpeechChunk(silent, words, "", tuple(warnings), max(0, self._paragraph - (not self._is_begun)))

    def _end_paragraph(self, after: Boundary | float) -> None:
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

    def _words(self, piece: Piece, heard: list[_Heard], after: Boundary | float) -> tuple[Word, ...]:
        """Returns the words that end in a piece, of which these are heard in it."""
        torn = self._torn
        if torn is not None and heard:
            heard[:1] = [torn.joined(heard[0])] if self._are_one(torn, heard[0]) else [torn, heard[0]]
            self._torn = None
        if heard and (piece.is_torn or (after == "word" and self._is_inside_word(heard[-1]))):
            self._torn = heard.pop()
        return tuple(map(self._word, heard))

    def _word(self, heard: _Heard) -> Word:
        text, span = as_written(self._script, heard.tokens)
        begin, end = heard.begin / self._rate, heard.end / self._rate
        return Word(self._written(text), begin, end, heard.phonemes, span, heard.voice)

    def _are_one(self, torn: _Heard, rest: _Heard) -> bool:
        """Tells whether there is no space between the beginning of a word and what may be its rest."""
        between = self._script[torn.tokens[-1].span[1] : rest.tokens[0].span[0]]
        return not any(character.isspace() for character in between)

    def _is_inside_word(self, heard: _Heard) -> bool:
        """Tells whether the script goes on behind a word without space or markup: there, too long a text was cut."""
        end = heard.tokens[-1].span[1]
        behind = self._script[end : end + 1]
        return bool(behind) and not behind.isspace() and behind not in MARKUP

    def _heard(self, piece: Piece, said: Utterance, cut: Span, lead: int, voice: str) -> list[_Heard]:
        """Returns the words of a piece at the stream's time; the samples `cut` of it follow `lead` of silence."""
        assert said.durations is not None
        borders = np.concatenate([[0], np.cumsum(said.durations)])
        words, ranges = [], []
        for word in words_of(piece.tokens):
            symbols = [symbol for place in word for symbol in piece.places[place]]
            if symbols:
                first, last = _sounding(symbols, piece.phonemes)
                begin = min(max(int(borders[first + 1]), cut[0]), cut[1] - 1)
                tokens = tuple(piece.tokens[place] for place in word)
                words.append((tokens, piece.phonemes[symbols[0] : symbols[-1] + 1]))
                ranges.append((begin, max(begin + 1, min(int(borders[last + 2]), cut[1]))))
        shift = self._n_samples + lead - cut[0]
        begin_with_stop = [phonemes.lstrip(STRESSES)[:1] in STOPS for _, phonemes in words]
        times = silence.at_pauses(ranges, begin_with_stop, said.samples, self._rate)
        return [
            _Heard(tokens, phonemes, shift + begin, shift + end, voice)
            for (tokens, phonemes), (begin, end) in zip(words, times, strict=True)
        ]


def _sounding(symbols: Sequence[int], phonemes: str) -> tuple[int, int]:
    """Returns the first and the last symbol of a word that is more than a mark, which is silence; else of the marks."""
    letters = [symbol for symbol in symbols if phonemes[symbol].isalpha()] or symbols
    return letters[0], letters[-1]
