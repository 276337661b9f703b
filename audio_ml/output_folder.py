"""The folder that a run writes to: one run at a time, and nothing left of one that was killed or came to nothing."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable
from pathlib import Path

from audio_ml.errors import OutputError, OutputUnwritable
from audio_ml.streams import show

LEFTOVER = re.compile(r"\.[0-9a-f]{16}\.part(\.[a-z0-9]+)?")  # the names of `AudioWriter` and of `Spool`


class FolderLock:
    """Keeps a second run out of a folder, which is made if need be.

    `record` is the file in it that tells what was done: released without one, the folder is as it was before,
    without the lock's own file and the folders that were made for it. Any thread may release it.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp(), "stems")
    >>> lock = FolderLock(folder / ".lock", folder / "record.json", "batch")
    >>> lock.acquire(); folder.exists()
    True
    >>> lock.release(); folder.exists()
    False
    """

    def __init__(self, path: Path, record: Path, who: str) -> None:
        self._path, self._record, self._who = path, record, who
        self._release: Callable[[], None] = lambda: None
        self._made_folders: list[Path] = []

    def acquire(self) -> None:
        """Takes the lock.

        Raises:
            OutputError: when another run has it.
            OutputUnwritable: when the folder cannot be made or written to.
        """
        from filelock import FileLock, Timeout

        folder = self._path.parent
        lock = FileLock(self._path, thread_local=False)  # whichever thread releases it
        try:
            self._made_folders = [place for place in (folder, *folder.parents) if not os.path.lexists(place)]
            folder.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
        except Timeout:
            raise OutputError(
                f"Another {self._who} is writing to {show(folder)}: wait for its end, or choose another folder."
            ) from None
        except OSError as error:
            raise OutputUnwritable(f"{show(folder)} cannot be written to: {error.strerror}.") from error
        self._release = lock.release

    def leave(self, save: Callable[[], None], error: BaseException | None) -> None:
        """Saves what was done and lets the next run in, at the end of a run or because of an error.

        Raises:
            OutputError: as `save` does, unless an error is under way: that is the one to tell.
        """
        try:
            save()
        except OutputError:
            if error is None:
                raise
        finally:
            self.release()

    def release(self) -> None:
        """Lets the next run in."""
        is_needed = os.path.lexists(self._record)
        if not is_needed:
            with contextlib.suppress(OSError):  # Windows removes it with the release
                self._path.unlink(missing_ok=True)
        self._release()
        with contextlib.suppress(OSError):  # something else is in one of them
            for folder in [] if is_needed else self._made_folders:
                folder.rmdir()


def remove_leftovers(folder: Path) -> None:
    """Removes the files that a run which was killed left half-written; what cannot be removed takes room, no more."""
    with contextlib.suppress(OSError):
        for path in folder.glob(".*.part*"):
            if LEFTOVER.fullmatch(path.name):
                path.unlink(missing_ok=True)
