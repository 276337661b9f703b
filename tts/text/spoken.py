"""Text that is changed on its way to the phonemes, with where each character of it comes from."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from audio_ml.speech import Span, SpeechWarning


@dataclass(frozen=True)
class Given:
    """Phonemes (misaki's alphabet) that are given for the characters `begin` to `end` of a SpokenText."""

    begin: int
    end: int
    phonemes: str


@dataclass(frozen=True)
class SpokenText:
    """Words to be said, and for each character the place of the script it stands for.

    A replacement stands for the whole of what it replaces, so that whatever is heard can be traced back.
    `given` pronunciations are never touched by `replace`, and move along.

    >>> plain("Dr. Who", 10).replace(re.compile("Dr[.]"), lambda match: "Doctor").text
    'Doctor Who'
    """

    text: str
    spans: tuple[Span, ...]
    given: tuple[Given, ...] = ()
    warnings: tuple[SpeechWarning, ...] = ()

    def span(self, begin: int, end: int) -> Span:
        """Returns the place of the script that the characters `begin` to `end` stand for."""
        spans = self.spans[begin:end]
        return min(span[0] for span in spans), max(span[1] for span in spans)

    def slice(self, begin: int, end: int) -> SpokenText:
        """Returns some of the characters; warnings stay behind."""
        inside = (g for g in self.given if begin <= g.begin and g.end <= end)
        given = tuple(Given(g.begin - begin, g.end - begin, g.phonemes) for g in inside)
        return SpokenText(self.text[begin:end], self.spans[begin:end], given)

    def replace(self, pattern: re.Pattern[str], spoken: Callable[[re.Match[str]], str | None]) -> SpokenText:
        """Returns the text with every match replaced by what the function returns; None leaves a match as it is.

        A match of no characters is never replaced: words that stand for nothing could not be traced back.
        """
        parts: list[SpokenText] = []
        kept = 0
        for match in pattern.finditer(self.text):
            begin, end = match.span()
            if begin == end or any(begin < given.end and given.begin < end for given in self.given):
                continue
            words = spoken(match)
            if words is None or words == match[0]:
                continue
            parts += [self.slice(kept, begin), standing_for(words, self.span(begin, end))]
            kept = end
        if not parts:
            return self
        return replace(joined([*parts, self.slice(kept, len(self.text))]), warnings=self.warnings)


def plain(text: str, begin: int = 0) -> SpokenText:
    """Returns text that stands in the script as it is, its first character at `begin`."""
    return SpokenText(text, tuple((begin + i, begin + i + 1) for i in range(len(text))))


def standing_for(text: str, span: Span) -> SpokenText:
    """Returns text that is said instead of what stands at `span` of the script."""
    return SpokenText(text, (span,) * len(text))


def joined(parts: Iterable[SpokenText]) -> SpokenText:
    """Returns texts one behind the other, their given pronunciations and warnings with them."""
    texts: list[str] = []
    spans: list[Span] = []
    given: list[Given] = []
    warnings: list[SpeechWarning] = []
    for part in parts:
        given += (Given(g.begin + len(spans), g.end + len(spans), g.phonemes) for g in part.given)
        texts.append(part.text)
        spans += part.spans
        warnings += part.warnings
    return SpokenText("".join(texts), tuple(spans), tuple(given), tuple(warnings))


@dataclass(frozen=True)
class Token:
    """A word or mark of a SpokenText with its phonemes in the engine's alphabet ("" when it is not heard).

    `span` is its place in the script, `spaced` whether a space follows.
    """

    text: str
    phonemes: str
    span: Span
    spaced: bool
