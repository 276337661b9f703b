"""What a rule of normalisation is: a pattern, and what is said for a match of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from tts.text.spoken import SpokenText

OPENING = " \t\n([{\"'“‘—–-/"
CLOSING = " \t\n.,;:!?…)]}\"'”’—–-/"


@dataclass(frozen=True)
class Manner:
    """How numbers are read: in which order the numbers of a date stand, and in which English."""

    date_order: Literal["mdy", "dmy", "ymd"] = "mdy"
    british: bool = False


Space = Literal["words", "around", "none"]
Say = Callable[["re.Match[str]", Manner], "str | None"]


def text_before(match: re.Match[str], size: int = 60) -> str:
    """Returns the characters in front of a match, `size` at most; a whole text would make rules slow."""
    return match.string[max(0, match.start() - size) : match.start()]


def text_after(match: re.Match[str], size: int = 60) -> str:
    """Returns the characters behind a match, `size` at most."""
    return match.string[match.end() : match.end() + size]


@dataclass(frozen=True)
class Rule:
    """Says `say(match, manner)` for each match of `pattern`, None leaving it as it is.

    `space` says whether words are kept from running into the letters beside them ("words"), stand free on both sides
    ("around"), or take their place as they are ("none").
    """

    pattern: re.Pattern[str]
    say: Say
    space: Space = "words"

    def apply(self, text: SpokenText, manner: Manner) -> SpokenText:
        def spoken(match: re.Match[str]) -> str | None:
            words = self.say(match, manner)
            return self._spaced(words, match) if words else words

        return text.replace(self.pattern, spoken)

    def _spaced(self, words: str, match: re.Match[str]) -> str:
        before, after = text_before(match, 1), text_after(match, 1)
        if self.space == "none":
            return words
        if self.space == "around":
            left, right = before not in OPENING, after not in CLOSING
        else:
            left = before.isalnum() and words[0].isalnum()
            right = after.isalnum() and words[-1].isalnum()
        return " " * left + words + " " * right


@dataclass(frozen=True)
class Rules:
    """Rules of one kind, in the order in which they are tried."""

    rules: list[Rule] = field(default_factory=list)

    def add(self, pattern: str, flags: int = 0, *, space: Space = "words") -> Callable[[Say], Say]:
        """Makes a rule of the function below."""

        def register(say: Say) -> Say:
            self.rules.append(Rule(re.compile(pattern, flags), say, space))
            return say

        return register

    def __iter__(self) -> Iterator[Rule]:
        return iter(self.rules)
