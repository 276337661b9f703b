"""English text as it is said: numbers, dates, money, units, addresses, symbols and abbreviations in words.

Rules are tried one kind after the other. Each stands in the module of its kind; a match may take in several words
("3:45 pm"), and what is said stands for all of it. What pronunciations are given for is never touched.
"""

from __future__ import annotations

from itertools import chain
from typing import Literal

from tts.text import abbreviations, counts, dates, emoji, formulas, measures, money, roman, scripts, symbols, web
from tts.text.rules import Manner
from tts.text.spoken import SpokenText

_RULES = tuple(
    chain(
        emoji.RULES,  # before the joiners between its pictures are taken out
        scripts.CHARACTERS,
        symbols.LAYOUT,
        web.RULES,
        counts.IDENTIFIERS,
        dates.RULES,
        abbreviations.RULES,
        roman.RULES,
        money.RULES,
        counts.RANGES,
        measures.RULES,
        formulas.RULES,
        symbols.POWERS,
        counts.RULES,
        symbols.RULES,
        scripts.LETTERS,
    )
)


def normalise(
    text: SpokenText, *, date_order: Literal["mdy", "dmy", "ymd"] = "mdy", british: bool = False
) -> SpokenText:
    """Returns the text in letters and punctuation only; what had to be read otherwise than it is written is warned of.

    >>> from tts.text.spoken import plain
    >>> normalise(plain("Dr. Smith paid $5.50 at 3:45 pm")).text
    'Doctor Smith paid five dollars and fifty cents at three forty-five P.M'
    """
    manner = Manner(date_order, british)
    text = scripts.shortened(text)
    for rule in _RULES:
        text = rule.apply(text, manner)
    return scripts.romanised(text)
