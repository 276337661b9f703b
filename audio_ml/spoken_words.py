"""Brings English text to the words that are heard, so that two ways to write the same speech compare as equal.

Figures, dates, times, money, abbreviations, contractions and British spellings are written out. It is apart from
what reads scripts aloud, so that a mistake there is not repeated here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

_NUMBERS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety"
)
_UNITS, _TENS = _NUMBERS.split()[:20], _NUMBERS.split()[20:]
_POWERS = ((10**12, "trillion"), (10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred"))
_IRREGULAR_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
_MONTH = "january|february|march|april|may|june|july|august|september|october|november|december"
_MONTHS = _MONTH.split("|")
_CURRENCIES = {"$": ("dollar", "cent"), "€": ("euro", "cent"), "£": ("pound", "penny")}
_PLURALS = {"penny": "pence"}
_LETTERS_AND_SIGNS = {"&": " and ", "@": " at ", "%": " percent ", "+": " plus ", "=": " equals ", "°": " degrees "}
_ABBREVIATIONS = {
    "mr": "mister",
    "mrs": "missus",
    "missis": "missus",
    "ms": "miz",
    "dr": "doctor",
    "prof": "professor",
    "st": "saint",
    "jr": "junior",
    "sr": "senior",
    "vs": "versus",
    "etc": "et cetera",
    "inc": "incorporated",
    "gen": "general",
    "capt": "captain",
    "mph": "miles per hour",
    "ok": "okay",
    "gonna": "going to",
    "wanna": "want to",
    "gotta": "got to",
    "oh": "o",
}
_CONTRACTIONS = (
    (r"\bcan't\b", "can not"),
    (r"\bwon't\b", "will not"),
    (r"\blet's\b", "let us"),
    (r"n't\b", " not"),
    (r"'re\b", " are"),
    (r"'ll\b", " will"),
    (r"'ve\b", " have"),
    (r"'m\b", " am"),
)
# Stems whose last letter the British double; elsewhere ll is another word: filled is not filed.
_DOUBLED_L = (
    "cancel|channel|control|council|counsel|dial|equal|fuel|jewel|label|level|libel|marvel|model|panel|pencil|quarrel|"
    "rival|signal|snivel|spiral|swivel|total|towel|travel|tunnel|unravel"
)
# Applied to both sides, so a rule may be rough: it only must not make words equal that sound different.
_SPELLINGS = (
    (r"(?<=[a-z]{3})our(?=s?$|ed$|ing$|ite|able|ful|hood)", "or"),
    (r"(?<=[a-z]{2})is(?=(e|ed|es|er|ing|ations?)$)", "iz"),
    (r"yse(?=[ds]?$)", "yze"),
    (r"(?<=[a-z]{2})tre(?=s?$)", "ter"),
    (rf"^({_DOUBLED_L})l(?=(ed|ing|ings|er|ers|ery|or|ors|ous)$)", r"\1"),
    (r"ence$", "ense"),
    (r"ogue(?=s?$)", "og"),
    (r"^grey", "gray"),
    (r"^programme", "program"),
)
_NUMBER_WORDS = frozenset([*_UNITS, *_TENS, *(word for _, word in _POWERS)])


def spoken_words(text: str) -> list[str]:
    """Returns the words of a text as they are heard, in small letters a to z only.

    >>> spoken_words("On 5/6/2026 she'll owe $3.50 at 3:45 p.m.")[:9]
    ['on', 'may', 'sixth', 'twenty', 'twenty', 'six', 'she', 'will', 'owe']
    """
    decomposed = unicodedata.normalize("NFKD", text.replace("\u2019", "'").replace("½", " 1/2"))
    plain = "".join(char for char in decomposed if not unicodedata.combining(char)).lower()
    for pattern, spoken in _FIGURES:
        plain = pattern.sub(spoken, plain)
    plain = re.sub(r"\b(?:[a-z]\.)+[a-z]?(?![a-z])", lambda match: match[0].replace(".", "") + " ", plain)
    plain = re.sub(r"(?<=[a-z])\.(?=[a-z])", " dot ", plain)
    for sign, name in _LETTERS_AND_SIGNS.items():
        plain = plain.replace(sign, name)
    for contraction, full in _CONTRACTIONS:
        plain = re.sub(contraction, full, plain)
    words = re.sub(r"[^a-z]+", " ", plain.replace("'", "")).split()
    return _without_and([part for word in words for part in _ABBREVIATIONS.get(word, _american(word)).split()])


def cardinal(number: int) -> str:
    """Returns a number in words.

    >>> cardinal(1234)
    'one thousand two hundred thirty four'
    """
    if number < 20:
        return _UNITS[number]
    if number < 100:
        tens, unit = divmod(number, 10)
        return _TENS[tens - 2] + (f" {_UNITS[unit]}" if unit else "")
    power, name = next((power, name) for power, name in _POWERS if number >= power)
    many, rest = divmod(number, power)
    return f"{cardinal(many)} {name}" + (f" {cardinal(rest)}" if rest else "")


def ordinal(number: int) -> str:
    """Returns a place in an order in words.

    >>> ordinal(21)
    'twenty first'
    """
    *before, last = cardinal(number).split()
    regular = last[:-1] + "ieth" if last.endswith("y") else last + "th"
    return " ".join([*before, _IRREGULAR_ORDINALS.get(last, regular)])


def year(number: int) -> str:
    """Returns a year as it is said.

    >>> year(1905), year(2000), year(2009), year(2026)
    ('nineteen oh five', 'two thousand', 'two thousand nine', 'twenty twenty six')
    """
    century, rest = divmod(number, 100)
    if number < 1000 or 2000 <= number < 2010 or (century % 10 == 0 and rest == 0):
        return cardinal(number)
    if rest == 0:
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {'oh ' if rest < 10 else ''}{cardinal(rest)}"


def _decimal(text: str) -> str:
    """Returns "1,234.5" or "-7" in words."""
    whole, _, fraction = text.replace(",", "").partition(".")
    digits = f" point {' '.join(_UNITS[int(digit)] for digit in fraction)}" if fraction else ""
    return ("minus " if whole.startswith("-") else "") + cardinal(int(whole.lstrip("-") or 0)) + digits


def _money(match: re.Match[str]) -> str:
    """Returns "$2.5 million" or "$3.50" in words."""
    amount, power = match["amount"].replace(",", ""), match["power"]
    unit, small = _CURRENCIES[match["sign"]]
    if power:
        return f" {_decimal(amount)} {power} {unit}s "
    whole, _, fraction = amount.partition(".")
    parts = [(int(whole), unit), (int(f"{fraction:0<2}"[:2]), small)]
    said = [f"{cardinal(number)} {_counted(name, number)}" for number, name in parts if number]
    return f" {' and '.join(said) or f'zero {unit}s'} "


def _counted(name: str, number: int) -> str:
    return name if number == 1 else _PLURALS.get(name, f"{name}s")


def _date(month: int, day: int, of_year: int) -> str:
    return f" {_MONTHS[min(max(month, 1), 12) - 1]} {ordinal(day)} {year(of_year)} "


def _time(match: re.Match[str]) -> str:
    hour, minute = int(match[1]), int(match[2])
    half = f"{match[3]} m" if match[3] else ""
    if minute == 0:
        return f" {cardinal(hour)} {half or 'oclock'} "
    return f" {cardinal(hour)} {'oh ' if minute < 10 else ''}{cardinal(minute)} {half} "


def _decade(match: re.Match[str]) -> str:
    said = year(int(match[1] + "0"))
    return f" {said[:-1]}ies " if said.endswith("y") else f" {said}s "


def _fraction(match: re.Match[str]) -> str:
    many, of = int(match[1]), int(match[2])
    name = {2: "half", 4: "quarter"}.get(of) or ordinal(of)
    plural = {"half": "halves"}.get(name, f"{name}s")
    return f" {cardinal(many)} {name if many == 1 else plural} "


def _integer(match: re.Match[str]) -> str:
    number = int(match[0])
    return f" {year(number) if 1100 <= number < 2100 and len(match[0]) == 4 else cardinal(number)} "


_FIGURES: list[tuple[re.Pattern[str], Callable[[re.Match[str]], str]]] = [
    (
        re.compile(r"(?P<sign>[$€£])\s?(?P<amount>\d[\d,]*(?:\.\d+)?)(?:\s(?P<power>thousand|[mbt]r?illion))?"),
        _money,
    ),
    (re.compile(r"\b(\d{4})-(\d\d)-(\d\d)\b"), lambda m: _date(int(m[2]), int(m[3]), int(m[1]))),
    (re.compile(r"\b(\d{1,2})/(\d{1,2})/(\d{4})\b"), lambda m: _date(int(m[1]), int(m[2]), int(m[3]))),
    (
        re.compile(rf"\b({_MONTH})\s(\d{{1,2}})(?:st|nd|rd|th)?(?:,?\s(\d{{4}}))?\b"),
        lambda m: f"{m[1]} {ordinal(int(m[2]))} {year(int(m[3])) if m[3] else ''}",
    ),
    (re.compile(r"\b(\d{1,2}):(\d\d)(?:\s?([ap])\.?m\b\.?)?"), _time),
    (re.compile(r"\b(\d{3})0'?s\b"), _decade),
    (re.compile(r"\b(\d[\d,]*)(?:st|nd|rd|th)\b"), lambda m: f" {ordinal(int(m[1].replace(',', '')))} "),
    (re.compile(r"\b(\d)/(\d{1,2})\b"), _fraction),
    (
        re.compile(r"(?<![\w.])-?\d{1,3}(?:,\d{3})+(?:\.\d+)?|(?<![\w.])-?\d*\.\d+|(?<!\w)-\d+"),
        lambda m: f" {_decimal(m[0])} ",
    ),
    (re.compile(r"\d{1,15}"), _integer),
]


def _american(word: str) -> str:
    for pattern, spelling in _SPELLINGS:
        word = re.sub(pattern, spelling, word)
    return word


def _without_and(words: list[str]) -> list[str]:
    """Returns "one hundred five" for "a hundred and five", which are the same number."""
    said: list[str] = []
    for i, word in enumerate(words):
        following = words[i + 1] if i + 1 < len(words) else ""
        if word == "and" and said and said[-1] in ("hundred", "thousand", "million") and following in _NUMBER_WORDS:
            continue
        said.append("one" if word == "a" and following in ("hundred", "thousand", "million", "half") else word)
    return said
