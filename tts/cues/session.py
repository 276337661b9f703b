"""A session as a value: the cues of each character as items in time, for the writers of every program's format."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from audio_ml.timecode import FrameRate
from tts.cues.naming import cue_name
from tts.cues.report import TakeFile
from tts.cues.sheet import Cue


@dataclass(frozen=True)
class Item:
    """A cue and the files of its takes, the first of which is heard."""

    cue: Cue
    takes: tuple[TakeFile, ...]

    @property
    def start(self) -> int:
        """Its first sample since midnight."""
        return self.takes[0].start

    @property
    def n_samples(self) -> int:
        return self.takes[0].n_samples

    @property
    def longest_samples(self) -> int:
        """The length that holds whichever take is chosen."""
        return max(take.n_samples for take in self.takes)

    @property
    def end(self) -> int:
        return self.start + self.n_samples

    @property
    def label(self) -> str:
        return cue_name(self.cue)


@dataclass(frozen=True)
class Session:
    """All items in order of time. `start` is the sample since midnight at which tracks begin."""

    name: str
    rate: FrameRate
    start: int
    items: tuple[Item, ...]

    @property
    def n_samples(self) -> int:
        return max(item.end for item in self.items) - self.start

    def by_character(self) -> dict[str, list[Item]]:
        """Returns the items of each character as first spelt, in the order in which the characters are first heard."""
        tracks: dict[str, list[Item]] = {}
        for item in self.items:
            tracks.setdefault(item.cue.character.casefold(), []).append(item)
        return {items[0].cue.character: items for items in tracks.values()}


def arrange(name: str, rate: FrameRate, start: int | None, items: Iterable[Item]) -> Session:
    """Returns the session of some items, which begins with the first one unless a start is given."""
    in_order = tuple(sorted(items, key=lambda item: (item.start, item.cue.row)))
    return Session(name, rate, in_order[0].start if start is None else start, in_order)


def lanes(items: Sequence[Item]) -> list[list[Item]]:
    """Returns items in order of time, shared among as many lanes as are needed for none to overlap another."""
    rows: list[list[Item]] = []
    for item in items:
        lane = next((row for row in rows if row[-1].end <= item.start), None)
        if lane is None:
            rows.append([item])
        else:
            lane.append(item)
    return rows
