"""Roman numerals, where what stands around them says that they are numbers."""

from __future__ import annotations

import re

from tts.text.numbers import cardinal, ordinal, year
from tts.text.rules import Manner, Rules, text_after, text_before

RULES = Rules()

_NUMERAL = r"(M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3}))(?<=[IVXLCDM])"
_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
_PARTS = (
    "Chapter|Part|Act|Scene|Section|Volume|Vol\\.?|Book|Phase|Article|World War|War|Mark|Mk|Type|Level|Stage"
    "|Class|Grade|Super Bowl|Apollo|Gemini|Final Fantasy|Episode|Round|Rocky|Title|Appendix|Figure|Table"
    "|Amendment|Schedule|Canto|Psalm|Tier|Category|Season|Division|Corps|Century|Opus|No\\.|Unit|Lesson|Step"
    "|Movement|Symphony|Sonata|Vatican|Star Trek|Star Wars"
)
_REIGNED = (
    "Pope|King|Queen|Tsar|Czar|Emperor|Prince|Henry|Louis|Edward|George|William|Charles|James|Richard|Elizabeth"
    "|Mary|Napoleon|Pius|Benedict|Leo|John Paul|John|Paul|Ramses|Ramesses|Rameses|Frederick|Friedrich|Philip"
    "|Felipe|Alexander|Nicholas|Peter|Catherine|Ivan|Umberto|Victor Emmanuel|Gustav|Christian|Ferdinand|Francis"
    "|Franz|Wilhelm|Otto|Leopold|Albert|Carlos|Juan|Alfonso|Isabella|Robert|David|Malcolm|Harald|Haakon|Olav"
    "|Margrethe|Clement|Gregory|Innocent|Urban|Sixtus|Boniface|Thutmose|Amenhotep|Ptolemy|Cleopatra|Darius|Xerxes"
    "|Artaxerxes|Selim|Mehmed|Murad|Joseph|Maximilian|Rudolf|Baldwin"
)
_LETTERS = ("XX", "XXX")
# Nobody numbers these with an "I", though another numeral may stand behind them: "I told Mark I was late".
_CALLED = (
    "Mark", "John", "David", "Robert", "Joseph", "Pope", "King", "Queen", "Tsar", "Czar", "Emperor", "Prince", "No.",
    "Star Trek", "Star Wars", "Final Fantasy", "Rocky", "Apollo", "Gemini",
)  # fmt: skip
# What stands behind an "I" that is a number: the end, punctuation, a possessive, no verb, or one more numeral.
_BEHIND_NUMERAL = re.compile(
    r"\s*(?:\Z|\n(?!\s*[a-z])|[^\w\s'’&]|['’](?!\w))|['’]s\b|\s*(?:&|and|or|to)\s*[IVX]{2,}\b"
    r"|\s+(?:of|is|has|does|that|who|whose|which|to|by|with|from|for|at|on|as|and|or|the|an?)\b"
)
_FIRST_PERSON = re.compile(r"\s+(?:am|have|do|think|know|love|like|hate|want|need|believe|hope|guess|mean)\b|['’]\w")
_ADDRESSING = re.compile(r"\b(?:tell|told|asked|promised|assured|hi|hey|hello|dear|thanks|thank you|sorry)\s+$", re.I)
_LIST = r"(?:,? (?:and|or|to|&) |, |\s?[-–—&]\s?)"
_DRIP_BEFORE = re.compile(r"\b(?:an|the|by|via|intravenous(?:ly)?)[\s(]+$", re.I)
_DRIP_BEHIND = re.compile(
    r"[\s-]+(?:drips?|lines?|fluids?|antibiotics?|bags?|poles?|pumps?|push|infusions?|therapy|access|catheters?|needles?"
    r"|medications?|drugs?|injections?|iron|morphine|saline|treatments?)\b",
    re.I,
)


def roman_value(numeral: str) -> int:
    """
    >>> roman_value("XIV"), roman_value("MCMXCIX")
    (14, 1999)
    """
    values = [_VALUES[letter] for letter in numeral]
    return sum(
        -value if value < following else value for value, following in zip(values, [*values[1:], 0], strict=True)
    )


@RULES.add(rf"\b({_REIGNED}) (?=[IVXLCDM]){_NUMERAL}\b(?!\.\w)")
def sovereign(match: re.Match[str], manner: Manner) -> str | None:
    name, numeral = match.groups()
    if (len(numeral) == 1 and numeral not in "IVX") or _is_pronoun(match, numeral):
        return None
    return f"{name} the {ordinal(roman_value(numeral))}"


def _is_pronoun(match: re.Match[str], numeral: str) -> bool:
    """Whether an "I" is no number: its verb follows, behind a name that has no number or that is spoken to."""
    after = text_after(match)
    if numeral != "I" or _BEHIND_NUMERAL.match(after):
        return False
    return bool(match[1] in _CALLED or _FIRST_PERSON.match(after) or _ADDRESSING.search(text_before(match)))


@RULES.add(rf"\b((?i:{_PARTS})e?s) ([IVX]+(?:{_LIST}(?!I\b)[IVX]+)+)\b(?![.'’]\w)")
def numbered_parts(match: re.Match[str], manner: Manner) -> str | None:
    """Says "Chapters I–IV and V"."""
    parts = re.split(rf"({_LIST})", match[2])
    if not all(re.fullmatch(_NUMERAL, numeral) for numeral in parts[::2]):
        return None
    numbers = [cardinal(roman_value(numeral), manner.british) for numeral in parts[::2]]
    marks = [" to " if mark.strip() in ("-", "–", "—") else mark.replace("&", "and") for mark in parts[1::2]]
    return f"{match[1]} " + "".join(number + mark for number, mark in zip(numbers, [*marks, ""], strict=True))


@RULES.add(rf"\b((?:{_PARTS})) (?=[IVXLCDM]){_NUMERAL}\b(?![.'’]\w)")
def numbered_part(match: re.Match[str], manner: Manner) -> str | None:
    of_a_kind = match[1] == "Mark" and re.search(r"\b(?:an?|the)\s+$", text_before(match), re.I)  # "the Mark I tank"
    if match[1] in _CALLED and not of_a_kind and _is_pronoun(match, match[2]):
        return None
    return f"{match[1]} {cardinal(roman_value(match[2]), manner.british)}"


@RULES.add(rf"\b((?:{_PARTS.lower()})) (?=[IVXLCDM]{{2}}){_NUMERAL}\b(?![.'’]\w)")
def numbered_small_part(match: re.Match[str], manner: Manner) -> str | None:
    return f"{match[1]} {cardinal(roman_value(match[2]), manner.british)}"


@RULES.add(r"\bWW(II|I|2|1)\b")
def world_war(match: re.Match[str], manner: Manner) -> str | None:
    return "World War " + ("two" if match[1] in ("II", "2") else "one")


@RULES.add(rf"\b((?:{_PARTS})) ([ivx]{{2,}})\b(?![.'’]\w)")
def numbered_part_in_small_letters(match: re.Match[str], manner: Manner) -> str | None:
    is_numeral = re.fullmatch(_NUMERAL, match[2].upper())
    return f"{match[1]} {cardinal(roman_value(match[2].upper()), manner.british)}" if is_numeral else None


@RULES.add(r"(?<![\w.'’&/-])I(?=\s?(?:&|and|or|to)\s?(?:II|III)\b)")
def first_of_several(match: re.Match[str], manner: Manner) -> str | None:
    """Says the "I" of "Kings I & II"."""
    return "one"


@RULES.add(rf"(?<![\w.'’&/-])(?=[IVXLCDM]{{2,}}\b){_NUMERAL}(?!\w|[.&/]\w)")
def numeral_alone(match: re.Match[str], manner: Manner) -> str | None:
    numeral = match[1]
    if numeral == "IV" and (_DRIP_BEFORE.search(text_before(match)) or _DRIP_BEHIND.match(text_after(match))):
        return None
    small = set(numeral) <= set("IVX")
    if not small and (len(numeral) < 4 or not re.search(r"[a-z]|^\W*$", text_before(match) + text_after(match))):
        return None  # too short, or everything is in capitals
    after_article = re.search(r"\b(?:an?|the)\s+$", text_before(match), re.I) and numeral == "VI"
    if numeral in _LETTERS or after_article:
        return None
    value = roman_value(numeral)
    return year(value, manner.british) if 1100 <= value < 2100 else cardinal(value, manner.british)
