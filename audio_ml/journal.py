"""Files that a kill or a full disk does not spoil: one that is replaced as a whole, and one that only grows."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from audio_ml.errors import DiskFull, OutputError, OutputUnwritable
from audio_ml.streams import show


def replace_text(path: Path, text: str, encoding: str = "ascii") -> None:
    """Writes a file of text; a reader finds the former one or the whole new one.

    Raises:
        DiskFull: when the disk has no room left.
        OutputUnwritable: when it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.part")
    try:
        _write_through(temporary, "w", text, encoding)
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise _explain(path, error) from error


class Journal:
    """Events, one line of JSON each, that are on the disk when `add` returns.

    Raises:
        OutputError: as `replace_text`.

    >>> import tempfile
    >>> journal = Journal(Path(tempfile.mkdtemp(), "journal"))
    >>> journal.add(["failed", "song.wav"])
    >>> list(journal.events())
    [['failed', 'song.wav']]
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, event: Any) -> None:
        """Adds an event."""
        try:
            _write_through(self._path, "a", json.dumps(event) + "\n")
        except OSError as error:
            raise _explain(self._path, error) from error

    def events(self) -> Iterator[Any]:
        """Yields the events in order; a last one that was cut short never happened."""
        with contextlib.suppress(FileNotFoundError), self._path.open(encoding="ascii") as lines:
            for line in lines:
                if line.endswith("\n"):
                    yield json.loads(line)

    def clear(self) -> None:
        """Forgets all events."""
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            raise _explain(self._path, error) from error


def _write_through(path: Path, mode: str, text: str, encoding: str = "ascii") -> None:
    with path.open(mode, encoding=encoding, newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _explain(path: Path, error: OSError) -> OutputError:
    kind = DiskFull if error.errno == errno.ENOSPC else OutputUnwritable
    return kind(f"{show(path)} was not written: {error.strerror}.")
