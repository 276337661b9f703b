"""Reads text with espeak-ng, as Piper's own front end does, and tells which word each phoneme belongs to.

espeak-ng comes with `piper-tts` (GPL-3), an optional extra: it is imported when the first voice that needs it is used.
"""

from __future__ import annotations

import functools
import itertools
import math
import re
import threading
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from audio_ml.errors import InvalidInput, MissingDependency
from audio_ml.speech import Span
from tts.phonemes.alphabet import STRESSES, VOWELS, to_ipa
from tts.text.spoken import Given, SpokenText, Token

MARKS = ",.;:!?"  # what espeak-ng tells of punctuation
CLOSING = frozenset(".,;:!?…\"'”’»)]}")
OPENING = frozenset("\"'“‘„«([{¿¡")
DASHES = frozenset("—–")
STRETCH_CHARACTERS = 300  # read in one go, if a clause ends there
LONGEST_STRETCH = 600
_CHUNK = re.compile(r"\S+")
_UNSPEAKABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_LANGUAGE_FLAG = re.compile(r"\([^)]+\)")  # around words that espeak-ng takes for another language's

_espeak = threading.Lock()  # it is one for the process, and not made for threads


class EspeakPronouncer:
    """Reads text in the language of an espeak-ng voice, such as "en-us" or "de".

    Raises:
        MissingDependency: when `piper-tts` is not installed.
        InvalidInput: when espeak-ng has no such voice.
    """

    def __init__(self, voice: str) -> None:
        self._voice = voice
        _read("", voice)

    def pronounce(self, text: SpokenText) -> list[Token]:
        """Returns tokens whose phonemes are the IPA that espeak-ng gives for the sentence as a whole."""
        tokens: list[Token] = []
        end = 0
        for given in sorted(text.given, key=lambda given: given.begin):
            tokens += self._read_between(text, end, given.begin)
            tokens.append(_given_token(text, given))
            end = given.end
        tokens += self._read_between(text, end, len(text.text))
        return tokens

    def _read_between(self, text: SpokenText, begin: int, end: int) -> Iterator[Token]:
        chunks = [match.span() for match in _CHUNK.finditer(text.text, begin, end)]
        while chunks and _is_mark(text.text[slice(*chunks[0])]):  # espeak-ng keeps none that no word precedes
            first, last = chunks.pop(0)
            mark = _mark(text.text[first:last]) if begin else ""
            yield Token(text.text[first:last], mark, text.span(first, last), _space_follows(text, last))
        for stretch in _stretches(text.text, chunks):
            words = [text.text[slice(*chunk)] for chunk in stretch]
            said = _read(text.text[stretch[0][0] : stretch[-1][1]], self._voice)
            alone = [said] if len(words) == 1 else [_read_word(word, self._voice) for word in words]
            silent = [not (sounds or _is_mark(word)) for word, sounds in zip(words, alone, strict=True)]
            for chunk, phonemes in _merged(stretch, shares(said, alone), silent):
                yield from _tokens(text, chunk, phonemes)


def shares(said: str, alone: Sequence[str]) -> list[str]:
    """Returns the part of the phonemes `said` that each word takes, given those of each word `alone`.

    espeak-ng writes some words together ("of the": ʌvðə) and reads words differently in a sentence, so the two
    are aligned letter by letter at the least cost (Needleman and Wunsch 1970); no phoneme is lost.

    >>> shares("ʌvðə wˈɜːld", ["ˈʌv", "ðə", "wˈɜːld"])
    ['ʌv', 'ðə', 'wˈɜːld']
    """
    if len(alone) == 1:
        return [said.strip()]
    passed: dict[int, list[int]] = {}  # the places in `said` while the path is at a place in `alone`
    for place, other in _alignment(said, " ".join(alone)):
        passed.setdefault(other, []).append(place)
    cuts, space = [0], -1
    for word in alone[:-1]:
        space += len(word) + 1
        around = passed[space] + passed[space + 1]
        cuts.append(max(cuts[-1], _cut(said, min(around), max(around))))
    cuts.append(len(said))
    return [said[begin:end].strip() for begin, end in itertools.pairwise(cuts)]


def _cut(said: str, low: int, high: int) -> int:
    """Returns where a word ends between two places: behind a space, and before the stress of the next word."""
    space = said.find(" ", low, high)
    if space >= 0:
        return space + 1
    while high > low and said[high - 1] in STRESSES:
        high -= 1
    return high


def _alignment(said: str, alone: str) -> list[tuple[int, int]]:
    """Returns the cheapest path [(place in `said`, place in `alone`)] from the beginnings to the ends of both."""
    first, second = _kinds(said), _kinds(alone)
    skips, gaps = _SKIP_COSTS[first], np.concatenate([[0], np.cumsum(_SKIP_COSTS[second])])
    letters = np.array(list(said))[:, None] == np.array(list(alone))[None]
    change = np.where(letters, 0, _CHANGE_COSTS[first[:, None], second[None]])
    total = np.empty((len(said) + 1, len(alone) + 1))
    total[0] = gaps
    for row, skip in enumerate(skips):
        entered = total[row] + skip
        entered[1:] = np.minimum(entered[1:], total[row, :-1] + change[row])
        total[row + 1] = np.minimum.accumulate(entered - gaps) + gaps
    i, j = len(said), len(alone)
    path = [(i, j)]
    while i or j:
        if i and j and math.isclose(total[i, j], total[i - 1, j - 1] + change[i - 1, j - 1], abs_tol=1e-9):
            i, j = i - 1, j - 1
        elif j and math.isclose(total[i, j], total[i, j - 1] + gaps[j] - gaps[j - 1], abs_tol=1e-9):
            j -= 1
        else:
            i -= 1
        path.append((i, j))
    return path


_SPACE, _STRESS, _VOWEL, _MARK, _OTHER = range(5)
_SKIP_COSTS = np.array([0.3, 0.4, 1.0, 0.6, 1.0])
_CHANGE_COSTS = np.full((5, 5), 3.0)
_CHANGE_COSTS[_VOWEL, _VOWEL], _CHANGE_COSTS[_OTHER, _OTHER] = 0.7, 0.9
_CHANGE_COSTS[_STRESS, _STRESS], _CHANGE_COSTS[_MARK, _MARK] = 0.2, 0.4


def _kinds(phonemes: str) -> Any:
    def kind(symbol: str) -> int:
        if symbol == " ":
            return _SPACE
        if symbol in STRESSES:
            return _STRESS
        if symbol in MARKS:
            return _MARK
        return _VOWEL if symbol in VOWELS else _OTHER

    return np.array([kind(symbol) for symbol in phonemes], np.int64)


def _stretches(text: str, chunks: Sequence[Span]) -> Iterator[list[Span]]:
    """Yields the words that are read together: all, unless there are so many that aligning them takes long."""
    stretch: list[Span] = []
    for begin, end in chunks:
        if stretch and end - stretch[0][0] > LONGEST_STRETCH:
            yield stretch
            stretch = []
        stretch.append((begin, end))
        if end - stretch[0][0] > STRETCH_CHARACTERS and text[end - 1] in MARKS:
            yield stretch
            stretch = []
    if stretch:
        yield stretch


def _merged(chunks: Sequence[Span], parts: Sequence[str], silent: Sequence[bool]) -> list[tuple[Span, str]]:
    """Returns words with their phonemes; one without any is one with its neighbour, unless it is `silent` by itself."""
    found: list[tuple[Span, str]] = []
    waits = False  # whether the word before belongs to the next
    for chunk, part, is_silent in zip(chunks, parts, silent, strict=True):
        is_swallowed = not (part or is_silent)
        if found and (waits or is_swallowed):
            (begin, _), before = found.pop()
            found.append(((begin, chunk[1]), " ".join(filter(None, (before, part)))))
        else:
            found.append((chunk, part))
        waits = not found[-1][1] and (waits or is_swallowed)
    return found


def _tokens(text: SpokenText, chunk: Span, phonemes: str) -> Iterator[Token]:
    """Yields a word, and the marks behind it as a token of their own."""
    begin, end = chunk
    middle = end
    while middle > begin and text.text[middle - 1] in CLOSING:
        middle -= 1
    is_one_word = not any(character.isspace() for character in text.text[begin:end])
    sounds = phonemes.rstrip(MARKS + " ")
    if is_one_word and begin < middle < end:
        yield Token(text.text[begin:middle], sounds, text.span(begin, middle), False)
        yield Token(text.text[middle:end], phonemes[len(sounds) :], text.span(middle, end), _space_follows(text, end))
    else:
        yield Token(text.text[begin:end], phonemes, text.span(begin, end), _space_follows(text, end))


def _space_follows(text: SpokenText, end: int) -> bool:
    return text.text[end : end + 1].isspace()


def _given_token(text: SpokenText, given: Given) -> Token:
    phonemes = unicodedata.normalize("NFD", to_ipa(given.phonemes))
    span = text.span(given.begin, given.end)
    return Token(text.text[given.begin : given.end], phonemes, span, _space_follows(text, given.end))


@functools.lru_cache(maxsize=20_000)
def _read_word(word: str, voice: str) -> str:
    """Returns the phonemes of a word by itself, with the mark behind it."""
    return _mark(word) if _is_mark(word) else _read(word, voice)


def _is_mark(word: str) -> bool:
    return set(word) <= CLOSING | OPENING | DASHES


def _mark(word: str) -> str:
    """Returns what espeak-ng would write for marks behind a word; for a dash it is a semicolon."""
    return next((character for character in word if character in MARKS), ";" if word[0] in DASHES else "")


def _read(text: str, voice: str) -> str:
    """Returns espeak-ng's IPA of a text, decomposed (NFD), with the marks that it keeps."""
    with _espeak:
        bridge = _bridge()
        try:
            bridge.set_voice(voice)
        except RuntimeError as error:
            raise InvalidInput(f"espeak-ng has no voice '{voice}'.") from error
        clauses = bridge.get_phonemes(_UNSPEAKABLE.sub(" ", text))
    spoken = (_LANGUAGE_FLAG.sub("", phonemes) + mark for phonemes, mark, _ in clauses)
    return unicodedata.normalize("NFD", " ".join(filter(None, spoken)))


@functools.cache
def _bridge() -> Any:
    try:
        from piper import espeakbridge
        from piper.phonemize_espeak import ESPEAK_DATA_DIR
    except ImportError as error:
        raise MissingDependency(
            "Piper voices read text with espeak-ng, which is GPL-3 and not installed: pip install 'audio-ml[piper]'."
        ) from error
    espeakbridge.initialize(str(ESPEAK_DATA_DIR))
    return espeakbridge
