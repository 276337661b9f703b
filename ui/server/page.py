"""The page on the server's own address: what its visitors ask for are jobs like all others."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from pydantic import ValidationError
from starlette.types import ASGIApp, Receive, Scope, Send

from audio_ml.errors import InvalidInput
from audio_ml.weights import WeightStore
from ui.server.bodies import BodyLimits
from ui.server.door import Door
from ui.server.refusals import UnknownUpload
from ui.server.replies import explain_problem
from ui.server.request import JobRequest
from ui.server.routes.jobs import accept, told
from ui.server.routes.models import change_licence
from ui.server.services import Services
from ui.server.speeds import Speeds
from ui.server.tokens import Caller, local_caller
from ui.server.visitors import MINE, GivesKeys, Mine, visitor_of
from ui.web.page import build_page, page_app

if TYPE_CHECKING:
    import gradio as gr

    from audio_ml.catalogue import ModelSpec

ADDRESSES = ("/v1", "/health", "/ready", "/metrics", "/openapi.json")  # of the interface
ARRIVING = "arriving"  # the folder of what browsers are sending
MOST_KEPT = 10_000
MOST_JOBS = 200  # of a visitor, that are looked at
SECONDS_OF_A_DOUBLE_CLICK = 2.0  # in which a short job may be done


@dataclass(frozen=True)
class Page:
    """The page as an application, and all that is served where it is: the page, and the interface for its visitors."""

    app: FastAPI
    beside: ASGIApp


@contextmanager
def page_of(
    services: Services, interface: ASGIApp, store: WeightStore, commercial_only: bool = False
) -> Iterator[Page]:
    """Opens the page beside an interface, for a block."""
    arriving = services.options.data_folder / ARRIVING
    shutil.rmtree(arriving, ignore_errors=True)  # nobody still sends what they sent to a server that was killed
    arriving.mkdir(mode=0o700, parents=True)
    os.environ["GRADIO_TEMP_DIR"] = str(arriving.resolve())
    try:
        app = page_app(build_page(ServerDesk(services, store, commercial_only)))
        mine = Mine(BodyLimits(interface, services.options))
        limited = Door(GivesKeys(app), arriving, services.options.upload_space_bytes)
        yield Page(app, _Beside(interface, mine, limited))
    finally:
        shutil.rmtree(arriving, ignore_errors=True)


class ServerDesk:
    """Fills in `ui.web.desk.Desk`."""

    def __init__(self, services: Services, store: WeightStore, commercial_only: bool) -> None:
        self.store, self.commercial_only = store, commercial_only
        self._accepting = threading.Lock()  # of two clicks at once the second sees the job of the first
        self._services = services
        self._keeping = threading.Lock()
        self._kept: dict[tuple[str, Path], str] = {}  # the upload that a file became

    def speeds(self) -> Mapping[str, float]:
        """See `Desk.speeds`."""
        return Speeds(self._services.database).all()

    def visitor(self, request: gr.Request) -> str:
        """See `Desk.visitor`."""
        return visitor_of(request.cookies)

    def keep(self, visitor: str, path: Path) -> dict[str, str]:
        """See `Desk.keep`."""
        uploads = self._services.uploads
        with self._keeping:
            try:
                upload = uploads.find(self._kept.get((visitor, path), ""), visitor)
                uploads.put_back(upload, path)
            except UnknownUpload:
                if len(self._kept) >= MOST_KEPT:
                    self._kept.clear()  # a file that comes again is one more name of it
                upload = uploads.adopt(self._caller(visitor), path)
                self._kept[visitor, path] = upload.id
        return {"upload": upload.id}

    def submit(self, visitor: str, **request: Any) -> str:
        """See `Desk.submit`."""
        try:
            body = JobRequest(**request)
        except ValidationError as error:
            problem = error.errors()[0]
            raise InvalidInput(explain_problem({**problem, "loc": ("body", *problem["loc"])})) from error
        pressed = time.time() - SECONDS_OF_A_DOUBLE_CLICK
        with self._accepting:
            jobs = self._services.store.find(owner=visitor, states=("queued", "running", "done"), limit=MOST_JOBS)
            going_on = (job for job in jobs if job.state != "done" or job.created > pressed)
            same = next((job for job in going_on if job.request.sha256 == body.sha256), None)
            return (same or accept(self._services, self._caller(visitor), body)).id

    def accept_terms(self, visitor: str, spec: ModelSpec) -> None:
        """See `Desk.accept_terms`."""
        change_licence(spec, self._services, self._caller(visitor), accepts=True)

    def jobs(self, visitor: str, *tasks: str) -> list[Mapping[str, Any]]:
        """See `Desk.jobs`."""
        jobs = self._services.store.find(owner=visitor, limit=MOST_JOBS)
        return [told(self._services, job) for job in jobs if not tasks or job.request.task in tasks]

    def _caller(self, visitor: str) -> Caller:
        return Caller(visitor, (), local_caller(self._services.options).limits)


class _Beside:
    """The interface, the same for the page's visitors and, at all other addresses, the page."""

    def __init__(self, interface: ASGIApp, mine: ASGIApp, page: ASGIApp) -> None:
        self._interface, self._mine, self._page = interface, mine, page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"] if scope["type"] == "http" else ""
        if path in ADDRESSES or path.startswith("/v1/"):
            await self._interface(scope, receive, send)
        elif path.startswith(f"{MINE}/v1/"):
            await self._mine(scope, receive, send)
        else:
            await self._page(scope, receive, send)
