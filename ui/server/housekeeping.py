"""What happens by itself: old results and uploads go, and a client's address is told that a job has ended."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from audio_ml.errors import AudioMLError
from ui.server.forgetting import forget_deleted_voices
from ui.server.hosts import Hosts
from ui.server.metrics import Metrics
from ui.server.options import ServerOptions
from ui.server.scheduler import Scheduler
from ui.server.speeds import Speeds, sound_seconds
from ui.server.store import Job, JobStore
from ui.server.uploads import Uploads

log = logging.getLogger(__name__)
SECONDS_BETWEEN_ROUNDS = 60.0
WEBHOOK_PAUSES = (0.0, 5.0, 60.0)  # seconds before each try


class Housekeeper:
    """Removes what is kept no longer, once a minute, until it is closed; `rounds` is what it does then."""

    def __init__(self, options: ServerOptions, store: JobStore, scheduler: Scheduler, uploads: Uploads) -> None:
        self._options, self._store, self._scheduler, self._uploads = options, store, scheduler, uploads
        self.rounds: list[Callable[[], None]] = [self._remove_results, self._remove_uploads]
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._live, name="housekeeper", daemon=True)

    def start(self) -> None:
        """Begins with a round."""
        self._thread.start()

    def close(self) -> None:
        """Ends it."""
        self._closing.set()
        self._thread.join()

    def tidy(self) -> None:
        """Does a round: removes results that are too old or too much, and uploads that nobody needs."""
        for step in self.rounds:
            try:
                step()
            except Exception:  # a disk that is full now may not be in a minute
                log.exception("What is old could not be removed.")

    def _remove_results(self) -> None:
        for id in self._store.surplus(3600 * self._options.keep_hours, self._options.keep_n_bytes):
            self._scheduler.remove(id)
        forget_deleted_voices(self._store, self._scheduler)

    def _remove_uploads(self) -> None:
        self._uploads.expire(self._store.needed_uploads())

    def _live(self) -> None:
        self.tidy()
        while not self._closing.wait(SECONDS_BETWEEN_ROUNDS):
            self.tidy()


class Bell:
    """Counts the jobs that end, notes how fast they were, and tells the addresses that want to know."""

    def __init__(self, options: ServerOptions, metrics: Metrics, speeds: Speeds) -> None:
        self._options, self._metrics, self._speeds = options, metrics, speeds
        self._pool = ThreadPoolExecutor(8, thread_name_prefix="webhook")
        self._closing = threading.Event()

    def __call__(self, job: Job) -> None:
        waited = None if job.started is None else job.started - job.created
        worked = None if job.started is None or job.finished is None else job.finished - job.started
        report, error = job.outcome.report or {}, job.outcome.error
        model = str(report.get("model") or job.request.model or "")
        kind = error.type if error else None
        self._metrics.job_ended(
            job.request.task, job.state, waited, worked, sound_seconds(report), model=model, error=kind
        )
        self._speeds.hear(job)
        if job.request.webhook is not None:
            self._pool.submit(self._ring, job.request.webhook, job)

    def close(self) -> None:
        """Ends what waits."""
        self._closing.set()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _ring(self, url: str, job: Job) -> None:
        told = json.dumps({"id": job.id, "task": job.request.task, "state": job.state}).encode()
        headers = {"Content-Type": "application/json", "Idempotency-Key": job.id}
        for pause in WEBHOOK_PAUSES:
            if self._closing.wait(pause):
                break
            try:
                with Hosts(self._options.webhook_hosts).request("POST", url, body=told, headers=headers) as reply:
                    if reply.status < 300:
                        return
                    log.warning("A webhook was answered with %s.", reply.status, extra={"facts": {"job": job.id}})
            except AudioMLError as error:
                log.warning("A webhook failed: %s", error, extra={"facts": {"job": job.id}})
        log.error("The webhook of a job could not be told.", extra={"facts": {"job": job.id}})
