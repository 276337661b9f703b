"""The page on the server's own address: what it separates are jobs like all others."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from audio_ml.errors import AudioMLError, Cancelled
from audio_ml.progress import Progress
from audio_ml.weights import WeightStore
from separation import SeparationReport
from ui.server.request import JobRequest
from ui.server.services import Services
from ui.server.store import Job, QueueLimits
from ui.server.worker_process import as_error
from ui.web.jobs import Sessions
from ui.web.page import build_page, open_sessions, page_app

OWNER = "page"  # of what is separated on it; no token has this name, since the page is there without tokens only
POLL_SECONDS = 0.1
ADDRESSES = ("/v1", "/health", "/ready", "/metrics", "/openapi.json")  # of the interface


@dataclass(frozen=True)
class Page:
    """The page as an application, and the work of those who have it open."""

    app: FastAPI
    sessions: Sessions


@contextmanager
def page_of(services: Services, store: WeightStore, commercial_only: bool = False) -> Iterator[Page]:
    """Opens the page for a block; then all files of its users go."""
    with tempfile.TemporaryDirectory(prefix="audio-ml-") as folder:
        sessions = open_sessions(Path(folder))
        for job in services.store.find(owner=OWNER):  # of a server that was killed: their sounds are gone
            services.scheduler.cancel(job.id)
            services.scheduler.remove(job.id)
        try:
            yield Page(page_app(build_page(store, JobSeparation(services), sessions, commercial_only)), sessions)
        finally:
            sessions.close()


class Beside:
    """The interface and, at all other addresses, the page."""

    def __init__(self, interface: ASGIApp, page: ASGIApp) -> None:
        self._interface, self._page = interface, page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_page = scope["type"] != "http" or not (scope["path"] in ADDRESSES or scope["path"].startswith("/v1/"))
        await (self._page if is_page else self._interface)(scope, receive, send)


class JobSeparation:
    """Separates a file into a folder by a job of the server; the page waits for it."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def __call__(
        self,
        path: str,
        out_dir: Path,
        *,
        model: str,
        options: Mapping[str, Any],
        delivery: Mapping[str, Any],
        progress: Progress,
    ) -> SeparationReport:
        scheduler, limits = self._services.scheduler, QueueLimits(self._services.options.queue_size)
        request = JobRequest(task="separate", model=model, options=dict(options), delivery=dict(delivery))
        inputs = [{"path": path, "name": Path(path).name}]
        job, _ = scheduler.submit(request, OWNER, inputs, limits=limits)
        try:
            return self._collect(self._wait(job.id, progress), out_dir, Path(path))
        except Cancelled:
            scheduler.cancel(job.id)
            raise
        finally:
            scheduler.remove(job.id)

    def _wait(self, id: str, progress: Progress) -> Job:
        while True:
            job = self._services.store.get(id)
            if job.has_ended:
                return job
            live = self._services.scheduler.live(id)
            if live is None:
                n_before = self._services.store.position(job)
                progress.update("waiting" if not n_before else f"waiting behind {n_before}", 0.0)
            else:
                progress.update(live.stage or "starting", live.fraction)
            time.sleep(POLL_SECONDS)

    def _collect(self, job: Job, out_dir: Path, source: Path) -> SeparationReport:
        """Moves what a job made into a folder, and returns its report with the paths there."""
        outcome = job.outcome
        if outcome.error is not None:
            raise as_error(vars(outcome.error))
        if outcome.report is None:
            raise AudioMLError("The job came to nothing.")
        for file in outcome.files:
            (out_dir / file.name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(self._services.scheduler.folder_of(job.id) / file.name, out_dir / file.name)
        files = [file | {"path": str(out_dir / file["path"])} for file in outcome.report["files"]]
        return SeparationReport.from_dict(outcome.report | {"files": files, "source": str(source)})
