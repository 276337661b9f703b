"""The phoneme alphabet of misaki (https://github.com/hexgrad/misaki), and how IPA is read into it and written from it.

American words have the vowels æ ɑ ɔ ə ɛ ɜ i ɪ u ʊ ʌ ᵊ ᵻ A (eɪ) I (aɪ) O (oʊ) W (aʊ) Y (ɔɪ), British ones a, ɒ, ː and
Q (əʊ) as well. Affricates are one letter (ʤ, ʧ), the tapped t of "water" is T, and stress stands before the vowel.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import re
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

from audio_ml.errors import InvalidInput

if TYPE_CHECKING:
    VOCABULARY: dict[str, int]  # every symbol the models know -> its number

STRESSES = "ˈˌ"
VOWELS = frozenset("AIOQWYaeiouyæøœɐɑɒɔɘəɚɛɜɤɨɪɯʉʊʌᵊᵻ")
_LETTERS = "".join(sorted(VOWELS))  # for patterns
STOPS = frozenset("bcdgkpqtɖɟɡʈʔʣʤʥʦʧʨ")  # and affricates: they begin with a closure
CONSONANTS = frozenset("bcdfhjklmnpqrstvwxzçðŋɖɟɡɥɰɲɳɴɸɹɻɽɾʁʂʃʈʋʎʒʔʝʣʤʥʦʧʨβθχɕʐɣꭧTS")

# What people write in IPA for one symbol of ours; the longest spelling counts.
_FROM_IPA = {
    "eɪ": "A", "aɪ": "I", "aj": "I", "ʌɪ": "I", "oʊ": "O", "əʊ": "Q", "aʊ": "W", "aw": "W", "ɔɪ": "Y", "ɔj": "Y",
    "eə": "ɛː", "ɛə": "ɛː", "ei": "A", "ai": "I", "ou": "O", "əu": "Q", "au": "W", "ɔi": "Y", "oi": "Y", "dʒ": "ʤ",
    "tʃ": "ʧ", "ts": "ts", "dz": "dz", "ɝː": "ɜɹ", "ɝ": "ɜɹ", "ɚ": "əɹ", "g": "ɡ", "r": "ɹ", "e": "ɛ", "o": "ɔ",
    "ɫ": "l", "ʍ": "w", "ɐ": "ɐ", "ʉ": "u", "ɵ": "ʊ", "ɘ": "ə", "ɞ": "ɜ", "ɶ": "a", "ʏ": "y", "ɱ": "m", "ħ": "h",
    "ɦ": "h", "ʕ": "ʔ", "ʐ": "ʒ", "ɭ": "l", "ʀ": "ʁ", "ɬ": "l", "ɓ": "b", "ɗ": "d", "ɠ": "ɡ", "n\u0329": "ᵊn",
    "l\u0329": "ᵊl", "m\u0329": "ᵊm", "ɹ\u0329": "əɹ", "r\u0329": "əɹ", "c\u0327": "ç", "'": "ˈ", "ʹ": "ˈ", "‘": "ˈ",
    "’": "ˈ",
}  # fmt: skip
_SPELLINGS = re.compile("|".join(sorted(_FROM_IPA, key=len, reverse=True)))
_SPELLED = frozenset("".join(_FROM_IPA) + ".")
# Marks of linking, ties and fine detail: hyphen, tie bars, non-syllabic, dental, unreleased, voiceless, half long ...
_SILENT = frozenset("-‿|ˑ˞\u0361\u035c\u032f\u032a\u031a\u0325\u030a\u0306\u0303\u0308\u031e\u031d\u033a")
_MISAKI_ONLY = frozenset("AIOQWYTʤʧᵊᵻ")
_TO_IPA = {
    "ɜɹ": "ɜː", "əɹ": "ɚ", "A": "eɪ", "I": "aɪ", "O": "oʊ", "Q": "əʊ", "W": "aʊ", "Y": "ɔɪ", "ʤ": "dʒ", "ʧ": "tʃ",
    "ᵊ": "ə", "T": "ɾ",
}  # fmt: skip

# The nearest sound of English for what its voices have not learnt.
_NEAREST = {
    "x": "k", "χ": "k", "ç": "h", "ɣ": "ɡ", "ʁ": "ɹ", "ɻ": "ɹ", "ɽ": "ɹ", "r": "ɹ", "ʋ": "v", "β": "v", "ɸ": "f",
    "ɲ": "nj", "ɳ": "n", "ɴ": "ŋ", "ɰ": "ɡ", "ʎ": "lj", "ʝ": "j", "ɥ": "w", "ɕ": "ʃ", "ʂ": "ʃ", "ʐ": "ʒ", "ʈ": "t",
    "ɖ": "d", "ɟ": "ʤ", "c": "k", "q": "k", "ʣ": "dz", "ʥ": "ʤ", "ʦ": "ts", "ʨ": "ʧ", "ʔ": "t", "y": "i", "ø": "ɜ",
    "œ": "ɜ", "ɯ": "u", "ɤ": "ʌ", "ɨ": "ɪ", "e": "ɛ", "o": "ɔ", "ɚ": "əɹ", "ʰ": "", "ʲ": "j", "ᵝ": "", "\u0303": "",
    "ꭧ": "ʧ", "S": "s",
}  # fmt: skip
_AMERICAN = {**_NEAREST, "Q": "O", "ɒ": "ɑ", "a": "æ", "ː": "", "ɾ": "T"}
_BRITISH = {**_NEAREST, "O": "Q", "æ": "a", "T": "t", "ɾ": "t", "ᵻ": "ɪ"}


@functools.cache
def vocabulary() -> dict[str, int]:
    """Returns every symbol the models know -> its number, as hibari has it from Kokoro."""
    package = importlib.util.find_spec("hibari")
    assert package is not None and package.origin is not None, "hibari-tts is a dependency"
    numbers: dict[str, int] = json.loads(
        (Path(package.origin).parent / "assets" / "vocab.json").read_text(encoding="utf-8")
    )
    return numbers


def __getattr__(name: str) -> dict[str, int]:
    if name == "VOCABULARY":
        return vocabulary()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def is_heard(phonemes: str) -> bool:
    """Whether there is a sound of speech among the symbols, not only marks and pauses."""
    return any(symbol in VOWELS or symbol in CONSONANTS for symbol in phonemes)


def from_ipa(ipa: str) -> str:
    """Reads IPA as people write it, or misaki's phonemes, which stay as they are.

    Raises InvalidInput that names the first symbol which is no sound of English.

    >>> from_ipa("təˈmeɪ.t͡ʃə"), from_ipa("kˈOkəɹO"), from_ipa("aɪ piː eɪ")
    ('təmˈAʧə', 'kˈOkəɹO', 'I piː A')
    """
    written = ipa.strip()
    if len(written) > 1 and written[0] + written[-1] in ("//", "[]"):
        written = written[1:-1].strip()
    if _is_misaki(written):
        return written
    symbols = unicodedata.normalize("NFD", written)
    places = [place for place, symbol in enumerate(symbols) if symbol not in _SILENT]
    bare = "".join(symbols[place] for place in places)
    for place, symbol in zip(places, bare, strict=True):
        if symbol not in vocabulary() and symbol not in _SPELLED and not symbol.isspace():
            raise InvalidInput(f"{symbol!r} (symbol {place + 1} of {ipa!r}) is no sound of English in IPA.")
    phonemes = _SPELLINGS.sub(lambda match: _FROM_IPA[match[0]], re.sub(rf"(?<=[{_LETTERS}]):", "ː", bare))
    result = _stress_at_vowels(" ".join(phonemes.replace(".", "").split()))
    if not is_heard(result):
        raise InvalidInput(f"{ipa!r} has no phonemes.")
    return result


def _is_misaki(written: str) -> bool:
    known = vocabulary()
    return (
        any(symbol in _MISAKI_ONLY for symbol in written)
        and all(symbol in known for symbol in written)
        and is_heard(written)
    )


def _stress_at_vowels(phonemes: str) -> str:
    """Moves stress marks from the beginning of their syllable to its vowel."""
    return re.sub(rf"([{STRESSES}])[{STRESSES}]*([^{_LETTERS}{STRESSES}\s]*)(?=[{_LETTERS}])", r"\2\1", phonemes)


def in_variety(phonemes: str, british: bool) -> str:
    """Returns phonemes in the sounds of one variety of English: the nearest where it has none of its own.

    >>> in_variety("ɡˈQst", british=False), in_variety("lˈOx", british=True)
    ('ɡˈOst', 'lˈQk')
    """
    if british:
        phonemes = re.sub(f"ɜɹ(?![{_LETTERS}{STRESSES}])", "ɜː", phonemes)
        return "".join(_BRITISH.get(symbol, symbol) for symbol in phonemes)
    return "".join(_AMERICAN.get(symbol, symbol) for symbol in re.sub("ɜː(?!ɹ)", "ɜɹ", phonemes.replace("ɛː", "ɛɹ")))


def to_ipa(phonemes: str) -> str:
    """Returns misaki's phonemes as espeak-ng writes them in IPA.

    >>> to_ipa("təmˈAʧə")
    'təmˈeɪtʃə'
    """
    return re.sub("|".join(_TO_IPA), lambda match: _TO_IPA[match[0]], phonemes)
