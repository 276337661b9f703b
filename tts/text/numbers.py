"""Numbers as English words."""

from __future__ import annotations

from fractions import Fraction

ONES = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
]  # fmt: skip
TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
SCALES = (
    "", "thousand", "million", "billion", "trillion", "quadrillion", "quintillion", "sextillion", "septillion",
    "octillion", "nonillion", "decillion",
)  # fmt: skip
MAX_DIGITS = 15  # of a number that is read as a quantity; longer ones are read digit by digit
_ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
    "twelve": "twelfth",
}  # fmt: skip


def cardinal(number: int, british: bool = False) -> str:
    """Returns a number below 10**36 in words; British English says "and" before tens and ones.

    >>> cardinal(1234), cardinal(1234, british=True)
    ('one thousand two hundred thirty-four', 'one thousand two hundred and thirty-four')
    """
    if number < 0:
        return "minus " + cardinal(-number, british)
    if number == 0:
        return ONES[0]
    words: list[str] = []
    for scale in range(len(SCALES) - 1, -1, -1):
        group, number = divmod(number, 1000**scale) if scale else (number, 0)
        if group:
            if british and not scale and words and group < 100:
                words.append("and")
            words += [_below_thousand(group, british), *SCALES[scale].split()]
    return " ".join(words)


def _below_thousand(number: int, british: bool) -> str:
    hundreds, rest = divmod(number, 100)
    words = [ONES[hundreds], "hundred"] if hundreds else []
    if rest:
        if hundreds and british:
            words.append("and")
        tens, ones = divmod(rest, 10)
        words.append(ONES[rest] if rest < 20 else TENS[tens] + (f"-{ONES[ones]}" if ones else ""))
    return " ".join(words)


def ordinal(number: int, british: bool = False) -> str:
    """
    >>> ordinal(22), ordinal(100), ordinal(1905)
    ('twenty-second', 'one hundredth', 'one thousand nine hundred fifth')
    """
    words = cardinal(number, british)
    last = max(words.rfind(" "), words.rfind("-")) + 1
    word = words[last:]
    return words[:last] + (_ORDINALS.get(word) or (word[:-1] + "ieth" if word.endswith("y") else word + "th"))


def year(number: int, british: bool = False) -> str:
    """
    >>> year(1999), year(1905), year(1900), year(2005)
    ('nineteen ninety-nine', 'nineteen oh five', 'nineteen hundred', 'two thousand five')
    """
    century, rest = divmod(number, 100)
    if not 10 <= century < 100 or (century % 10 == 0 and rest < 10):
        return cardinal(number, british)
    return f"{cardinal(century)} {_two_digits(rest)}"


def _two_digits(number: int) -> str:
    """Returns what follows the hundreds of a year: "hundred", "oh five", "twelve"."""
    return "hundred" if number == 0 else f"oh {ONES[number]}" if number < 10 else cardinal(number)


def spoken_in_pairs(digits: str) -> str:
    """Returns the digits of a model's name: "A380" is three eighty, "1080p" ten eighty.

    >>> spoken_in_pairs("380"), spoken_in_pairs("1080"), spoken_in_pairs("86"), spoken_in_pairs("007")
    ('three eighty', 'ten eighty', 'eighty-six', 'zero zero seven')
    """
    if digits.startswith("0") and len(digits) > 1:
        return digit_by_digit(digits)
    if len(digits) not in (3, 4) or int(digits) % 1000 == 0:
        return quantity(digits)
    return f"{cardinal(int(digits[:-2]))} {_two_digits(int(digits[-2:]))}"


def plural(word: str) -> str:
    """
    >>> plural("six"), plural("twenty"), plural("foot"), plural("inch"), plural("five")
    ('sixes', 'twenties', 'feet', 'inches', 'fives')
    """
    if word == "foot":
        return "feet"
    if word.endswith("hertz") or word in ("yen", "won", "percent"):
        return word
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return word[:-1] + "ies"
    return word + ("es" if word.endswith(("x", "ch", "sh", "s")) else "s")


def digit_by_digit(digits: str) -> str:
    """
    >>> digit_by_digit("007")
    'zero zero seven'
    """
    return " ".join(ONES[int(digit)] for digit in digits)


def quantity(written: str, british: bool = False) -> str:
    """Returns digits with separators of thousands and a decimal point in words; a very long number digit by digit.

    >>> quantity("1,234.50"), quantity(".5"), quantity("007")
    ('one thousand two hundred thirty-four point five zero', 'point five', 'zero zero seven')
    """
    whole, _, decimals = written.replace(",", "").partition(".")
    if len(whole) > MAX_DIGITS or (len(whole) > 1 and whole.startswith("0")):
        groups = [whole[at : at + 3] for at in range(0, len(whole), 3)] if len(whole) > MAX_DIGITS else [whole]
        words = ", ".join(digit_by_digit(group) for group in groups)
    else:
        words = cardinal(int(whole), british) if whole else ""
    if decimals:
        words = f"{words} point {digit_by_digit(decimals)}"
    return words.strip()


def fraction(value: Fraction, british: bool = False) -> str:
    """
    >>> fraction(Fraction(3, 4)), fraction(Fraction(1, 2)), fraction(Fraction(2, 3))
    ('three quarters', 'one half', 'two thirds')
    """
    return share(value.numerator, value.denominator, british)


def share(count: int, parts: int, british: bool = False) -> str:
    """Returns so many of so many equal parts, not reduced.

    >>> share(2, 4), share(1, 100)
    ('two quarters', 'one hundredth')
    """
    name = "half" if parts == 2 else "quarter" if parts == 4 else ordinal(parts, british).removeprefix("one ")
    if count != 1:
        name = "halves" if parts == 2 else plural(name)
    return f"{cardinal(count, british)} {name}"


def and_share(words: str) -> str:
    """Returns a fraction as it follows a whole number.

    >>> and_share("one half"), and_share("one eighth"), and_share("two thirds")
    ('and a half', 'and an eighth', 'and two thirds')
    """
    name = words.removeprefix("one ")
    if name == words:
        return f"and {words}"
    return f"and {'an' if name.startswith('e') else 'a'} {name}"
