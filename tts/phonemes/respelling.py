"""Respelled words, such as "koh-KOH-roh", to misaki's phonemes.

The key is Wikipedia's (https://en.wikipedia.org/wiki/Help:Pronunciation_respelling_key): hyphens join syllables, the
stressed one is in capitals, and each spelling of the key is one sound.
"""

from __future__ import annotations

import re

from audio_ml.errors import InvalidInput

_VOWELS = {
    "a": "æ", "ah": "ɑː", "air": "ɛɹ", "ar": "ɑːɹ", "arr": "æɹ", "aw": "ɔː", "ay": "A", "e": "ɛ", "eh": "ɛ",
    "ee": "iː", "eer": "ɪɹ", "err": "ɛɹ", "er": "əɹ", "ew": "juː", "ey": "A", "eye": "I", "i": "ɪ", "ih": "ɪ",
    "igh": "I", "irr": "ɪɹ", "o": "ɒ", "oh": "O", "oo": "uː", "oor": "ʊɹ", "or": "ɔːɹ", "orr": "ɒɹ", "ow": "W",
    "oy": "Y", "u": "ʌ", "uh": "ʌ", "ur": "ɜɹ", "urr": "ʌɹ", "uu": "ʊ", "y": "I", "ye": "I", "yoo": "juː",
    "yoor": "jʊɹ", "ə": "ə", "ər": "əɹ",
}  # fmt: skip
_CONSONANTS = {
    "b": "b", "ch": "ʧ", "tch": "ʧ", "d": "d", "dh": "ð", "f": "f", "g": "ɡ", "gh": "ɡ", "h": "h", "j": "ʤ", "k": "k",
    "kh": "x", "l": "l", "m": "m", "n": "n", "ng": "ŋ", "nk": "ŋk", "p": "p", "r": "ɹ", "s": "s", "ss": "s", "sh": "ʃ",
    "t": "t", "th": "θ", "v": "v", "w": "w", "wh": "w", "y": "j", "z": "z", "zh": "ʒ", "bb": "b", "dd": "d", "ff": "f",
    "gg": "ɡ", "kk": "k", "ck": "k", "ll": "l", "mm": "m", "nn": "n", "pp": "p", "rr": "ɹ", "tt": "t", "zz": "z",
}  # fmt: skip


def _any_of(spellings: dict[str, str]) -> str:
    return "|".join(sorted(spellings, key=len, reverse=True))


_CONSONANT = re.compile(_any_of(_CONSONANTS))
_SYLLABLE = re.compile(rf"((?:{_any_of(_CONSONANTS)})*)({_any_of(_VOWELS)})((?:{_any_of(_CONSONANTS)})*)")


def from_respelling(respelling: str) -> str:
    """Returns the phonemes of a respelled word; of several syllables in capitals the last has the main stress.

    Raises InvalidInput that names the syllable which the key does not have.

    >>> from_respelling("koh-KOH-roh")
    'kOkˈOɹO'
    """
    words = [_read_word(word, respelling) for word in respelling.split()]
    if not words:
        raise InvalidInput("The respelling is empty.")
    return " ".join(words)


def _read_word(word: str, respelling: str) -> str:
    syllables = word.strip("-").split("-")
    stressed = [place for place, syllable in enumerate(syllables) if syllable.isupper()]
    if len(syllables) == 1:
        stressed = [0]
    phonemes = []
    for place, syllable in enumerate(syllables):
        match = _SYLLABLE.fullmatch(syllable.lower())
        if match is None or not (syllable.isupper() or syllable.islower()):
            raise InvalidInput(
                f"Syllable '{syllable}' of the respelling '{respelling}' is not in the key; write it as in koh-KOH-roh."
            )
        onset, vowel, coda = match.groups()
        stress = "" if place not in stressed else "ˈ" if place == stressed[-1] else "ˌ"
        sound = "ə" if vowel == "uh" and not stress else _VOWELS[vowel]
        at_vowel = len(sound) - len(sound.lstrip("j"))
        phonemes.append(_consonants(onset) + sound[:at_vowel] + stress + sound[at_vowel:] + _consonants(coda))
    return "".join(phonemes)


def _consonants(spelling: str) -> str:
    return _CONSONANT.sub(lambda match: _CONSONANTS[match[0]], spelling)
