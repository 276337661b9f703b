"""The page on the server's own address: what it separates are jobs like all others."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from audio_ml.errors import AudioMLError
from audio_ml.progress import Progress
from audio_ml.weights import WeightStore
from separation import SeparationReport
from ui.server.replies import add_error_replies
from ui.server.request import JobRequest
from ui.server.routes import jobs, listen
from ui.server.services import Services, caller_of
from ui.server.store import Job, QueueLimits
from ui.server.tokens import Caller
from ui.server.worker_process import as_error
from ui.web.jobs import Separated, Sessions
from ui.web.page import build_page, open_sessions, page_app

OWNER = "page/"  # and a key, of what is separated on it; no token has such a name
POLL_SECONDS = 0.1
ADDRESSES = ("/v1", "/health", "/ready", "/metrics", "/openapi.json")  # of the interface
HEARD = "/heard/{key}"  # where who has the key of a job finds it


@dataclass(frozen=True)
class Page:
    """The page as an application, and the work of those who have it open."""

    app: FastAPI
    sessions: Sessions


@contextmanager
def page_of(services: Services, store: WeightStore, commercial_only: bool = False) -> Iterator[Page]:
    """Opens the page for a block; then all files of its users go."""
    with tempfile.TemporaryDirectory(prefix="audio-ml-") as folder:
        separation = JobSeparation(services)
        separation.clear()
        sessions = open_sessions(Path(folder), separation.forget)
        try:
            page = build_page(store, separation, sessions, commercial_only)
            yield Page(page_app(page, _heard(services)), sessions)
        finally:
            sessions.close()


def _heard(services: Services) -> FastAPI:
    """Returns an application with the page's jobs, each for those who have its key."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.state.services, app.state.listening = services, listen.Listening()
    for router in (jobs.router, listen.router):
        app.include_router(router, prefix=HEARD)
    app.dependency_overrides[caller_of] = _caller_with_key
    add_error_replies(app)
    return app


def _caller_with_key(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return replace(caller, name=OWNER + request.path_params["key"], roots=())


class Beside:
    """The interface and, at all other addresses, the page."""

    def __init__(self, interface: ASGIApp, page: ASGIApp) -> None:
        self._interface, self._page = interface, page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_page = scope["type"] != "http" or not (scope["path"] in ADDRESSES or scope["path"].startswith("/v1/"))
        await (self._page if is_page else self._interface)(scope, receive, send)


class JobSeparation:
    """Separates a file into a folder by a job of the server, which stays to be listened to until it is forgotten."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._jobs: dict[Path, str] = {}

    def __call__(
        self,
        path: str,
        out_dir: Path,
        *,
        model: str,
        options: Mapping[str, Any],
        delivery: Mapping[str, Any],
        progress: Progress,
    ) -> Separated:
        scheduler, limits = self._services.scheduler, QueueLimits(self._services.options.queue_size)
        request = JobRequest(task="separate", model=model, options=dict(options), delivery=dict(delivery))
        inputs = [{"path": path, "name": Path(path).name, "root": str(Path(path).parent)}]  # so that it can be heard
        key = secrets.token_urlsafe(16)
        job, _ = scheduler.submit(request, OWNER + key, inputs, limits=limits)
        self._jobs[out_dir] = job.id
        report = self._collect(self._wait(job.id, progress), out_dir, Path(path))
        return Separated(report, f"{HEARD.format(key=key)}/v1/jobs/{job.id}")

    def forget(self, out_dir: Path) -> None:
        """Ends and removes the job whose results came into a folder, if there is one."""
        id = self._jobs.pop(out_dir, None)
        if id is not None:
            self._services.scheduler.cancel(id)
            self._services.scheduler.remove(id)

    def clear(self) -> None:
        """Removes the jobs of a server that was killed: those who wanted them are gone."""
        for job in self._services.store.find():
            if job.owner.startswith(OWNER):
                self._services.scheduler.cancel(job.id)
                self._services.scheduler.remove(job.id)

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
        """Gives what a job made further names in a folder, and returns its report with the paths there."""
        outcome = job.outcome
        if outcome.error is not None:
            raise as_error(vars(outcome.error))
        if outcome.report is None:
            raise AudioMLError("The job came to nothing.")
        for file in outcome.files:
            (out_dir / file.name).parent.mkdir(parents=True, exist_ok=True)
            _give(self._services.scheduler.folder_of(job.id) / file.name, out_dir / file.name)
        files = [file | {"path": str(out_dir / file["path"])} for file in outcome.report["files"]]
        return SeparationReport.from_dict(outcome.report | {"files": files, "source": str(source)})


def _give(source: Path, target: Path) -> None:
    """Gives a file a second name; on another disk it is copied."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
