"""Abbreviations of English that end in a period: what they stand for, and whether the sentence ends with them.

"Dr.", "St." and "Ft." are a title before a name and a street or unit after one, so the words around them decide.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tts.text.rules import Manner, Rules, text_after, text_before

RULES = Rules()

TITLES = {
    "Mr": "Mister", "Mrs": "Mrs", "Ms": "Ms", "Mx": "Mx", "Dr": "Doctor", "Drs": "Doctors", "Prof": "Professor",
    "St": "Saint", "Ste": "Sainte", "Mt": "Mount", "Ft": "Fort", "Gen": "General", "Gov": "Governor", "Sen": "Senator",
    "Rep": "Representative", "Capt": "Captain", "Cpt": "Captain", "Lt": "Lieutenant", "Col": "Colonel",
    "Sgt": "Sergeant", "Cmdr": "Commander", "Cdr": "Commander", "Rev": "Reverend", "Hon": "Honorable",
    "Pres": "President", "Supt": "Superintendent", "Cpl": "Corporal", "Pvt": "Private", "Maj": "Major",
    "Brig": "Brigadier", "Adm": "Admiral", "Fr": "Father", "Msgr": "Monsignor", "Messrs": "Messieurs", "Mme": "Madame",
    "Mlle": "Mademoiselle", "Det": "Detective", "Insp": "Inspector", "Sec": "Secretary",
}  # fmt: skip
STREETS = {
    "Dr": "Drive", "St": "Street", "Ave": "Avenue", "Av": "Avenue", "Blvd": "Boulevard", "Rd": "Road", "Ln": "Lane",
    "Hwy": "Highway", "Pkwy": "Parkway", "Pl": "Place", "Sq": "Square", "Ct": "Court", "Ter": "Terrace",
    "Cir": "Circle", "Expy": "Expressway", "Tpke": "Turnpike",
}  # fmt: skip
# They stand at the end of a name or of a thought, so a sentence may end with them.
ENDINGS = {
    "Jr": "Junior", "Sr": "Senior", "Esq": "Esquire", "Inc": "Incorporated", "Ltd": "Limited", "Corp": "Corporation",
    "Co": "Company", "Bros": "Brothers", "etc": "et cetera", "al": "al", "Apt": "Apartment", "Ste": "Suite",
    "Bldg": "Building", "Dept": "Department", "Univ": "University", "Assn": "Association", "Govt": "Government",
    "dept": "department", "govt": "government", "mins": "minutes", "min": "minutes", "hrs": "hours", "hr": "hour",
    "secs": "seconds", "yrs": "years", "Mon": "Monday", "Tue": "Tuesday", "Tues": "Tuesday", "Wed": "Wednesday",
    "Thu": "Thursday", "Thur": "Thursday", "Thurs": "Thursday", "Fri": "Friday",
    "Sat": "Saturday", "Sun": "Sunday", "Jan": "January", "Feb": "February",
    "Mar": "March", "Apr": "April", "Jun": "June", "Jul": "July", "Aug": "August", "Sep": "September",
    "Sept": "September", "Oct": "October", "Nov": "November", "Dec": "December", "misc": "miscellaneous",
    "temp": "temperature", "max": "maximum", "appt": "appointment",
}  # fmt: skip
# A sentence never ends with these: more always follows.
LEADING = {
    "vs": "versus", "approx": "approximately", "est": "established", "Est": "Established",
    "cf": "compare", "eds": "editors", "Atty": "Attorney", "ca": "circa", "esp": "especially", "viz": "namely",
    "avg": "average", "asst": "assistant", "excl": "excluding", "incl": "including", "resp": "respectively",
    "INT": "Interior", "EXT": "Exterior", "tel": "telephone", "Tel": "Telephone",
}  # fmt: skip
# Before a number only.
NUMBERED = {
    "No": "Number", "no": "number", "Nos": "Numbers", "nos": "numbers", "Fig": "Figure", "fig": "figure",
    "Figs": "Figures", "figs": "figures", "Vol": "Volume", "vol": "volume", "Ch": "Chapter", "ch": "chapter",
    "Chap": "Chapter", "p": "page", "pp": "pages", "pg": "page", "Rt": "Route", "Rte": "Route",
    "Sec": "Section", "sec": "section", "Eq": "Equation",
    "eq": "equation", "Art": "Article", "art": "article", "Nr": "Number", "Op": "Opus", "op": "opus", "Ex": "Example",
    "ex": "example", "Par": "Paragraph", "par": "paragraph", "Pt": "Part", "pt": "part", "Ver": "Version",
    "Ep": "Episode", "ep": "episode", "ver": "version", "Rm": "Room", "Ext": "Extension", "ext": "extension",
}  # fmt: skip
DOTTED = {
    "e.g": "for example", "i.e": "that is", "a.k.a": "also known as", "w.r.t": "with respect to",
    "R.I.P": "rest in peace",
}  # fmt: skip

AMBIGUOUS_DAYS = ("Sat", "Sun")
_DAYS = frozenset(("Mon", "Tue", "Tues", "Wed", "Thu", "Thur", "Thurs", "Fri", "Sat", "Sun"))
_UNITS = frozenset(("ft", "sq", "cu", "fl", "lb", "lbs", "oz"))
_CITED = re.compile(r"(?:^|[(\[,;§]|\b(?:see|under|per|cf\.|by|and|with))\s*$", re.I)  # before "art. 5" of a law
_COUNTED = re.compile(
    r"(?:\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|twelve|fifteen|twenty|thirty|forty|fifty"
    r"|sixty|ninety|few|several|some|more))"
    r"[\s-]*$"
)
_LEAST = re.compile(
    r"\s*(?:(?:of\s+)?[$£€]?\d|of\s+(?:one|two|three|four|five|six|ten|twenty)\b|(?:and|or|to|&)\s+max\b|is\b|(?:wage"
    r"|price|charge|order|spend|deposit|balance|payment|age|height|width|length|size|speed|value|temp|requirement|salary"
    r"|bid|number|amount|purchase|stay|score|quantity|distance|standard|level|rate|grade|fee|cost|term|sentence))"
)  # what a minimum is of
_FOUNDED = re.compile(r"\s+(?:in\s+)?(?:1\d{3}|20\d\d)(?!\w|[,.]\d|\s+(?:[a-z]{3,}s|people)\b)")
_LETTERED = re.compile(r"\b(?:vitamin|plan|option|hepatitis|grade|type|exhibit|choice|variant|letter|answer)\s+$", re.I)
_SUNDAY = re.compile(
    r"[\s,–—-]*(?:\d|morning|afternoon|evening|night|noon|at\b|from\b|closed|open\b|(?:Mon|Tue|Wed|Thu|Fri|Sat)\b)"
)
_DAYS_BEFORE = re.compile(
    r"(?:\b(?:on|every|each|next|last|this|mon|fri|sat|hours|open|closed)\b\.?|day)[\s,:&–—-]*$", re.I
)

# Words that begin sentences and hardly ever stand behind a title or inside a name.
_STARTERS = (
    "a an the this that these those he she it they we i you his her its their our my your what when where why how"
    " which there here and but or nor so yet if as at by for from in into of on to with without after before while"
    " since until because although though however then than now is are was were be been do does did has have had"
    " can could will would shall should may might must not no yes nobody everyone everybody someone people many"
    " most some all both each every please let maybe perhaps meanwhile later soon once again also still just only"
    " even"
)
STARTERS = frozenset(_STARTERS.split())
_LAST_WORD = re.compile(r"(\S+)\s+$")


def is_title(name: str, before: str, after: str) -> bool:
    """Whether a word such as "Dr" or "St" belongs to the name behind it, given the text before and after it.

    >>> is_title("Dr", "", " Smith came"), is_title("St", "5 Main ", " It was"), is_title("Dr", "on Elm ", "")
    (True, False, False)
    """
    following = after.lstrip(". \t")
    if name not in TITLES or not following[:1].isupper():
        return False
    previous = _LAST_WORD.search(before)
    if name not in STREETS or previous is None:
        return True
    word = previous[1]
    in_a_name = word[0].isupper() or word[0].isdigit()
    if not word[-1].isalnum() or not in_a_name or word.lower() in STARTERS:
        return True
    if re.split(r"\W", following, maxsplit=1)[0].lower() in STARTERS:
        return False
    earlier = _LAST_WORD.search(before[: previous.start()])
    return word.rstrip(".") in TITLES or earlier is None or earlier[1][-1] in ".!?"


def ends_sentence(name: str, before: str, after: str) -> bool:
    """Whether a period behind `name` ends its sentence, before a word that could begin one.

    >>> ends_sentence("Dr", "He lives on Elm ", " He left"), ends_sentence("Dr", "Ask ", " Smith")
    (True, False)
    """
    next_word = re.split(r"[\W_]", after.lstrip(" \t\n\"'“‘(["), maxsplit=1)[0]
    amount = re.match(rf"\d[\d.,]*(?=(?:{'|'.join(_UNITS)})$)", name)
    if amount:
        name, before = name[amount.end() :], before + amount[0]  # "6ft."
    name = name.rpartition("-")[2] if name.rpartition("-")[2] in _DAYS else name  # "Mon.-Fri."
    is_starter = next_word.lower() in STARTERS and next_word[:1].isupper()
    is_number = next_word[:1].isdigit() or (name in NUMBERED and re.fullmatch(r"[IVX]{2,}|[VX]", next_word))
    if name in DOTTED or name in LEADING or (is_number and _is_before_number(name, before, after)):
        return False
    if name in AMBIGUOUS_DAYS and not _is_day(name, before, after):
        return True
    if name in STREETS and not is_title(name, before, after):
        return next_word not in ("N", "S", "E", "W", "NE", "NW", "SE", "SW", *ENDINGS)
    if name in TITLES or name in ENDINGS:
        return (is_starter and next_word != "No") or (name == "etc" and next_word[:1].isupper())
    if re.fullmatch(r"[A-Z]|(?:[A-Za-z]{1,2}\.)+[A-Za-z]{1,2}", name):
        return is_starter and not (next_word in ("A", "I") and after.lstrip()[1:2] == ".")
    return True


def _is_before_number(name: str, before: str, after: str) -> bool:
    """Whether a number behind `name` belongs to it: "No. 5", "6 ft. 2 in.", "c. 1500", but not "loves art. 5 came"."""
    if name in ("c", "ca", "b", "d"):
        digits = r"\d{3,4}(?!\w)" if name in ("c", "ca") else r"1\d{3}(?!\w)|20\d\d(?!\w)"
        return names_a_letter(name, before) is False and re.match(rf"\.?\s*(?:{digits})", after) is not None
    if name in _UNITS:
        return _COUNTED.search(before) is not None
    return name in NUMBERED and (name != "art" or _CITED.search(before) is not None)


def names_a_letter(letter: str, before: str) -> bool:
    """Whether a letter is the name of what stands in front of it: "vitamin c", "plan b".

    >>> names_a_letter("b", "We go with plan "), names_a_letter("b", "Ann Lee, ")
    (True, False)
    """
    return len(letter) == 1 and letter.isalpha() and _LETTERED.search(before) is not None


def _is_day(name: str, before: str, after: str) -> bool:
    """Whether "Sat" or "Sun" is a day of the week, and not a word."""
    if name == "Sun" and re.search(r"\bthe\s+$", before, re.I):
        return False
    return name == "Sat" or bool(_SUNDAY.match(after.lstrip(".")) or _DAYS_BEFORE.search(before))


def _any_of(words: Iterable[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


_WITHOUT_PERIOD = (
    "Mr", "Mrs", "Ms", "Mx", "Dr", "Prof", "St", "Mt", "Sgt", "Capt", "Lt", "Ave", "Blvd", "Rd", "Hwy", "Pkwy",
)  # fmt: skip
_SPOKEN = {**LEADING, **ENDINGS, **STREETS}


def _with_period(words: str, name: str, match: re.Match[str]) -> str:
    """Keeps the period of an abbreviation that ends the sentence as well."""
    before, after = text_before(match), text_after(match)
    at_end = not after.strip(" \t\r\n\"')]}”’»*_")
    goes_on = re.match(r"\s+[\"'“(]*[A-Z\d]", after) is None
    return words + "." if at_end or (not goes_on and ends_sentence(name, before, after)) else words


@RULES.add(rf"(?<![\w.])({_any_of(DOTTED)})\.?(?!\w)", re.IGNORECASE)
def dotted(match: re.Match[str], manner: Manner) -> str | None:
    words = DOTTED.get(match[1]) or DOTTED.get(match[1].lower()) or DOTTED.get(match[1].upper())
    if words and match[1][0].isupper() and not match[1].isupper():
        words = words.capitalize()
    return words


@RULES.add(rf"(?<![\w.])({_any_of(NUMBERED)})\.\s?(?=\(?\d|#|[IVX]+\b)")
def before_a_number(match: re.Match[str], manner: Manner) -> str | None:
    if match[1] == "art" and not _is_before_number("art", text_before(match), text_after(match)):
        return None
    return NUMBERED[match[1]] + " "


@RULES.add(r"(?<![\w.])(ca?|b|d)\.\s?(?=\d{3,4}(?!\w))")
def around_a_year(match: re.Match[str], manner: Manner) -> str | None:
    if not _is_before_number(match[1], text_before(match), text_after(match)):
        return None
    return {"b": "born ", "d": "died "}.get(match[1], "circa ")


@RULES.add(r"(?<=\d )(sq|cu|fl)\. ?(ft|in|yd|mi|m|km|oz)\b\.?", space="none")
def unit_of_two_words(match: re.Match[str], manner: Manner) -> str | None:
    """Leaves "sq. ft." without periods, as units are written."""
    unit = f"{match[1]} {match[2]}"
    return _with_period(unit, match[2], match) if match[0].endswith(".") else unit


@RULES.add(r"(?<![\w&#])#\s?(?=\d)|№\s?(?=\d)|\bNo(?:\.|º|°)\s?(?=\d)")
def number_sign(match: re.Match[str], manner: Manner) -> str | None:
    return "number "


@RULES.add(rf"(?<![\w.'-])({_any_of({*TITLES, *_SPOKEN})})\.(?![\w.]\w|\.\w)")
def with_period(match: re.Match[str], manner: Manner) -> str | None:
    name, before, after = match[1], text_before(match), text_after(match)
    if is_title(name, before, after):
        return TITLES[name] + ("" if after[:1].isspace() else " ")
    if name in ("Mr", "Mrs", "Ms", "Mx", "Messrs"):
        return TITLES[name]
    words = _spoken(name, before, after)
    if name in STREETS and name in TITLES and not re.search(r"[A-Z\d]\S*\s+$", before):
        words = TITLES[name]  # "the Dr. is in"
    if words is None and name in TITLES:
        words = TITLES[name]
    if words is None or (name in ("min", "max", "Mar", "temp") and after[:1].isalnum()):
        return None
    return _with_period(words, name, match)


def _spoken(name: str, before: str, after: str) -> str | None:
    if name in AMBIGUOUS_DAYS and not _is_day(name, before, after):
        return None
    if name == "min":
        return _minute_or_minimum(before, after)
    if name in ("est", "Est") and not _FOUNDED.match(after):
        return "Estimated" if name == "Est" else "estimated"
    return _SPOKEN.get(name)


def _minute_or_minimum(before: str, after: str) -> str:
    if re.search(r"(?<![\w.,-])(?:1|one|per|each|every|last)[\s-]+$", before, re.I):
        return "minute"
    if _COUNTED.search(before):
        return "minutes"
    if _LEAST.match(after) or re.search(r"\b(?:the|max\.?,?(?: and| or| to)?)\s+$", before, re.I):
        return "minimum"
    return "minute" if re.search(r"\ban?\s+$", before, re.I) else "minutes"


@RULES.add(rf"(?<![\w.'-])({_any_of(_WITHOUT_PERIOD)})(?=\s|,|$)")
def without_period(match: re.Match[str], manner: Manner) -> str | None:
    name, before, after = match[1], text_before(match), text_after(match)
    if is_title(name, before, after):
        return TITLES[name]
    if name in STREETS and re.search(r"(?:[A-Z][a-z]+|\d(?:st|nd|rd|th))\s+$", before):
        return STREETS[name]
    return None


@RULES.add(r"\bMs\b\.?(?=\s+[A-Z])")
def miz(match: re.Match[str], manner: Manner) -> str | None:
    return "Miz"


@RULES.add(r"(?<![\w/])(?:(w/out|w/o|c/o|n/a|N/A|b/c|vs|aka|AKA|and/or)(?![\w/])|w/(?!/))")
def with_slash(match: re.Match[str], manner: Manner) -> str | None:
    return _SHORT[match[0]]


_SHORT = {
    "w/": "with", "w/out": "without", "w/o": "without", "c/o": "care of", "n/a": "not applicable",
    "N/A": "not applicable",
    "b/c": "because", "vs": "versus", "aka": "also known as", "AKA": "also known as", "and/or": "and or",
}  # fmt: skip


@RULES.add(r"(?<![\w&])([A-Z]{1,3})\s?&\s?([A-Z]{1,3})(s?)(?![\w&])")
def letters_and_letters(match: re.Match[str], manner: Manner) -> str | None:
    if re.fullmatch(r"[IVX]{2,}", match[2]) and set(match[1]) <= set("IVX"):
        return None  # "Kings I & II"
    several = "'s" if match[3] else ""
    return f"{'.'.join(match[1])} and {'.'.join(match[2])}{several}"
