"""Quantities with units: lengths, weights, temperatures, rates, percentages."""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction

from tts.text.money import AMOUNT, MAGNITUDES
from tts.text.numbers import ONES, and_share, cardinal, plural, quantity, share
from tts.text.rules import Manner, Rules, text_after, text_before

RULES = Rules()

UNITS = {
    "km": "kilometer", "m": "meter", "cm": "centimeter", "mm": "millimeter", "µm": "micrometer", "μm": "micrometer",
    "nm": "nanometer", "dm": "decimeter", "ft": "foot", "in.": "inch", "yd": "yard", "yds": "yard", "mi": "mile",
    "nmi": "nautical mile", "kg": "kilogram", "g": "gram", "mg": "milligram", "µg": "microgram", "μg": "microgram",
    "mcg": "microgram", "lb": "pound", "lbs": "pound", "oz": "ounce", "t": "ton", "l": "liter", "L": "liter",
    "ml": "milliliter", "mL": "milliliter", "cl": "centiliter", "dl": "deciliter", "gal": "gallon", "qt": "quart",
    "pt": "pint", "fl oz": "fluid ounce", "tbsp": "tablespoon", "tsp": "teaspoon", "cc": "cubic centimeter",
    "ha": "hectare", "ac": "acre", "s": "second", "sec": "second", "secs": "second", "ms": "millisecond",
    "µs": "microsecond", "μs": "microsecond", "ns": "nanosecond", "min": "minute", "mins": "minute", "h": "hour",
    "hr": "hour", "hrs": "hour", "day": "day", "yr": "year", "yrs": "year", "wk": "week", "wks": "week", "mo": "month",
    "Hz": "hertz", "kHz": "kilohertz", "MHz": "megahertz", "GHz": "gigahertz", "dB": "decibel",
    "dBFS": "decibel full scale", "dBTP": "decibel true peak", "dBm": "decibel milliwatt", "dBA": "decibel A",
    "dBu": "decibel U", "LUFS": "loudness unit full scale", "LU": "loudness unit", "V": "volt", "mV": "millivolt",
    "kV": "kilovolt", "A": "amp", "mA": "milliamp", "mAh": "milliamp hour", "W": "watt", "kW": "kilowatt",
    "MW": "megawatt", "GW": "gigawatt", "kWh": "kilowatt hour", "MWh": "megawatt hour", "J": "joule",
    "kJ": "kilojoule", "N": "newton", "Pa": "pascal", "hPa": "hectopascal", "kPa": "kilopascal", "MPa": "megapascal",
    "psi": "pound per square inch", "bar": "bar", "cal": "calorie", "kcal": "kilocalorie", "Ω": "ohm", "kΩ": "kiloohm",
    "B": "byte", "KB": "kilobyte", "kB": "kilobyte", "MB": "megabyte", "GB": "gigabyte", "TB": "terabyte",
    "PB": "petabyte", "kb": "kilobit", "Mb": "megabit", "Gb": "gigabit", "KiB": "kibibyte", "MiB": "mebibyte",
    "GiB": "gibibyte", "px": "pixel", "MP": "megapixel", "fps": "frame per second", "rpm": "revolution per minute",
    "bpm": "beat per minute",
    "BPM": "beat per minute", "mph": "mile per hour", "kph": "kilometer per hour", "kmh": "kilometer per hour",
    "knots": "knot", "kbps": "kilobit per second", "Mbps": "megabit per second", "Gbps": "gigabit per second",
    "MBps": "megabyte per second", "dpi": "dot per inch", "ppi": "pixel per inch", "ppm": "part per million",
    "ppb": "part per billion", "hp": "horsepower", "sq ft": "square foot", "sq mi": "square mile",
    "sq m": "square meter", "sq km": "square kilometer", "sq in": "square inch", "sq yd": "square yard",
    "cu ft": "cubic foot", "cu in": "cubic inch", "cu yd": "cubic yard", "cu m": "cubic meter", "pct": "percent",
    "K": "kelvin", "mol": "mole", "lx": "lux", "lm": "lumen", "°": "degree", "ºC": "degree Celsius",
    "°C": "degree Celsius", "ºF": "degree Fahrenheit", "°F": "degree Fahrenheit", "° C": "degree Celsius",
    "° F": "degree Fahrenheit", "°K": "degree Kelvin", "º": "degree",
}  # fmt: skip
# They are letters of names as well ("4K", "Room 5B", "5 A"): units only where nothing else says otherwise.
_AMBIGUOUS = frozenset(["K", "A", "B", "V", "N", "J", "W", "t", "in.", "MP", "LU", "PB"])
_NO_SPACE_ONLY = frozenset(("m", "s", "g", "l", "h", "W", "V", "A"))
_COUNTED = (
    "people|users|customers|members|followers|subscribers|viewers|listeners|readers|views|downloads|visitors|workers"
    "|jobs|homes|houses|households|children|voters|votes|copies|barrels|units|tons|tonnes|cars|years|dollars|euros"
    "|shares|players|tickets|streams|accounts|families|men|women|students|patients|deaths|doses|acres|passengers"
)  # what is counted in millions, and never measured in meters
_INVARIABLE = frozenset(("percent", "horsepower", "lux", "kelvin"))
_SCALES = (" Celsius", " Fahrenheit", " Kelvin", " full scale", " true peak", " A", " U")
_SIZED = re.compile(r" (?:dash|sprint|hurdles|relay|freestyle|jack|plug|cable|lens|film|socket|drive|bottle)\b")
_BEHIND_SIZE = re.compile(r"\s*(?:$|[,;:)]|(?:tall|wide|long|high|deep|thick)\b)")
_BRITISH = {"meter": "metre", "liter": "litre"}

_UNIT = "|".join(re.escape(unit) for unit in sorted(UNITS, key=len, reverse=True) if unit not in _AMBIGUOUS | {"in."})
_PER_UNIT = r"(?:/|\s?per\s?)(km|h|hr|s|sec|min|day|mo|yr|m|kg|g|l|L|ml|gal|lb|mi|W|px)(?:(²|³|\^?[23])|(?![\w/]))"
_POWERS = {"²": "square", "2": "square", "³": "cubic", "3": "cubic"}


def unit_words(unit: str, one: bool, british: bool, power: str = "", per: str = "", per_power: str = "") -> str:
    """
    >>> unit_words("km", False, False, per="h"), unit_words("m", False, True, power="²")
    ('kilometers per hour', 'square metres')
    """
    words = UNITS[unit]
    head, middle, tail = words.partition(" per ")
    if not one and head not in _INVARIABLE:
        scale = next((scale for scale in _SCALES if head.endswith(scale)), "")
        first, space, last = head.removesuffix(scale).rpartition(" ")
        head = first + space + plural(last) + scale
    words = head + middle + tail
    words = _powered(words, power)
    if per:
        words += f" per {_powered(UNITS[per], per_power)}"
    for american, spelling in _BRITISH.items() if british else ():
        words = words.replace(american, spelling)
    return words


def _powered(unit: str, power: str) -> str:
    if not power:
        return unit
    if re.search(r"meter|metre|foot|feet|inch|yard|mile", unit):
        return f"{_POWERS[power[-1]]} {unit}"
    return f"{unit} {'squared' if power[-1] in '²2' else 'cubed'}"


def _sign(sign: str) -> str:
    return {"": "", "+": "plus ", "±": "plus or minus ", "~": "about "}.get(sign, "minus ")


@RULES.add(
    r"(?<![\w.,])(\d{1,2})\s?(?:'|′|ft\.?)(,?)\s?(\d{1,2}(?:\.\d+)?)\s?(\"|″|''|”|in\b\.?)"
    r"|(?<![\w.,])([3-7])'(1[01]|\d)(?![\w'\"″”.]\w|\w)"
)
def feet_and_inches(match: re.Match[str], manner: Manner) -> str | None:
    feet, comma, inches, mark = match[1] or match[5], match[2], match[3] or match[6], match[4]
    if comma and mark == "in" and not _BEHIND_SIZE.match(text_after(match)):
        return None  # "He fell 30 ft, 5 in hospital"
    if float(inches) >= 12 and not match[0].endswith(("n", ".")):
        minutes = f"{quantity(feet)} minute{'' if feet == '1' else 's'}"
        return f"{minutes} {quantity(inches)} seconds"
    period = "." if match[0].endswith(".") and not text_after(match).strip() else ""
    return f"{cardinal(int(feet))} foot {quantity(inches)}{period}"


@RULES.add(
    rf"(?<![\w.,]){AMOUNT}\s?(\"|″|'|′|ft\b\.?|in\b\.?|m\b|cm\b|mm\b)\s?[x×]\s?(?=\d+(?:\.\d+)?\s?\2)", space="none"
)
def side_by(match: re.Match[str], manner: Manner) -> str | None:
    """Says the "by" of sides with their units: '3" x 5"'."""
    units = {'"': "inch", "″": "inch", "'": "foot", "′": "foot", "ft": "foot", "in": "inch"}
    mark = match[2].rstrip(".")
    unit = units.get(mark) or UNITS[mark]
    return f"{quantity(match[1])} {unit if match[1] == '1' else plural(unit)} by "


@RULES.add(r"(?<= by )(\d+(?:\.\d+)?)\s?(\"|″)|(?<= by )(\d+)\s?['′](?!\w)")
def last_side(match: re.Match[str], manner: Manner) -> str | None:
    amount, unit = match[1] or match[3], "inch" if match[1] else "foot"
    return f"{quantity(amount)} {unit if amount == '1' else plural(unit)}"


@RULES.add(r"(?<![\w.,/])(?:(\d+)[ -])?(\d{1,2})/(2|4|8|16|32|64)\s?(\"|″|”|in\.)(?![\w\"])")
def fraction_of_an_inch(match: re.Match[str], manner: Manner) -> str | None:
    whole, count, parts, mark = match.groups()
    if not 0 < int(count) < int(parts) or _ends_quotation(match, mark):
        return None
    words = share(int(count), int(parts), manner.british)
    period = "." if mark == "in." and not text_after(match).strip() else ""
    if whole:
        return f"{quantity(whole)} {and_share(words)} inches{period}"
    return f"{words} of an inch{period}"


def _ends_quotation(match: re.Match[str], mark: str) -> bool:
    return mark in '"”' and sum(match.string.count(quote, 0, match.end() - 1) for quote in '"“”') % 2 == 1


@RULES.add(rf"(?<![\w.,/]){AMOUNT}\s?(\"|″|”|in\.)(?=\s[a-z]|\s?[x×]|[.,;]|$)")
def inches(match: re.Match[str], manner: Manner) -> str | None:
    if _ends_quotation(match, match[2]):
        return None  # the quotation ends here
    one = match[1] == "1" or re.search(r"\b(?:an?|the|my|this|that)\s+$", text_before(match), re.IGNORECASE)
    return f"{quantity(match[1], manner.british)} {'inch' if one else 'inches'}"


@RULES.add(r"(?<![\w.,])(\d+)\s?(?:′(?!\w)|'(?= (?:tall|wide|long|high|deep)\b))")
def feet(match: re.Match[str], manner: Manner) -> str | None:
    return f"{cardinal(int(match[1]))} {'foot' if match[1] == '1' else 'feet'}"


@RULES.add(rf"(?<![\w.,])(?:(\d+)\s?)?([½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞])(?=\s?(?:{_UNIT})(?!\w))", space="none")
def vulgar_fraction_of_a_unit(match: re.Match[str], manner: Manner) -> str | None:
    """Writes "½ tsp" with digits, as the rule for fractions of units reads them."""
    value = Fraction(unicodedata.numeric(match[2])).limit_denominator(10)
    return (f"{match[1]} " if match[1] else "") + f"{value.numerator}/{value.denominator}"


@RULES.add(rf"(?<![\w.,/])(?:(\d+)\s)?(\d{{1,2}})/(\d{{1,3}})\s?({_UNIT})(?![\w²³/°'-])")
def fraction_of_a_unit(match: re.Match[str], manner: Manner) -> str | None:
    whole, count, parts, unit = match[1], int(match[2]), int(match[3]), match[4]
    if not 0 < count < parts:
        return None
    words = share(count, parts, manner.british)
    if whole:
        return f"{quantity(whole)} {and_share(words)} {unit_words(unit, False, manner.british)}"
    name = unit_words(unit, True, manner.british)
    return f"{words} of {'an' if name[0] in 'aeio' else 'a'} {name}"


@RULES.add(r"(?<![\w/.])(km|m|mi|ft|[kKMG]B|[kMG]b|kg|g|mg|L|l|W|kWh)/(h|s|min|km|kg|L|l|m|ft|day)(²|³)?(?![\w/²³])")
def rate(match: re.Match[str], manner: Manner) -> str | None:
    return unit_words(match[1], False, manner.british, per=match[2], per_power=match[3] or "")


@RULES.add(rf"(?<=\d)(\s?(?:{_UNIT}))\s?[-–—]\s?(?=\d[\d.,]*\s?(?:{_UNIT})(?!\w))", space="none")
def range_with_units(match: re.Match[str], manner: Manner) -> str | None:
    return f"{match[1]} to "


@RULES.add(
    r"(?<!\S):(15|30|60)(?= (?:spot|ad|cut)\b)"
    r"|(?<![\w.,])(\d{1,3})\s?s(?= (?:spot|ad|clip|cut|fade|loop|timer|delay|pause)\b)"
)
def length_of_a_spot(match: re.Match[str], manner: Manner) -> str | None:
    """Says "a 30s spot" in seconds, and not as a decade."""
    return f"{quantity(match[1] or match[2])} second"


@RULES.add(rf"(?<![\w,])([-−+±~]?){AMOUNT}(\s?%|\s?percent\b|\s?pct\b|\s?‰)(?!\w)")
def percentage(match: re.Match[str], manner: Manner) -> str | None:
    name = "per mille" if match[3].strip() == "‰" else "percent"
    return f"{_sign(match[1])}{quantity(match[2], manner.british)} {name}"


@RULES.add(rf"(?<![\w.,]){AMOUNT}([kmbKMB]|mn|bn)(?=\+? (?:{_COUNTED})\b)")
def large_count(match: re.Match[str], manner: Manner) -> str | None:
    """Says "5m people" as millions, not as meters."""
    return f"{quantity(match[1], manner.british)} {MAGNITUDES[match[2].lower()]}"


@RULES.add(
    rf"(?<![\w.,])([-−+±~]?){AMOUNT}(\s?|-)({_UNIT})(²|³|\^?[23])?(?:{_PER_UNIT})?(?![\w²³°]|/[A-Za-z]|-[A-Za-z]|\.\w)(\.(?=\s+[a-z]))?"
)
def measure(match: re.Match[str], manner: Manner) -> str | None:
    sign, amount, gap, unit, power, per, per_power, _ = match.groups()
    if unit == "s" and re.fullmatch(r"(?:1\d|20)?[2-9]0|1[0-9][01]0|2[01][01]0", amount) and not gap and not per:
        return None  # "the 90s"
    if gap and unit in _NO_SPACE_ONLY and not (per or power) and _is_word(match):
        return None
    one = amount in ("1", "1.0") or gap == "-" or bool(_SIZED.match(text_after(match)))
    words = unit_words(unit, one, manner.british, power or "", per or "", per_power or "")
    return f"{_sign(sign)}{quantity(amount, manner.british)} {words}"


def _is_word(match: re.Match[str]) -> bool:
    """Whether the letter behind a number and a space is no unit: "5 A", "3 s" before more capitals."""
    return match[4].isupper()


@RULES.add(rf"(?<![\w.,])([-−+±~]?){AMOUNT}(\s?)(kV|[AVWKBNJt]|MP|PB|LU)(?![\w²³/°'.]|\s?[A-Z]|-\w)")
def short_unit(match: re.Match[str], manner: Manner) -> str | None:
    sign, amount, gap, unit = match.groups()
    if unit in ("K", "B") or (not gap and len(amount) < 2) or amount in ONES:
        return None  # "4K", "Room 5B"
    if gap and unit == "A":
        return None
    return f"{_sign(sign)}{quantity(amount, manner.british)} {unit_words(unit, amount == '1', manner.british)}"
