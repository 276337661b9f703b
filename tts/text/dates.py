"""Dates and times of day in words."""

from __future__ import annotations

import re
from calendar import monthrange

from tts.text.numbers import ONES, cardinal, digit_by_digit, ordinal, year
from tts.text.rules import Manner, Rules, text_after

RULES = Rules()

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
DAYS = {
    "Mon": "Monday", "Tue": "Tuesday", "Tues": "Tuesday", "Wed": "Wednesday", "Thu": "Thursday", "Thur": "Thursday",
    "Thurs": "Thursday", "Fri": "Friday", "Sat": "Saturday", "Sun": "Sunday",
}  # fmt: skip
_DAY_NAME = "|".join(DAYS)
_BETWEEN_DAYS = {"-": " to ", "–": " to ", "&": " and ", "/": " and ", ",": ", "}
_BY_NAME = {name[:3].lower(): number for number, name in enumerate(MONTHS, 1)}
_MONTH = rf"({'|'.join(MONTHS)}|(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\b\.?)"
_MONTH_SHORT = r"(Jan|Feb|Mar|Apr|May|June?|July?|Aug|Sept?|Oct|Nov|Dec)"
_MONTH_ANY_CASE = f"{_MONTH}|{_MONTH.upper()}"
_DAY = r"(0?[1-9]|[12]\d|3[01])"
_TO = r"\s?(?:-|–|—|to)\s?"
_ORDINAL = r"(?:st|nd|rd|th)?"
_NO_NUMBER = r"(?![\w:%/]|[.,-]\d)"
_HALF = r"\s?([ap])(?:\.\s?m\b\.?|m\b\.?(?!\w))"
PIVOT = 69  # years of two digits from here on are of the last century (POSIX strptime)


def month_number(name: str) -> int:
    return _BY_NAME[name[:3].lower()]


def full_year(digits: str) -> int:
    """Returns the year that two or four digits mean."""
    number = int(digits)
    return number if len(digits) > 2 else number + (1900 if number >= PIVOT else 2000)


def is_date(day: int, month: int, of_year: int) -> bool:
    return 1 <= month <= 12 and 1 <= day <= monthrange(of_year if 1 <= of_year <= 9999 else 2000, month)[1]


def date_words(day: int | None, month: int | None, of_year: int | None, british: bool) -> str:
    """Returns a date, or what there is of it, in the order of American or British English.

    >>> date_words(6, 5, 2026, british=False), date_words(6, 5, 2026, british=True)
    ('May sixth, twenty twenty-six', 'the sixth of May, twenty twenty-six')
    """
    words = MONTHS[month - 1] if month else ""
    if day:
        nth = ordinal(day)
        words = f"the {nth} of {words}" if british and words else f"{words} {nth}".strip()
    years = year(of_year, british) if of_year is not None else ""
    return ((", " if day else " ").join(part for part in (words, years) if part)).strip()


def read_date(first: str, second: str, third: str, order: str) -> tuple[int, int, int] | None:
    """Returns day, month and year of three numbers in an order, in another order where that one is impossible."""
    orders = ["ymd"] if len(first) == 4 else [order] if len(third) != 4 else [order if order != "ymd" else "mdy"]
    orders += ["mdy", "dmy"] if len(first) < 4 else ["ydm"]
    for tried in orders:
        parts = dict(zip(tried, (first, second, third), strict=True))
        day, month, of_year = int(parts["d"]), int(parts["m"]), full_year(parts["y"])
        if is_date(day, month, of_year):
            return day, month, of_year
    return None


@RULES.add(r"(?<![\w/.-])(\d{4})-(\d{2})-(\d{2})T(?=\d{2}:\d{2})")
def iso_moment(match: re.Match[str], manner: Manner) -> str | None:
    date = read_date(match[1], match[2], match[3], "ymd")
    return f"{date_words(*date, manner.british)} at " if date else None


@RULES.add(r"(?<![\w/.-])(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?!\w|[/-]\d|\.\d)")
def year_first(match: re.Match[str], manner: Manner) -> str | None:
    date = read_date(match[1], match[3], match[4], "ymd")
    return date_words(*date, manner.british) if date else None


@RULES.add(r"(?<![\w/.-])(\d{1,2})(?:([/])(\d{1,2})\2(\d{4}|\d{2})|([.-])(\d{1,2})\5(\d{4}))(?!\w|[/-]\d|\.\d)")
def numeric_date(match: re.Match[str], manner: Manner) -> str | None:
    second, third = match[3] or match[6], match[4] or match[7]
    date = read_date(match[1], second, third, manner.date_order)
    return date_words(*date, manner.british) if date else None


@RULES.add(r"\b([Oo]n|[Bb]y|[Uu]ntil|[Ss]ince) (\d{1,2})/(\d{1,2})(?![\w/]|\.\d)")
def day_and_month(match: re.Match[str], manner: Manner) -> str | None:
    day, month = int(match[3]), int(match[2])
    if manner.date_order == "dmy" or not is_date(day, month, 2000):
        day, month = month, day
    return f"{match[1]} {date_words(day, month, None, manner.british)}" if is_date(day, month, 2000) else None


@RULES.add(
    rf"(?<![\w'’-])(?<!\b[Tt]he )(?:{_DAY_NAME})\.?(?:(?:\s?[-–/&]\s?|, | (?:and|or|to) )(?:{_DAY_NAME})\b\.?)+(?<!\.)"
    r"(?:\.(?!\s*$|\s+[A-Z]))?(?![\w-])"
)
def several_days(match: re.Match[str], manner: Manner) -> str | None:
    """Says "Mon-Fri" as a span, "Mon-Wed-Fri" and "Sat & Sun" as the days that they name."""
    first, *others = re.findall(rf"({_DAY_NAME})\b", match[0])
    marks = [mark.strip(". ") for mark in re.split(rf"(?:{_DAY_NAME})\b", match[0])[1:-1]]
    dashes = [mark in ("-", "–") for mark in marks]
    words = DAYS[first]
    for at, (mark, day) in enumerate(zip(marks, others, strict=True)):
        is_list = dashes[at] and sum(dashes[max(0, at - 1) : at + 2]) > 1
        words += (", " if is_list else _BETWEEN_DAYS.get(mark, f" {mark} ")) + DAYS[day]
    return words


@RULES.add(rf"\b({'|'.join((*MONTHS, *DAYS.values()))})[-–](?=(?:{'|'.join((*MONTHS, *DAYS.values()))})\b)")
def span_of_names(match: re.Match[str], manner: Manner) -> str | None:
    return f"{match[1]} to "


@RULES.add(rf"\b{_MONTH_SHORT}\.?[-–]{_MONTH_SHORT}\b(?:\.(?!\s*$|\s+[A-Z]))?")
def span_of_months(match: re.Match[str], manner: Manner) -> str | None:
    return f"{MONTHS[month_number(match[1]) - 1]} to {MONTHS[month_number(match[2]) - 1]}"


@RULES.add(rf"(?<=\d)\s?[-–—]\s?(?=(?:{'|'.join(MONTHS)}|{_MONTH_SHORT}\.?) \d)")
def span_of_dates(match: re.Match[str], manner: Manner) -> str | None:
    return " to "


@RULES.add(rf"\b(Mon|Tues?|Wed|Thu|Thurs?|Fri|Sat|Sun)\b\.?(?=,? (?:{_MONTH}|\d))")
def weekday(match: re.Match[str], manner: Manner) -> str | None:
    return DAYS[match[1]]


@RULES.add(rf"\b(?:{_MONTH_ANY_CASE}) {_DAY}{_ORDINAL}(?:{_TO}{_DAY}{_ORDINAL})?(?:(,?) (\d{{4}}))?{_NO_NUMBER}")
def month_first(match: re.Match[str], manner: Manner) -> str | None:
    month, day, last, years = match[1] or match[2], match[3], match[4], match[6]
    words = f"{MONTHS[month_number(month) - 1]} {'the ' if manner.british else ''}{ordinal(int(day))}"
    if last:
        words += f" to {'the ' if manner.british else ''}{ordinal(int(last))}"
    return f"{words}, {year(int(years), manner.british)}" if years else words


@RULES.add(
    rf"(?:\b([Tt]he) )?(?<![\w/.,:-]){_DAY}{_ORDINAL}(?:{_TO}{_DAY}{_ORDINAL})?(?: of)? ?(?:{_MONTH_ANY_CASE})"
    rf"(?:,? (\d{{4}})(?![\w]|[.,]\d))?(?![a-z])"
)
def day_first(match: re.Match[str], manner: Manner) -> str | None:
    article, day, last, years = match[1], match[2], match[3], match[6]
    month = MONTHS[month_number(match[4] or match[5]) - 1]
    words = f"{article or 'the'} {ordinal(int(day))}"
    if last:
        words += f" to the {ordinal(int(last))}"
    return f"{words} of {month}" + (f", {year(int(years), manner.british)}" if years else "")


@RULES.add(r"(?<![\w.,:])([01]\d|2[0-4]):?00 (?:hours|hrs)\b\.?")
def military_time(match: re.Match[str], manner: Manner) -> str | None:
    hour = f"oh {ONES[int(match[1])]}" if match[1][0] == "0" else cardinal(int(match[1]))
    return f"{hour} hundred hours"


def time_words(hour: int, minute: int, half: str = "") -> str:
    """Returns a time of day; `half` is "a" or "p" of a twelve-hour clock, "" of any other.

    >>> time_words(3, 45, "p"), time_words(15, 30), time_words(12, 0), time_words(9, 5), time_words(15, 0)
    ('three forty-five P.M', 'fifteen thirty', "twelve o'clock", 'nine oh five', 'fifteen hundred')
    """
    if half:
        minutes = "" if minute == 0 else _minutes(minute)
        return " ".join(part for part in (cardinal(hour), minutes, f"{half.upper()}.M") if part)
    if minute == 0:
        if hour in (0, 24):
            return "midnight"
        return f"{cardinal(hour)} o'clock" if hour <= 12 else f"{cardinal(hour)} hundred"
    return f"{cardinal(hour)} {_minutes(minute)}"


def _minutes(minute: int) -> str:
    return f"oh {ONES[minute]}" if minute < 10 else cardinal(minute)


def _seconds(digits: str | None) -> str:
    if not digits:
        return ""
    return f" and {cardinal(int(digits))} second{'' if int(digits) == 1 else 's'}"


@RULES.add(r"(?<![\d:])(\d{2})([:;])(\d{2})[:;](\d{2})[:;](\d{2,3})(?![\d:])")
def timecode(match: re.Match[str], manner: Manner) -> str | None:
    return ", ".join(digit_by_digit(part) for part in (match[1], match[3], match[4], match[5]))


@RULES.add(
    rf"(?<![\w.,:])(\d{{1,2}}(?:[:.]\d\d)?(?:\s?[ap]\.?m\b\.?)?)\s?[-–—]\s?(?=\d{{1,2}}(?:[:.]\d\d)?{_HALF})", re.I
)
def span_of_halves(match: re.Match[str], manner: Manner) -> str | None:
    return f"{match[1]} to "


@RULES.add(r"(?:(?<=\d[ap]m)|(?<=\d [AP]M)|(?<=\d[AP]M)|(?<=\d [ap]m)|(?<=[ap]\.m\.))\s?[-–—]\s?(?=noon\b|midnight\b)")
@RULES.add(r"(?:(?<=\bnoon)|(?<=\bmidnight))\s?[-–—]\s?(?=\d{1,2}(?::\d\d)?\s?[ap]\.?m)", re.I)
def span_to_noon(match: re.Match[str], manner: Manner) -> str | None:
    return " to "


@RULES.add(
    r"(?<![\w.,:])(?:(\d{1,3})\s?h\s?)?(\d{1,2})\s?m(?:in)?\s?(\d{1,2})\s?s(?:ec)?(?!\w)|(?<![\w.,:])(\d{1,3})\s?h\s?(\d{1,2})\s?m(?:in)?(?!\w)"
)
def duration(match: re.Match[str], manner: Manner) -> str | None:
    """Says "2h30m" and "3m20s" with their units."""
    numbers = (match[1] or match[4], match[2] or match[5], match[3])
    units = zip(numbers, ("hour", "minute", "second"), strict=True)
    return " ".join(f"{cardinal(int(n))} {unit}{'' if int(n) == 1 else 's'}" for n, unit in units if n)


@RULES.add(r"(?<![\w.,:])(\d{1,2}:\d\d)\s?[-–—]\s?(?=\d{1,2}:\d\d)")
def span_of_times(match: re.Match[str], manner: Manner) -> str | None:
    return f"{match[1]} to "


@RULES.add(rf"(?<![\w.,:])(0?\d|1[0-2])(?:[:.]([0-5]\d)(?::([0-5]\d))?)?{_HALF}", re.I)
def twelve_hours(match: re.Match[str], manner: Manner) -> str | None:
    hour, minute, seconds, half = match.groups()
    words = time_words(int(hour), int(minute or 0), half.lower())
    if seconds:
        words = words[:-4] + _seconds(seconds) + words[-4:]
    at_end = not text_after(match).strip(" \t\n\"')]}”’")
    return words + "." if match[0].endswith(".") and at_end else words


@RULES.add(r"(?<![\d:.,])([01]?\d|2[0-4]):([0-5]\d)(?::([0-5]\d)(?:[.,]\d+)?)?(?![\d:]|\s?[ap]\.?m\b)")
def twenty_four_hours(match: re.Match[str], manner: Manner) -> str | None:
    hour, minute, seconds = match.groups()
    if seconds and minute == "00":
        return f"{cardinal(int(hour))} hours{_seconds(seconds)}" if int(hour) != 1 else f"one hour{_seconds(seconds)}"
    words = time_words(int(hour), int(minute)) + _seconds(seconds)
    if minute == "00" and re.match(r"\s?(?:o'clock|hours|h\b)", text_after(match)):
        return cardinal(int(hour)) + (" hundred" if int(hour) > 12 else "")
    return words
