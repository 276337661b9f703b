"""Plain text with a little markup: pauses, voices, phonemes and other words, as scripts have them.

- `[pause 1.5s]`, `[pause 300ms]`, `[pause 2]`: silence of that length; `[pause]` is half a second.
- `[voice: emma]`: her voice until the next such tag; `[voice: default]` or `[/voice]` goes back.
- `EMMA: Hello.`: a name in capitals at the beginning of a line, if it is a voice or a character: hers until the next
  blank line, the next such line or `[voice: ...]`. Any other name is text.
- `[Kokoro](/kˈOkəɹO/)`: phonemes of a word, in IPA or misaki's alphabet.
- `[WHO](= who)`: words that are said instead.
- `[rate: 1.2]` ... `[/rate]`, `[volume: -6dB]` ... `[/volume]`: see `tts/script/quantities.py`.
- `[text](https://...)`: a Markdown link is read as its text.

All else is text as it stands ("[sic]"); a blank line ends a paragraph.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from audio_ml.errors import InvalidInput
from tts.phonemes.alphabet import from_ipa
from tts.script.items import Break, Item, Pause, Run, Style
from tts.script.quantities import check_style, read_rate, read_seconds, read_volume_db

PAUSE_SECONDS = 0.5  # of a [pause] that does not say

CheckVoice = Callable[[str], object]  # raises InvalidInput for a name that is no voice

_BLANK_LINE = r"(?P<blank>\r?\n(?:[^\S\n]*\n)+)"
_SPEAKER = r"(?P<speaker>^[ \t]*(?P<name>[^\W\d_][^\n:\[\]]{0,39}?)[ \t]*:[ \t]*)"
_PAUSE = r"(?P<pause>(?i:\[pause(?=[\s:\]]))\s*:?(?P<seconds>[^\[\]\n]*)\])"
_TAG = r"(?P<tag>(?i:\[(?P<kind>voice|rate|volume)\s*:)(?P<value>[^\[\]\n]*)\])"
_END_TAG = r"(?P<end>(?i:\[/(?P<ended>voice|rate|volume)\]))"
_URL = r"(?i:[a-z][a-z0-9+.-]*://|mailto:|www\.|\#|\.{0,2}/)(?:[^\s()]|\([^\s()]*\))*"
_ANNOTATED = (
    r"(?P<annotated>\[(?P<word>[^\[\]\n]+)\]\((?:/(?P<phonemes>[^/\n]*)/|=(?P<alias>[^()\n]*)"
    rf"|(?P<link>{_URL})(?:\s+\"[^\"\n]*\")?)\))"
)
_PARAGRAPHS = re.compile(_BLANK_LINE)
_MARKUP = re.compile("|".join((_BLANK_LINE, _SPEAKER, _PAUSE, _TAG, _END_TAG, _ANNOTATED)), re.MULTILINE)


def read_unmarked(text: str) -> Iterator[Item]:
    """Yields text in which nothing is markup, paragraph by paragraph.

    >>> [item.text for item in read_unmarked("[pause 1s]") if isinstance(item, Run)]
    ['[pause 1s]']
    """
    end = 0
    for match in _PARAGRAPHS.finditer(text):
        yield from _run(text, end, match.start(), Style())
        yield Break("paragraph", match.span())
        end = match.end()
    yield from _run(text, end, len(text), Style())


def read_markup(text: str, check_voice: CheckVoice) -> Iterator[Item]:
    """Yields what a marked-up text asks for, in order and as it is found; `check_voice` knows the voices.

    The text of a run is the text at its `span`; what lies between the spans is markup.

    Raises:
        InvalidInput: for markup of ours that cannot be read, with the line and what would be right.

    >>> first, pause, last = read_markup("Wait. [pause 2s]Go!", check_voice=print)
    >>> first.text, pause.seconds, last.text, last.span
    ('Wait. ', 2.0, 'Go!', (16, 19))
    """
    is_voice = functools.cache(functools.partial(_is_voice, check_voice))
    tagged = Style()  # what the tags so far ask for
    speaker: str | None = None  # of the line, if it names one
    end = 0
    for match in _MARKUP.finditer(text):
        kind = match.lastgroup
        if kind == "speaker" and not is_voice(match["name"]):
            continue
        style = replace(tagged, voice=speaker) if speaker else tagged
        yield from _run(text, end, match.start(), style)
        end = match.end()
        try:
            if kind == "blank":
                speaker = None
                yield Break("paragraph", match.span())
            elif kind == "speaker":
                speaker = match["name"]
                yield Break("sentence", match.span())
            elif kind == "pause":
                value = match["seconds"].strip()
                yield Pause(read_seconds(value) if value else PAUSE_SECONDS, match.span())
            elif kind == "annotated":
                yield _annotated(match, style)
            else:
                tag = (match["kind"] or match["ended"]).lower()
                tagged = _restyled(tagged, tag, match["value"] if match["kind"] else "default", check_voice)
                speaker = None if tag == "voice" else speaker
        except InvalidInput as error:
            line = text.count("\n", 0, match.start()) + 1
            raise type(error)(f"Line {line}, {match[0].strip():.60}: {error}") from error
    yield from _run(text, end, len(text), replace(tagged, voice=speaker) if speaker else tagged)


def _run(text: str, begin: int, end: int, style: Style) -> Iterator[Run]:
    if begin < end:
        yield Run(text[begin:end], (begin, end), style)


def _annotated(match: re.Match[str], style: Style) -> Run:
    """Returns the word of an annotation; phonemes are checked, a link is only its text."""
    plain = Run(match["word"], match.span("word"), style)
    if match["phonemes"] is not None:
        phonemes = from_ipa(match["phonemes"].strip())
        if not phonemes:
            raise InvalidInput("There are no phonemes between the slashes; write as in [Kokoro](/koʊˈkoʊɹoʊ/).")
        return replace(plain, phonemes=phonemes)
    if match["alias"] is not None:
        if not match["alias"].strip():
            raise InvalidInput("There are no words to say instead; write as in [WHO](= who).")
        return replace(plain, alias=match["alias"].strip())
    return plain


def _is_voice(check_voice: CheckVoice, name: str) -> bool:
    """Tells whether the name that a line begins with is a speaker's."""
    if name != name.upper():
        return False
    try:
        check_voice(name)
    except InvalidInput:
        return False
    return True


def _restyled(style: Style, tag: str, value: str, check_voice: CheckVoice) -> Style:
    """Returns the style after a tag for the voice, rate or volume; "default" takes it back."""
    value = value.strip()
    back = value.lower() == "default"
    if tag == "rate":
        return check_style(replace(style, speed=1.0 if back else read_rate(value)))
    if tag == "volume":
        return check_style(replace(style, volume_db=0.0 if back else read_volume_db(value)))
    if not back:
        check_voice(value)
    return replace(style, voice=None if back else value)
