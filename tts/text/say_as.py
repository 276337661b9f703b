"""Text that is read as its markup says: letter by letter, as a number, a date, a time, a telephone number."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Literal

from audio_ml.errors import InvalidInput, did_you_mean
from tts.text.counts import telephone_words
from tts.text.dates import date_words, full_year, is_date, month_number, read_date, time_words
from tts.text.numbers import cardinal, digit_by_digit, ordinal, quantity, share
from tts.text.rules import Manner
from tts.text.symbols import symbol_name

DATE_FORMATS = ("mdy", "dmy", "ymd", "ydm", "md", "dm", "ym", "my", "y", "m", "d")
_MONTH_NAME = re.compile(r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\.?", re.IGNORECASE)


def say_as(
    text: str,
    interpret_as: str,
    format: str = "",
    *,
    date_order: Literal["mdy", "dmy", "ymd"] = "mdy",
    british: bool = False,
) -> str:
    """Returns the words of a text that is read as SSML's `say-as` tells (W3C Note "SSML 1.0 say-as attribute values").

    Raises InvalidInput for a kind that is not known, and for a text that is none of its kind.

    >>> say_as("AB1", "characters"), say_as("12", "ordinal"), say_as("5/6/2026", "date", "dmy")
    ('A, B, one', 'twelfth', 'June fifth, twenty twenty-six')
    """
    kind = interpret_as.strip().lower()
    if kind not in _KINDS:
        raise InvalidInput(
            f"say-as does not know '{interpret_as}'.{did_you_mean(kind, _KINDS)} Kinds: {', '.join(_KINDS)}."
        )
    words = _KINDS[kind](" ".join(text.split()), format.strip().lower(), Manner(date_order, british))
    if not words:
        raise InvalidInput(f"'{text:.60}' cannot be read as {kind}{f' of the format {format}' if format else ''}.")
    return words


def _characters(text: str, format: str, manner: Manner) -> str | None:
    names = []
    for character in text:
        digit = unicodedata.digit(character, None)
        if digit is not None:
            names.append(cardinal(digit))
        elif character.isalpha():
            names.append(character.upper())
        elif not character.isspace():
            names.append(_MARK_NAMES.get(character) or symbol_name(character))
    return ", ".join(name for name in names if name)


_MARK_NAMES = {
    ".": "dot", ",": "comma", "-": "dash", ":": "colon", ";": "semicolon", "!": "exclamation mark",
    "?": "question mark", "'": "apostrophe", '"': "quote", "(": "open parenthesis", ")": "close parenthesis",
    "[": "open bracket", "]": "close bracket", "{": "open brace", "}": "close brace", "|": "bar",
}  # fmt: skip


def _cardinal(text: str, format: str, manner: Manner) -> str | None:
    match = re.fullmatch(r"([-−+]?)\s?(\d+(?:,\d{3})*(?:\.\d+)?|\.\d+)", text)
    if match is None:
        return None
    return {"": "", "+": "plus "}.get(match[1], "minus ") + quantity(match[2], manner.british)


def _ordinal(text: str, format: str, manner: Manner) -> str | None:
    match = re.fullmatch(r"(\d{1,15}|\d{1,3}(?:,\d{3}){1,4})(?:st|nd|rd|th)?\.?", text, re.IGNORECASE)
    return ordinal(int(match[1].replace(",", "")), manner.british) if match else None


def _digits(text: str, format: str, manner: Manner) -> str | None:
    bare = re.sub(r"[\s.,-]", "", text)
    return digit_by_digit(bare) if bare.isascii() and bare.isdigit() else None


def _fraction(text: str, format: str, manner: Manner) -> str | None:
    match = re.fullmatch(r"(?:(\d{1,9})(?:\s|\+))?(\d{1,9})\s?/\s?(\d{1,9})", text)
    if match is None or int(match[3]) < 2:
        return None
    whole = f"{cardinal(int(match[1]), manner.british)} and " if match[1] else ""
    return whole + share(int(match[2]), int(match[3]), manner.british)


def _telephone(text: str, format: str, manner: Manner) -> str | None:
    return telephone_words(text) if re.fullmatch(r"\+?[\d\s().x/-]*\d[\d\s().-]*", text) else None


def _date(text: str, format: str, manner: Manner) -> str | None:
    if format and format not in DATE_FORMATS:
        raise InvalidInput(f"'{format}' is no format of a date.{did_you_mean(format, DATE_FORMATS)}")
    named = _MONTH_NAME.sub(lambda match: str(month_number(match[0])), text)
    parts = re.findall(r"\d+", re.sub(r"(?<=\d)(?:st|nd|rd|th)\b", "", named))
    if format and re.fullmatch(r"\d{8}|\d{6}|\d{4}", text):
        parts = _cut_date(text, format)
    if re.sub(r"[\d\s/.,-]|st|nd|rd|th|of|the", "", named) or any(len(part) > 4 for part in parts):
        return None
    order = format or _order_of(parts, manner.date_order, text)
    if len(parts) != len(order):
        return None
    return _dated(dict(zip(order, parts, strict=True)), format, parts, manner)


def _cut_date(digits: str, format: str) -> list[str]:
    """Returns the parts of a date without separators, the year of four digits if there are enough."""
    wide = len(digits) == 2 * len(format) + 2
    widths = [4 if letter == "y" and wide else 2 for letter in format]
    ends = [sum(widths[: i + 1]) for i in range(len(widths))]
    fits = ends[-1] == len(digits)
    return [digits[end - width : end] for end, width in zip(ends, widths, strict=True)] if fits else []


def _order_of(parts: list[str], date_order: str, text: str) -> str:
    if len(parts) == 3 and len(parts[0]) == 4:
        return "ymd"
    if len(parts) == 3 and _MONTH_NAME.search(text):
        return "mdy" if _MONTH_NAME.match(text) else "dmy"
    if len(parts) == 2:
        return "ym" if len(parts[0]) == 4 else "my" if len(parts[1]) == 4 else date_order.replace("y", "")
    return "y" if len(parts) == 1 else date_order


def _dated(parts: dict[str, str], format: str, numbers: list[str], manner: Manner) -> str | None:
    if not format and len(numbers) == 3:
        date = read_date(numbers[0], numbers[1], numbers[2], "".join(parts))
        return date_words(*date, manner.british) if date else None
    day, month = (int(parts[key]) if key in parts else None for key in "dm")
    of_year = full_year(parts["y"]) if "y" in parts else None
    if not is_date(day or 1, month or 1, 2000 if of_year is None else of_year):
        return None
    return date_words(day, month, of_year, manner.british)


def _time(text: str, format: str, manner: Manner) -> str | None:
    match = re.fullmatch(r"(\d{1,2})(?:[:.h](\d{2}))?(?:[:.m](\d{2})s?)?\s?(?:([ap])\.?\s?m\.?)?", text, re.IGNORECASE)
    if match is None:
        return None
    hour, minute, second = int(match[1]), int(match[2] or 0), int(match[3] or 0)
    half = (match[4] or "").lower()
    if hour > (12 if half else 24) or minute > 59 or second > 59 or (half and hour == 0):
        return None
    if format == "hms12" and not half:
        hour, half = hour % 12 or 12, "a" if hour < 12 or hour == 24 else "p"
    elif format == "hms24" and half:
        hour, half = hour % 12 + (12 if half == "p" else 0), ""
    words = time_words(hour, minute, half)
    return words + (f" and {cardinal(second)} second{'' if second == 1 else 's'}" if match[3] else "")


def _unit(text: str, format: str, manner: Manner) -> str | None:
    from tts.text.normalise import normalise
    from tts.text.spoken import plain

    words = normalise(plain(text), british=manner.british).text if re.match(r"[-−+]?[\d.]", text) else text
    return words if words != text else None


_KINDS: dict[str, Callable[[str, str, Manner], str | None]] = {
    "characters": _characters, "spell-out": _characters, "verbatim": _characters, "cardinal": _cardinal,
    "number": _cardinal, "ordinal": _ordinal, "digits": _digits, "fraction": _fraction, "date": _date, "time": _time,
    "telephone": _telephone, "unit": _unit,
}  # fmt: skip
