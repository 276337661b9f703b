"""Tables as people keep them: CSV in whatever encoding and with whatever separator, TSV, or an Excel workbook."""

from __future__ import annotations

import codecs
import csv
import datetime
import io
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audio_ml.errors import InvalidInput
from audio_ml.streams import show

LARGEST_BYTES = 50_000_000
LARGEST_UNPACKED_BYTES = 500_000_000
SEPARATORS = ",;\t|"
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


def read_table(path: Path) -> Table:
    """Reads a CSV, TSV or XLSX file; of a workbook the sheet that is on top, and the values of its formulas.

    Raises:
        InvalidInput: when it cannot be read, or is another kind of file.
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
        return Table(_numbered(_workbook_rows(path, content)))
    text, remarks = _decoded(path, content)
    try:
        return Table(_numbered(csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text))), remarks)
    except csv.Error as error:
        raise InvalidInput(f"{show(path)} is not a table of text: {error}.") from error


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


def _separator(text: str) -> str:
    """Returns what parts most of the first lines into most cells."""
    lines = text.splitlines()[:20]

    def n_cells(separator: str) -> int:
        return sum(len(row) for row in csv.reader(lines, delimiter=separator))

    return max(SEPARATORS, key=n_cells)


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
    """Returns a cell's value as it would be typed: times as HH:MM:SS, whole numbers without a point."""
    if value is None:
        return ""
    if isinstance(value, datetime.datetime):
        value = value.time()
    if isinstance(value, datetime.timedelta):
        value = (datetime.datetime.min + value).time()
    if isinstance(value, datetime.time):
        return value.isoformat("milliseconds" if value.microsecond else "seconds")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
