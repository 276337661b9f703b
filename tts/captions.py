"""The words of speech with their times: SubRip and WebVTT captions, labels for Audacity, JSON.

Captions keep to broadcast practice (Netflix, "Timed Text Style Guide: General Requirements" and "English"): two
lines of 42 characters at most, shown for 5/6 s to 7 s, long enough to be read at 20 characters a second where the
next caption leaves the time, broken at the ends of sentences and clauses, and at pauses.
"""

from __future__ import annotations

import json
import math
import os
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from audio_ml.errors import InvalidOption
from audio_ml.journal import replace_text
from audio_ml.speech import SpeechWarning, Word
from audio_ml.streams import show

if TYPE_CHECKING:
    from tts.delivery import SpeechReport

LINE_CHARACTERS = 42
SHORTEST_SECONDS = 5 / 6
LONGEST_SECONDS = 7.0
READ_PER_SECOND = 20  # characters
PAUSE_SECONDS = 0.4  # as good a place to break as a clause's end
SILENCE_SECONDS = 2.0  # as good a place to break as a sentence's end

# What a caption costs; the cheapest row of captions is taken.
EVERY_CAPTION = 1.0
TOO_SHORT = 5.0
SENTENCE_INSIDE = 3.0
PAUSE_INSIDE = 2.0
ENDS_AT_CLAUSE = 1.0
ENDS_ANYWHERE = 3.0


@dataclass(frozen=True)
class Cue:
    """A caption: one or two lines of words, shown from `start_ms` to `end_ms`."""

    start_ms: int
    end_ms: int
    lines: tuple[tuple[Word, ...], ...]


def cues(words: Iterable[Word]) -> list[Cue]:
    """Returns captions of all the words, in order and without overlap.

    >>> [cue] = cues([Word("Hello", 0.1, 0.5, "həlˈO", (0, 5)), Word("there.", 0.5, 0.9, "ðɛɹ.", (6, 12))])
    >>> cue.start_ms, cue.end_ms, [word.text for word in cue.lines[0]]
    (100, 933, ['Hello', 'there.'])
    """
    parts = [part for word in words for part in _short_enough(word)]
    found: list[Cue] = []
    end_ms = 0
    groups = _grouped(parts)
    limits = [*(group[0].start_seconds for group in groups[1:]), math.inf]
    for group, limit in zip(groups, limits, strict=False):
        start_ms = max(round(group[0].start_seconds * 1000), end_ms)
        readable = max(SHORTEST_SECONDS, sum(len(word.text) + 1 for word in group) / READ_PER_SECOND)
        seconds = max(group[-1].end_seconds - group[0].start_seconds, readable)
        end = min(group[0].start_seconds + min(seconds, LONGEST_SECONDS), limit)
        end_ms = max(round(end * 1000), start_ms + 1)
        found.append(Cue(start_ms, end_ms, _lines(group)))
    return found


def as_srt(words: Iterable[Word]) -> str:
    """Returns SubRip captions."""
    return "".join(
        f"{number}\n{_clock(cue.start_ms, ',')} --> {_clock(cue.end_ms, ',')}\n{_text(cue)}\n\n"
        for number, cue in enumerate(cues(words), start=1)
    )


def as_vtt(words: Iterable[Word]) -> str:
    """Returns WebVTT captions (W3C WebVTT) with the time of each word inside, and who speaks where voices change."""
    words = list(words)
    names_voices = len({word.voice for word in words}) > 1
    blocks = ["WEBVTT\n"]
    for cue in cues(words):
        voice = f"<v {_escaped(cue.lines[0][0].voice)}>" if names_voices else ""
        times = f"{_clock(cue.start_ms, '.')} --> {_clock(cue.end_ms, '.')}"
        blocks.append(f"{times}\n{voice}{_timed_text(cue)}\n")
    return "\n".join(blocks)


def as_audacity(words: Iterable[Word]) -> str:
    """Returns a label track for Audacity: start, end (seconds) and text of each word, with tabs between."""
    return "".join(
        f"{word.start_seconds:.6f}\t{word.end_seconds:.6f}\t{' '.join(word.text.split())}\n" for word in words
    )


def as_json(words: Iterable[Word], warnings: Iterable[SpeechWarning] = ()) -> str:
    """Returns all that is known of the words, and what could not be spoken as it was written."""
    record = {"words": [asdict(word) for word in words], "warnings": [asdict(warning) for warning in warnings]}
    return json.dumps(record, ensure_ascii=False, indent=1) + "\n"


FORMS = {".srt": as_srt, ".vtt": as_vtt, ".txt": as_audacity}


def write_captions(words: Iterable[Word], path: Path, warnings: Iterable[SpeechWarning] = ()) -> None:
    """Writes .srt, .vtt, .json or .txt (labels for Audacity), as the name ends; an older file is replaced.

    Raises:
        InvalidOption: for another ending.
        OutputError: when the file cannot be written.
    """
    kind = path.suffix.lower()
    if kind not in (*FORMS, ".json"):
        raise InvalidOption(f"Captions are .srt, .vtt, .json or .txt, not '{path.suffix}' ({show(path)}).")
    text = as_json(words, warnings) if kind == ".json" else FORMS[kind](words)
    replace_text(path, text, encoding="utf-8")


def write_beside(report: SpeechReport, kinds: Iterable[str]) -> list[str]:
    """Writes the captions of every file of a report beside it, one for each kind ("srt"), and returns their paths."""
    paths = [(made, Path(made.path).with_suffix(f".{kind}")) for made in report.files for kind in kinds]
    for made, path in paths:
        write_captions(made.words, path, report.warnings)
    return [os.fspath(path) for _, path in paths]


def _short_enough(word: Word) -> Iterator[Word]:
    """Yields a word, in parts where it alone is wider than a line or longer than a caption may be shown."""
    text = " ".join(word.text.split())
    seconds = word.end_seconds - word.start_seconds
    n_parts = min(len(text), max(1, math.ceil(len(text) / LINE_CHARACTERS), math.ceil(seconds / LONGEST_SECONDS)))
    places = [round(len(text) * part / n_parts) for part in range(n_parts + 1)] if n_parts else []
    times = [word.start_seconds + seconds * place / len(text) for place in places]
    for part in range(n_parts):
        yield replace(
            word, text=text[slice(*places[part : part + 2])], start_seconds=times[part], end_seconds=times[part + 1]
        )


def _grouped(words: Sequence[Word]) -> list[Sequence[Word]]:
    """Returns the words of each caption: of all rows of captions that fit, the one that costs least."""
    offsets = [0]
    for word in words:
        offsets.append(offsets[-1] + len(word.text) + 1)
    costs, begins = [0.0], [0]  # of the best captions up to each word, and where the last of them begins
    for end in range(1, len(words) + 1):
        best, best_begin = math.inf, end - 1
        inside = 0.0
        for begin in range(end - 1, -1, -1):
            if begin < end - 1:
                inside += _cost_inside(words[begin], words[begin + 1])
            if inside == math.inf or not _fits(words, offsets, begin, end):
                break
            cost = costs[begin] + inside + _cost(words, begin, end)
            if cost < best:
                best, best_begin = cost, begin
        costs.append(best)
        begins.append(best_begin)
    groups, end = [], len(words)
    while end:
        groups.append(words[begins[end] : end])
        end = begins[end]
    return groups[::-1]


def _fits(words: Sequence[Word], offsets: Sequence[int], begin: int, end: int) -> bool:
    """Tells whether words fit into one caption; a single one always does."""
    if end - begin > 1 and words[end - 1].end_seconds - words[begin].start_seconds > LONGEST_SECONDS:
        return False
    second_line = bisect_right(offsets, offsets[begin] + LINE_CHARACTERS + 1) - 1
    return offsets[end] - offsets[min(second_line, end)] <= LINE_CHARACTERS + 1


def _cost_inside(before: Word, after: Word) -> float:
    """Returns what it costs that a caption goes on from one word to the next."""
    if before.voice != after.voice:
        return math.inf
    has_pause = after.start_seconds - before.end_seconds >= PAUSE_SECONDS
    return SENTENCE_INSIDE * _ends_with(before, ".!?…") + PAUSE_INSIDE * has_pause


def _cost(words: Sequence[Word], begin: int, end: int) -> float:
    """Returns what a caption costs by itself: for how short it is, and where it ends."""
    last = words[end - 1]
    following = words[end].start_seconds if end < len(words) else math.inf
    is_short = following - words[begin].start_seconds < SHORTEST_SECONDS
    cost = EVERY_CAPTION + TOO_SHORT * is_short
    if _ends_with(last, ".!?…") or following - last.end_seconds >= SILENCE_SECONDS:
        return cost
    if _ends_with(last, ",;:—–") or following - last.end_seconds >= PAUSE_SECONDS:
        return cost + ENDS_AT_CLAUSE
    return cost + ENDS_ANYWHERE


def _ends_with(word: Word, marks: str) -> bool:
    return word.text.rstrip("\"'”’»)]")[-1:] in tuple(marks)


def _lines(words: Sequence[Word]) -> tuple[tuple[Word, ...], ...]:
    """Returns one line, or the two that are most alike, rather behind a mark than inside a clause."""
    lengths = [len(word.text) + 1 for word in words]
    total = sum(lengths) - 1
    if total <= LINE_CHARACTERS:
        return (tuple(words),)
    choices, first = [], -1
    for count in range(1, len(words)):
        first += lengths[count - 1]
        second = total - first - 1
        if max(first, second) <= LINE_CHARACTERS:
            choices.append((abs(first - second) - 10 * _ends_with(words[count - 1], ",;:—–.!?…"), count))
    _, count = min(choices)
    return tuple(words[:count]), tuple(words[count:])


def _text(cue: Cue) -> str:
    return "\n".join(" ".join(word.text for word in line) for line in cue.lines)


def _timed_text(cue: Cue) -> str:
    """Returns the lines with a time before every word but the first; times lie inside the cue and increase."""
    last_ms, lines = cue.start_ms, []
    for line in cue.lines:
        shown = []
        for word in line:
            at_ms = round(word.start_seconds * 1000)
            is_inside = last_ms < at_ms < cue.end_ms
            last_ms = at_ms if is_inside else last_ms
            shown.append((f"<{_clock(at_ms, '.')}>" if is_inside else "") + _escaped(word.text))
        lines.append(" ".join(shown))
    return "\n".join(lines)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _clock(milliseconds: int, mark: str) -> str:
    seconds, milliseconds = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{mark}{milliseconds:03}"
