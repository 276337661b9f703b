"""A text in sentences, for models that read text by themselves but only so much of it at once."""

from __future__ import annotations

import re
from collections.abc import Iterator

from audio_ml.errors import InvalidInput

LONGEST = 300  # characters
BREAKS = " ,;:，、；："  # where a sentence that is longer may be cut
TITLES = frozenset(
    ["mr", "mrs", "ms", "mx", "dr", "prof", "st", "mt", "gen", "col", "sgt", "capt", "lt", "rev", "hon", "sen", "gov"]
)
GOING_ON = frozenset({*TITLES, "vs", "cf", "e.g", "i.e"})
SHORTENED = frozenset({"etc", "jr", "sr", "inc", "ltd", "co", "no", "approx", "est"})  # may end a sentence, or not
LONGEST_SHORTENED = 12  # characters

_END = re.compile(r"(?<![.!?…])[.!?…]+[\"”’')\]]*(?=\s|$)|[。！？]+[”’」』）]*")
_WORD = re.compile(r"[^\s\"“‘'(\[]\S*\Z")
_FOLLOWING = re.compile(r"\s*(\S?)")


def sentences(text: str) -> list[str]:
    """Returns a text cut into sentences, and very long ones where they pause.

    Points within numbers and addresses end none, nor do those of abbreviations that go on.

    >>> sentences('He said "no." Then he left!  It was 5.')
    ['He said "no."', 'Then he left!', 'It was 5.']
    >>> sentences("It costs 3.50 dollars, Mr. Smith. Come at 5 p.m. today.")
    ['It costs 3.50 dollars, Mr. Smith.', 'Come at 5 p.m. today.']
    """
    found = [part for whole in _wholes(text) for part in _short_parts(whole.strip())]
    found = [part for part in found if any(character.isalnum() for character in part)]
    if not found:
        raise InvalidInput("There is nothing to say: the text has no words.")
    return found


def _wholes(text: str) -> Iterator[str]:
    begin = 0
    for match in _END.finditer(text):
        if match[0] != "." or not _goes_on(text, match.start()):
            yield text[begin : match.end()]
            begin = match.end()
    yield text[begin:]


def _goes_on(text: str, point: int) -> bool:
    """Tells whether the point belongs to an abbreviation in the middle of a sentence."""
    found = _WORD.search(text[max(0, point - LONGEST_SHORTENED) : point])
    if found is None:
        return False
    word = found[0].lower()
    if word in GOING_ON or (len(word) == 1 and word.isalpha() and word != "i") or ("." in word and found[0].isupper()):
        return True  # Mr. Smith, J. Smith, U.S. Army
    following = _FOLLOWING.match(text, point + 1)
    is_shortened = word in SHORTENED or "." in word
    return is_shortened and following is not None and (following[1].islower() or following[1].isdigit())


def _short_parts(sentence: str) -> Iterator[str]:
    while len(sentence) > LONGEST:
        cut = max(sentence.rfind(mark, 0, LONGEST) for mark in BREAKS) + 1 or LONGEST
        yield sentence[:cut].strip()
        sentence = sentence[cut:].strip()
    yield sentence
