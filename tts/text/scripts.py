"""Characters as the other rules expect them: plain digits, quotes and dashes, nothing invisible, Latin letters only."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace

from audio_ml.speech import SpeechWarning
from tts.text.numbers import quantity
from tts.text.rules import Manner, Rules, text_after, text_before
from tts.text.spoken import SpokenText
from tts.text.symbols import symbol_name

CHARACTERS = Rules()
LETTERS = Rules()

LONGEST_WORD = 60  # letters; beyond it is no word
LETTERS_AT_ONCE = 20
LETTERS_IN_A_ROW = 6  # the same one; more are not heard
_LATIN = (
    "\u00aa\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02af\u1e00-\u1eff\u2c60-\u2c7f\ua722-\ua787\ua78b-\ua7ff"
    "\uab30-\uab64"
)
_INVISIBLE = (
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]"
)
_FOREIGN = rf"[^\x00-\x7f\s{_LATIN}“”‘’—–…]"
_GREEK = "\u0370-\u03ff\u1f00-\u1fff"
_QUOTES = {"‘": "'", "’": "'", "‛": "'", "ʼ": "'", "ʻ": "'", "′": "'", "´": "'", "„": "“", "‟": "“", "«": "“", "»": "”"}
_DASHES = {"\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2043": "-", "\u2212": "-", "―": "—", "⸺": "—", "⸻": "—"}
_ROW = re.compile(rf"([^\W\d_])\1{{{LETTERS_IN_A_ROW},}}")
_HELD = frozenset("aefhimnorsuvwyz")  # letters whose sound can be drawn out
_LEFT_TO_LATER = frozenset("²³¹⁰⁴⁵⁶⁷⁸⁹½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅐⅛⅜⅝⅞⅑⅒…‥™℠№℡")


def is_invisible(text: str) -> bool:
    """Whether there is nothing to be seen in a text, and so nothing to be said: controls, zero-width characters."""
    return re.fullmatch(rf"(?:{_INVISIBLE}|\s)*", text) is not None


@CHARACTERS.add("[A-Za-z][\u0300-\u036f]+", space="none")
def composed(match: re.Match[str], manner: Manner) -> str | None:
    """Joins letters and accents that are written one after the other; what has no letter of its own is left out."""
    letter = unicodedata.normalize("NFC", match[0])
    return letter[0]


@CHARACTERS.add(r"[^\x00-\x7f\s]", space="none")
def plain_form(match: re.Match[str], manner: Manner) -> str | None:
    """Writes styled, full-width and joined letters, digits of other scripts, and typographic marks plainly."""
    character = match[0]
    mark = _QUOTES.get(character) or _DASHES.get(character)
    is_exponent = character == "⁺" and text_after(match, 1) in _LEFT_TO_LATER
    if mark or character in _LEFT_TO_LATER or is_exponent:
        return mark
    digit = unicodedata.decimal(character, None)
    if digit is not None:
        return str(digit)
    form = unicodedata.normalize("NFKC", character)
    is_plain = form.replace("°", "").isascii() and form.strip() == form != ""
    return form if is_plain and form.isprintable() else None


@CHARACTERS.add(rf"(?<=\w){_INVISIBLE}+|{_INVISIBLE}+", space="none")
def invisible(match: re.Match[str], manner: Manner) -> str | None:
    return ""


@LETTERS.add(rf"(?<![{_GREEK}])[{_GREEK}](?![{_GREEK}\u0300-\u036f])")
def greek_letter(match: re.Match[str], manner: Manner) -> str | None:
    """Says a letter of formulas: "π" is pi."""
    name = unicodedata.name(match[0], "")
    return name.split(" LETTER ")[1].split(" WITH ")[0].split()[-1].lower() if " LETTER " in name else None


@LETTERS.add(rf"{_FOREIGN}")
def numeral(match: re.Match[str], manner: Manner) -> str | None:
    value = unicodedata.numeric(match[0], None)
    if value is None or unicodedata.category(match[0])[0] != "N":
        return None
    return f" {quantity(f'{value:g}' if value < 1e6 else str(int(value)), manner.british)} "


@LETTERS.add(rf"[^\W\d_]{{{LONGEST_WORD + 1},}}")
def endless_word(match: re.Match[str], manner: Manner) -> str | None:
    return " ".join(split_word(match[0], LETTERS_AT_ONCE))


def shortened(text: SpokenText) -> SpokenText:
    """Returns the text without more of one letter in a row than a reader makes heard: "loooooooooong".

    Where they are all there is to a word and have names instead of a sound ("bbbbbbbbbb"), a warning tells.
    """
    warnings = []
    for match in _ROW.finditer(text.text):
        is_word = not any(character.isalpha() for character in text_before(match, 1) + text_after(match, 1))
        covered = any(match.start() < given.end and given.begin < match.end() for given in text.given)
        if is_word and not covered and match[1].lower() not in _HELD:
            times = f"{len(match[0])} times in a row; it is read {LETTERS_IN_A_ROW} times."
            warnings.append(SpeechWarning(f"'{match[1]}' stands {times}", text.span(*match.span())))
    short = text.replace(_ROW, lambda match: match[1] * LETTERS_IN_A_ROW)
    return replace(short, warnings=(*short.warnings, *warnings)) if warnings else short


def split_word(word: str, size: int) -> list[str]:
    """Cuts a word into parts of at most `size` letters, before a consonant and its vowel where that can be.

    >>> split_word("antidisestablishmentarianism", 12)
    ['antidise', 'stablishme', 'ntarianism']
    """
    parts = []
    while len(word) > size:
        borders = [m.start() for m in re.finditer(r"(?<=[aeiouy])[^\Waeiouy]+(?=[aeiouy])", word[: size + 1], re.I)]
        cut = borders[-1] if borders and borders[-1] > size // 2 else size
        parts.append(word[:cut])
        word = word[cut:]
    return [*parts, word]


def romanised(text: SpokenText) -> SpokenText:
    """Returns the text in Latin letters, with a warning for every stretch of another script and how it is read."""
    warnings = []
    for match in re.finditer(rf"{_FOREIGN}+(?:[\s,.;:!?-]+{_FOREIGN}+)*", text.text):
        covered = any(match.start() < given.end and given.begin < match.end() for given in text.given)
        written = match[0]
        if covered or (all(unicodedata.category(c)[0] == "M" for c in written) and match.start()):
            continue
        said = " ".join(_read(written).split())
        read_as = f"is not in Latin script; read as '{_short(said)}'." if said else "has no reading; left out."
        warnings.append(SpeechWarning(f"'{_short(written)}' {read_as}", text.span(*match.span())))
    if not re.search(_FOREIGN, text.text):
        return text
    read = text.replace(re.compile(rf"{_FOREIGN}+"), lambda match: _spaced(_read(match[0]), match))
    return replace(read, warnings=(*read.warnings, *warnings))


def _read(written: str) -> str:
    from anyascii import anyascii

    parts = []
    for character in written:
        if character.isascii():
            parts.append(character)
            continue
        is_text = unicodedata.category(character)[0] in "LMN"
        parts.append(anyascii(character) if is_text else symbol_name(character) if character.isprintable() else "")
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", re.sub(r"[^A-Za-z\s,.'-]+", "", "".join(parts)))


def _spaced(words: str, match: re.Match[str]) -> str:
    before, after = text_before(match, 1), text_after(match, 1)
    return " " * before.isalnum() + words + " " * after.isalnum() if words else ""


def _short(text: str) -> str:
    printable = "".join(c if c.isprintable() else f"U+{ord(c):04X}" for c in text)
    return printable if len(printable) <= 40 else printable[:39] + "…"
