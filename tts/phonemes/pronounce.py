"""English words to misaki's phonemes: hibari's dictionaries, its reading of unknown words, and a lexicon of the user's.

hibari (the package hibari-tts, Apache-2.0) has misaki's rules without spaCy and espeak. What it would drop
or cut is caught here: digits, letters it does not know, words longer than its network reads, marks inside words.
"""

from __future__ import annotations

import functools
import re
import threading
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anyascii import anyascii

from audio_ml.onnx_sessions import cpu_session
from tts.phonemes.alphabet import in_variety, is_heard
from tts.phonemes.lexicon import EMPTY, Lexicon
from tts.text.scripts import LETTERS_AT_ONCE, split_word
from tts.text.spoken import SpokenText, Token

if TYPE_CHECKING:
    from hibari.g2p.oov import OOV

_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_MARKS = {c: c for c in ";:,.!?—…()“”"} | {
    "–": "—", "―": "—", "[": "(", "{": "(", "]": ")", "}": ")", "«": "“", "»": "”", "„": "“", "¿": "", "¡": "",
}  # fmt: skip
_NOTHING_MORE = re.compile(r"[\s\"')\]}”’»]*\Z")
_HELD_VOWELS = {"a": "ˈɑː", "e": "ˈiː", "i": "ˈI", "o": "ˈuː", "u": "ˈuː"}
_SHOUTED = re.compile(r"\b[A-Z]*([A-Z])\1{2,}[A-Z]*\b")
_STRETCHED = re.compile(r"(.)\1{2,}")
MAX_RUNS = 4  # of letters that are drawn out in one word
_READ_AS_LETTER = re.compile(
    r"\s(?:over|times|equals|squared|cubed|to the power|(?:plus|minus)(?! (?:sign|side|point|one)\b))\b(?!-)"
)
_INTERJECTIONS = {  # one symbol alone is too short to be heard
    "sh": "ʃʃʃ", "psh": "pʃʃ", "br": "bɹˈɜ", "gr": "ɡɹˈɜ", "pf": "pff", "pft": "pft", "ps": "pss", "pst": "pst",
    "ts": "tss", "tsk": "tˈɪsk", "hm": "hmm", "m": "mmm", "mhm": "mhˈm", "z": "zzz", "s": "sss", "r": "ɹɹɹ", "f": "fff",
}  # fmt: skip


@dataclass(frozen=True)
class _Piece:
    """A token as hibari cuts them: where it begins in the text, and its phonemes where they are set before."""

    begin: int
    text: str
    phonemes: str | None = None


class EnglishPronouncer:
    """Reads normalised English text for one variety of English; entries of the lexicon with a part of speech go first.

    >>> from tts.text.spoken import plain
    >>> [(t.text, t.phonemes) for t in EnglishPronouncer(british=False).pronounce(plain("Hello, world"))]
    [('Hello', 'həlˈO'), (',', ','), ('world', 'wˈɜɹld')]
    """

    def __init__(self, british: bool, lexicon: Lexicon = EMPTY) -> None:
        self.british = british
        self._lexicon = lexicon

    def pronounce(self, text: SpokenText) -> Sequence[Token]:
        """Returns tokens that cover the text; one with letters whose phonemes are "" cannot be said."""
        from hibari.g2p.token import Tok

        reader = _reader(self.british)
        pieces = list(self._pieces(text, reader))
        if not pieces:
            return []
        tags = reader.g2p.tagger([piece.text for piece in pieces])
        given = [
            self._find(piece.text, tag) if piece.phonemes is None else piece.phonemes
            for piece, tag in zip(pieces, tags, strict=True)
        ]
        places = [piece.begin + i for piece in pieces for i in range(len(piece.text))]
        spaces = [text.text[end : end + 1].isspace() for end in (piece.begin + len(piece.text) for piece in pieces)]
        words = reader.g2p.phonemize_tokens(
            [
                Tok(piece.text, tag, " " if space else "", phonemes=phonemes, rating=None if phonemes is None else 5)
                for piece, tag, phonemes, space in zip(pieces, tags, given, spaces, strict=True)
            ]
        )
        assert "".join(word.text for word in words) == "".join(piece.text for piece in pieces), "characters are lost"
        return list(_tokens(text, words, places, reader))

    def _pieces(self, text: SpokenText, reader: _Reader) -> Iterator[_Piece]:
        readable = reader.readable(text.text)
        begin = 0
        for given in text.given:
            yield from self._with_compounds(reader.pieces(readable, begin, given.begin))
            phonemes = in_variety(given.phonemes, self.british)
            yield _Piece(given.begin, text.text[given.begin : given.end], phonemes)
            begin = given.end
        yield from self._with_compounds(reader.pieces(readable, begin, len(readable)))

    def _with_compounds(self, pieces: Iterator[_Piece]) -> Iterator[_Piece]:
        """Yields pieces, those of a hyphenated word that the lexicon has as one."""
        rest = list(pieces)
        at = 0
        while at < len(rest):
            length = max(
                (n for n in _compounds(rest, at) if self._lexicon.has_parts_of_speech(_text(rest, at, n))), default=1
            )
            yield rest[at] if length == 1 else _Piece(rest[at].begin, _text(rest, at, length))
            at += length

    def _find(self, word: str, tag: str) -> str | None:
        phonemes = self._lexicon.find(word, tag)
        return phonemes if phonemes is None else in_variety(phonemes, self.british)


def _compounds(pieces: Sequence[_Piece], first: int) -> Iterator[int]:
    """Yields of how many pieces a word with one hyphen, with two, ... consists that begins with the first."""
    last = first
    while last + 2 < len(pieces) and pieces[last + 1].text == "-":
        word, hyphen, following = pieces[last : last + 3]
        if hyphen.begin != word.begin + len(word.text) or following.begin != hyphen.begin + 1:
            return
        last += 2
        yield last - first + 1


def _text(pieces: Sequence[_Piece], first: int, length: int) -> str:
    return "".join(piece.text for piece in pieces[first : first + length])


def _tokens(text: SpokenText, words: Sequence[Any], places: Sequence[int], reader: _Reader) -> Iterator[Token]:
    at = 0
    for word in words:
        begin, at = places[at], at + len(word.text)
        end = places[at - 1] + 1
        phonemes = (word.phonemes or "").strip()
        if not is_heard(phonemes) and any(c.isalnum() for c in word.text):
            phonemes = reader.spell(word.text)
        spaced = text.text[end : end + 1].isspace()
        yield Token(text.text[begin:end], phonemes, text.span(begin, end), spaced)


class _Reader:
    """hibari's grapheme-to-phoneme chain of one variety of English; several threads may use it."""

    def __init__(self, british: bool) -> None:
        from hibari.g2p import ASSETS, G2P, SUBTOKEN_RE

        self._network_path = Path(ASSETS, "oov_gb.onnx" if british else "oov.onnx")
        self._read_unknown = functools.lru_cache(maxsize=4096)(self._read_unknown_word)
        self.g2p = G2P(oov=self._read_unknown, british=british)
        self._parts = SUBTOKEN_RE

    @functools.cached_property
    def _network(self) -> OOV:
        """The network for words in no dictionary; most texts do without."""
        from hibari.g2p.oov import OOV

        return OOV(str(self._network_path), session=cpu_session(self._network_path, n_threads=1))

    def readable(self, text: str) -> str:
        """Returns the text, character for character, in letters and cases that hibari's dictionaries have."""
        shouted = text.isupper() and len(text.split()) > 1
        text = _SHOUTED.sub(lambda match: self._without_shouting(match[0]), text)
        if text.isascii() and not shouted:
            return text
        text = text.replace("’", "'").replace("‘", "'")
        return re.sub(r"[^\W\d_]+", lambda match: self._readable_word(match[0], shouted), text)

    def _without_shouting(self, word: str) -> str:
        """Returns "NOOOOO" in small letters, which is no acronym."""
        is_word = any(usual in self.g2p.lexicon.golds for usual in _unstretched(word.lower()))
        return word.lower() if is_word and len(set(word)) > 1 else word

    def _readable_word(self, word: str, shouted: bool) -> str:
        lexicon = self.g2p.lexicon
        if shouted and len(word) > 1 and word not in lexicon.golds and word.lower() in lexicon.golds:
            return word.lower()
        if word.isascii() or word in lexicon.golds or word in lexicon.silvers or word.lower() in lexicon.golds:
            return word
        bare = "".join(unicodedata.normalize("NFD", letter)[0] for letter in word)
        if lexicon.is_known(bare, "NN") or lexicon.is_known(bare.lower(), "NN"):
            return bare
        return "".join(letter if letter in self._network.cin else (anyascii(letter) or letter)[0] for letter in word)

    def pieces(self, text: str, begin: int, end: int) -> Iterator[_Piece]:
        """Yields the tokens of part of a text; every character that is not space is in one."""
        for chunk in re.compile(r"\S+").finditer(text, begin, end):
            tokens = self.g2p.tokenizer.split(chunk[0])
            at = chunk.start()
            for token in tokens if "".join(tokens) == chunk[0] else [chunk[0]]:
                yield from self._readable_pieces(text, at, token)
                at += len(token)

    def _readable_pieces(self, text: str, begin: int, token: str) -> Iterator[_Piece]:
        """Yields a token, or its parts where hibari would read over one."""
        marks = _marks(text, begin, token)
        if marks is not None:
            yield _Piece(begin, token, marks)
        elif token.endswith(".") and _NOTHING_MORE.match(text, begin + len(token)):
            yield from self._readable_pieces(text, begin, token[:-1])  # the period of "p.m." ends the sentence, too
            yield _Piece(begin + len(token) - 1, ".", ".")
        elif token == "A" and _is_letter(text, begin):
            yield _Piece(begin, token, "ˈA")
        elif any(c.isdigit() for c in token):
            for place, character in enumerate(token):
                yield _Piece(begin + place, character, self.spell(character))
        elif "".join(self._parts.findall(token)) == token:
            yield _Piece(begin, token)
        else:
            for part in re.finditer(r"[^\W_]+|[\W_]", token):
                yield _Piece(begin + part.start(), part[0], None if part[0].isalnum() else "")

    def spell(self, text: str) -> str:
        """Returns the names of letters and digits one by one; "" where none has a name."""
        names = []
        for character in unicodedata.normalize("NFKD", text):
            digit = unicodedata.digit(character, None)
            if digit is not None:
                names.append(self.g2p.lexicon.lookup(_DIGITS[digit], None, None, None)[0])
            elif character.isalpha():
                letters = [c for c in anyascii(character).upper() if "A" <= c <= "Z"]
                names += [self.g2p.lexicon.golds.get(letter) for letter in letters]
        return " ".join(name for name in names if isinstance(name, str))

    def _read_unknown_word(self, word: str) -> str:
        plain = re.sub(r"(.)\1+", r"\1", word.lower())
        if plain in _INTERJECTIONS and not word.isupper():
            return _INTERJECTIONS[plain]
        if len(plain) == 1:
            return _HELD_VOWELS.get(plain) or self.spell(word)
        for usual in _unstretched(word.lower()):
            if self.g2p.lexicon.is_known(usual, "NN"):
                return str(self.g2p.lexicon.lookup(usual, "NN", None, None)[0])
        word = _STRETCHED.sub(r"\1\1", word)
        return "".join(self._read_letters(part) for part in split_word(word, LETTERS_AT_ONCE))

    def _read_letters(self, letters: str) -> str:
        phonemes = re.sub(r"\([^)]*\)|[-1()]", "", self._network(letters) or "").replace("ʀ", "ɹ").strip()
        return re.sub(r"([^\W\d_])\1", r"\1", phonemes) or self.spell(letters)  # it stutters: "etcetera"


def _unstretched(word: str) -> Iterator[str]:
    """Yields how a word with letters that are drawn out may be spelt: "cooool" cool, "yeeesss" yes.

    Two letters are tried before one, so that "gooood" is good and no god.
    """
    runs = [match[1] for match in _STRETCHED.finditer(word)]
    for lengths in product((2, 1), repeat=min(len(runs), MAX_RUNS)):
        following = iter(lengths)
        usual = _STRETCHED.sub(lambda match: match[1] * next(following, 1), word)  # noqa: B023
        if runs and usual != "goo":  # "goooo" is go
            yield usual


def _marks(text: str, begin: int, token: str) -> str | None:
    """Returns what a token of punctuation is for the model; None for any other token."""
    if token == '"':
        opens = begin == 0 or text[begin - 1].isspace() or text[begin - 1] in "([{—–"
        return "“" if opens else "”"
    if set(token) == {"."} and len(token) > 1:
        return "…"
    if token in ("-", "--") and text[max(0, begin - 1) : begin + len(token) + 1].strip() == token:
        return "—"
    return "".join(_MARKS[c] for c in token) if all(c in _MARKS for c in token) else None


def _is_letter(text: str, at: int) -> bool:
    """Whether a capital A is the letter: the article is small inside a sentence, and has a word behind it."""
    if _READ_AS_LETTER.match(text, at + 1):
        return True
    before, after = text[max(0, at - 40) : at].split()[-1:], text[at + 1 : at + 40].split()[:1]
    if (not before and not after) or (before and before[0].islower() and before[0][-1].isalnum()):
        return True
    follows = after[0].strip(".,;:!?") if after and text[at + 1 : at + 2].isspace() else ""
    spelled = [word.strip(".,;:!?") for word in (*before, follows)]
    return not follows or any(len(word) == 1 and word.isupper() and word != "I" for word in spelled)


_readers: dict[bool, _Reader] = {}
_loading = threading.Lock()


def _reader(british: bool) -> _Reader:
    """Returns the one reader of a variety; the dictionaries are loaded once and shared."""
    with _loading:
        if british not in _readers:
            _readers[british] = _Reader(british)
        return _readers[british]
