"""Addresses and names of the net and of files: "example dot com slash a"."""

from __future__ import annotations

import re

from tts.text.rules import Manner, Rules

RULES = Rules()

_DOMAINS = (
    "com|org|net|edu|gov|mil|int|info|biz|io|co|uk|us|ca|au|de|fr|es|it|nl|eu|ch|at|be|se|no|dk|fi|pl|ru|jp|cn|in"
    "|br|mx|nz|ie|tv|me|ly|ai|app|dev|fm|gg|xyz|online|store|shop|blog|news|cloud|tech|site|art|studio|film|audio"
    "|music|video|page"
)
_FILES = (
    "pdf|docx?|xlsx?|pptx?|txt|md|csv|tsv|json|xml|html?|css|jsx?|tsx?|py|ipynb|rb|rs|go|java|cpp|hpp|cs|php|sh"
    "|bat|exe|dll|zip|tar|gz|7z|rar|iso|dmg|apk|jpe?g|png|gif|svg|bmp|tiff?|webp|psd|mp3|mp4|m4a|wav|flac|ogg"
    "|opus|aiff?|mov|avi|mkv|webm|srt|vtt|log|ini|cfg|conf|toml|ya?ml|sql|db|bak|tmp|onnx|rpp|otio"
)
_SYMBOLS = {
    ".": "dot", "/": "slash", "-": "dash", "_": "underscore", "@": "at", ":": "colon", "?": "question mark",
    "=": "equals", "&": "ampersand", "#": "hash", "%": "percent", "+": "plus", "~": "tilde", "\\": "backslash",
    ",": "comma", ";": "semicolon", "!": "exclamation mark", "*": "asterisk", "'": "apostrophe",
    "(": "open parenthesis", ")": "close parenthesis", "[": "open bracket", "]": "close bracket", "$": "dollar sign",
    "|": "bar",
}  # fmt: skip
_WORDS = (
    "com org net edu gov info biz app dev online store shop blog news cloud tech site art studio film audio music"
    " video page zip tar exe wav flac log java bat gif opus json yaml yml toml srt ini rar iso mov go"
)
_SAID_AS_WORDS = frozenset(_WORDS.split())
_WORDS_TOO = ("co", "me", "us", "it", "in", "at", "be", "no")
_ENDINGS = frozenset(f"{_DOMAINS}|www|cgi|php|asp|faq|api|url|id".split("|")) - frozenset(_WORDS_TOO)
_TRAILING = ".,;:!?…)]}>\"'”’*"


def address_words(address: str) -> str:
    """Returns an address or the name of a file in words, its protocol left out.

    >>> address_words("https://example.com/a"), address_words("john.doe@mail.co.uk")
    ('example dot com slash A', 'john dot doe at mail dot co dot U.K')
    """
    rest = re.sub(r"^(?:https?|ftp|file)://|^mailto:", "", address, flags=re.I)
    rest = rest[:-1] if rest.endswith("/") and rest.count("/") == 1 else rest
    words = []
    for part in re.findall(r"[^\W\d_]+|\d+|[\W_]", rest):
        words.append(_SYMBOLS.get(part) or _part_words(part))
    return " ".join(words).strip()


def _part_words(part: str) -> str:
    lower = part.lower()
    if len(part) == 1 and part.isalpha():
        return part.upper()
    is_spelled = lower in _ENDINGS or re.fullmatch(_FILES, lower)
    return spelled(part) if is_spelled and lower not in _SAID_AS_WORDS and part.isalpha() else _words_of_camel(part)


def spelled(letters: str) -> str:
    """Returns letters such that they are read by their names.

    >>> spelled("pdf"), spelled("a")
    ('P.D.F', 'A')
    """
    return ".".join(letters.upper())


def _words_of_camel(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Za-z])(?=\d)|(?<=\d)(?=[A-Za-z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)


def _without_trailing(written: str) -> tuple[str, str]:
    """Splits off punctuation of the sentence that stands behind an address."""
    bare = written.rstrip(_TRAILING)
    return bare, written[len(bare) :]


@RULES.add(r"(?<![\w@.+-])(?:mailto:)?[\w.+-]{0,64}(?<=\w)@[A-Za-z0-9](?:[\w-]{0,62}\w)?(?:\.[\w-]{0,62}\w){1,9}")
def mail_address(match: re.Match[str], manner: Manner) -> str | None:
    return address_words(match[0])


@RULES.add(r"(?<!\w)(?:(?:https?|ftp|file)://|www\.)[^\s<>\"“”]+", re.IGNORECASE)
def web_address(match: re.Match[str], manner: Manner) -> str | None:
    address, trailing = _without_trailing(match[0])
    if address.count("(") > address.count(")") and trailing.startswith(")"):
        address, trailing = address + ")", trailing[1:]
    return address_words(address) + trailing if address_words(address) else None


@RULES.add(
    rf"(?<![\w.@/\\-])(?:[A-Za-z0-9](?:[\w-]*[A-Za-z0-9])?\.)+(?:{_DOMAINS})(?::\d+)?(?![\w-]|\.\w|@)(?:/[^\s<>\"“”]*)?",
    re.IGNORECASE,
)
def bare_domain(match: re.Match[str], manner: Manner) -> str | None:
    address, trailing = _without_trailing(match[0])
    ending = address.split("/")[0].rpartition(".")[2]
    if ending[0].isupper() and not ending.isupper():
        return None  # a sentence that begins without a space
    if "/" not in address and not re.search(r"[a-z0-9]\.", address) and address.isupper():
        return None  # initials
    return address_words(address) + trailing


@RULES.add(
    r"(?<!\w)(?:[A-Za-z]:\\|\\\\)[^\s<>\"“”]+|(?<![\w/])(?:~|\.{1,2})?(?:/[\w.+-]*[A-Za-z_][\w.+-]*){2,}/?|(?<!\w)(?:~|\.{1,2})/[\w.+/-]*\w"
)
def path(match: re.Match[str], manner: Manner) -> str | None:
    written, trailing = _without_trailing(match[0])
    return address_words(written) + trailing if written else None


@RULES.add(rf"(?<![\w.@+-])[\w+-]{{0,80}}(?<=\w)(?:\.[\w+-]{{1,40}}){{0,9}}\.(?:{_FILES})(?![\w-]|\.\w)", re.IGNORECASE)
def file_name(match: re.Match[str], manner: Manner) -> str | None:
    name, _, ending = match[0].rpartition(".")
    if ending[0].isupper() and not ending.isupper():
        return None
    separate = " dot ".join(name.replace("_", " ").split("."))
    return f"{separate} dot {_part_words(ending)}"


@RULES.add(r"(?<![\w.])\.([A-Za-z][A-Za-z0-9]{1,7})(?!\w)")
def leading_dot(match: re.Match[str], manner: Manner) -> str | None:
    return f"dot {_part_words(match[1])}"


@RULES.add(r"(?<![\w.])([A-Za-z_]\w*[a-z0-9_])\.([a-z_]\w{1,})(?:\(\))?(?![\w.])")
def dotted_name(match: re.Match[str], manner: Manner) -> str | None:
    return f"{match[1]} dot {match[2]}"


@RULES.add(r"(?<![\w@])@(\w[\w.]*\w|\w)")
def handle(match: re.Match[str], manner: Manner) -> str | None:
    return "at " + " ".join(_SYMBOLS.get(part, part) for part in re.findall(r"[^\W_]+|[_.]", match[1]))


@RULES.add(r"(?<![\w&#])#(?=\w*[^\W\d_])(\w+)")
def hashtag(match: re.Match[str], manner: Manner) -> str | None:
    return "hashtag " + _words_of_camel(match[1].replace("_", " ")).strip()
