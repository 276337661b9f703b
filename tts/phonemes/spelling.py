"""Reads text letter by letter, for voices that learnt from letters instead of phonemes."""

from __future__ import annotations

import re
import unicodedata

from audio_ml.errors import InvalidInput
from tts.text.spoken import SpokenText, Token

_WORD = re.compile(r"\S+")


class SpellingPronouncer:
    """Gives each word its own letters, decomposed (NFD), as Piper's voices of the kind "text" know them."""

    def pronounce(self, text: SpokenText) -> list[Token]:
        """Returns a token for each word.

        Raises:
            InvalidInput: for phonemes that are given, which such a voice does not know.
        """
        if text.given:
            word = text.text[text.given[0].begin : text.given[0].end]
            raise InvalidInput(f"This voice reads letters and knows no phonemes; take those of '{word}' away.")
        tokens = []
        for match in _WORD.finditer(text.text):
            letters = unicodedata.normalize("NFD", match[0])
            is_spaced = text.text[match.end() : match.end() + 1].isspace()
            tokens.append(Token(match[0], letters, text.span(*match.span()), is_spaced))
        return tokens
