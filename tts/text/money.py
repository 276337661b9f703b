"""Amounts of money in words."""

from __future__ import annotations

import re

from tts.text.numbers import cardinal, plural, quantity
from tts.text.rules import Manner, Rules

RULES = Rules()

# Sign or code -> what one is called, and its hundredth ("" where decimals are read as such).
CURRENCIES = {
    "$": ("dollar", "cent"), "US$": ("US dollar", "cent"), "C$": ("Canadian dollar", "cent"),
    "A$": ("Australian dollar", "cent"), "NZ$": ("New Zealand dollar", "cent"), "HK$": ("Hong Kong dollar", "cent"),
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
_PERIOD = "year|yr|month|mo|mth|week|wk|day|hour|hr|min|sec|person|unit|kg|lb|gal|sq ft|GB|kWh|[yhsdlL]"
_PER = rf"(?:\s?/\s?({_PERIOD})(?![\w/]))?"
_TO = r"(?:\s?(?:-|–|—|to)\s?(?:{signs})?\s?{amount}{magnitude})?"


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


def _many(unit: str) -> str:
    return _PLURALS.get(unit) or plural(unit)


def _per(period: str | None) -> str:
    return f" per {_PERIODS.get(period, period)}" if period else ""


@RULES.add(
    rf"(?<![\w.])(?:([-−+])\s?)?({_SIGNS}|(?:{_CODES})\.?(?=\s?\d))\s?([-−]?){AMOUNT}{_MAGNITUDE}"
    + _TO.format(signs=_SIGNS, amount=AMOUNT, magnitude=_MAGNITUDE)
    + _PER
    + r"(?![\d])"
)
def sign_first(match: re.Match[str], manner: Manner) -> str | None:
    sign, mark, inner_sign, amount, magnitude, last, last_magnitude, period = match.groups()
    mark = mark.rstrip(".")
    minus = {"": "", "+": "plus "}.get(sign or inner_sign or "", "minus ")
    if not last:
        return minus + money_words(amount, mark, magnitude, manner.british) + _per(period)
    size = magnitude or last_magnitude
    first = quantity(amount, manner.british)
    if magnitude and magnitude != last_magnitude:
        first += " " + MAGNITUDES.get(magnitude.lower(), magnitude)
    upper = money_words(last, mark, last_magnitude or (size if magnitude else None), manner.british)
    return f"{minus}{first} to {upper}{_per(period)}"


@RULES.add(rf"(?<![\w.,])([-−+]?){AMOUNT}{_MAGNITUDE}\s?({_SIGNS}|{_CODES})(?![\w$£€]){_PER}")
def sign_last(match: re.Match[str], manner: Manner) -> str | None:
    sign, amount, magnitude, mark, period = match.groups()
    minus = {"": "", "+": "plus "}.get(sign, "minus ")
    return minus + money_words(amount, mark, magnitude, manner.british) + _per(period)


@RULES.add(rf"(?<![\w.,]){AMOUNT}\s?¢")
def cents(match: re.Match[str], manner: Manner) -> str | None:
    return f"{quantity(match[1], manner.british)} cent{'' if match[1] == '1' else 's'}"
