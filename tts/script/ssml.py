"""A subset of the Speech Synthesis Markup Language (W3C SSML 1.1), read as a stream, with places in the source.

`speak p s break prosody(rate, volume) phoneme sub say-as voice(name) mark`; `emphasis`, and pitch, range,
contour and duration of `prosody`, cannot be spoken by these engines: they give a notice. White space is
white space, paragraphs are elements. Nothing is expanded or fetched: a DOCTYPE is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from audio_ml.errors import InvalidInput, did_you_mean
from audio_ml.speech import Span
from tts.phonemes.alphabet import from_ipa
from tts.script.items import Boundary, Break, Item, Notice, Pause, Run, Style
from tts.script.markup import CheckVoice
from tts.script.quantities import check_style, read_rate, read_seconds, read_volume_db
from tts.text.say_as import say_as

BREAK_SECONDS = {"none": 0.0, "x-weak": 0.1, "weak": 0.25, "medium": 0.5, "strong": 1.0, "x-strong": 1.5}
EMPHASIS_LEVELS = ("strong", "moderate", "none", "reduced")
BLOCKS: Mapping[str, Boundary] = {"p": "paragraph", "paragraph": "paragraph", "s": "sentence", "sentence": "sentence"}
LANGUAGE = "xml:lang"
ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "speak": ("version", "xmlns", "xml:base", "xsi:schemaLocation", LANGUAGE),
    **dict.fromkeys(BLOCKS, (LANGUAGE,)),
    "break": ("strength", "time"),
    "prosody": ("rate", "volume", "pitch", "range", "contour", "duration"),
    "phoneme": ("alphabet", "ph"),
    "sub": ("alias",),
    "say-as": ("interpret-as", "format"),
    "voice": ("name", LANGUAGE),
    "emphasis": ("level",),
    "mark": ("name",),
}
CANNOT = ("pitch", "range", "contour", "duration")
HOLD_WORDS = ("phoneme", "sub", "say-as")
ALPHABETS = ("ipa", "x-misaki")
CHUNK_CHARACTERS = 1 << 16
SHOWN = 40  # characters of a wrong name or value in a message

_TAG = re.compile(r"""<(?:[^<>"']|"[^"]*"|'[^']*')*>""")


def read_ssml(text: str, check_voice: CheckVoice) -> Iterator[Item]:
    """Yields what an SSML document asks for, in order and as it is found; `check_voice` knows the voices.

    A run's text is the source at its `span`; but where the source has an entity ("&amp;") or the run
    spans several (inside `phoneme`, `sub`, `say-as`), what they stand for.

    Raises:
        InvalidInput: for broken XML, a DOCTYPE, and elements, attributes or values that are not known, with
            the line and column and what would be right.

    >>> run, pause, _ = read_ssml("<speak>Wait.<break time='2s'/>Go!</speak>", check_voice=print)
    >>> run.text, run.span, pause.seconds
    ('Wait.', (7, 12), 2.0)
    """
    from xml.parsers import expat

    reader = _Reader(text, check_voice)
    try:
        for begin in range(0, len(text), CHUNK_CHARACTERS):
            reader.feed(text[begin : begin + CHUNK_CHARACTERS])
            yield from reader.take()
        reader.close()
    except expat.ExpatError as error:
        hint = ""
        if error.code == expat.errors.codes[expat.errors.XML_ERROR_UNDEFINED_ENTITY]:
            hint = "; only &amp; &lt; &gt; &quot; &apos; and numbers such as &#160; are known"
        problem = expat.ErrorString(error.code)
        raise InvalidInput(f"Line {error.lineno}, column {error.offset + 1}: broken XML, {problem}{hint}.") from error
    yield from reader.take()


@dataclass
class _Element:
    """An element that is open: the style inside it, and what its words become where it holds words only."""

    name: str
    style: Style
    language: str
    say: Mapping[str, str] | None = None  # fields of the run that its words become
    words: list[str] = field(default_factory=list)
    span: Span | None = None  # of its words


class _Reader:
    """Turns the parser's events into items; places count characters of the source, the parser's count bytes."""

    def __init__(self, text: str, check_voice: CheckVoice) -> None:
        from xml.parsers import expat

        self._text = text
        self._check_voice = check_voice
        self._items: list[Item] = []
        self._pending: Span | None = None  # text as it stands, which the next characters may continue
        self._open: list[_Element] = []
        self._last: Boundary = "paragraph"  # the break that nothing was said after, else "word"
        self._is_verbatim = False
        self._byte, self._place = 0, 0  # of the event, in the source's bytes and characters
        self._parser: Any = expat.ParserCreate("utf-8")
        self._parser.StartElementHandler = self._located(self._start)
        self._parser.EndElementHandler = self._located(self._end)
        self._parser.CharacterDataHandler = self._located(self._add)
        self._parser.StartDoctypeDeclHandler = self._located(self._refuse_doctype)
        self._parser.StartCdataSectionHandler = lambda: setattr(self, "_is_verbatim", True)
        self._parser.EndCdataSectionHandler = lambda: setattr(self, "_is_verbatim", False)

    def feed(self, text: str) -> None:
        self._parser.Parse(text.encode("utf-8", "surrogatepass"), False)

    def close(self) -> None:
        self._parser.Parse(b"", True)

    def take(self) -> list[Item]:
        """Returns the items that are complete."""
        items, self._items = self._items, []
        return items

    def _located(self, handler: Callable[..., None]) -> Callable[..., None]:
        """Returns a handler that knows its place, and whose errors tell it."""

        def handle(*arguments: Any) -> None:
            passed = self._parser.CurrentByteIndex - self._byte
            ahead = self._text[self._place : self._place + passed].encode("utf-8", "surrogatepass")
            self._place += len(ahead[:passed].decode("utf-8", "surrogatepass"))
            self._byte += passed
            try:
                handler(*arguments)
            except InvalidInput as error:
                line, column = self._parser.CurrentLineNumber, self._parser.CurrentColumnNumber + 1
                raise type(error)(f"Line {line}, column {column}: {error}") from error

        return handle

    def _refuse_doctype(self, *_: object) -> None:
        raise InvalidInput("A DOCTYPE is not read here, since it could define entities; remove it.")

    def _add(self, data: str) -> None:
        """Takes characters: in the source they stand as they are, as an entity, or as another end of line."""
        begin, element = self._place, self._open[-1]
        is_literal = self._is_verbatim or self._text[begin] != "&"
        if not is_literal:
            end = self._text.index(";", begin) + 1
        else:
            end = begin + (2 if self._text.startswith("\r\n", begin) else len(data))
        if element.say is not None:
            element.words.append(data)
            element.span = (element.span[0] if element.span else begin, end)
        elif is_literal and self._pending and self._pending[1] == begin:
            self._pending = self._pending[0], end
        else:
            self._flush()
            if is_literal:
                self._pending = begin, end
            else:
                self._say(Run(data, (begin, end), element.style))

    def _flush(self) -> None:
        if self._pending:
            begin, end = self._pending
            self._pending = None
            self._say(Run(self._text[begin:end], (begin, end), self._open[-1].style))

    def _say(self, run: Run) -> None:
        self._items.append(run)
        if run.text.strip():
            self._last = "word"

    def _break(self, kind: Boundary, span: Span) -> None:
        """Ends what was said; a sentence that a paragraph ends with it ends once."""
        if self._last == "word" or (kind, self._last) == ("paragraph", "sentence"):
            self._items.append(Break(kind, span))
            self._last = kind

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        if self._open:
            self._flush()
        _check_element(name, attributes, self._open[-1].name if self._open else None)
        match = _TAG.match(self._text, self._place)
        assert match is not None, "the parser found a tag here"
        parent = self._open[-1] if self._open else _Element("", Style(), "")
        element = _Element(name, parent.style, attributes.get(LANGUAGE, parent.language))
        self._open.append(element)
        if name in BLOCKS:
            self._break(BLOCKS[name], match.span())
        elif name == "break":
            self._items.append(Pause(_break_seconds(attributes), match.span()))
        elif name == "prosody":
            element.style = _prosody(parent.style, attributes)
        elif name == "voice":
            self._check_voice(_needed("voice", attributes, "name"))
            element.style = replace(parent.style, voice=attributes["name"])
        elif name in HOLD_WORDS:
            element.say = _instead(name, attributes)
        self._items += (Notice(message, match.span()) for message in _cannot(name, attributes, parent.language))

    def _end(self, name: str) -> None:
        self._flush()
        element = self._open.pop()
        if element.say is not None:
            words = "".join(element.words)
            if not words.strip() or element.span is None:
                raise InvalidInput(f"<{name}> holds no words; write as in <{name} ...>word</{name}>.")
            if element.say.get("interpret_as"):  # what cannot be read so is told here, where the line is known
                say_as(words, element.say["interpret_as"], element.say.get("interpret_format", ""))
            self._say(Run(words, element.span, element.style, **element.say))
        elif name in BLOCKS:
            match = _TAG.match(self._text, self._place)
            self._break(BLOCKS[name], match.span() if match else (self._place, self._place))


def _check_element(name: str, attributes: Mapping[str, str], parent: str | None) -> None:
    """Refuses elements and attributes that are not known, or not there.

    Raises:
        InvalidInput: naming the element, and what would be right.
    """
    name = name[:SHOWN]
    if name not in ATTRIBUTES:
        known = ", ".join(ATTRIBUTES)
        raise InvalidInput(
            f"<{name}> is not an element that is read here.{did_you_mean(name, ATTRIBUTES)} Known: {known}."
        )
    if (name == "speak") != (parent is None):
        raise InvalidInput("SSML is one <speak> element with all others inside it.")
    if parent in (*HOLD_WORDS, "break", "mark"):
        raise InvalidInput(f"<{name}> cannot be inside <{parent}>.")
    for attribute in attributes:
        if attribute not in ATTRIBUTES[name] and not (name == "speak" and attribute.startswith("xmlns:")):
            known = ", ".join(ATTRIBUTES[name])
            raise InvalidInput(f"<{name}> has no attribute {attribute[:SHOWN]} here; known: {known}.")


def _needed(name: str, attributes: Mapping[str, str], attribute: str) -> str:
    if not attributes.get(attribute, "").strip():
        raise InvalidInput(f'<{name}> needs {attribute}="...".')
    return attributes[attribute].strip()


def _one_of(value: str, known: Iterable[str], what: str) -> str:
    if value not in known:
        raise InvalidInput(f"'{value[:SHOWN]}' is no {what}; known: {', '.join(known)}.")
    return value


def _break_seconds(attributes: Mapping[str, str]) -> float:
    """Returns the length of a break; a time counts more than a strength (SSML 1.1, section 3.2.3)."""
    strength = _one_of(attributes.get("strength", "medium"), BREAK_SECONDS, "strength of a break")
    return read_seconds(attributes["time"]) if "time" in attributes else BREAK_SECONDS[strength]


def _prosody(style: Style, attributes: Mapping[str, str]) -> Style:
    """Returns the style inside a `prosody` element: rates multiply, volumes add."""
    speed = style.speed * read_rate(attributes.get("rate", "default"))
    volume_db = style.volume_db + read_volume_db(attributes.get("volume", "default"))
    return check_style(replace(style, speed=speed, volume_db=volume_db))


def _instead(name: str, attributes: Mapping[str, str]) -> Mapping[str, str]:
    """Returns the fields of a run that a `phoneme`, `sub` or `say-as` element asks for."""
    if name == "sub":
        return {"alias": _needed(name, attributes, "alias")}
    if name == "say-as":
        kind = _needed(name, attributes, "interpret-as")
        return {"interpret_as": kind, "interpret_format": attributes.get("format", "").strip()}
    _one_of(attributes.get("alphabet", "ipa"), ALPHABETS, "alphabet")
    return {"phonemes": from_ipa(_needed(name, attributes, "ph"))}


def _cannot(name: str, attributes: Mapping[str, str], language: str) -> Iterator[str]:
    """Yields what an element asks for and these engines cannot do."""
    if name == "prosody":
        for attribute in CANNOT:
            if attribute in attributes:
                yield f"The {attribute} of <prosody> has no effect: these voices keep their own."
    if name == "emphasis" and _one_of(attributes.get("level", "moderate"), EMPHASIS_LEVELS, "level") != "none":
        yield "<emphasis> has no effect: these voices stress a sentence in their own way."
    other = attributes.get(LANGUAGE, language)
    if language and other.partition("-")[0].lower() != language.partition("-")[0].lower():
        yield f"{LANGUAGE} '{other[:SHOWN]}' has no effect: the voice's own language is spoken."
