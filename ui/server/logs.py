"""What the server writes down: a log of lines that carry the id of their request, and who did what to which voice."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Literal

from audio_ml.errors import OutputUnwritable
from audio_ml.streams import show
from ui.server.tokens import Caller

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")  # of the request that is served here
LOGGERS = ("ui", "audio_ml", "separation", "tts", "voiceclone")
APPEND_ONLY = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)


def set_up_logging(form: Literal["json", "text"], level: int = logging.INFO) -> None:
    """Sends what the server and uvicorn log to standard error, one line each; called by the face alone."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else TextLines())
    for name in (*LOGGERS, "uvicorn", "py.warnings"):
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.setLevel(level if name in LOGGERS else logging.WARNING)
        logger.propagate = False
    logging.captureWarnings(True)


class JsonLines(logging.Formatter):
    """Writes a record as one line of JSON; `extra={"facts": {...}}` adds fields.

    >>> record = logging.makeLogRecord({"msg": "Ended.", "levelname": "INFO", "facts": {"job": "a1"}})
    >>> json.loads(JsonLines().format(record))["job"]
    'a1'
    """

    def format(self, record: logging.LogRecord) -> str:
        line = {"time": show_time(record.created), "level": record.levelname.lower(), "message": record.getMessage()}
        line |= {"logger": record.name, **_facts(record)}
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class TextLines(logging.Formatter):
    """Writes a record as a line for people; a trace follows on lines of its own."""

    def format(self, record: logging.LogRecord) -> str:
        facts = " ".join(f"{name}={_printable(value)}" for name, value in _facts(record).items())
        message = f"{record.levelname.lower()}: {_printable(record.getMessage())}"
        line = f"{show_time(record.created)} {message} {facts}".rstrip()
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class AuditLog:
    """Who did what to which voice, one line of JSON each, on the disk when `note` returns.

    The file only grows, and only its owner can read it.

    Raises:
        OutputUnwritable: when it cannot be written to; then what was to be noted must not be done.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "audit.log")
    >>> AuditLog(path).note("anna", "enroll", voice="ben", job="a1")
    >>> json.loads(path.read_text())["voice"]
    'ben'
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writing = threading.Lock()
        self._append("")

    def note(self, caller: Caller | str, what: str, **facts: Any) -> None:
        """Adds a line."""
        name = caller if isinstance(caller, str) else caller.name
        line = {"time": show_time(time.time()), "caller": name, "what": what, **facts}
        if REQUEST_ID.get():
            line.setdefault("request_id", REQUEST_ID.get())
        self._append(json.dumps(line, default=str) + "\n")

    def _append(self, line: str) -> None:
        try:
            with self._writing, open(os.open(self._path, APPEND_ONLY, 0o600), "a", encoding="ascii") as file:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise OutputUnwritable(f"{show(self._path)} cannot be written to: {error.strerror}.") from error


def show_time(seconds: float) -> str:
    """Returns a time as ISO 8601 in UTC.

    >>> show_time(0.25)
    '1970-01-01T00:00:00.250Z'
    """
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds % 1 * 1000):03}Z"


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    facts = dict(getattr(record, "facts", {}))
    if REQUEST_ID.get():
        facts.setdefault("request_id", REQUEST_ID.get())
    return facts


def _printable(value: Any) -> str:
    text = str(value)
    return text if text.isprintable() else repr(text)
