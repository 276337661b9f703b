"""The server's database: SQLite, written ahead of time (WAL), so that what a client was told survives a crash."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import Connection, MetaData, event
from sqlalchemy.exc import OperationalError

METADATA = MetaData()  # of all tables; each module declares its own on it
BUSY_SECONDS = 30.0
SQLITE_FULL = 13  # a name for it the module sqlite3 has since Python 3.11


class Database:
    """The database in a file, which only its owner can read; any number of threads may use it.

    Tables are those that were declared on `METADATA` before.
    """

    def __init__(self, path: Path) -> None:
        path.touch(mode=0o600)
        self.engine = sqlalchemy.create_engine(f"sqlite:///{path}", connect_args={"timeout": BUSY_SECONDS})
        self._writing = threading.Lock()  # SQLite has one writer; waiting here is fair and costs no retries
        event.listen(self.engine, "connect", _set_up)
        METADATA.create_all(self.engine)

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Opens a transaction that writes: it is on the disk when the block ends, or it never was."""
        with self._writing, self.engine.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Opens a connection that reads one state of the database."""
        with self.engine.connect() as connection:
            yield connection

    def close(self) -> None:
        """Closes every connection."""
        self.engine.dispose()


def _set_up(connection: Any, _record: Any) -> None:
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def is_full(error: OperationalError) -> bool:
    """Tells whether SQLite found no room on the disk."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is None:  # until Python 3.11, which tells it
        return "disk is full" in str(error.orig)
    return int(code) & 0xFF == SQLITE_FULL
