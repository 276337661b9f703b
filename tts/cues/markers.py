"""Writes the cues as markers: a table for any program, and Audacity's labels."""

from __future__ import annotations

from typing import Any

from audio_ml.timecode import to_seconds
from tts.cues.options import SAMPLE_RATE
from tts.cues.session import Item, Session
from tts.cues.table import as_csv

COLUMNS = ("number", "name", "character", "tc_in", "tc_out", "seconds", "sample", "line", "notes")


def markers_csv(session: Session) -> str:
    """Returns a row for each cue; seconds and sample count from midnight, and `tc_out` is the slot's end."""
    return as_csv(COLUMNS, (_row(session, number, item) for number, item in enumerate(session.items, start=1)))


def audacity_labels(session: Session) -> str:
    """Returns a label track that fits the guide track: seconds from its start, a tab between begin, end and text."""
    return "".join(f"{_label(session, item)}\n" for item in session.items)


def _row(session: Session, number: int, item: Item) -> tuple[Any, ...]:
    cue, rate = item.cue, session.rate
    tc_out = "" if cue.end is None else rate.label_at(cue.end)
    place = (rate.label_at(cue.start), tc_out, _seconds(item.start), item.start)
    return number, item.label, cue.character, *place, cue.line, cue.notes


def _label(session: Session, item: Item) -> str:
    begin, end = item.start - session.start, item.end - session.start
    return f"{_seconds(begin)}\t{_seconds(end)}\t{item.label}: {item.cue.line}"


def _seconds(samples: int) -> str:
    return f"{float(to_seconds(samples, SAMPLE_RATE)):.9f}"
