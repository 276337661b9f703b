"""Where sentences begin and end, by rules of English punctuation.

The rules of the Punkt literature (Kiss & Strunk 2006, Unsupervised Multilingual Sentence Boundary Detection) with lists
instead of training: a period ends a sentence unless what stands before it is an abbreviation, an initial or the number
of a list item, or what follows begins in lower case.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from audio_ml.speech import Span
from tts.text.abbreviations import ends_sentence, names_a_letter

WRAP_COLUMNS = 60  # a line that is broken before this column was meant to end there

_END = re.compile(r"""[.!?…]+["'”’»)\]}*_]*(?=\s|$)|[。！？｡]+[」』”’）]*|\n""")
_WORD_BEFORE = re.compile(r"[^\s\"“‘(\[{—–/]+$")
_LIST_NUMBER = re.compile(r"(?:^|\n)\s*[\"“‘(]?(?:\d{1,3}|[A-Za-z]|[ivxIVX]{1,5})$")
_OPENING = " \t\"'“‘«([{*_"
_NEW_ITEM = re.compile(r"\s*(?:[-*•‣◦▪·–—]\s|\d{1,3}[.)]\s|#{1,6}\s)")
_CONTEXT = 60  # characters around a period that decide


def sentences(text: str) -> list[Span]:
    """Returns where each sentence stands, without the space around it; together they cover all that is not space.

    Blank lines end a sentence, and so do lines that end early or are followed by a list item.

    >>> text = "Dr. Who lives on Elm Dr. He left... at 5 p.m. yesterday! Really?"
    >>> [text[begin:end] for begin, end in sentences(text)]
    ['Dr. Who lives on Elm Dr.', 'He left... at 5 p.m. yesterday!', 'Really?']
    """
    spans: list[Span] = []
    begin = 0
    for end in (*_ends(text), len(text)):
        stripped = text[begin:end].strip()
        if stripped:
            first = text.index(stripped[0], begin)
            spans.append((first, first + len(stripped)))
        begin = end
    return spans


def _ends(text: str) -> Iterator[int]:
    for match in _END.finditer(text):
        mark = match[0]
        if mark == "\n":
            if _line_ends(text, match.start()):
                yield match.end()
        elif mark[0] in "。！？｡" or _mark_ends(text, match.start(), match.end()):
            yield match.end()


def _mark_ends(text: str, begin: int, end: int) -> bool:
    after = text[end : end + _CONTEXT].lstrip(_OPENING + "\n\r")
    if not after or "\n" in after[:1]:
        return True
    before = text[max(0, begin - _CONTEXT) : begin]
    name = _WORD_BEFORE.search(before)
    if text[begin] == "." and name and names_a_letter(name[0], before[: name.start()]):
        return True
    word = re.match(r"[^\W\d_]*", after)
    if word and word[0][:1].islower() and word[0].islower():
        return False
    is_period = text[begin:end].strip("\"'”’»)]}*_") == "."
    if not is_period or name is None:
        return not is_period or begin > 0
    if _LIST_NUMBER.search(before) and (len(before) < _CONTEXT or "\n" in before):
        return False
    return ends_sentence(name[0], before[: name.start()], text[end : end + _CONTEXT])


def _line_ends(text: str, at: int) -> bool:
    """Whether a line break was meant: before a blank line, a list item, or where the next word would have fitted."""
    following = text[at + 1 : at + 1 + _CONTEXT]
    if not following.strip() or following.lstrip(" \t\r")[0] == "\n" or _NEW_ITEM.match(following):
        return True
    first = following.lstrip(" \t" + _OPENING)
    if first[:1].islower():
        return False
    columns = at - (text.rfind("\n", 0, at) + 1)
    return columns + 1 + len(following.split(maxsplit=1)[0]) <= WRAP_COLUMNS
