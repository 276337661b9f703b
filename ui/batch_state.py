"""The record of a batch, kept in its output folder: what a second run need not do again, and which files are its own.

The file is JSON, replaced atomically after every item. Paths in it are relative to its folder, so
sources and stems may move together.
"""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from audio_ml.errors import DiskFull, InvalidInput, OutputError, OutputUnwritable
from audio_ml.hashing import file_sha256
from audio_ml.streams import show

STATE_NAME = "audio-ml-batch.json"
LOCK_NAME = ".audio-ml-batch.lock"
FORMAT = "audio-ml batch"
VERSION = 1
MTIME_TOLERANCE_NS = 2_000_000_000  # what FAT and some servers round the time of a file to

Described = Mapping[str, Any]


@dataclass(frozen=True)
class Stamp:
    """The size and time by which a file is known not to have changed."""

    size: int
    mtime_ns: int

    @classmethod
    def of(cls, path: str | os.PathLike[str]) -> Stamp | None:
        """Returns the stamp of a file, None where there is none to be seen."""
        try:
            status = Path(path).stat()
        except (OSError, ValueError):
            return None
        return cls(status.st_size, status.st_mtime_ns)

    def is_kept_by(self, path: str | os.PathLike[str]) -> bool:
        """Tells whether a file that we wrote is still as it was."""
        now = Stamp.of(path)
        return now is not None and now.size == self.size and abs(now.mtime_ns - self.mtime_ns) < MTIME_TOLERANCE_NS


@dataclass(frozen=True)
class Done:
    """An item that is done: its source as it was, what was asked (the key of a request), and its outputs."""

    source: str
    stamp: Stamp
    sha256: str
    request: str
    outputs: Mapping[str, Stamp]


class BatchState:
    """The state of the batches of one output folder; as a context manager it keeps a second batch out.

    Raises:
        InvalidInput: when the file is damaged or from a newer version.
        OutputError: when another batch runs there, or the folder cannot be written to.

    >>> import tempfile
    >>> with BatchState(Path(tempfile.mkdtemp())) as state:
    ...     state.is_output(Path("song.wav"))
    False
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / STATE_NAME
        self._folder = folder.absolute()
        self._lock = threading.Lock()
        self._release: Callable[[], None] = lambda: None
        self._done: dict[str, list[Done]] = {}
        self._outputs: set[str] = set()
        self._failed: dict[str, str] = {}
        self._requests: dict[str, Described] = {}
        self._reports: dict[str, dict[str, Stamp]] = {}  # of each request, by path

    def __enter__(self) -> BatchState:
        self._acquire()
        try:
            self._read()
        except BaseException:
            self._release()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release()

    def is_done(self, source: Path, request: Described, targets: Iterable[Path]) -> bool:
        """Tells whether a source was separated as is asked, has not changed since, and has all its outputs.

        A source with another time but the same content has not changed.
        """
        wanted = {self._relative(target) for target in targets}
        with self._lock:
            rows = self._done.get(self._relative(source), [])
            found = next((row for row in rows if wanted <= set(row.outputs)), None)
        stamp = Stamp.of(source)
        if found is None or stamp is None or found.request != _key(request) or found.stamp.size != stamp.size:
            return False
        outputs = {self._folder / path: written for path, written in found.outputs.items()}
        if any(not path.is_file() or path.stat().st_size != written.size for path, written in outputs.items()):
            return False
        if found.stamp == stamp:
            return True
        try:
            if file_sha256(source) != found.sha256:
                return False
        except OSError:  # whoever separates it finds the words for that
            return False
        with self._lock:
            self._replace(dataclasses.replace(found, stamp=stamp))  # so that the next run need not hash it
            self._write()
        return True

    def may_replace(self, source: Path, targets: Iterable[Path]) -> bool:
        """Tells whether there are targets that exist, and each of these was made of this source and not changed."""
        there = [target for target in targets if os.path.lexists(target)]
        with self._lock:
            rows = self._done.get(self._relative(source), [])
            own = {path: stamp for row in rows for path, stamp in row.outputs.items()}
        stamps = [own.get(self._relative(target)) for target in there]
        return bool(there) and all(
            stamp is not None and stamp.is_kept_by(target) for stamp, target in zip(stamps, there, strict=True)
        )

    def is_output(self, path: Path) -> bool:
        """Tells whether a file was written by a batch of this folder, so that it is nobody's source."""
        with self._lock:
            return self._relative(path) in self._outputs

    def note_done(self, source: Path, stamp: Stamp, sha256: str, request: Described, outputs: Iterable[Path]) -> None:
        """Remembers that a source, which had this stamp before it was read, is separated."""
        written = {self._relative(path): now for path in outputs if (now := Stamp.of(path)) is not None}
        with self._lock:
            self._requests[_key(request)] = request
            self._replace(Done(self._relative(source), stamp, sha256, _key(request), written))
            self._failed.pop(self._relative(source), None)
            self._write()

    def note_failed(self, source: Path, error: str) -> None:
        """Remembers why a source failed, for who reads the file: it is tried again all the same."""
        with self._lock:
            self._failed[self._relative(source)] = error
            self._write()

    def owns_report(self, path: Path, request: Described) -> bool:
        """Tells whether a report is that of an earlier run of the same request, unchanged."""
        stamp = self._reports.get(_key(request), {}).get(self._relative(path))
        return stamp is not None and stamp.is_kept_by(path)

    def note_report(self, path: Path, request: Described) -> None:
        """Remembers a report, which the next run of the request may go on with."""
        stamp = Stamp.of(path)
        with self._lock:
            self._requests[_key(request)] = request
            self._reports[_key(request)] = {self._relative(path): stamp} if stamp else {}
            self._write()

    def _replace(self, done: Done) -> None:
        """Adds a row in place of those whose files it has written anew."""
        former = self._done.get(done.source, [])
        kept = [row for row in former if set(row.outputs).isdisjoint(done.outputs)]
        self._done[done.source] = [*kept, done]
        self._outputs.update(done.outputs)

    def _relative(self, path: Path) -> str:
        try:
            return Path(os.path.relpath(path, self._folder)).as_posix()
        except ValueError:  # it is on another drive
            return path.absolute().as_posix()

    def _acquire(self) -> None:
        from filelock import FileLock, Timeout

        lock = FileLock(self._folder / LOCK_NAME)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
        except Timeout:
            raise OutputError(
                f"Another batch is writing to {show(self._folder)}: wait for its end, or choose another folder."
            ) from None
        except OSError as error:
            raise OutputUnwritable(f"{show(self._folder)} cannot be written to: {error.strerror}.") from error
        self._release = lock.release

    def _read(self) -> None:
        try:
            content = json.loads(self.path.read_text(encoding="ascii"))
            if content["format"] != FORMAT:
                raise ValueError(content["format"])
            if content["version"] > VERSION:
                raise InvalidInput(f"{show(self.path)} was written by a newer audio-ml: use that one here.")
            for row in content["done"]:
                self._replace(_done(row))
            self._failed = {str(source): str(error) for source, error in content["failed"].items()}
            self._requests = dict(content["requests"])
            self._reports = {str(key): _stamps(report) for key, report in content["reports"].items()}
        except FileNotFoundError:
            return
        except OSError as error:
            raise InvalidInput(f"{show(self.path)} cannot be read: {error.strerror}.") from error
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise InvalidInput(
                f"{show(self.path)}, the state of this folder's batches, is damaged. Bring it back from a backup, or "
                "remove it: stems that are there are then kept, and their files fail unless --overwrite is given."
            ) from error

    def _write(self) -> None:
        done = [row for rows in self._done.values() for row in rows]
        used = {row.request for row in done}
        content = {
            "format": FORMAT,
            "version": VERSION,
            "done": [dataclasses.asdict(row) for row in done],
            "failed": self._failed,
            "requests": {key: request for key, request in self._requests.items() if key in used},
            "reports": {key: _plain(report) for key, report in self._reports.items() if key in used},
        }
        temporary = self.path.with_name(f".{STATE_NAME}.part")
        try:
            with temporary.open("w", encoding="ascii") as file:
                json.dump(content, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self.path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            kind = DiskFull if error.errno == errno.ENOSPC else OutputUnwritable
            raise kind(f"{show(self.path)} was not written: {error.strerror}.") from error


def _key(request: Described) -> str:
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()[:16]


def _done(row: Mapping[str, Any]) -> Done:
    stamp = Stamp(int(row["stamp"]["size"]), int(row["stamp"]["mtime_ns"]))
    return Done(str(row["source"]), stamp, str(row["sha256"]), str(row["request"]), _stamps(row["outputs"]))


def _plain(stamps: Mapping[str, Stamp]) -> dict[str, Any]:
    return {path: dataclasses.asdict(stamp) for path, stamp in stamps.items()}


def _stamps(rows: Mapping[str, Mapping[str, int]]) -> dict[str, Stamp]:
    return {path: Stamp(int(row["size"]), int(row["mtime_ns"])) for path, row in rows.items()}
