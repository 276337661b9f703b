"""Words for Kokoro's text encoder, symbol by symbol, for those that know when each word is said."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from tts.phonemes.alphabet import vocabulary
from tts.text.normalise import normalise
from tts.text.spoken import plain


def spell(words: Sequence[str]) -> list[list[int]]:
    """Returns for each word of a sentence in American English the numbers of its symbols: an
    `audio_ml.speaking.Speller`.

    >>> [len(symbols) for symbols in spell(["Good", "morning."])]
    [5, 8]
    """
    from tts.phonemes.pronounce import EnglishPronouncer

    numbers = vocabulary()
    begins = list(accumulate((len(word) + 1 for word in words), initial=0))
    symbols: list[list[int]] = [[] for _ in words]
    for token in EnglishPronouncer(british=False).pronounce(normalise(plain(" ".join(words)))):
        said = token.phonemes + " " * token.spaced
        symbols[bisect_right(begins, token.span[0]) - 1] += [numbers[symbol] for symbol in said if symbol in numbers]
    return symbols
