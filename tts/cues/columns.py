"""Which column of a cue sheet is which: by the names that people give them, or as the user says."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from audio_ml.errors import InvalidInput, InvalidOption, did_you_mean
from audio_ml.streams import show
from tts.cues.table import Row, Table, read_table

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
    n_columns: int
    header: int  # the number of its row
    rivals: Mapping[str, tuple[str, ...]] = dataclasses.field(
        default_factory=dict
    )  # titles of others that a field may be

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
    best: dict[str, list[int]] = {}
    for place, row in enumerate(table.rows[:ROWS_ABOVE_HEADER]):
        found = _matched(row, wanted)
        if set(REQUIRED) | wanted.keys() <= found.keys():
            rows = table.rows[place + 1 :]
            return _chosen(row, {**found, "line": _words_first(found["line"], rows)}), rows
        best = max(best, found, key=len)
    raise _missing(path, table, wanted, best)


def is_header(row: Row, chosen: Sequence[str] = ()) -> bool:
    """Tells whether a row names every column that is needed."""
    wanted = dict(_choice(text) for text in chosen)
    return set(REQUIRED) | wanted.keys() <= _matched(row, wanted).keys()


def check_choices(chosen: Sequence[str]) -> None:
    """Raises `InvalidOption` for a choice that is none, whatever the sheet."""
    for text in chosen:
        _choice(text)


def _chosen(header: Row, found: Mapping[str, Sequence[int]]) -> Columns:
    titles = {field: [header.cells[place] for place in places] for field, places in found.items()}
    return Columns(
        places={field: places[0] for field, places in found.items()},
        titles={field: names[0] for field, names in titles.items()},
        n_columns=len(header.cells),
        header=header.number,
        rivals={field: tuple(names[1:]) for field, names in titles.items() if len(names) > 1},
    )


def _words_first(places: list[int], rows: Sequence[Row]) -> list[int]:
    """Returns the columns of the line, those behind that hold numbers only: "Line" may count the lines of a script."""

    def is_counted(place: int) -> bool:
        cells = [row.cells[place] for row in rows if place < len(row.cells) and row.cells[place]]
        return bool(cells) and all(re.fullmatch(r"[\d.]+", cell) for cell in cells)

    return sorted(places, key=is_counted)


def _choice(text: str) -> tuple[str, str]:
    field, mark, title = (part.strip() for part in text.partition("="))
    field = field.lower().replace(" ", "_")
    if not mark or not title or field not in ALIASES:
        hint = did_you_mean(field, ALIASES)
        raise InvalidOption(
            f"Option 'columns' cannot be '{text}'.{hint} Write FIELD=TITLE, FIELD being one of {', '.join(ALIASES)}."
        )
    return field, title


def _matched(row: Row, wanted: Mapping[str, str]) -> dict[str, list[int]]:
    """Returns the columns that may be each field where this row is the header, the likeliest first.

    What was chosen counts before all names.
    """
    titles = [_plain(cell) for cell in row.cells]
    found: dict[str, list[int]] = {}
    for field, title in wanted.items():
        if _plain(title) in titles:
            found[field] = [titles.index(_plain(title))]
    taken = [places[0] for places in found.values()]
    for field, aliases in ALIASES.items():
        places = [place for alias in aliases for place, title in enumerate(titles) if title == alias]
        free = [place for place in places if place not in taken]
        if field not in wanted and free:
            found[field] = free
    return found


def _plain(title: str) -> str:
    """Returns a title without capitals and marks: "TC_In:" is "tc in".

    >>> _plain("Cue No."), _plain("#")
    ('cue no', '#')
    """
    return " ".join(re.sub(r"[^\w#]|_", " ", title).lower().split())


def _missing(path: Path, table: Table, wanted: Mapping[str, str], best: Mapping[str, list[int]]) -> InvalidInput:
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


@dataclass(frozen=True)
class Suggestion:
    """The titles of a sheet's columns, which of them each field is likely to be, and what fields none was found for."""

    titles: tuple[str, ...]
    found: Mapping[str, str]
    missing: tuple[str, ...]


def suggest_columns(path: Path, chosen: Sequence[str] = ()) -> Suggestion:
    """Returns what a user may choose columns from, whether or not those that are needed were found.

    Raises:
        InvalidInput: when it is no table, or an empty one.
        InvalidOption: for a choice of an unknown field.
    """
    table = read_table(path, partial(is_header, chosen=chosen))
    wanted = dict(_choice(text) for text in chosen)
    if not table.rows:
        raise InvalidInput(f"{show(path)} has no rows.")
    matched = [(row, _matched(row, wanted)) for row in table.rows[:ROWS_ABOVE_HEADER]]
    complete = [(row, found) for row, found in matched if set(REQUIRED) | wanted.keys() <= found.keys()]
    header, found = complete[0] if complete else max(matched, key=lambda pair: len(pair[1]))
    titles = tuple(dict.fromkeys(cell for cell in header.cells if cell))
    if complete:
        _, rows = find_columns(path, table, chosen)
        found = {**found, "line": _words_first(found["line"], rows)}
    known = {field: header.cells[places[0]] for field, places in found.items()}
    return Suggestion(titles, known, tuple(field for field in REQUIRED if field not in known))
