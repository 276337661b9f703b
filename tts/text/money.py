"""Amounts of money in words."""

from __future__ import annotations

import re

from tts.text.numbers import cardinal, plural, quantity
from tts.text.rules import Manner, Rules, text_after

RULES = Rules()

# Sign or code -> what one is called, and its hundredth ("" where decimals are read as such).
CURRENCIES = {
    "$": ("dollar", "cent"), "US$": ("US dollar", "cent"), "C$": ("Canadian dollar", "cent"),
    "CA$": ("Canadian dollar", "cent"), "A$": ("Australian dollar", "cent"), "AU$": ("Australian dollar", "cent"),
    "S$": ("Singapore dollar", "cent"), "MX$": ("Mexican peso", "centavo"),
    "NZ$": ("New Zealand dollar", "cent"), "HK$": ("Hong Kong dollar", "cent"),
    "R$": ("real", "centavo"), "£": ("pound", "penny"), "€": ("euro", "cent"), "¥": ("yen", ""),
    "₹": ("rupee", "paisa"), "₩": ("won", ""), "₽": ("ruble", "kopeck"), "₿": ("bitcoin", ""), "฿": ("baht", ""),
    "₺": ("lira", ""), "₴": ("hryvnia", ""), "₦": ("naira", ""), "₫": ("dong", ""), "₱": ("peso", ""),
    "₪": ("shekel", ""), "USD": ("US dollar", "cent"), "EUR": ("euro", "cent"), "GBP": ("pound", "penny"),
    "JPY": ("yen", ""), "CHF": ("Swiss franc", "centime"), "CAD": ("Canadian dollar", "cent"),
    "AUD": ("Australian dollar", "cent"), "CNY": ("yuan", ""), "INR": ("rupee", "paisa"), "Rs": ("rupee", "paisa"),
}  # fmt: skip
_PLURALS = {
    "penny": "pence",
    "paisa": "paise",
    "yuan": "yuan",
    "baht": "baht",
    "dong": "dong",
    "naira": "naira",
    "lira": "lira",
}
MAGNITUDES = {
    "k": "thousand", "m": "million", "mn": "million", "mm": "million", "mio": "million", "b": "billion",
    "bn": "billion", "t": "trillion", "tn": "trillion",
}  # fmt: skip
_PERIODS = {
    "yr": "year", "y": "year", "mo": "month", "mth": "month", "wk": "week", "d": "day", "hr": "hour", "h": "hour",
    "min": "minute", "s": "second", "sec": "second", "kg": "kilogram", "lb": "pound", "gal": "gallon", "l": "liter",
    "L": "liter", "sq ft": "square foot", "GB": "gigabyte", "kWh": "kilowatt hour",
}  # fmt: skip

AMOUNT = r"(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)"
_SIGNS = "|".join(re.escape(sign) for sign in sorted(CURRENCIES, key=len, reverse=True) if not sign.isalpha())
_CODES = "|".join(code for code in CURRENCIES if code.isalpha())
_MAGNITUDE = r"(?:\s?(hundred|thousand|million|billion|trillion|mn|mm|mio|bn|tn|[kKmMbBtT])(?![\w]))?"
_NO_NOUNS = "and|or|to|per|for|in|on|at|a|an|is|was|if|but|more|less|off|each|every|from|with|as|than|by|of"
_PERIOD = "year|yr|month|mo|mth|week|wk|day|hour|hr|min|sec|person|unit|kg|lb|gal|sq ft|GB|kWh|[yhsdlL]"
_PER = rf"(?:\s?/\s?({_PERIOD})(?![\w/]))?"
_TO = rf"(?:\s?(?:-|–|—|to)\s?({_SIGNS}|(?:{_CODES})(?=\s?\d))?\s?{AMOUNT}{_MAGNITUDE})?"


def money_words(amount: str, sign: str, magnitude: str | None, british: bool) -> str:
    """
    >>> money_words("1,234.56", "$", None, False), money_words("3.5", "$", "billion", False)
    ('one thousand two hundred thirty-four dollars and fifty-six cents', 'three point five billion dollars')
    """
    unit, hundredth = CURRENCIES[sign]
    if magnitude:
        return f"{quantity(amount, british)} {MAGNITUDES.get(magnitude.lower(), magnitude)} {_many(unit)}"
    whole, _, decimals = amount.replace(",", "").partition(".")
    if decimals.strip("0") and (not hundredth or len(decimals) > 2):
        return f"{quantity(amount, british)} {_many(unit)}"
    parts = []
    cents = int(decimals.ljust(2, "0")) if decimals and hundredth else 0
    if int(whole or 0) or not cents:
        parts.append(f"{quantity(whole or '0', british)} {unit if int(whole or 0) == 1 else _many(unit)}")
    if cents:
        parts.append(f"{cardinal(cents, british)} {hundredth if cents == 1 else _many(hundredth)}")
    return " and ".join(parts)


def _has_cents(amount: str, sign: str) -> bool:
    """Whether an amount is no round number of dollars: "$1.50"."""
    return len(amount.partition(".")[2]) == 2 and CURRENCIES[sign][1] != ""


def _many(unit: str) -> str:
    return _PLURALS.get(unit) or plural(unit)


def _per(period: str | None) -> str:
    return f" per {_PERIODS.get(period, period)}" if period else ""


@RULES.add(rf"(?<![\w.])({_SIGNS}){AMOUNT}s\b")
def notes(match: re.Match[str], manner: Manner) -> str | None:
    """Says "five $20s" as bills are counted."""
    return plural(quantity(match[2], manner.british))


@RULES.add(
    rf"(?:(?<=\b[Aa] )|(?<=\b[Aa]n ))({_SIGNS}){AMOUNT}(?:-(?=[a-z]+illion))?{_MAGNITUDE}"
    rf"(?=-[A-Za-z]|(?! (?:{_NO_NOUNS})\b) [a-z]+\b)"
    rf"|({_SIGNS}){AMOUNT}{_MAGNITUDE}(?=-an?-)"
)
def of_that_price(match: re.Match[str], manner: Manner) -> str | None:
    """Says "a $20 bill" and "a $3m deal" with one dollar, since what qualifies a noun has no plural."""
    sign, amount, magnitude = match.groups()[:3] if match[1] else match.groups()[3:]
    if _has_cents(amount, sign):
        return None
    size = f" {MAGNITUDES.get(magnitude.lower(), magnitude)}" if magnitude else ""
    return f"{quantity(amount, manner.british)}{size} {CURRENCIES[sign][0]}"


@RULES.add(
    rf"(?<![\w.])(?:([-−+])\s?)?({_SIGNS}|(?:{_CODES})\.?(?=\s?\d))\s?([-−]?){AMOUNT}{_MAGNITUDE}{_TO}{_PER}(?!\d)"
)
def sign_first(match: re.Match[str], manner: Manner) -> str | None:
    sign, mark, inner_sign, amount, magnitude, last_mark, last, last_magnitude, period = match.groups()
    mark = mark.rstrip(".")
    minus = {"": "", "+": "plus "}.get(sign or inner_sign or "", "minus ")
    if not last:
        return minus + money_words(amount, mark, magnitude, manner.british) + _per(period)
    if not last_mark and " to " in match[0] and re.match(r" (?:people|[a-z]{3,}s)\b", text_after(match)):
        return f"{minus}{money_words(amount, mark, magnitude, manner.british)} to {quantity(last, manner.british)}"
    if (last_mark or mark) != mark or _has_cents(amount, mark) or _has_cents(last, mark):
        lower = money_words(amount, mark, magnitude, manner.british)
        upper = money_words(last, last_mark or mark, last_magnitude, manner.british)
        return f"{minus}{lower} to {upper}{_per(period)}"
    size = magnitude or last_magnitude
    first = quantity(amount, manner.british)
    if magnitude and magnitude != last_magnitude:
        first += " " + MAGNITUDES.get(magnitude.lower(), magnitude)
    upper = money_words(last, mark, last_magnitude or (size if magnitude else None), manner.british)
    return f"{minus}{first} to {upper}{_per(period)}"


@RULES.add(rf"(?<![\w.,-])(\d[\d.,]*)\s?[-–—]\s?(?={AMOUNT}{_MAGNITUDE}\s?(?:{_SIGNS}|(?:{_CODES})\b))")
def range_before_sign(match: re.Match[str], manner: Manner) -> str | None:
    return f"{match[1]} to "


@RULES.add(
    rf"(?<![\w.,])([-−+]?){AMOUNT}{_MAGNITUDE}\s?({_SIGNS}|{_CODES})(?![\w$£€]){_PER}(\s?[-–—]\s?(?=[\d.]+\s?(?:{_SIGNS}|{_CODES})))?"
)
def sign_last(match: re.Match[str], manner: Manner) -> str | None:
    sign, amount, magnitude, mark, period, to = match.groups()
    minus = {"": "", "+": "plus "}.get(sign, "minus ")
    return minus + money_words(amount, mark, magnitude, manner.british) + _per(period) + (" to " if to else "")


@RULES.add(rf"(?<![\w.,]){AMOUNT}\s?¢")
def cents(match: re.Match[str], manner: Manner) -> str | None:
    return f"{quantity(match[1], manner.british)} cent{'' if match[1] == '1' else 's'}"
