"""Numbers of every other kind: telephones, versions, ranges, fractions, ordinals, years, plain numbers."""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction

from tts.text.dates import MONTHS
from tts.text.money import AMOUNT
from tts.text.numbers import (
    and_share,
    cardinal,
    digit_by_digit,
    fraction,
    ordinal,
    plural,
    quantity,
    share,
    spoken_in_pairs,
    year,
)
from tts.text.rules import Manner, Rules, text_after, text_before

IDENTIFIERS = Rules()  # before dates and amounts, which they could be taken for
RANGES = Rules()  # before the units of what they end with
RULES = Rules()

_ALWAYS_SO = {
    (24, 7): "twenty-four seven",
    (9, 11): "nine eleven",
    (50, 50): "fifty fifty",
    (7, 11): "seven eleven",
    (20, 20): "twenty twenty",
    (11, 11): "eleven eleven",
}
_NUMBERED = re.compile(
    r"\b(?:numbers?|pages?|rooms?|bugs?|issues?|lines?|orders?|items?|codes?|routes?|flights?)\s+$", re.I
)
_COUNTING = re.compile(
    rf"(?:\b(?:{'|'.join(MONTHS)}|(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\.?)"
    r"|\b(?i:chapter|room|call|dial|page|part|section|number|item|line|gate|flight|route|figure|table|step|verse|day|week"
    r"|game|round|episode|volume|book|unit|lot|bus|platform|level|question|answer)s?) $"
)  # what a number of its own stands behind
_OF = re.compile(r"(?:[$£€¥]|\b(?:of|about|around|over|nearly|almost|than|exactly|is|was|to|by) )$")
_SHORT_TELEPHONES = frozenset(
    ("911", "999", "112", "988", "411", "311", "211", "511", "711", "811", "111", "101", "000")
)
_BEFORE_YEARS = ("in", "year", "since", "by", "until", "of", "from", "circa", "c.", "ad", "before", "after")
_YEAR = r"1[0-9]\d\d|20\d\d"


def telephone_words(written: str) -> str:
    """Returns the digits of a telephone number one by one, with a rest between its groups.

    >>> telephone_words("+1 (555) 123-4567")
    'plus one, five five five, one two three, four five six seven'
    """
    groups = ", ".join(digit_by_digit(group) for group in re.findall(r"\d+", written))
    return "plus " * written.lstrip().startswith("+") + groups


@IDENTIFIERS.add(
    r"(?<![\w.$£€+/-])(?:(?:\+?1[ .-]?)?\(\d{3}\)\s?\d{3}[ .-]\d{4}|(?:\+?1[ .-])?\d{3}([.-])\d{3}\1\d{4}"
    r"|\+1[ .-]\d{3} \d{3} \d{4}|\d{3} \d{3}[ -]\d{4}|\+\d{1,3}(?:[ .-]?\(?\d{1,4}\)?){2,5}"
    r"|\(?0\d{2,4}\)?[ -]\d{3,4}[ -]?\d{3,4}|\d{3}-\d{4}|\d{3}-\d{2}-\d{4}"
    r"|\d{4}([ -])\d{4}\2\d{4}\2\d{4})(?![\w%/]|[.-]\d|:\d)"
)
def telephone(match: re.Match[str], manner: Manner) -> str | None:
    return telephone_words(match[0])


@IDENTIFIERS.add(
    r"\b((?i:call|dial|phon)(?i:e|ed|ing|s|led|ling)?) (\d{3})(?![\w%]|[.,:/-]\d|\s(?i:people|more|other)\b)"
    r"(?!\s(?!(?:is|was|as|us|this|always|unless)\b)[a-z]+s\b)"  # "call 101 friends"
)
def short_telephone(match: re.Match[str], manner: Manner) -> str | None:
    return f"{match[1]} {digit_by_digit(match[2])}" if match[2] in _SHORT_TELEPHONES else None


@IDENTIFIERS.add(r"(?<![\w.,])([01])s (and|or|&) ([01])s\b")
def bits(match: re.Match[str], manner: Manner) -> str | None:
    return f"{plural(cardinal(int(match[1])))} {match[2]} {plural(cardinal(int(match[3])))}"


@IDENTIFIERS.add(
    r"(?<![\w.,])(?<!\d )(\d{1,3}(?:\.\d{3}){2,}|\d{1,3}(?:\.\d{3})+(?=,\d))(?:,(\d+))?(?!\w|[.,]\d)"
    r"|(?<![\w.,])(?<!\d )([1-9]\d{0,2}(?:[ \u00a0\u202f\u2009]\d{3})+)(?:[.,](\d+))?(?![\w]|[ .,]\d)"
)
def continental(match: re.Match[str], manner: Manner) -> str | None:
    """Writes "1.000.000,50" and "1 000 000" as American numbers, whose units and currencies other rules read."""
    groups = re.findall(r"\d+", match[1] or match[3])
    if match[3] and " " in match[3]:
        if groups[1][0] != "0" and _COUNTING.search(text_before(match)):  # "May 5 100 000 people"
            is_amount = "000" in groups[2:] and not match[4]
            return f"{groups[0]} {','.join(groups[1:])}" if is_amount else None
        is_long = len(groups) > 2 and len(groups[0]) < 3
        if "000" not in groups and not (is_long and _is_amount(match)):
            return None  # several numbers
    if match[1] and len(groups) == 4 and not match[2] and all(int(group) < 256 for group in groups):
        return None  # an address
    decimals = match[2] or match[4]
    return ",".join(groups) + (f".{decimals}" if decimals else "")


def _is_amount(match: re.Match[str]) -> bool:
    """Whether a sign of money, a word or a unit tells that groups of digits are one number."""
    return bool(_OF.search(text_before(match)) or re.match(r"\s?(?:[€$£¥%]|[a-z])", text_after(match)))


@IDENTIFIERS.add(
    r"(?<![\w.,])(\d{1,3}),(\d{1,2})(?=\s?(?:[%€°]|[mb]illion\b|bn\b|EUR\b|[kcm]?m\b|k?g\b|km/h))"
    r"|(?<=€)(\d{1,3}),(\d{1,2})(?![\d,])"
)
def decimal_comma(match: re.Match[str], manner: Manner) -> str | None:
    """Writes "2,5 km" and "€1,50" as American numbers."""
    whole, decimals = match.groups()[:2] if match[1] else match.groups()[2:]
    return f"{whole}.{decimals}"


@IDENTIFIERS.add(r"(?<![\w.,])(100|1,?000|1,?000,?000)s(?= (?:of|upon)\b)")
def hundreds(match: re.Match[str], manner: Manner) -> str | None:
    return plural(quantity(match[1]).removeprefix("one "))


@IDENTIFIERS.add(r"(?<![\w.-])1-(8(?:00|33|44|55|66|77|88))-(?=[A-Z-]*[A-Z]{3})")
def free_call(match: re.Match[str], manner: Manner) -> str | None:
    """Says the number in front of a word that is dialled: "1-800-FLOWERS"."""
    return f"one, {cardinal(int(match[1]))}, ".replace(" hundred eighty", " eighty")


@IDENTIFIERS.add(r"(?<![\w.])(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?::(\d+))?(?![\w]|\.\d)")
def internet_address(match: re.Match[str], manner: Manner) -> str | None:
    parts = match.groups()[:4]
    if any(int(part) > 255 for part in parts):
        return None
    port = f" colon {quantity(match[5])}" if match[5] else ""
    return " dot ".join(quantity(part, manner.british) for part in parts) + port


@IDENTIFIERS.add(r"(?<![\w.])(?:([vV])\.?\s?(?=\d)(\d+(?:\.\d+)*)|(\d+(?:\.\d+){2,}))(?![\d]|\.\d)")
def version(match: re.Match[str], manner: Manner) -> str | None:
    number = match[2] or match[3]
    if match[1] and text_after(match, 1) == "'":
        return None
    if not match[1] and re.fullmatch(r"\d{1,2}\.\d{1,2}\.\d{4}", number):
        return None  # a date
    words = " point ".join(quantity(part, manner.british) for part in number.split("."))
    is_named = re.search(r"\b[Vv]ersion\s+$", text_before(match))
    return f"version {words}" if match[1] and not is_named else words


@RULES.add(r"(?<![\w.])(\d+)\s?([½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅐⅛⅜⅝⅞⅑⅒])|([½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅐⅛⅜⅝⅞⅑⅒])")
def vulgar_fraction(match: re.Match[str], manner: Manner) -> str | None:
    value = Fraction(unicodedata.numeric(match[2] or match[3])).limit_denominator(10)
    words = fraction(value, manner.british)
    if not match[1]:
        return words
    return f"{quantity(match[1], manner.british)} {and_share(words)}"


@RANGES.add(r"(?<=\d)\s?[-−–]\s?(?=\d[\d.,]*\s?=)")
def minus_of_a_sum(match: re.Match[str], manner: Manner) -> str | None:
    return " minus "


@RANGES.add(r"(?<![\w.,-])(\d+)((?:[-–]\d+){2,})(?![\w.-])")
def chain(match: re.Match[str], manner: Manner) -> str | None:
    parts = re.findall(r"\d+", match[0])
    is_code = len("".join(parts)) > 8  # an ISBN, say
    return telephone_words(match[0]) if is_code else ", ".join(quantity(part, manner.british) for part in parts)


@RULES.add(r"(?<![\w/])24/7/365(?![\w/])")
def all_the_time(match: re.Match[str], manner: Manner) -> str | None:
    return "twenty-four seven three sixty-five"


@RANGES.add(r"(?<![\w.,/])((?:19|20)\d\d)/(\d\d)(?![\w/]|[.,]\d)")
def years_of_a_season(match: re.Match[str], manner: Manner) -> str | None:
    is_next = (int(match[1]) + 1) % 100 == int(match[2])
    return f"{year(int(match[1]), manner.british)} {_short_year(match[2])}" if is_next else None


@RANGES.add(rf"(?<![\w.,-])({_YEAR})(s?)\s?[-–—]\s?(\d\d)(?![\w-]|[.,]\d)")
def years_of_a_century(match: re.Match[str], manner: Manner) -> str | None:
    return f"{year(int(match[1]), manner.british)} to {_short_year(match[3])}"


@RANGES.add(r"(?<=\b[QHS])(\d)\s?[-–—]\s?(?=[QHS]\d\b)")
def range_of_quarters(match: re.Match[str], manner: Manner) -> str | None:
    return f"{match[1]} to "


@RANGES.add(rf"(?<![\w.,-]){AMOUNT}(s?)\s?[-–—]\s?(?={AMOUNT}(?!-?\d))(?!\d+-[a-z]+-)")
def range_of_numbers(match: re.Match[str], manner: Manner) -> str | None:
    return f"{match[1]}{match[2]} to "


@RULES.add(r"(?<![\w.,/])(?:(\d+) )?(\d{1,4})/(\d{1,4})(?![\w/]|[.,]\d|-\d)")
def slashed_numbers(match: re.Match[str], manner: Manner) -> str | None:
    whole, count, parts = match[1], int(match[2]), int(match[3])
    if whole:
        if not 0 < count < parts <= 100:
            return None
        words = share(count, parts, manner.british)
        return f"{quantity(whole, manner.british)} {and_share(words)}"
    if (count, parts) in _ALWAYS_SO:
        return _ALWAYS_SO[count, parts]
    if re.match(r" (?:time|signature|beat|groove|meter|metre)\b", text_after(match)):
        return f"{cardinal(count)} {cardinal(parts)}"
    if 0 < count < parts <= 100 and (count == 1 or parts not in (10, 20, 100)):
        return share(count, parts, manner.british)
    between = "out of" if count <= parts in (10, 20, 100) else "over"
    return f"{cardinal(count, manner.british)} {between} {cardinal(parts, manner.british)}"


@RULES.add(r"(?<![\w.,:])(\d{1,3}(?:\.\d+)?):(\d{1,3}(?:,\d{3})+|\d{1,7}(?:\.\d+)?)(?![\w:])")
def ratio(match: re.Match[str], manner: Manner) -> str | None:
    return f"{quantity(match[1], manner.british)} to {quantity(match[2], manner.british)}"


@RULES.add(r"((?<!\d)(?<!\d{3},)\d{1,3}(?:,\d{3})+|\d{1,15})(st|nd|rd|th)\b", re.IGNORECASE)
def nth(match: re.Match[str], manner: Manner) -> str | None:
    return ordinal(int(match[1].replace(",", "")), manner.british)


@RULES.add(r"(?<![\w.,])'?(?:(1\d|20)?(\d0))'?s\b|(?<![\w.,])(1[0-9]00|2[01]00)'?s\b")
def decade(match: re.Match[str], manner: Manner) -> str | None:
    if match[3]:
        return plural(year(int(match[3]), manner.british))
    century, tens = match[1], int(match[2])
    if tens == 0:
        return plural(year(int(century) * 100, manner.british)) if century else None
    if not century and tens == 10:
        return None
    head = f"{cardinal(int(century))} " if century else ""
    return head + plural(cardinal(tens))


@RULES.add(r"(?<![\w.,])'(\d\d)(?![\w'])")
def short_year(match: re.Match[str], manner: Manner) -> str | None:
    return _short_year(match[1])


def _short_year(digits: str) -> str:
    return "oh " + digit_by_digit(digits[1]) if digits.startswith("0") else cardinal(int(digits))


@RULES.add(r"(?<![\w.,])(\d+)'?s\b")
def several(match: re.Match[str], manner: Manner) -> str | None:
    return plural(quantity(match[1], manner.british))


@RULES.add(rf"(?<![\w.,])({_YEAR})(?![\w%]|[.,]\d)")
def plain_year(match: re.Match[str], manner: Manner) -> str | None:
    number = int(match[1])
    if _NUMBERED.search(text_before(match)):
        return None
    before = text_before(match).rstrip().rpartition(" ")[2].lower().strip("(,")
    if number < 1100 and before not in _BEFORE_YEARS:
        return None
    return year(number, manner.british)


@RULES.add(r"(?<![\w.,])\d+(?:\s?x\s?\d+)+(s?)(?!\w|\.\d)")
def dimensions(match: re.Match[str], manner: Manner) -> str | None:
    sides = re.findall(r"\d+", match[0])
    words = [spoken_in_pairs(side) if len(side) == 4 else quantity(side, manner.british) for side in sides]
    return " by ".join([*words[:-1], plural(words[-1]) if match[1] else words[-1]])


@RULES.add(r"\b[Ss](\d{1,2})\s?[Ee](\d{1,3})(?!\w)")
def episode(match: re.Match[str], manner: Manner) -> str | None:
    return f"season {cardinal(int(match[1]))} episode {cardinal(int(match[2]))}"


@RULES.add(
    r"\b(Boeing|Airbus|Flight|Room|Route|Suite|Highway|Interstate|Gate|Box|Porsche|Form|Bus|Unit) (\d{3})"
    r"(?![\d%]|[.,:/-]\d)"
)
def number_of_a_name(match: re.Match[str], manner: Manner) -> str | None:
    """Says "Room 404" and "Boeing 747" in pairs, as what only has a number for its name."""
    return f"{match[1]} {spoken_in_pairs(match[2])}"


@RULES.add(r"\b(ZIP(?: code)?|[Zz]ip code|PIN|pin code|[Pp]ostcode|[Pp]asscode)(:? (?:is )?)(\d{4,6})(?![\w%]|[.,]\d)")
def code(match: re.Match[str], manner: Manner) -> str | None:
    return f"{match[1]}{match[2]}{digit_by_digit(match[3])}"


@RULES.add(r"(?<![\w.,])(401|403|501|529)\((\w)\)(?:\((\d)\))?")
def paragraph_of_a_law(match: re.Match[str], manner: Manner) -> str | None:
    """Says "401(k)" and "501(c)(3)" without parentheses."""
    return f"{spoken_in_pairs(match[1])} {match[2].upper()}" + (f" {cardinal(int(match[3]))}" if match[3] else "")


@RULES.add(r"\b([HhXx])\.(26[2-6])(?!\d)")
def video_codec(match: re.Match[str], manner: Manner) -> str | None:
    return f"{match[1].upper()} dot {spoken_in_pairs(match[2])}"


@RULES.add(r"(?<=[A-Za-z])(-?)(\d{3,4})(?![\d,.]*\d)|(?<![\w.,])(\d{3,4})(?=[pPiI]\b)")
def model_number(match: re.Match[str], manner: Manner) -> str | None:
    """Says the number of a model in pairs: "A380", "1080p"."""
    return (" " if match[1] else "") + spoken_in_pairs(match[2] or match[3])


@RULES.add(r"(?<![\w.,])(\d+(?:\.\d+)?)x\b")
def times(match: re.Match[str], manner: Manner) -> str | None:
    return f"{quantity(match[1], manner.british)} times"


@RULES.add(rf"(?<![\w.,]){AMOUNT}[eE]([-+−]?)(\d{{1,3}})(?![\w.])")
def scientific(match: re.Match[str], manner: Manner) -> str | None:
    exponent = ("minus " if match[2] in ("-", "−") else "") + quantity(match[3], manner.british)
    return f"{quantity(match[1], manner.british)} times ten to the power of {exponent}"


@RULES.add(r"(?<![\w)\]'])([-−+±])(?=\.?\d)")
def sign(match: re.Match[str], manner: Manner) -> str | None:
    return {"+": "plus ", "±": "plus or minus "}.get(match[1], "minus ")


@RULES.add(rf"(?<![\d.]){AMOUNT}")
def number(match: re.Match[str], manner: Manner) -> str | None:
    before = text_before(match, 1)
    if match[1].startswith(".") and before.isalnum():
        return None
    return quantity(match[1], manner.british)


@RULES.add(r"(\d+)")
def any_digits(match: re.Match[str], manner: Manner) -> str | None:
    return quantity(match[1], manner.british)
