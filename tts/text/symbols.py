"""Symbols and marks by their names; what only shapes the text on the page is left out together with its word."""

from __future__ import annotations

import re
import unicodedata

from tts.text.numbers import quantity
from tts.text.rules import Manner, Rules

LAYOUT = Rules()  # marks of lists, headings and emphasis, before anything else is read
POWERS = Rules()  # before their exponents are words
RULES = Rules()

NAMES = {
    "&": "and", "+": "plus", "=": "equals", "%": "percent", "@": "at", "#": "hash", "<": "less than",
    ">": "greater than", "~": "tilde", "^": "caret", "*": "asterisk", "/": "slash", "\\": "backslash", "|": ",",
    "§": "section", "¶": "paragraph", "©": "copyright", "®": "registered", "™": "trademark", "℠": "service mark",
    "°": "degrees", "º": "degrees", "±": "plus or minus", "×": "times", "÷": "divided by", "−": "minus", "⁻": "minus",
    "∓": "minus or plus", "≠": "not equal to", "≈": "about", "≡": "identical to",
    "≤": "less than or equal to", "≥": "greater than or equal to", "∞": "infinity", "√": "square root of",
    "∑": "sum of", "∏": "product of", "∫": "integral of", "∂": "partial", "∆": "delta", "∇": "nabla", "∈": "in",
    "∉": "not in", "∪": "union", "∩": "intersection", "⊂": "subset of", "⊆": "subset of", "∀": "for all",
    "∃": "there exists", "∅": "empty set", "∧": "and", "∨": "or", "¬": "not", "⇒": "implies", "⇔": "if and only if",
    "∴": "therefore", "∵": "because", "→": "to", "←": "from", "↑": "up", "↓": "down", "↔": "to and from", "⟶": "to",
    "➔": "to", "➜": "to", "➤": "to", "$": "dollar", "£": "pound", "€": "euro", "¥": "yen", "¢": "cent",
    "¤": "currency", "†": "dagger", "‡": "double dagger", "′": "prime", "″": "double prime", "‰": "per mille",
    "№": "number", "µ": "micro", "✓": "check mark", "✔": "check mark", "✗": "cross mark", "✘": "cross mark",
    "★": "star", "☆": "star", "♥": "heart", "♠": "spades", "♣": "clubs", "♦": "diamonds", "♪": "musical note",
    "♫": "musical notes", "♯": "sharp", "♭": "flat", "♮": "natural", "`": "backtick", "´": "acute accent",
    "¨": "umlaut", "¸": "cedilla", "¯": "macron", "_": "underscore", "¦": "broken bar", "•": ",", "◦": ",", "·": ",",
    "‣": ",", "▪": ",", "…": "…",
}  # fmt: skip
_MARKS = {
    "。": ".", "｡": ".", "、": ",", "，": ",", "・": ",", "؟": "?", "،": ",", "؛": ";", "।": ".", "॥": ".", "〜": "—",
    "～": "—", "¿": ",", "¡": ",", "‽": "?!", "⁇": "??", "⁈": "?!", "⁉": "!?", "‼": "!", "‥": "…", "⋯": "…",
}  # fmt: skip
_BY_CATEGORY = {"Ps": "(", "Pe": ")", "Pi": "“", "Pf": "”", "Pd": "—", "Po": ",", "Pc": ","}
_KEPT = frozenset("\"'(),-.:;?![]{}“”‘’—–…")
_SHORT_POWERS = {"²": " squared", "2": " squared", "³": " cubed", "3": " cubed"}
_ITEM = r"[-*+•‣◦▪▫●○■□◆◇►▶▸–—·❖✦]|#{1,6}|>{1,3}"


def symbol_name(symbol: str) -> str:
    """Returns the name of a symbol, or the mark of English that stands for a foreign one; "" for no symbol.

    >>> symbol_name("&"), symbol_name("∝"), symbol_name("、")
    ('and', 'proportional to', ',')
    """
    if symbol in NAMES or symbol in _MARKS:
        return NAMES.get(symbol) or _MARKS[symbol]
    category = unicodedata.category(symbol)
    if category in _BY_CATEGORY:
        return _BY_CATEGORY[category]
    name = unicodedata.name(symbol, "").lower()
    name = re.sub(r" (?:sign|symbol)$", "", name).replace("-", " ")
    return re.sub(r"\d+", lambda match: quantity(match[0]), name)


@LAYOUT.add(rf"(?:\A|(?<=\n))[ \t]*(?:{_ITEM})[ \t]+(\S+)", space="none")
def list_item(match: re.Match[str], manner: Manner) -> str | None:
    return match[1] if re.search(r"\w", match[1]) else None


@LAYOUT.add(r"(?<![\w*_~`\\])(\*{1,3}|_{1,3}|~~|`{1,3})(?=[^\s*_~`])([^\n*`]*?[^\s*_~`])\1(?![\w*_~`])", space="none")
def emphasis(match: re.Match[str], manner: Manner) -> str | None:
    return match[2]


@LAYOUT.add(r"^[ \t]*([-=_*~#+])(?:[ \t]?\1){2,}[ \t]*$", re.MULTILINE, space="none")
def line_of_marks(match: re.Match[str], manner: Manner) -> str | None:
    return "—"


@LAYOUT.add(r"([-=_*~#+.·•—–])(?:[ \t]?\1){4,}", space="none")
def rule_across(match: re.Match[str], manner: Manner) -> str | None:
    return "…" if match[1] == "." else "—"


@RULES.add(r"([!?,;:…])\1{2,}|\.{3,}|—{2,}|-{2,}|–{2,}")
def repeated_mark(match: re.Match[str], manner: Manner) -> str | None:
    mark = match[0][0]
    return {".": "…", "-": " — ", "–": " — ", "—": "—"}.get(mark, mark)


@RULES.add(r"([!?]{2})[!?]{2,}")
def shouted_mark(match: re.Match[str], manner: Manner) -> str | None:
    return match[1]


@LAYOUT.add(r"(\w)[®™℠]+", space="none")
def mark_of_trade(match: re.Match[str], manner: Manner) -> str | None:
    return match[1]


@RULES.add(r"(?<=\b[A-G])#(?!\w)|(?<=\b[A-G])♯")
def sharp(match: re.Match[str], manner: Manner) -> str | None:
    return " sharp"


@POWERS.add(r"(?<=[\w)])([⁻⁺]?[⁰¹²³⁴-⁹]+)|(?<=[\w)])\^([23])(?!\d)|(?<=\w)\^(?=\w)")
def power(match: re.Match[str], manner: Manner) -> str | None:
    exponent = match[1] or match[2]
    if exponent in _SHORT_POWERS:
        return _SHORT_POWERS[exponent]
    raised = unicodedata.normalize("NFKC", exponent or "")
    sign = {"−": "minus ", "+": "plus "}.get(raised[:1], "")
    return f" to the power of {sign}{quantity(raised.lstrip('−+'), manner.british) if raised else ''}"


@RULES.add(r"(?<=\b[A-F])-(?=$|[\s,.;:!?)])")
def minus_grade(match: re.Match[str], manner: Manner) -> str | None:
    return " minus"


@RULES.add(r"(?<![\w/])([A-Z]{1,5})/([A-Z]{1,5})(?![\w/])")
def paired_letters(match: re.Match[str], manner: Manner) -> str | None:
    """Says "AC/DC" and "TCP/IP" without the stroke."""
    return f"{match[1]} {match[2]}"


@RULES.add(r"§§\s?")
def sections(match: re.Match[str], manner: Manner) -> str | None:
    return "sections "


@RULES.add(r"(?<!\S)[~≈](?=\s?[\w$£€])", space="around")
def about(match: re.Match[str], manner: Manner) -> str | None:
    return "about"


@RULES.add(r"<?(?:-{1,2}|={1,2})>|<(?:-{1,2}|==)|[<>]=|[!=]=|:=|&&|\|\|", space="around")
def operator(match: re.Match[str], manner: Manner) -> str | None:
    return {
        "<=": "less than or equal to", ">=": "greater than or equal to", "!=": "not equal to", "==": "equals",
        ":=": "is", "&&": "and", "||": "or", "=>": "to", "==>": "to", "<=>": "if and only if",
        "<==>": "if and only if",
    }.get(match[0], "from" if match[0][0] == "<" and match[0][-1] != ">" else "to")  # fmt: skip


@RULES.add(r"(?<=\w)[_·](?=\w)|(?<=\w)_(?!\w)|(?<!\w)_(?=\w)")
def joint(match: re.Match[str], manner: Manner) -> str | None:
    return " "


@RULES.add(r"[¿¡]+(?=\w)(\w+)")
def inverted_mark(match: re.Match[str], manner: Manner) -> str | None:
    return match[1]


@RULES.add(r"[^\w\s\x00-\x1f\x7f-\x9f]", space="around")
def symbol(match: re.Match[str], manner: Manner) -> str | None:
    character = match[0]
    category = unicodedata.category(character)
    if character in _KEPT or category[0] not in "SP":
        return None
    return symbol_name(character) or None
