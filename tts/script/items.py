"""A script as its author marks it up, read into runs of text, pauses and breaks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from audio_ml.speech import Span

Boundary = Literal["word", "clause", "sentence", "paragraph"]


@dataclass(frozen=True)
class Style:
    """How a run is spoken: whose voice (None: the one asked for), how fast and how loud beside the options."""

    voice: str | None = None
    speed: float = 1.0
    volume_db: float = 0.0


@dataclass(frozen=True)
class Run:
    """Text of one style. `span` is its place in the script; where markup gives them, `phonemes` (misaki's alphabet)
    or the words of `alias` are said instead, or it is read as `interpret_as` says ("characters", "date" ...)."""

    text: str
    span: Span
    style: Style = Style()
    phonemes: str | None = None
    alias: str | None = None
    interpret_as: str | None = None
    interpret_format: str = ""  # of a date: "mdy", "dmy", "ymd" ...; of a time: "hms12", "hms24"


@dataclass(frozen=True)
class Pause:
    """So many seconds of silence, whatever pause would be there anyway."""

    seconds: float
    span: Span


@dataclass(frozen=True)
class Break:
    """The end of a sentence or paragraph that the markup tells."""

    kind: Boundary
    span: Span


@dataclass(frozen=True)
class Notice:
    """Something the markup asks for that these engines cannot do; it becomes a warning of the speech."""

    message: str
    span: Span


Item = Run | Pause | Break | Notice
