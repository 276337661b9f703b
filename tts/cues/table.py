"""Tables as people keep them: CSV in whatever encoding and with whatever separator, TSV, or an Excel workbook."""

from __future__ import annotations

import codecs
import csv
import datetime
import io
import itertools
import re
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audio_ml.errors import InvalidInput
from audio_ml.streams import show

LARGEST_BYTES = 50_000_000
LARGEST_UNPACKED_BYTES = 500_000_000
SEPARATORS = ",;\t|"
YEAR_ZERO = 1904  # of the two that Excel has, the later: a time without a date lies in it
HEADER_LINES = 20  # among which the header is looked for
FORMULA_MARKS = ("=", "+", "-", "@")
_FIGURES = re.compile(r"[\d:;.,]*\d[\d:;.,]*")
WORKBOOKS = (".xlsx", ".xlsm")
OTHER_FORMATS = (".xls", ".ods", ".numbers", ".pdf", ".docx")
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# What openpyxl and the parsers below it raise for files that are damaged or hostile; ParseError is a SyntaxError.
_DAMAGES: tuple[type[Exception], ...] = (
    *(zipfile.BadZipFile, zlib.error, SyntaxError, LookupError, ValueError, AttributeError, TypeError, OSError),
    *(OverflowError, NotImplementedError, RuntimeError, EOFError),  # encrypted parts, odd compressions
)


@dataclass(frozen=True)
class Row:
    """The cells of a row as text, and the `number` that a spreadsheet shows beside it."""

    number: int
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """The rows of a file that have something in them, and what was odd about reading it."""

    rows: tuple[Row, ...]
    warnings: tuple[str, ...] = ()


def read_table(path: Path, is_header: Callable[[Row], bool] = lambda row: True) -> Table:
    """Reads a CSV, TSV or XLSX file; of a workbook the sheet that is on top, and the values of its formulas.

    The separator of CSV is that at which a row `is_header`, or else what parts most. Cells may be in quotation marks,
    but for a TSV file where that does not come out: there they are marks of the text.

    Raises:
        InvalidInput: when it cannot be read, is another kind of file, or has a quotation mark that is never closed.
    """
    ending = path.suffix.lower()
    if ending in OTHER_FORMATS:
        raise InvalidInput(f"{show(path)} cannot be read: save the sheet as .xlsx or .csv.")
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise InvalidInput(f"{show(path)} is larger than {LARGEST_BYTES // 10**6} MB: it is no cue sheet.")
        content = path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{show(path)} cannot be read: {error.strerror}.") from error
    if ending in WORKBOOKS:
        return Table(_numbered(_of_one_width(list(_workbook_rows(path, content)))))
    text, remarks = _decoded(path, content)
    try:
        separator = "\t" if ending == ".tsv" else _separator(text, is_header)
        rows, unclosed = _rows(text, separator)
        if unclosed is not None and separator == "\t":
            rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, quoting=csv.QUOTE_NONE))
        elif unclosed is not None:
            raise InvalidInput(f"{show(path)}, row {unclosed}: a quotation mark opens a cell and does not close it.")
        return Table(_numbered(rows), remarks)
    except csv.Error as error:
        raise InvalidInput(f"{show(path)} is not a table of text: {error}.") from error


def as_csv(header: Sequence[str], rows: Iterable[Iterable[Any]]) -> str:
    """Returns a table as Excel opens it, every text as one that was typed.

    >>> as_csv(("cue", "line"), [(1, "=1+1")])
    "cue,line\\r\\n1,'=1+1\\r\\n"
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\r\n")
    table.writerow(header)
    table.writerows([_typed(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    return text.getvalue()


def _typed(text: str) -> str:
    """Returns text for a cell that Excel takes for a formula otherwise."""
    return f"'{text}" if text.startswith(FORMULA_MARKS) else text


def _numbered(rows: Iterable[Iterable[str]]) -> tuple[Row, ...]:
    numbered = (Row(number, tuple(cell.strip() for cell in cells)) for number, cells in enumerate(rows, start=1))
    return tuple(row for row in numbered if any(row.cells))


def _decoded(path: Path, content: bytes) -> tuple[str, tuple[str, ...]]:
    for mark, encoding in (*_BYTE_ORDER_MARKS, (b"", "utf-8")):
        if content.startswith(mark):
            try:
                return content.decode(encoding), ()
            except UnicodeDecodeError:
                break
    try:
        text = content.decode("cp1252")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{show(path)} is not a table of text: save it as CSV in UTF-8.") from error
    return text, (f"{show(path)} is not in UTF-8: it was read as Windows-1252. Look at its accents and dashes.",)


def _of_one_width(rows: list[list[str]]) -> list[list[str]]:
    """Fills up the rows of a workbook, where a cell is in its column however few there are before it."""
    width = max(map(len, rows), default=0)
    return [row + [""] * (width - len(row)) for row in rows]


def _separator(text: str, is_header: Callable[[Row], bool]) -> str:
    """Returns what makes a header of one of the first lines, else what parts them into most cells."""
    lines = list(itertools.islice(io.StringIO(text, newline=""), HEADER_LINES))
    tables = {separator: list(csv.reader(lines, delimiter=separator)) for separator in SEPARATORS}
    for separator, rows in tables.items():
        if any(is_header(row) for row in _numbered(rows)):
            return separator
    return max(tables, key=lambda separator: sum(map(len, tables[separator])))


def _rows(text: str, separator: str) -> tuple[list[list[str]], int | None]:
    """Returns the rows, and the number of the first one in which a quotation mark takes in what is behind the cell."""
    lines = list(io.StringIO(text, newline=""))
    reader = csv.reader(lines, delimiter=separator)
    rows: list[list[str]] = []
    begin, unclosed = 0, None
    for row in reader:
        rows.append(row)
        own = lines[begin : reader.line_num]
        is_last = reader.line_num == len(lines)
        if unclosed is None and (
            _goes_on(own, separator) if len(own) == 1 and is_last else _swallows(row, own, separator)
        ):
            unclosed = len(rows)
        begin = reader.line_num
    return rows, unclosed


def _goes_on(lines: Sequence[str], separator: str) -> bool:
    """Tells whether one more line would still be of the row that these are."""
    *before, last = lines
    return len(list(csv.reader([*before, last.rstrip("\r\n") + "\n", "end"], delimiter=separator))) == 1


def _swallows(row: Sequence[str], lines: Sequence[str], separator: str) -> bool:
    """Tells whether lines that were read as one row are several: the marks do not match, or a cell has rows in it."""
    if len(lines) < 2:
        return False
    try:
        list(csv.reader(lines, delimiter=separator, strict=True))
    except csv.Error:
        return True
    return any(_has_rows(cell, row[:place], separator) for place, cell in enumerate(row))


def _has_rows(cell: str, before: Sequence[str], separator: str) -> bool:
    """Tells whether lines behind the first of a cell are rows: figures where the cells `before` it have such figures.

    A countdown is none: "3, 2, 1" has no timecode in second place.
    """
    figures = {place: _shape(text) for place, text in enumerate(before) if _FIGURES.fullmatch(text)}
    rows = [line.split(separator) for line in cell.splitlines()[1:]]
    return bool(figures) and any(
        len(row) > len(before) and all(_shape(row[place]) == shape for place, shape in figures.items()) for row in rows
    )


def _shape(figures: str) -> str:
    return re.sub(r"\d+", "0", figures)


def _workbook_rows(path: Path, content: bytes) -> Iterator[list[str]]:
    import openpyxl

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            if sum(part.file_size for part in parts.infolist()) > LARGEST_UNPACKED_BYTES:
                raise InvalidInput(f"{show(path)} is far too large for a cue sheet when it is unpacked.")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of drop-down lists and colours that openpyxl does not keep
            book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
            for row in book.active.iter_rows(values_only=True):
                yield [_text(value) for value in row]
    except _DAMAGES as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise InvalidInput(f"{show(path)} is not an Excel workbook that can be read: {reason}.") from error


def _text(value: Any) -> str:
    """Returns a cell's value as it would be typed: times as HH:MM:SS, whole numbers without a point.

    >>> _text(datetime.datetime(2026, 5, 6)), _text(datetime.datetime(2026, 5, 6, 10, 0, 2))
    ('2026-05-06', '10:00:02')
    """
    if value is None:
        return ""
    if isinstance(value, datetime.datetime):  # which Excel makes of dates, and of times that have a date before them
        is_date = value.time() == datetime.time.min and value.year > YEAR_ZERO
        value = value.date() if is_date else value.time()
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, datetime.timedelta):
        if value.days:
            hours, rest = divmod(value // datetime.timedelta(seconds=1), 3600)
            return f"{hours}:{rest // 60:02}:{rest % 60:02}"  # which no timecode is
        value = (datetime.datetime.min + value).time()
    if isinstance(value, datetime.time):
        return value.isoformat("milliseconds" if value.microsecond else "seconds")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
