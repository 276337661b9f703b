"""Takes jobs in, hands them to workers lane by lane, publishes what they made once, and takes up after a crash.

A job's results are made in `work/ID-ATTEMPT` and get their name `results/ID` in the transaction that says the job is
done. So whatever is killed whenever: results that lie under their name are whole, and a job that was running is either
published from there or runs again.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from audio_ml.errors import AudioMLError
from ui.server.lanes import LANES, Lane, lane_of
from ui.server.request import JobRequest
from ui.server.results import OUTCOME, find_files, keep, read_outcome, remove_folder, reveal_in_library, sync
from ui.server.store import Job, JobError, JobStore, Outcome, QueueLimits, Waiting
from ui.server.wire import Message
from ui.server.worker_process import WorkerProcess

log = logging.getLogger(__name__)
POLL_SECONDS = 1.0
PASSING = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM)
SECONDS_TO_CANCEL = 60.0  # after which a worker that does not listen is ended
MOST_CRASHES = 2  # of the worker that runs a job: it may not be the job's fault once


@dataclass(frozen=True)
class Live:
    """How far a job is."""

    stage: str = ""
    fraction: float = 0.0
    eta_seconds: float | None = None


@dataclass
class _Running:
    """A job in a worker."""

    job: Job
    worker: WorkerProcess
    folder: Path
    ends_at: float
    live: Live = Live()
    cancelled_at: float | None = None
    overdue: bool = False
    is_deaf: bool = False  # it did not stop, so that its worker is being ended
    is_ending: bool = False  # its worker has done its part
    unfinished: Message | None = None  # what the worker said at the end, where that could not be kept


Ended = Callable[[Job], None]


class Scheduler:
    """The jobs of the server. Any number of threads may use it.

    `listener` hears of every job that has ended, on a thread that should not be kept.
    """

    def __init__(
        self,
        store: JobStore,
        workers: Mapping[str, WorkerProcess],
        folder: Path,
        *,
        job_seconds: float,
        listener: Ended = lambda _: None,
    ) -> None:
        self._store = store
        self._workers = workers
        self._work, self._results = folder / "work", folder / "results"
        self._job_seconds = job_seconds
        self._listener = listener
        self._changed = threading.Condition()  # guards the jobs in workers
        self._running: dict[str, _Running] = {}
        self._served: dict[tuple[str, str], float] = {}  # when a lane last took a job of an owner
        self._closing = False
        self._endings = ThreadPoolExecutor(2, thread_name_prefix="publishing")
        self._thread = threading.Thread(target=self._schedule, name="scheduler", daemon=True)
        for each in (self._work, self._results):
            each.mkdir(mode=0o700, parents=True, exist_ok=True)

    def start(self) -> None:
        """Takes up what an earlier server left, and begins."""
        self._recover()
        self._thread.start()

    def close(self) -> None:
        """Stops handing jobs out; those that run are put back into the queue."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()
        self._endings.shutdown()
        with self._changed:
            running, self._running = self._running, {}  # what their workers say from now on counts for nothing
        for id in running:
            self._store.put_back(id, crashed=False)

    def sweep(self) -> None:
        """Removes what workers left that have ended."""
        for folder in self._work.iterdir():
            remove_folder(folder)

    def submit(
        self,
        request: JobRequest,
        owner: str,
        inputs: Sequence[dict[str, str]],
        *,
        key: str | None = None,
        note: Callable[[str], None] = lambda _: None,
        limits: QueueLimits,
    ) -> tuple[Job, bool]:
        """Accepts a job; raises as `JobStore.accept`."""
        lane = lane_of(request, inputs).name
        accepted = self._store.accept(request, owner, inputs, lane, key=key, note=note, limits=limits)
        self.wake()
        return accepted

    def live(self, id: str) -> Live | None:
        """Returns how far a job is that a worker has; of one that was cancelled nothing any more."""
        running = self._running.get(id)
        if running is None or (running.cancelled_at is not None and not running.overdue):
            return None
        return running.live

    def cancel(self, id: str) -> None:
        """Ends a job now: nothing of it will be published. Its worker stops within a segment."""
        job = self._store.cancel(id)
        if job is None:
            return
        with self._changed:
            running = self._running.get(id)
            if running is not None:
                running.cancelled_at = time.monotonic()
                running.worker.send({"do": "cancel", "id": id})
        self._listener(job)

    def folder_of(self, id: str) -> Path:
        """Returns where the results of a job lie."""
        return self._results / id / "files"

    def remove(self, id: str) -> None:
        """Forgets a job that has ended, and then its results."""
        self._store.remove(id)
        remove_folder(self._results / id)

    def wake(self) -> None:
        """Has the queue looked at."""
        with self._changed:
            self._changed.notify_all()

    def hear(self, worker: WorkerProcess, message: Message) -> None:
        """Takes what a worker says of a job; called on the thread that listens to it."""
        what = message["is"]
        if what == "progress":
            running = self._running.get(message["id"])
            if running is not None:
                running.live = Live(message["stage"], message["fraction"], message["eta_seconds"])
        elif what in ("done", "failed"):
            with self._changed:
                running = self._running.get(message["id"])
                if running is None or running.worker is not worker or running.is_ending:
                    return
                running.is_ending = True
                self._changed.notify_all()
            with contextlib.suppress(RuntimeError):  # the server ends: the job is put back
                self._endings.submit(self._finish, running, message)  # the worker goes on being heard
        elif what == "gone":
            self._put_back_of(worker)
        elif what == "ready":
            self.wake()

    def _finish(self, running: _Running, message: Message) -> None:
        """Ends a job; where what hinders that may pass, as a full disk, it is tried again later."""
        try:
            self._end(running, message)
        except Exception as error:
            if running.unfinished is None:  # it is told once, not with every try
                log.exception("A job could not be ended.", extra={"facts": {"job": running.job.id}})
            if _may_pass(error) or not self._give_up(running):
                running.unfinished = message
                self.wake()
                return
        self._release(running.job.id)

    def _give_up(self, running: _Running) -> bool:
        """Ends a job whose results cannot be kept; False where not even that can be noted now."""
        told = "The server could not keep what the job made; its log has the reason."
        try:
            ended = self._store.fail(running.job.id, JobError("InternalError", told, 500))
        except SQLAlchemyError:
            return False
        remove_folder(running.folder)
        if ended is not None:
            self._listener(ended)
        return True

    def _recover(self) -> None:
        """Publishes what is whole, puts everything else that was running back, and removes what belongs to nothing."""
        for job in self._store.find(states=("running",)):
            outcome = read_outcome(self._results / job.id)
            if outcome is None:
                self._store.put_back(job.id, crashed=False)
                continue
            reveal = partial(reveal_in_library, job.request, self.folder_of(job.id))
            try:
                ended = self._store.publish(job.id, outcome, reveal)
            except AudioMLError as error:
                ended = self._store.fail(job.id, JobError.of(error))
            if ended is not None:
                self._listener(ended)
        self.sweep()
        known = {job.id for job in self._store.find(states=("done",))}
        for folder in (each for each in self._results.iterdir() if each.name not in known):
            remove_folder(folder)

    def _schedule(self) -> None:
        while True:
            with self._changed:
                if self._closing:
                    return
            for step in (self._hand_out_all, self._end_overdue, self._finish_late):
                try:
                    step()
                except Exception:  # a full disk, say: the next turn may do better
                    log.exception("The queue could not be looked at.")
            with self._changed:
                if not self._closing:
                    self._changed.wait(POLL_SECONDS)

    def _hand_out_all(self) -> None:
        for lane in LANES.values():
            while self._hand_out(lane):
                pass

    def _hand_out(self, lane: Lane) -> bool:
        """Gives the next job of a lane to its worker; False when there is none, or no room."""
        worker = self._workers[lane.worker]
        with self._changed:
            beside = [each for each in self._running.values() if each.worker is worker and not each.is_ending]
            here = [each for each in beside if each.job.lane == lane.name]
            if self._closing or not worker.is_ready or len(here) >= lane.slots:
                return False
        waiting = [each for each in self._store.waiting(lane.name) if self._may_run(each)]
        if any(each.job.crashes for each in beside):  # of those that lost a worker together, one may be the cause
            waiting = [each for each in waiting if not each.crashes]
        if not waiting:
            return False
        id, owner, *_ = min(
            waiting, key=lambda each: self._served.get((lane.name, each.owner), 0.0)
        )  # whose turn it is
        self._served[lane.name, owner] = time.monotonic()
        with self._changed:  # so that nobody cancels it between its beginning and its way to the worker
            job = self._store.begin(id)
            if job is None:
                return True  # it was cancelled just now: the next one
            folder = self._work / f"{job.id}-{job.attempts}"
            self._running[job.id] = _Running(job, worker, folder, time.monotonic() + self._job_seconds)
            told = {"request": job.request.model_dump(mode="json", exclude_unset=True), "inputs": job.inputs}
            is_sent = worker.send({"do": "job", "id": job.id, "folder": str(folder), **told})
        if not is_sent:
            self._put_back(job.id, crashed=False)
        return is_sent

    def _may_run(self, waiting: Waiting) -> bool:
        with self._changed:
            n_running = sum(running.job.owner == waiting.owner for running in self._running.values())
        return waiting.at_once is None or n_running < waiting.at_once

    def _end(self, running: _Running, message: Message) -> None:
        """Publishes what a job made, or says why it made nothing."""
        job, ended = running.job, None
        if message["is"] == "done":
            ended = self._publish(running, message["report"])
        elif running.overdue:
            limit = f"{self._job_seconds:.0f} s"
            ended = self._store.fail(job.id, JobError("TookTooLong", f"The job was stopped after {limit}.", 504))
        elif running.cancelled_at is None:
            error = dict(message["error"])
            if trace := error.pop("trace", None):
                log.error("A job failed.", extra={"facts": {"job": job.id, "trace": trace}})
            ended = self._store.fail(job.id, JobError(**error))
        remove_folder(running.folder)
        if ended is not None:
            self._listener(ended)

    def _publish(self, running: _Running, report: dict[str, Any]) -> Job | None:
        job, target = running.job, self._results / running.job.id
        outcome = Outcome(report, find_files(running.folder / "files"))
        remove_folder(running.folder / "read")
        (running.folder / OUTCOME).write_text(outcome.dump())
        keep(running.folder)

        def reveal() -> None:
            running.folder.rename(target)
            sync(self._results)
            reveal_in_library(job.request, self.folder_of(job.id))

        try:
            return self._store.publish(job.id, outcome, reveal)
        except AudioMLError as error:
            remove_folder(target)
            return self._store.fail(job.id, JobError.of(error))
        except Exception:
            if target.exists():
                target.rename(running.folder)  # for the next try
            raise

    def _release(self, id: str) -> None:
        with self._changed:
            self._running.pop(id, None)
            self._changed.notify_all()

    def _put_back_of(self, worker: WorkerProcess) -> None:
        with self._changed:
            of_worker = {id: each for id, each in self._running.items() if each.worker is worker}
            crashed = not any(each.is_deaf for each in of_worker.values())  # it was ended for one of them
        for id in (id for id, each in of_worker.items() if not each.is_ending):
            try:
                self._put_back(id, crashed=crashed)
            except Exception:  # it is taken up when the server begins anew
                log.exception("A job could not be put back.", extra={"facts": {"job": id}})
        self.wake()

    def _put_back(self, id: str, *, crashed: bool) -> None:
        """Puts a job whose worker is gone back, once; after that it has failed."""
        with self._changed:
            running = self._running.pop(id, None)
            self._changed.notify_all()
        if running is None:
            return  # somebody else saw that the worker is gone
        ended = None
        if running.overdue:
            ended = self._store.fail(id, JobError("TookTooLong", "The job did not stop when its time was over.", 504))
        elif crashed and running.job.crashes + 1 >= MOST_CRASHES:
            told = "The process that ran the job broke down twice; the same job is not tried again."
            ended = self._store.fail(id, JobError("WorkerGone", told, 500))
        else:
            self._store.put_back(id, crashed=crashed)
        remove_folder(running.folder)
        if ended is not None:
            self._listener(ended)

    def _finish_late(self) -> None:
        """Tries again to end the jobs that could not be ended when their workers were done."""
        with self._changed:
            late = [running for running in self._running.values() if running.unfinished is not None]
        for running in late:
            assert running.unfinished is not None
            self._finish(running, running.unfinished)

    def _end_overdue(self) -> None:
        """Stops jobs whose time is over, and workers that do not listen."""
        now = time.monotonic()
        with self._changed:
            for id, running in self._running.items():
                if running.is_ending:
                    continue
                if now > running.ends_at and running.cancelled_at is None:
                    running.overdue, running.cancelled_at = True, now
                    running.worker.send({"do": "cancel", "id": id})
                elif running.cancelled_at is not None and now > running.cancelled_at + SECONDS_TO_CANCEL:
                    running.is_deaf = True
                    running.worker.kill()


def _may_pass(error: Exception) -> bool:
    """Tells whether what hindered a job's end may be over soon: no room, no descriptors, a database that is busy."""
    return isinstance(error, (OperationalError, NoConnectionFree)) or (
        isinstance(error, OSError) and error.errno in PASSING
    )
