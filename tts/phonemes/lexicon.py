"""How words are to be pronounced: a lexicon of the project's or the user's own."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from audio_ml.errors import InvalidInput
from tts.text.spoken import Given, SpokenText, joined, standing_for

_RUN = re.compile(r"\w+|[^\w\s]")
_POSSESSIVE = re.compile(r"(?:['’][sS](?!\w)|(?<=[sS])['’](?!\w))")


@dataclass(frozen=True)
class Entry:
    """A word, or several, and its `phonemes` (misaki's alphabet) or the words that are said instead (`alias`).

    `pos` is the beginning of a tag of the Penn Treebank ("VB" for all verbs), "" for any part of speech. A word with
    capitals behind its first letter counts in that spelling only.
    """

    word: str
    phonemes: str = ""
    alias: str = ""
    pos: str = ""

    @property
    def key(self) -> str:
        """What two entries for the same word have in common."""
        word = " ".join(self.word.split())
        return word if _is_exact(word) else word.lower()

    @functools.cached_property
    def pattern(self) -> re.Pattern[str]:
        spelling = r"\s+".join(re.escape(part) for part in self.word.split())
        behind = r"(?!\w)" if re.match(r"\w", self.word[-1]) else ""
        return re.compile(spelling + behind, 0 if _is_exact(self.word) else re.IGNORECASE)


def _is_exact(word: str) -> bool:
    return any(letter.isupper() for part in word.split() for letter in part[1:])


@dataclass(frozen=True)
class Lexicon:
    """Entries in the order they were read; of two for the same word and part of speech the later one counts."""

    entries: tuple[Entry, ...] = ()

    @functools.cached_property
    def _by_first_run(self) -> dict[str, list[Entry]]:
        """The entries that are looked for in a text, by the first letters they can begin with; the longest first."""
        with_pos = {entry.key for entry in self.entries if entry.pos}
        latest = {entry.key: entry for entry in self.entries if not entry.pos}
        runs: dict[str, list[Entry]] = {}
        for key, entry in sorted(latest.items(), key=lambda item: -len(item[0])):
            if key not in with_pos:
                first = _RUN.search(entry.word)
                assert first is not None, "an entry has a word"
                runs.setdefault(first[0].lower(), []).append(entry)
        return runs

    @functools.cached_property
    def _by_word(self) -> dict[str, dict[str, str]]:
        """The phonemes of words that have entries with a part of speech, by its tag; "" is any other."""
        words: dict[str, dict[str, str]] = {entry.key: {} for entry in self.entries if entry.pos}
        for entry in self.entries:
            if entry.key in words:
                words[entry.key][entry.pos] = entry.phonemes
        return words

    def apply(self, text: SpokenText) -> SpokenText:
        """Returns the text with the pronunciations of its words given, for entries without a part of speech.

        >>> lexicon = Lexicon((Entry("Kokoro", "kˈOkəɹO"),))
        >>> lexicon.apply(standing_for("KOKORO's end", (0, 12))).given
        (Given(begin=0, end=8, phonemes='kˈOkəɹOz'),)
        """
        parts: list[SpokenText] = []
        kept = 0
        for begin, end, entry in self._found(text):
            possessive = _POSSESSIVE.match(text.text, end) if entry.phonemes else None
            until = possessive.end() if possessive else end
            parts.append(text.slice(kept, begin))
            if entry.alias:
                parts.append(standing_for(entry.alias, text.span(begin, end)))
            else:
                owns = possessive is not None and len(possessive[0]) > 1
                phonemes = _possessive(entry.phonemes) if owns else entry.phonemes
                word = text.slice(begin, until)
                parts.append(SpokenText(word.text, word.spans, (Given(0, until - begin, phonemes),)))
            kept = until
        if not parts:
            return text
        whole = joined([*parts, text.slice(kept, len(text.text))])
        return SpokenText(whole.text, whole.spans, whole.given, text.warnings)

    def _found(self, text: SpokenText) -> Iterator[tuple[int, int, Entry]]:
        runs = self._by_first_run
        free = 0
        for run in _RUN.finditer(text.text) if runs else ():
            if run.start() < free:
                continue
            for entry in runs.get(run[0].lower(), ()):
                match = entry.pattern.match(text.text, run.start())
                if match and not any(match.start() < g.end and g.begin < match.end() for g in text.given):
                    yield match.start(), match.end(), entry
                    free = match.end()
                    break

    def has_parts_of_speech(self, word: str) -> bool:
        """Whether `find` knows a word as some part of speech."""
        return word in self._by_word or word.lower() in self._by_word

    def find(self, word: str, tag: str) -> str | None:
        """Returns the phonemes of a word as the part of speech of a Penn Treebank tag; None if it has none.

        >>> Lexicon((Entry("live", "lˈIv", pos="JJ"),)).find("Live", "JJ")
        'lˈIv'
        """
        entries = self._by_word.get(word) or self._by_word.get(word.lower())
        if not entries:
            return None
        fitting = [pos for pos in entries if tag.startswith(pos)]
        return entries[max(fitting, key=len)] if fitting else None


EMPTY = Lexicon()


def merge(lexicon: Lexicon, other: Lexicon) -> Lexicon:
    """Returns both; where they have the same word as the same part of speech, `other` counts."""
    return Lexicon(lexicon.entries + other.entries)


def read_lexicon(path: Path) -> Lexicon:
    """Reads a lexicon from CSV, TSV, JSON or PLS (W3C Pronunciation Lexicon Specification 1.0), by the file's ending.

    Raises:
        InvalidInput: for a file that is none; with every row that is wrong (ten at most), its word and the reason.
    """
    from tts.phonemes.lexicon_files import read_rows

    entries, problems = read_rows(path)
    if problems:
        told = "; ".join(problems[:10])
        more = f"; and {len(problems) - 10} more" if len(problems) > 10 else ""
        raise InvalidInput(f"{path}: {told}{more}.")
    return Lexicon(tuple(entries))


def _possessive(phonemes: str) -> str:
    """Returns phonemes with the ending 's: as in "Jess's", "Pat's", "Ann's"."""
    last = phonemes.rstrip()[-1:]
    ending = "ᵻz" if last in "szʃʒʧʤ" else "s" if last in "ptkfθ" else "z"
    return phonemes.rstrip() + ending
