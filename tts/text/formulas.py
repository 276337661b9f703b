"""Formulas as they are read aloud: "f(x)", "-x", "2(x+1)", "a/b"."""

from __future__ import annotations

import re

from tts.text.rules import Manner, Rules, text_after

RULES = Rules()  # before powers and plain numbers are words

_FUNCTIONS = {
    "sin": "sine", "cos": "cosine", "tan": "tangent", "ln": "natural log", "log": "log", "exp": "exponential",
}  # fmt: skip
_OPERATOR = r"[-−+*⋅∙×÷/^=<>≤≥≠≈]"
_VARIABLE = r"[b-hj-z]"  # "a" and "I" are words more often
_ABBREVIATED = frozenset(("i/o", "a/c", "a/v", "y/n", "p/e", "s/n", "b/w", "d/a", "a/d"))


@RULES.add(r"(?<![\w'’.])a(?=[\^²³]|\s?[=+*×÷]\s?(?:[-−\d(√]|[a-z]\b))|(?<=[=+*×÷])( ?)a(?=\s*(?:$|[)+*=]))")
def variable_a(match: re.Match[str], manner: Manner) -> str | None:
    """Writes the variable as the letter, which the article is not."""
    return match[0].upper()


@RULES.add(rf"(?<![\w'’.])({'|'.join(_FUNCTIONS)}|[fghFGHP])\(([^()\n]{{1,30}})\)(?!\w)")
@RULES.add(rf"(?<![\w'’.])({'|'.join(_FUNCTIONS)}|[fghFGHPpquvxy])\(([a-z]|\d+)\)(?!\w)")
def function(match: re.Match[str], manner: Manner) -> str | None:
    argument = re.sub(r"(\d)([xyz])\b", r"\1 \2", match[2].strip())
    return f"{_FUNCTIONS.get(match[1], match[1])} of {argument}"


@RULES.add(r"(?<=[\d)])\((?=([^()\n]{1,30})\))", space="none")
def product_with_parentheses(match: re.Match[str], manner: Manner) -> str | None:
    """Says "2(x+1)" with the "times" that is not written, and "2(a)" and "401(k)" without."""
    factor = match[1]
    is_formula = re.fullmatch(rf"(?:\d+(?:\.\d+)?|[a-z](?![a-z])|\s|{_OPERATOR}|[²³])+", factor)
    if not is_formula or not re.search(r"[a-z]|[+*×÷]", factor) or not re.search(rf"\w\s?{_OPERATOR}", factor):
        return None
    return " times ("


@RULES.add(r"(?<=[\d)])\s?[*⋅∙]\s?(?=[\d(a-z])|(?<=\b[a-zA])\s?[*⋅∙]\s?(?=\d|[a-z]\b)")
def product(match: re.Match[str], manner: Manner) -> str | None:
    return " times "


@RULES.add(
    r"(?<![\w.,])(\d+(?:\.\d+)?)([xyz])(?=\s?[-−+=*/<>≤≥]\s?(?:\d|[a-z]\b)|[\^²³])|(?<=[=+] )(\d+)([xyz])(?!\w| [a-z])"
)
def coefficient(match: re.Match[str], manner: Manner) -> str | None:
    """Parts "2x" where it is no "two times"."""
    return f"{match[1] or match[3]} {match[2] or match[4]}"


@RULES.add(rf"(?<![\w)\]'’\".-])[-−](?=(?:{_VARIABLE}|a(?=\s?(?:{_OPERATOR}|\))))(?![\w'’-]))")
def minus_variable(match: re.Match[str], manner: Manner) -> str | None:
    return "minus "


@RULES.add(
    rf"(?<=\b{_VARIABLE}) [-−] (?=(?:\d|[a-z]\b))|(?<=\d) [-−] (?={_VARIABLE}\b)|(?<=\b[nxyz])[-−](?=\d+(?![\w-]))"
)
@RULES.add(r"(?<=[²³]) ?[-−] ?(?=\w)|(?<=\d)[-−](?=[nxyz]\b(?!-))")
def minus(match: re.Match[str], manner: Manner) -> str | None:
    return " minus "


@RULES.add(r"(?<![\w/.,])([a-z]|\d+)/([a-z])(?![\w/'’])|(?<![\w/.,])([nxyz])/(\d+)(?![\w/'’])")
def over(match: re.Match[str], manner: Manner) -> str | None:
    upper, lower = match[1] or match[3], match[2] or match[4]
    if match[0] in _ABBREVIATED or re.match(r"[\s-]test", text_after(match)):
        return f"{upper.upper()} {lower.upper()}"
    return f"{upper.replace('a', 'A')} over {lower.replace('a', 'A')}"


@RULES.add(r"(?:(?<=[\d)²³])|(?<=\b[A-Za-zα-ω]))\s?≈\s?")
def is_about(match: re.Match[str], manner: Manner) -> str | None:
    return " is about "
