"""From the items of a script to passages: sentences, or parts of them, that one voice says in one style."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from audio_ml.speech import Span, SpeechWarning
from tts.options import DateOrder
from tts.phonemes.alphabet import from_ipa
from tts.script.items import Boundary, Break, Item, Notice, Pause, Run, Style
from tts.text.say_as import say_as
from tts.text.sentences import sentences
from tts.text.spoken import Given, SpokenText, joined, plain, standing_for

PORTION = 600  # characters that are looked at together
SENTENCE_END = re.compile(r"[.!?…:;][\"'”’)\]]*\s*$")
CLAUSE_BREAK = re.compile(r"[,;:—]\s+(?=\S)")
WORD_BREAK = re.compile(r"(?<=[^\W\d_]{3})\s+(?=[^\W\d_]{3})")  # where no number or title is torn apart
SPACE = re.compile(r"\s+")
CLAUSE_END = re.compile(r"[,;:—–-]\s*$")
MARKS = re.compile(r"""[.,;:!?…)\]"'”’]+(?=\s|$)""")  # at the beginning of a text: of the words before it


@dataclass(frozen=True)
class Passage:
    """Text of one style, and what follows it: a kind of boundary, or a pause of so many seconds."""

    text: SpokenText
    style: Style
    after: Boundary | float


def read_passages(
    items: Iterable[Item], *, date_order: DateOrder = "mdy", british: bool = False
) -> Iterator[Passage | SpeechWarning]:
    """Yields the passages of a script, one paragraph at a time, with the notices of its markup between them."""
    paragraph = _Paragraph(date_order, british)
    for item in items:
        if isinstance(item, Notice):
            yield SpeechWarning(item.message, item.span)
        elif isinstance(item, Run):
            for run, after in _portions(item):
                paragraph.add(run)
                if after is not None:
                    yield from paragraph.end(after)
        elif isinstance(item, Pause):
            yield from paragraph.end(item.seconds)
        elif isinstance(item, Break):
            yield from paragraph.end(item.kind)
    yield from paragraph.end("paragraph")


def _portions(run: Run) -> Iterator[tuple[Run, Boundary | None]]:
    """Yields a run, a long one in portions, so that sound can begin; each with what ends there (the last: nothing)."""
    if run.phonemes or run.alias or run.interpret_as:
        yield run, None
        return
    begin = 0
    while len(run.text) - begin > PORTION:
        length, boundary = _place_to_cut(run.text[begin : begin + PORTION])
        yield _part(run, begin, begin + length), boundary
        begin += length
    yield _part(run, begin, len(run.text)), None


def _place_to_cut(text: str) -> tuple[int, Boundary]:
    """Returns how much of a text to take, and what ends there: a sentence, else a clause, else a word."""
    found = sentences(text)
    if len(found) > 1:
        return found[-1][0], "sentence"  # where the last one ends is not seen yet
    clauses = [match.end() for match in CLAUSE_BREAK.finditer(text)]
    if clauses and clauses[-1] > PORTION // 2:
        return clauses[-1], "clause"
    words = [match.end() for match in WORD_BREAK.finditer(text)] or [match.end() for match in SPACE.finditer(text)]
    return (words[-1] if words else len(text)), "word"


def _part(run: Run, begin: int, end: int) -> Run:
    if (begin, end) == (0, len(run.text)):
        return run
    first = run.span[0]
    return Run(run.text[begin:end], (first + begin, first + end), run.style)


class _Paragraph:
    """Gathers the runs of a paragraph, and gives them as passages when it ends."""

    def __init__(self, date_order: DateOrder, british: bool) -> None:
        self._date_order = date_order
        self._british = british
        self._texts: list[SpokenText] = []
        self._style = Style()
        self._done: list[tuple[SpokenText, Style]] = []

    def add(self, run: Run) -> None:
        if run.style != self._style:
            marks = MARKS.match(run.text) if self._texts and _is_verbatim(run) else None
            if marks:
                self._texts.append(self._spoken(_part(run, 0, marks.end())))
                run = _part(run, marks.end(), len(run.text))
            self._change_style(run.style)
        if run.text:
            self._texts.append(self._spoken(run))

    def end(self, after: Boundary | float) -> Iterator[Passage]:
        """Yields the passages gathered so far; the last one is followed by `after`."""
        self._change_style(self._style)
        done, self._done = self._done, []
        passages = [passage for text, style in done for passage in _sentences(text, style)]
        if passages:
            yield from passages[:-1]
            yield Passage(passages[-1].text, passages[-1].style, after)
        elif isinstance(after, float) or after == "paragraph":
            yield Passage(SpokenText("", ()), self._style, after)  # behind a pause, or before any word

    def _change_style(self, style: Style) -> None:
        if self._texts:
            self._done.append((joined(self._texts), self._style))
            self._texts = []
        self._style = style

    def _spoken(self, run: Run) -> SpokenText:
        if run.alias is not None:
            return standing_for(run.alias, run.span)
        if run.interpret_as is not None:
            said = say_as(
                run.text, run.interpret_as, run.interpret_format, date_order=self._date_order, british=self._british
            )
            return standing_for(said, run.span)
        text = _plain(run)
        if run.phonemes is not None:
            return SpokenText(text.text, text.spans, (Given(0, len(text.text), from_ipa(run.phonemes)),))
        return text


def _plain(run: Run) -> SpokenText:
    return plain(run.text, run.span[0]) if _is_verbatim(run) else standing_for(run.text, run.span)


def _is_verbatim(run: Run) -> bool:
    """Whether a run is heard as it stands in the script, character for character."""
    is_replaced = run.phonemes or run.alias or run.interpret_as
    return not is_replaced and len(run.text) == run.span[1] - run.span[0]


def _sentences(text: SpokenText, style: Style) -> Iterator[Passage]:
    ranges = _whole(sentences(text.text), text.given)
    for index, (begin, end) in enumerate(ranges):
        is_last = index == len(ranges) - 1
        yield Passage(text.slice(begin, end), style, _boundary(text.text[begin:]) if is_last else "sentence")


def _whole(ranges: Sequence[Span], given: Sequence[Given]) -> list[Span]:
    """Returns sentences of which none ends inside words whose sounds are given."""
    whole: list[Span] = []
    for begin, end in ranges:
        if whole and any(sounds.begin < begin < sounds.end for sounds in given):
            whole[-1] = (whole[-1][0], end)
        else:
            whole.append((begin, end))
    return whole


def _boundary(end_of_text: str) -> Boundary:
    """Returns what kind of place it is where the style changes."""
    if SENTENCE_END.search(end_of_text) or end_of_text.endswith("\n"):
        return "sentence"
    return "clause" if CLAUSE_END.search(end_of_text) else "word"
