"""The record of a batch, kept in its output folder: what a second run need not do again, and which files are its own.

The file is JSON and replaced atomically. Between two writings a journal beside it takes what happens, so
that a long record costs little and a kill forgets nothing. Paths in both are relative to their folder, so sources and
stems may move together.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from audio_ml.errors import InvalidInput
from audio_ml.hashing import file_sha256
from audio_ml.journal import Journal, replace_text
from audio_ml.output_folder import FolderLock, remove_leftovers
from audio_ml.streams import show

STATE_NAME = "audio-ml-batch.json"
LOCK_NAME = ".audio-ml-batch.lock"
JOURNAL_NAME = ".audio-ml-batch.journal"
FORMAT = "audio-ml batch"
VERSION = 1
MTIME_TOLERANCE_NS = 2_000_000_000  # what FAT and some servers round the time of a file to
LARGEST_SHARE_OF_TIME = 0.02  # that goes into writing the file as a whole

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
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Own:
    """A file that a batch wrote: what it was made of, and its stamp then."""

    source: str
    stamp: Stamp


class BatchState:
    """The state of the batches of one output folder; as a context manager it keeps a second batch out.

    Entered after a run that was killed, it removes the half-written files which that run left. A batch that came
    to nothing leaves neither files nor folders.

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
        self._journal = Journal(self._folder / JOURNAL_NAME)
        self._lock = threading.Lock()
        self._folder_lock = FolderLock(self._folder / LOCK_NAME, self._folder / STATE_NAME, "batch")
        self._done: dict[str, list[Done]] = {}
        self._own: dict[str, Own] = {}
        self._begun: dict[str, dict[str, bool]] = {}  # by source: the targets, and whether what appears there is ours
        self._failed: dict[str, str] = {}
        self._requests: dict[str, Described] = {}
        self._reports: dict[str, dict[str, Stamp]] = {}  # of each request, by path
        self._is_saved = True
        self._next_write = 0.0

    def __enter__(self) -> BatchState:
        self._folder_lock.acquire()
        try:
            self._read()
            self._recover()
        except BaseException:
            self._folder_lock.release()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._folder_lock.leave(self._write_changes, error)  # where it cannot be written, the journal has it all

    def is_done(self, source: Path, request: Described, targets: Iterable[Path]) -> bool:
        """Tells whether a source was separated as is asked, has not changed since, and has all its outputs.

        A source with another time but the same content has not changed.
        """
        wanted = {self._relative(target) for target in targets}
        with self._lock:
            rows = self._done.get(self._relative(source), [])
            found = next((row for row in rows if wanted <= set(row.outputs)), None)
            own = {path: self._own[path] for path in found.outputs} if found else {}
        stamp = Stamp.of(source)
        if found is None or stamp is None or found.request != _key(request) or found.stamp.size != stamp.size:
            return False
        for path, written in own.items():
            now = Stamp.of(self._folder / path)
            if now is None or now.size != written.stamp.size or written.source != found.source:
                return False
        if found.stamp == stamp:
            return True
        try:
            if file_sha256(source) != found.sha256:
                return False
        except OSError:  # whoever separates it finds the words for that
            return False
        outputs = {path: written.stamp for path, written in own.items()}
        self._save_done(dataclasses.replace(found, stamp=stamp), outputs)  # so that the next run need not hash it
        return True

    def may_replace(self, source: Path, targets: Iterable[Path]) -> bool:
        """Tells whether there are targets that exist, and each of these was made of this source and not changed."""
        there = [target for target in targets if os.path.lexists(target)]
        return bool(there) and all(self._is_own(source, target) for target in there)

    def is_output(self, path: Path) -> bool:
        """Tells whether a file was written by a batch of this folder, so that it is nobody's source."""
        with self._lock:
            return self._relative(path) in self._own

    @contextmanager
    def begun(self, source: Path, targets: Collection[Path]) -> Iterator[None]:
        """Remembers a source as under way until it is noted as done or failed, or the block raises.

        Should the run be killed meanwhile, what it left half-written is known, and so are the files that it finished:
        those whose names were free, or our own, before.
        """
        are_ours = {
            self._relative(target): not os.path.lexists(target) or self._is_own(source, target) for target in targets
        }
        self._save("begun", self._relative(source), are_ours)
        try:
            yield
        except BaseException:
            with self._lock:
                self._begun.pop(self._relative(source), None)
                self._is_saved = False
            raise

    def note_done(self, source: Path, stamp: Stamp, sha256: str, request: Described, outputs: Iterable[Path]) -> None:
        """Remembers that a source, which had this stamp before it was read, is separated."""
        written = {self._relative(path): now for path in outputs if (now := Stamp.of(path)) is not None}
        self._add_request(request)
        self._save_done(Done(self._relative(source), stamp, sha256, _key(request), tuple(written)), written)

    def note_failed(self, source: Path, error: str) -> None:
        """Remembers why a source failed, for who reads the file: it is tried again all the same."""
        self._save("failed", self._relative(source), error)

    def owns_report(self, path: Path, request: Described) -> bool:
        """Tells whether a report is that of an earlier run of the same request, unchanged."""
        stamp = self._reports.get(_key(request), {}).get(self._relative(path))
        return stamp is not None and stamp.is_kept_by(path)

    def note_report(self, path: Path, request: Described) -> None:
        """Remembers a report, which the next run of the request may go on with."""
        stamp = Stamp.of(path)
        self._add_request(request)
        with self._lock:
            self._reports[_key(request)] = {self._relative(path): stamp} if stamp else {}
            self._write()

    def stems_beside_sources(self) -> frozenset[Path]:
        """Returns the files that batches wrote into this folder, if some of their sources are in it, too."""
        self._read()
        if all(Path(own.source).is_absolute() or own.source.startswith("../") for own in self._own.values()):
            return frozenset()
        return frozenset(self._folder / path for path in self._own)

    def _is_own(self, source: Path, target: Path) -> bool:
        with self._lock:
            own = self._own.get(self._relative(target))
        return own is not None and own.source == self._relative(source) and own.stamp.is_kept_by(target)

    def _add_request(self, request: Described) -> None:
        with self._lock:
            if _key(request) not in self._requests:
                self._requests[_key(request)] = request
                self._next_write = 0.0  # the journal does not hold it

    def _save_done(self, row: Done, written: Mapping[str, Stamp]) -> None:
        self._save("done", row.source, {"row": dataclasses.asdict(row), "written": _plain(written)})

    def _save(self, kind: str, source: str, content: Any) -> None:
        """Takes an event in; it is on the disk before this returns."""
        with self._lock:
            self._apply(kind, source, content)
            self._is_saved = False
            if time.monotonic() >= self._next_write:
                self._write()
            else:
                self._journal.add([kind, source, content])

    def _apply(self, kind: str, source: str, content: Any) -> None:
        if kind == "begun":
            self._begun[source] = dict(content)
            return
        self._begun.pop(source, None)
        if kind == "failed":
            self._failed[source] = str(content)
            return
        self._failed.pop(source, None)
        self._take(source, _stamps(content["written"]))
        self._done[source].append(_done(content["row"]))

    def _take(self, source: str, written: Mapping[str, Stamp]) -> None:
        """Makes files our own, and forgets the rows that told of what they were before."""
        rows = self._done.get(source, [])
        self._done[source] = [row for row in rows if written.keys().isdisjoint(row.outputs)]
        self._own.update({path: Own(source, stamp) for path, stamp in written.items()})

    def _recover(self) -> None:
        """Sees to what a run that was killed has left."""
        for source, are_ours in self._begun.items():
            for folder in {(self._folder / target).parent for target in are_ours}:
                remove_leftovers(folder)
            there = {target: Stamp.of(self._folder / target) for target, is_ours in are_ours.items() if is_ours}
            known = {target: own.stamp for target in there if (own := self._own.get(target))}
            self._take(source, {path: now for path, now in there.items() if now and now != known.get(path)})
            self._is_saved = False
        self._begun.clear()

    def _relative(self, path: Path) -> str:
        try:
            return Path(os.path.relpath(path, self._folder)).as_posix()
        except ValueError:  # it is on another drive
            return path.absolute().as_posix()

    def _read(self) -> None:
        try:
            with contextlib.suppress(FileNotFoundError):
                self._take_in(json.loads(self.path.read_text(encoding="ascii")))
            for kind, source, content in self._journal.events():
                self._apply(kind, source, content)
                self._is_saved = False
        except OSError as error:
            raise InvalidInput(f"{show(self.path)} cannot be read: {error.strerror}.") from error
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise InvalidInput(
                f"{show(self.path)}, the state of this folder's batches, is damaged. Bring it back from a backup, or "
                "remove it: stems that are there are then kept, and their files fail unless --overwrite is given."
            ) from error

    def _take_in(self, content: Mapping[str, Any]) -> None:
        if content["format"] != FORMAT:
            raise ValueError(content["format"])
        if content["version"] > VERSION:
            raise InvalidInput(f"{show(self.path)} was written by a newer audio-ml: use that one here.")
        self._own = {path: Own(str(own["source"]), _stamp(own["stamp"])) for path, own in content["own"].items()}
        for row in map(_done, content["done"]):
            if not self._own.keys() >= set(row.outputs):
                raise ValueError(row)
            self._done.setdefault(row.source, []).append(row)
        self._begun = {source: dict(targets) for source, targets in content["begun"].items()}
        self._failed = {str(source): str(error) for source, error in content["failed"].items()}
        self._requests = dict(content["requests"])
        self._reports = {str(key): _stamps(report) for key, report in content["reports"].items()}

    def _write_changes(self) -> None:
        if not self._is_saved:
            self._write()

    def _write(self) -> None:
        """Writes the file as a whole; the more that takes, the longer it is until the next time."""
        began = time.monotonic()
        done = [row for rows in self._done.values() for row in rows]
        used = {row.request for row in done} | self._reports.keys()
        content = {
            "done": [dataclasses.asdict(row) for row in done],
            "own": {path: dataclasses.asdict(own) for path, own in self._own.items()},
            "begun": self._begun,
            "failed": self._failed,
            "requests": {key: request for key, request in self._requests.items() if key in used},
            "reports": {key: _plain(report) for key, report in self._reports.items()},
        }
        if any(content.values()):
            replace_text(self.path, json.dumps({"format": FORMAT, "version": VERSION} | content, indent=1))
        else:
            self.path.unlink(missing_ok=True)
        self._journal.clear()
        self._is_saved = True
        self._next_write = time.monotonic() + (time.monotonic() - began) / LARGEST_SHARE_OF_TIME


def _key(request: Described) -> str:
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()[:16]


def _done(row: Mapping[str, Any]) -> Done:
    outputs = tuple(map(str, row["outputs"]))
    return Done(str(row["source"]), _stamp(row["stamp"]), str(row["sha256"]), str(row["request"]), outputs)


def _plain(stamps: Mapping[str, Stamp]) -> dict[str, Any]:
    return {path: dataclasses.asdict(stamp) for path, stamp in stamps.items()}


def _stamp(row: Mapping[str, int]) -> Stamp:
    return Stamp(int(row["size"]), int(row["mtime_ns"]))


def _stamps(rows: Mapping[str, Mapping[str, int]]) -> dict[str, Stamp]:
    return {path: _stamp(row) for path, row in rows.items()}
