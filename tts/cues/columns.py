"""Which column of a cue sheet is which: by the names that people give them, or as the user says."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from audio_ml.errors import InvalidInput, InvalidOption, did_you_mean
from audio_ml.streams import show
from tts.cues.table import Row, Table

ROWS_ABOVE_HEADER = 20  # titles, dates and the like
ALIASES: Mapping[str, tuple[str, ...]] = {
    "cue": ("cue", "cue number", "cue no", "cue num", "cue id", "cue name", "#", "no", "number", "id", "q"),
    "character": ("character", "char", "role", "speaker", "character name", "part"),
    "tc_in": ("tc in", "timecode in", "in", "start", "start tc", "start time", "start timecode", "in tc", "tc start",
              "time in", "in time", "in point", "timecode", "tc"),
    "tc_out": ("tc out", "timecode out", "out", "end", "end tc", "end time", "end timecode", "out tc", "tc end",
               "time out", "out time", "out point"),
    "duration": ("duration", "dur", "length"),
    "line": ("line", "text", "dialogue", "dialog", "line text", "spoken text", "script"),
    "notes": ("notes", "note", "comment", "comments", "remarks", "reason", "direction"),
    "scene": ("scene", "sc", "scene number", "scene no"),
    "reel": ("reel", "reel number", "reel no"),
}  # fmt: skip
REQUIRED = ("cue", "tc_in", "line")


@dataclass(frozen=True)
class Columns:
    """Where each field stands in a row, and what its column is called in the sheet."""

    places: Mapping[str, int]
    titles: Mapping[str, str]

    def cell(self, row: Row, field: str) -> str:
        """Returns a row's text of a field, "" where the sheet has no such column."""
        place = self.places.get(field)
        return row.cells[place] if place is not None and place < len(row.cells) else ""

    def title(self, field: str) -> str:
        return self.titles.get(field, field)


def find_columns(path: Path, table: Table, chosen: Sequence[str] = ()) -> tuple[Columns, Sequence[Row]]:
    """Returns the columns by their header, and the rows below it. `chosen` names some as "line=Dialogue".

    Raises:
        InvalidOption: for a choice of an unknown field or column.
        InvalidInput: when a required column is not found; it lists what was found and how to map it.
    """
    wanted = dict(_choice(text) for text in chosen)
    best: dict[str, int] = {}
    for place, row in enumerate(table.rows[:ROWS_ABOVE_HEADER]):
        found = _matched(row, wanted)
        if set(REQUIRED) | wanted.keys() <= found.keys():
            titles = {field: row.cells[column] for field, column in found.items()}
            return Columns(found, titles), table.rows[place + 1 :]
        best = max(best, found, key=len)
    raise _missing(path, table, wanted, best)


def _choice(text: str) -> tuple[str, str]:
    field, mark, title = (part.strip() for part in text.partition("="))
    field = field.lower().replace(" ", "_")
    if not mark or not title or field not in ALIASES:
        hint = did_you_mean(field, ALIASES)
        raise InvalidOption(
            f"Option 'columns' cannot be '{text}'.{hint} Write FIELD=TITLE, FIELD being one of {', '.join(ALIASES)}."
        )
    return field, title


def _matched(row: Row, wanted: Mapping[str, str]) -> dict[str, int]:
    """Returns the column of each field that this row, taken as the header, names; what was chosen counts first."""
    titles = [_plain(cell) for cell in row.cells]
    found: dict[str, int] = {}
    for field, title in wanted.items():
        if _plain(title) in titles:
            found[field] = titles.index(_plain(title))
    for field, aliases in ALIASES.items():
        places = [titles.index(alias) for alias in aliases if alias in titles]
        free = [place for place in places if place not in found.values()]
        if field not in wanted and free:
            found[field] = free[0]
    return found


def _plain(title: str) -> str:
    """Returns a title without capitals and marks: "TC_In:" is "tc in".

    >>> _plain("Cue No."), _plain("#")
    ('cue no', '#')
    """
    return " ".join(re.sub(r"[^\w#]|_", " ", title).lower().split())


def _missing(path: Path, table: Table, wanted: Mapping[str, str], best: Mapping[str, int]) -> InvalidInput:
    if not table.rows:
        return InvalidInput(f"{show(path)} has no rows.")
    header = max(table.rows[:ROWS_ABOVE_HEADER], key=lambda row: len(_matched(row, wanted)))
    titles = ", ".join(f"'{cell}'" for cell in header.cells if cell)
    missing = [field for field in dict.fromkeys((*REQUIRED, *wanted)) if field not in best]
    unknown = [title for field, title in wanted.items() if field not in best]
    if unknown:
        hint = did_you_mean(unknown[0], header.cells)
        return InvalidInput(f"{show(path)} has no column '{unknown[0]}'.{hint} Its columns are {titles}.")
    example = ",".join(f"{field}=TITLE" for field in missing)
    return InvalidInput(
        f"{show(path)} lacks {' and '.join(missing)}: its columns are {titles}. Say which they are: --columns "
        f'"{example}".'
    )
