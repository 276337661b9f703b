"""A cue sheet as a value: its cues, and every row that is not in order, explained by row and column."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

from audio_ml.errors import InvalidInput
from audio_ml.timecode import FrameRate
from tts.cues.columns import Columns, find_columns, is_header
from tts.cues.table import Row, read_table

VALUES = frozenset(
    ("#DIV/0!", "#N/A", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!", "#SPILL!", "#CALC!")
)  # of a spreadsheet's formulas
LONGEST_LINE = 2000  # characters: two minutes of speech, no cue is as long
NO_CHARACTER = "VO"
_HUNDREDTHS = re.compile(r"\d{1,2}:\d{1,2}:\d{1,2}[.,]\d\d")

Identity = tuple[str, str, str, str]  # reel, scene, number and character, whatever their capitals


@dataclass(frozen=True)
class Cue:
    """A line of a cue sheet: who says what from when to when, in seconds since midnight.

    `end` is None where the sheet tells neither an end nor a duration; `row` is the sheet's own number of the row.
    """

    row: int
    number: str
    character: str
    line: str
    start: Fraction
    end: Fraction | None = None
    scene: str = ""
    reel: str = ""
    notes: str = ""

    @property
    def identity(self) -> Identity:
        """What makes it the same cue in another version of the sheet."""
        return identity_of(self.reel, self.scene, self.number, self.character)

    @property
    def slot(self) -> Fraction | None:
        """The seconds there are for the line."""
        return None if self.end is None else self.end - self.start

    @property
    def name(self) -> str:
        """What people call it: scene and number."""
        return " ".join(part for part in (self.scene, self.number) if part)


@dataclass(frozen=True)
class Problem:
    """What is wrong with a row, and in which column of the sheet."""

    row: int
    column: str
    message: str

    def __str__(self) -> str:
        return f"Row {self.row}, {self.column}: {self.message}"


@dataclass(frozen=True)
class Sheet:
    """The cues of a sheet in order of rows, the rows that cannot be done, and what is merely odd.

    `unread` are the identities of the rows that are no cues, as far as they tell them.
    """

    path: Path
    rate: FrameRate
    cues: tuple[Cue, ...]
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()
    titles: tuple[tuple[str, str], ...] = ()
    unread: frozenset[Identity] = frozenset()

    @property
    def n_rows(self) -> int:
        return len({cue.row for cue in self.cues} | {problem.row for problem in self.problems})

    @property
    def identities(self) -> frozenset[Identity]:
        """The identities of all its rows."""
        return self.unread.union(cue.identity for cue in self.cues)

    def title(self, field: str) -> str:
        """Returns the sheet's own name of the column of a field."""
        return dict(self.titles).get(field, field)


def read_sheet(path: str | os.PathLike[str], rate: FrameRate, columns: Sequence[str] = ()) -> Sheet:
    """Reads a CSV, TSV or XLSX cue sheet and checks every row.

    Raises:
        InvalidInput: when it is no such file, or a required column is missing.
        InvalidOption: for `columns` that do not fit.

    >>> sheet = read_sheet("adr.csv", FRAME_RATES["24"])                                  # doctest: +SKIP
    >>> sheet.cues[0].character                                                           # doctest: +SKIP
    'HERO'
    """
    table = read_table(Path(path), partial(is_header, chosen=columns))
    found, rows = find_columns(Path(path), table, columns)
    reader = _RowReader(found, rate)
    cues = [cue for row in rows if (cue := reader.read(row)) is not None]
    cues, doubled = _without_doubles(cues, found)
    problems = sorted((*reader.problems, *doubled), key=lambda problem: problem.row)
    warnings = sorted(
        (*_rivals(found), *reader.warnings, *_shared(cues, found), *_overlaps(cues, found)),
        key=lambda problem: problem.row,
    )
    if not cues and not problems:
        raise InvalidInput(f"{path} has a header and no cues.")
    titles = tuple(found.titles.items())
    unread = frozenset(reader.unread)
    return Sheet(Path(path), rate, tuple(cues), tuple(problems), tuple(warnings), table.warnings, titles, unread)


def identity_of(reel: str, scene: str, number: str, character: str) -> Identity:
    """Returns what a cue is known by in every version of a sheet."""
    return reel.casefold(), scene.casefold(), number.casefold(), character.casefold()


class _RowReader:
    """Makes cues of rows, and notes what is wrong with them: every column of a row, not the first alone."""

    def __init__(self, columns: Columns, rate: FrameRate) -> None:
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.unread: list[Identity] = []
        self._columns, self._rate = columns, rate

    def read(self, row: Row) -> Cue | None:
        """Returns the cue of a row, None when it cannot be done."""
        cells = {field: self._columns.cell(row, field) for field in self._columns.places}
        n_problems = len(self.problems)
        line = " ".join(cells["line"].split())
        if not cells["cue"]:
            self._refuse(row, "cue", "The cue has no number.")
        if any(row.cells[self._columns.n_columns :]):
            said = f"{self._columns.n_columns} columns, but {len(row.cells)} cells: put the line in quotation marks."
            self._refuse(row, "line", said)
        if line in VALUES:
            self._refuse(row, "line", f"'{line}' is a value of a formula and no line.")
        if not line:
            self._refuse(row, "line", "There is no line to say.")
        if len(line) > LONGEST_LINE:
            self._refuse(row, "line", f"A line of {len(line)} characters is too long: {LONGEST_LINE} at most.")
        character = " ".join(cells.get("character", "").split()) or NO_CHARACTER
        start, end = self._times(row, cells.get("tc_in", ""), cells.get("tc_out", ""), cells.get("duration", ""))
        if len(self.problems) > n_problems or start is None:
            self.unread.append(identity_of(cells.get("reel", ""), cells.get("scene", ""), cells["cue"], character))
            return None
        return Cue(
            row=row.number,
            number=cells["cue"],
            character=character,
            line=line,
            start=start,
            end=end,
            scene=cells.get("scene", ""),
            reel=cells.get("reel", ""),
            notes=cells.get("notes", ""),
        )

    def _times(self, row: Row, tc_in: str, tc_out: str, duration: str) -> tuple[Fraction | None, Fraction | None]:
        if not tc_in:
            self._refuse(row, "tc_in", "The cue has no time to begin at.")
        start = self._time(row, "tc_in", tc_in)
        end = self._time(row, "tc_out", tc_out)
        length = self._time(row, "duration", duration)
        if start is None:
            return None, None
        if end is not None and end <= start:
            self._refuse(row, "tc_out", f"{tc_out} is not after {tc_in}; a cue cannot pass midnight.")
        if end is None and length is not None and length <= 0:
            self._refuse(row, "duration", "The cue has no duration.")
        if end is not None and length is not None and abs(start + length - end) * self._rate.fps > 1:
            said = f"{duration} is not the time from {tc_in} to {tc_out}, which counts."
            self.warnings.append(Problem(row.number, self._columns.title("duration"), said))
        return start, end if end is not None or length is None else start + length

    def _time(self, row: Row, field: str, text: str) -> Fraction | None:
        if _HUNDREDTHS.fullmatch(text):
            said = f"{text} counts hundredths of a second; frames are written {text[:-3]}:{text[-2:]}."
            self.warnings.append(Problem(row.number, self._columns.title(field), said))
        try:
            return self._rate.seconds(text) if text else None
        except InvalidInput as error:
            self._refuse(row, field, str(error))
            return None

    def _refuse(self, row: Row, field: str, message: str) -> None:
        self.problems.append(Problem(row.number, self._columns.title(field), message))


def _rivals(columns: Columns) -> Iterator[Problem]:
    """Yields a warning for each field that several columns may be."""
    for field, others in columns.rivals.items():
        title = columns.title(field)
        said = f"'{title}' is taken for the {field}, and not '{others[0]}': --columns says otherwise."
        yield Problem(columns.header, title, said)


def _without_doubles(cues: Iterable[Cue], columns: Columns) -> tuple[list[Cue], list[Problem]]:
    """Returns the cues without those whose number a character's earlier cue of the same scene has."""
    first: dict[Identity, int] = {}
    kept, problems = [], []
    for cue in cues:
        if cue.identity in first:
            said = f"Cue {cue.name} of {cue.character} is in row {first[cue.identity]} already."
            problems.append(Problem(cue.row, columns.title("cue"), said))
        else:
            first[cue.identity] = cue.row
            kept.append(cue)
    return kept, problems


def _shared(cues: Iterable[Cue], columns: Columns) -> Iterator[Problem]:
    """Yields a warning for each cue whose number an earlier cue of the same scene has, of another character."""
    first: dict[Identity, Cue] = {}
    for cue in cues:
        number = identity_of(cue.reel, cue.scene, cue.number, "")
        other = first.setdefault(number, cue)
        if other is not cue:
            said = f"Cue {cue.name} is that of {other.character} in row {other.row} too."
            yield Problem(cue.row, columns.title("cue"), said)


def _overlaps(cues: Iterable[Cue], columns: Columns) -> Iterator[Problem]:
    """Yields a warning for each cue that begins while its character still speaks."""
    latest: dict[str, Cue] = {}
    for cue in sorted(cues, key=lambda cue: cue.start):
        before = latest.get(cue.character.casefold())
        if before is not None and before.end is not None and cue.start < before.end:
            said = f"{cue.character} is still speaking cue {before.name} of row {before.row}."
            yield Problem(cue.row, columns.title("tc_in"), said)
        if before is None or (cue.end or cue.start) >= (before.end or before.start):
            latest[cue.character.casefold()] = cue
