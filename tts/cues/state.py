"""The record of a folder of cues: what each file was made of, so that a second run does only what changed."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from audio_ml.errors import InvalidInput, OutputExists, OutputUnwritable
from audio_ml.hashing import file_sha256
from audio_ml.journal import Journal, replace_text
from audio_ml.output_folder import FolderLock, remove_leftovers
from audio_ml.streams import show

STATE_NAME = "audio-ml-cues.json"
LOCK_NAME = ".audio-ml-cues.lock"
JOURNAL_NAME = ".audio-ml-cues.journal"
FORMAT = "audio-ml cues"
VERSION = 1


@dataclass(frozen=True)
class Made:
    """A file that we wrote: the `key` of what it was made of, how to know it again, and `facts` to report."""

    key: str
    sha256: str
    size: int
    mtime_ns: int
    facts: Mapping[str, Any] = field(default_factory=dict)

    def is_kept_by(self, path: Path) -> bool:
        """Tells whether a file still is what we wrote; its content decides where only its time is another."""
        try:
            status = path.stat()
            if status.st_size != self.size:
                return False
            return status.st_mtime_ns == self.mtime_ns or file_sha256(path) == self.sha256
        except OSError:
            return False


class CueState:
    """The state of a folder, by the names of the files in it; as a context manager it keeps a second run out.

    Every file that is noted is remembered even if the process is killed.

    Raises:
        InvalidInput: when the record is damaged or from a newer version.
        OutputError: when another run is at work there, or the folder cannot be written to.

    >>> import tempfile
    >>> with CueState(Path(tempfile.mkdtemp())) as state:
    ...     state.facts("S012_Q003_HERO_T01.wav", "key") is None
    True
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._journal = Journal(folder / JOURNAL_NAME)
        self._made: dict[str, Made] = {}
        self._begun: dict[str, list[int] | None] = {}  # names that were not noted yet, and what was there before
        self._sheet = ""
        self._lock = FolderLock(folder / LOCK_NAME, folder / STATE_NAME, "run")

    def __enter__(self) -> CueState:
        self._lock.acquire()
        try:
            was_killed = self._read()
            if was_killed:
                for place in {self._folder, *((self._folder / name).parent for name in self._made)}:
                    remove_leftovers(place)
                self._write()  # a last line that was cut short would be glued to the next one
            self._journal.add(["begun", "", {}])
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.leave(self._write, error)  # where it cannot be written, the journal has it all

    @property
    def sheet(self) -> str:
        """The name of the sheet that the files are of, "" as long as there is none."""
        return self._sheet

    def claim(self, sheet: str) -> None:
        """Notes the name of the sheet that the files are of from now on."""
        self._sheet = sheet
        self._journal.add(["sheet", sheet, {}])

    def facts(self, name: str, key: str) -> dict[str, Any] | None:
        """Returns what was noted of a file that was made of the same and is there unchanged, else None."""
        made = self._made.get(name)
        is_current = made is not None and made.key == key and made.is_kept_by(self._folder / name)
        return dict(made.facts) if made is not None and is_current else None

    def check_free(self, name: str) -> None:
        """Raises `OutputExists` when there is a file of that name that is not ours."""
        path = self._folder / name
        if name not in self._made and os.path.lexists(path):
            raise OutputExists(f"{show(path)} exists already and is kept (--overwrite replaces it).")

    def set_aside(self, name: str) -> str | None:
        """Renames a file of ours that somebody has changed, and says so; a warning for the user, or None."""
        path, made = self._folder / name, self._made.get(name)
        if made is None or not os.path.lexists(path) or made.is_kept_by(path):
            return None
        number = 1
        while os.path.lexists(aside := path.with_name(f"{path.stem}.changed-{number}{path.suffix}")):
            number += 1
        try:
            path.rename(aside)
        except OSError as error:
            raise OutputUnwritable(f"{show(path)} was changed and cannot be set aside: {error.strerror}.") from error
        return f"{name} had been changed: it is now {aside.name}."

    def sha256(self, name: str) -> str:
        """Returns the hash of a file that was noted."""
        return self._made[name].sha256

    def begin(self, name: str) -> None:
        """Remembers that a file is about to be written: if the run is broken off then, it is ours all the same."""
        before = self._begun.setdefault(name, _mark(self._folder / name))
        self._journal.add(["begun", name, {"before": before}])

    def note(self, name: str, key: str, facts: Mapping[str, Any]) -> None:
        """Remembers a file that was just written, and what it was made of."""
        path = self._folder / name
        status = path.stat()
        made = Made(key, file_sha256(path), status.st_size, status.st_mtime_ns, facts)
        self._made[name] = made
        self._journal.add(["made", name, asdict(made)])
        self._begun.pop(name, None)

    def others(self, names: Collection[str]) -> dict[str, Mapping[str, Any]]:
        """Returns the files of ours that are there and not among `names`, and what was noted of them."""
        others = sorted(self._made.keys() - set(names))
        return {name: self._made[name].facts for name in others if (self._folder / name).exists()}

    def _read(self) -> bool:
        """Takes in what is recorded; returns whether the last run did not come to its end."""
        path = self._folder / STATE_NAME
        try:
            with contextlib.suppress(FileNotFoundError):
                content = json.loads(path.read_text(encoding="ascii"))
                if content["format"] != FORMAT or content["version"] > VERSION:
                    raise ValueError(content["format"])
                self._made = {name: Made(**made) for name, made in content["files"].items()}
                self._sheet = content.get("sheet", "")
            for kind, name, content in self._journal.events():
                if kind == "sheet":
                    self._sheet = name
                elif kind == "begun" and name:
                    self._begun.setdefault(name, content.get("before"))
                elif kind == "made":
                    self._made[name] = Made(**content)
                    self._begun.pop(name, None)
            self._adopt_begun()
        except OSError as error:
            raise InvalidInput(f"{show(path)} cannot be read: {error.strerror}.") from error
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise InvalidInput(
                f"{show(path)}, the record of this folder's cues, is damaged or from a newer audio-ml: remove it, and "
                "all cues are done again with --overwrite."
            ) from error
        return (self._folder / JOURNAL_NAME).exists()

    def _adopt_begun(self) -> None:
        """Takes files for ours that a run wrote and could not note any more."""
        for name, before in self._begun.items():
            path, made = self._folder / name, self._made.get(name)
            is_new = path.is_file() and _mark(path) != before
            if is_new and not (made is not None and made.is_kept_by(path)):
                status = path.stat()
                self._made[name] = Made("", file_sha256(path), status.st_size, status.st_mtime_ns)

    def _write(self) -> None:
        try:
            self._adopt_begun()
        except OSError as error:  # the journal still has it
            raise OutputUnwritable(f"{show(self._folder)} cannot be read: {error.strerror}.") from error
        self._begun.clear()
        files = {name: asdict(made) for name, made in self._made.items() if (self._folder / name).exists()}
        path = self._folder / STATE_NAME
        content = {"format": FORMAT, "version": VERSION, "sheet": self._sheet, "files": files}
        if files or path.exists():
            replace_text(path, json.dumps(content, indent=1))
        self._journal.clear()


def _mark(path: Path) -> list[int] | None:
    """Returns what tells a file from the one that takes its place; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return [status.st_ino, status.st_size, status.st_mtime_ns]
