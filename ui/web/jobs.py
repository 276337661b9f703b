"""Work in the background for people who have the page open: a folder, a thread and an end for each job."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from audio_ml.progress import Progress, ProgressState
from separation import SeparationReport

SECONDS_TO_STOP = 30.0  # a job stops within a segment, which takes a few seconds

Result = TypeVar("Result")


@dataclass(frozen=True)
class Separated:
    """What came of a file: the report, with the paths of this machine, and the address of the job to listen to."""

    report: SeparationReport
    address: str


class Job(Generic[Result]):
    """A piece of work on a thread of its own, in a private `folder` that goes when the work fails or is stopped."""

    def __init__(
        self, folder: Path, work: Callable[[Path, Progress], Result], forget: Callable[[Path], None] = lambda _: None
    ) -> None:
        folder.mkdir(mode=0o700)
        self.folder = folder
        self._forget = forget
        self.state = ProgressState("starting", 0.0)
        self._progress = Progress(self._note)
        pool = ThreadPoolExecutor(1, thread_name_prefix="job")
        self._future = pool.submit(self._run, work)
        pool.shutdown(wait=False)

    def finished(self, within_seconds: float) -> bool:
        """Waits at most so long for the end; True once it is there."""
        return bool(wait([self._future], within_seconds).done)

    def result(self) -> Result:
        """Returns what the work returned, or raises what it raised."""
        return self._future.result()

    def cancel(self) -> None:
        """Asks the work to stop."""
        self._progress.cancel()

    def discard(self) -> None:
        """Stops the work and removes the folder, as soon as nobody writes to it any more."""
        self.cancel()
        self._future.add_done_callback(lambda _: self._remove())

    def _note(self, state: ProgressState) -> None:
        self.state = state

    def _run(self, work: Callable[[Path, Progress], Result]) -> Result:
        try:
            return work(self.folder, self._progress)
        except BaseException:
            self._remove()
            raise

    def _remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self._forget(self.folder)


class Sessions:
    """The newest job and the uploads of every open page, below one private folder.

    A session is named by its browser tab. Its job's folder has a name that cannot be guessed, so
    only who was told the path can fetch a file of it. `forget` is told of each such folder that went.
    """

    def __init__(self, folder: Path, forget: Callable[[Path], None] = lambda _: None) -> None:
        self.folder = folder
        self._forget = forget
        self._lock = threading.Lock()
        self._jobs: dict[str, Job[object]] = {}
        self._uploads: dict[str, set[Path]] = {}

    def start(self, session: str, work: Callable[[Path, Progress], Result]) -> Job[Result]:
        """Begins a job; the session's former one is stopped, and its files go."""
        self._discard_job(session)
        job = Job(self.folder / secrets.token_hex(16), work, self._forget)
        with self._lock:
            self._jobs[session] = job  # type: ignore[assignment]
        return job

    def cancel(self, session: str) -> None:
        """Stops the session's job, if it has one."""
        with self._lock:
            job = self._jobs.get(session)
        if job is not None:
            job.cancel()

    def keep_upload(self, session: str, path: Path) -> None:
        """Notes that a session uses an upload, which stays until the last such session ends."""
        with self._lock:
            self._uploads.setdefault(session, set()).add(path)

    def end(self, session: str) -> None:
        """Forgets a session whose page was closed, with all its files."""
        self._discard_job(session)
        with self._lock:
            uploads = self._uploads.pop(session, set()).difference(*self._uploads.values())
            for path in uploads:
                path.unlink(missing_ok=True)
                with contextlib.suppress(OSError):  # the same sound may have come under another name
                    path.parent.rmdir()

    def close(self) -> None:
        """Ends every session: waits for the work to stop, then removes everything."""
        with self._lock:
            jobs = list(self._jobs.values())
            sessions = {*self._jobs, *self._uploads}
        for session in sessions:
            self.end(session)
        for job in jobs:
            job.finished(SECONDS_TO_STOP)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _discard_job(self, session: str) -> None:
        with self._lock:
            job = self._jobs.pop(session, None)
        if job is not None:
            job.discard()
