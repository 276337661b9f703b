"""Writes REAPER projects: a track for each character, an item for each cue, its takes as the item's takes.

The format is text and not documented by its maker; the lines here are those REAPER 6 and 7 write.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from fractions import Fraction

from audio_ml.timecode import FrameRate
from tts.cues.options import SAMPLE_RATE
from tts.cues.session import Item, Session

SECONDS_DIGITS = 12  # behind the point: a sample of a day-long session is hit with room to spare
RULER_OF_FRAMES = 5
NAMESPACE = uuid.UUID("5e0e3ac1-7d3c-4d52-9f1d-6b1c5bd9f6a7")  # the same session has the same ids


def rpp_text(session: Session, guide: str | None = None) -> str:
    """Returns the project; `guide` is the file of the guide track, which lies muted on top.

    Paths are relative to the project, positions right to the sample of the project's rate, and the ruler shows the
    sheet's timecode.
    """
    return "\n".join(_project(session, guide)) + "\n"


def _project(session: Session, guide: str | None) -> Iterator[str]:
    start = _seconds(session.start)
    frames, dropping = _frame_rate(session.rate)
    yield '<REAPER_PROJECT 0.1 "7.0" 0'
    yield f"  PROJOFFS {start} 0 0"
    yield f"  TIMEMODE {RULER_OF_FRAMES} {RULER_OF_FRAMES} -1 {frames} {dropping} 0 -1"
    yield f"  SAMPLERATE {SAMPLE_RATE} 1 0"
    yield "  TEMPO 120 4 4"
    for number, item in enumerate(session.items, start=1):
        yield f"  MARKER {number} {_seconds(item.start - session.start)} {_quoted(item.label)} 0"
    if guide is not None:
        yield from _track("Guide", _guide_item(session, guide), is_muted=True)
    for character, items in session.by_character().items():
        yield from _track(character, (line for item in items for line in _item(session, item)))
    yield ">"


def _track(name: str, lines: Iterable[str], is_muted: bool = False) -> Iterator[str]:
    yield f"  <TRACK {_id('track', name)}"
    yield f"    NAME {_quoted(name)}"
    yield f"    MUTESOLO {int(is_muted)} 0 0"
    yield f"    TRACKID {_id('track', name)}"
    yield from lines
    yield "  >"


def _item(session: Session, item: Item) -> Iterator[str]:
    yield "    <ITEM"
    yield f"      POSITION {_seconds(item.start - session.start)}"
    yield f"      LENGTH {_seconds(item.longest_samples)}"
    yield "      LOOP 0"  # silence behind a shorter take
    yield f"      IGUID {_id('item', item.takes[0].file)}"
    for index, take in enumerate(item.takes):
        if index:
            yield "      TAKE"
        yield f"      NAME {_quoted(take.file)}"
        yield f"      GUID {_id('take', take.file)}"
        yield from _source(take.file)
    yield "    >"


def _guide_item(session: Session, guide: str) -> Iterator[str]:
    yield "    <ITEM"
    yield "      POSITION 0"
    yield f"      LENGTH {_seconds(session.n_samples)}"
    yield "      LOOP 0"
    yield f"      NAME {_quoted(guide)}"
    yield from _source(guide)
    yield "    >"


def _source(file: str) -> Iterator[str]:
    yield "      <SOURCE WAVE"
    yield f"        FILE {_quoted(file)}"
    yield "      >"


def _frame_rate(rate: FrameRate) -> tuple[int, int]:
    """Returns REAPER's frame base, and its flag: 1 for drop-frame, 2 for what is slower by 1000/1001 without it."""
    return rate.nominal, 1 if rate.is_drop_frame else 0 if rate.is_clock else 2


def _seconds(samples: int) -> str:
    """Returns a time with as many digits as bring back the sample.

    >>> _seconds(48001)
    '1.000020833333'
    """
    scaled = round(Fraction(samples, SAMPLE_RATE) * 10**SECONDS_DIGITS)
    whole, rest = divmod(scaled, 10**SECONDS_DIGITS)
    return f"{whole}.{rest:0{SECONDS_DIGITS}}".rstrip("0").rstrip(".")


def _id(kind: str, name: str) -> str:
    return f"{{{uuid.uuid5(NAMESPACE, f'{kind}/{name}')}}}".upper()


def _quoted(text: str) -> str:
    """Returns text in whichever quotation marks it does not have."""
    text = " ".join(text.split())
    for mark in "\"'`":
        if mark not in text:
            return f"{mark}{text}{mark}"
    return f"`{text.replace('`', chr(39))}`"
