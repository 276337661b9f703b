"""Emoji by their names in Unicode; a sequence that draws one picture is read once."""

from __future__ import annotations

import re
import unicodedata

from tts.text.rules import Manner, Rules

RULES = Rules()

_SKIN = "\U0001f3fb-\U0001f3ff"
_PICTURE = (
    "[\U0001f000-\U0001f0ff\U0001f10d-\U0001f10f\U0001f12f\U0001f16c-\U0001f171\U0001f17e\U0001f17f\U0001f18e"
    "\U0001f191-\U0001f1ad\U0001f201-\U0001f265\U0001f300-\U0001f3fa\U0001f400-\U0001faff"
    "\u231a\u231b\u2328\u23cf\u23e9-\u23f3\u23f8-\u23fa\u25fb-\u25fe\u2600-\u27bf\u2934\u2935\u2b05-\u2b07\u2b1b\u2b1c\u2b50\u2b55]"
)
_ONE = rf"{_PICTURE}[\ufe0e\ufe0f]?[{_SKIN}]?"
_FLAG = "[\U0001f1e6-\U0001f1ff]{2}"
_TAGGED = "\U0001f3f4[\U000e0061-\U000e007a]+\U000e007f"
_KEYCAP = "[0-9#*]\ufe0f?\u20e3"
_SEQUENCE = rf"{_TAGGED}|{_FLAG}|{_KEYCAP}|{_ONE}(?:\u200d{_ONE})*"

_NAMES = {
    "❤": "red heart", "✅": "check mark", "✔": "check mark", "⭐": "star", "☎": "telephone", "✏": "pencil",
    "☺": "smiling face", "☀": "sun", "☁": "cloud", "👍": "thumbs up", "👎": "thumbs down", "👌": "OK hand",
    "💯": "one hundred points", "🙏": "folded hands", "🚀": "rocket", "😂": "face with tears of joy",
    "🤣": "rolling on the floor laughing", "❗": "exclamation mark", "❓": "question mark", "➡": "right arrow",
    "⬅": "left arrow", "⬆": "up arrow", "⬇": "down arrow", "✌": "victory hand", "🏳\u200d🌈": "rainbow flag",
    "🏴\u200d☠": "pirate flag", "👁\u200d🗨": "eye in speech bubble", "❤\u200d🔥": "heart on fire",
    "🐻\u200d❄": "polar bear", "🐕\u200d🦺": "service dog", "♀": "female", "♂": "male", "✓": "check mark",
    "♪": "musical note",
}  # fmt: skip
_WORK = {
    "💻": "technologist", "🚀": "astronaut", "🔬": "scientist", "🎨": "artist", "🎤": "singer", "🏫": "teacher",
    "🎓": "student", "🍳": "cook", "🔧": "mechanic", "🏭": "factory worker", "💼": "office worker",
    "🚒": "firefighter", "🌾": "farmer", "⚖": "judge", "✈": "pilot", "⚕": "health worker", "🦽": "in wheelchair",
    "🦯": "with cane", "🍼": "feeding baby",
}  # fmt: skip
_COUNTRIES = {
    "US": "the United States", "GB": "the United Kingdom", "CA": "Canada", "AU": "Australia", "NZ": "New Zealand",
    "IE": "Ireland", "DE": "Germany", "FR": "France", "ES": "Spain", "IT": "Italy", "PT": "Portugal",
    "NL": "the Netherlands", "BE": "Belgium", "CH": "Switzerland", "AT": "Austria", "SE": "Sweden", "NO": "Norway",
    "DK": "Denmark", "FI": "Finland", "IS": "Iceland", "PL": "Poland", "CZ": "Czechia", "HU": "Hungary",
    "GR": "Greece", "TR": "Turkey", "UA": "Ukraine", "RU": "Russia", "JP": "Japan", "CN": "China", "KR": "South Korea",
    "IN": "India", "BR": "Brazil", "MX": "Mexico", "AR": "Argentina", "CL": "Chile", "CO": "Colombia",
    "ZA": "South Africa", "EG": "Egypt", "NG": "Nigeria", "KE": "Kenya", "IL": "Israel", "SA": "Saudi Arabia",
    "AE": "the United Arab Emirates", "ID": "Indonesia", "TH": "Thailand", "VN": "Vietnam", "PH": "the Philippines",
    "SG": "Singapore", "MY": "Malaysia", "EU": "the European Union", "UN": "the United Nations",
}  # fmt: skip
_REGIONS = {"gbeng": "England", "gbsct": "Scotland", "gbwls": "Wales"}
_DIGITS = {"#": "hash", "*": "asterisk"}


def emoji_name(sequence: str) -> str:
    """Returns what one picture shows.

    >>> emoji_name("😀"), emoji_name("👍🏽"), emoji_name("👩\u200d💻"), emoji_name("🇫🇷")
    ('grinning face', 'thumbs up', 'woman technologist', 'flag of France')
    """
    if "\u20e3" in sequence:
        return f"keycap {_DIGITS.get(sequence[0], sequence[0])}"
    if re.fullmatch(_FLAG, sequence):
        code = "".join(chr(ord(letter) - 0x1F1E6 + ord("A")) for letter in sequence)
        return f"flag of {_COUNTRIES.get(code, '.'.join(code))}"
    if sequence.endswith("\U000e007f"):
        region = "".join(chr(ord(tag) - 0xE0000) for tag in sequence[1:-1])
        return f"flag of {_REGIONS.get(region, region)}"
    plain = re.sub(rf"[\ufe0e\ufe0f{_SKIN}]", "", sequence) or sequence
    return _NAMES.get(plain) or _joined_name(plain.split("\u200d"))


def _joined_name(parts: list[str]) -> str:
    first, *others = parts
    if len(parts) > 1 and all(part in "👨👩👧👦🧑🧒👶" for part in parts):
        return "family"
    if any(part in _WORK for part in others):
        person = {"👩": "woman ", "👨": "man "}.get(first, "")
        return person + next(_WORK[part] for part in others if part in _WORK)
    gender = "woman " if "♀" in others else "man " if "♂" in others else ""
    return gender + " ".join(_name(part) for part in parts if part not in "♀♂")


def _name(character: str) -> str:
    name = _NAMES.get(character) or unicodedata.name(character, "").lower() or "picture"
    if character < "⯿":
        name = re.sub(r"^(?:(?:heavy|white|black|medium|small|large) )+", "", name)
    name = re.sub(r" (?:sign|symbol|ornament)$", "", name)
    return name.replace("-", " ")


@RULES.add(rf"({_SEQUENCE})(?:\s?\1){{2,}}", space="around")
def repeated(match: re.Match[str], manner: Manner) -> str | None:
    times = len(match[0].replace(" ", "")) // len(match[1])
    return f"{emoji_name(match[1])} {times} times"


@RULES.add(_SEQUENCE, space="around")
def picture(match: re.Match[str], manner: Manner) -> str | None:
    return emoji_name(match[0])
