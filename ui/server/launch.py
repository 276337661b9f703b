"""Runs the server until the process is told to stop; one at a time in a folder."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import uvicorn
from filelock import FileLock, Timeout

from audio_ml import own_files
from audio_ml.errors import InvalidInput, OutputUnwritable
from audio_ml.streams import show
from audio_ml.weights import WeightStore
from ui.models import store_for
from ui.server.app import admit, create_app
from ui.server.connections import connection_settings
from ui.server.database import Database
from ui.server.fleet import Fleet, FleetOptions
from ui.server.housekeeping import Bell, Housekeeper
from ui.server.logs import AuditLog, set_up_logging
from ui.server.metrics import Metrics
from ui.server.options import FOLDER_VARIABLE, ServerOptions
from ui.server.scheduler import Scheduler
from ui.server.services import Services
from ui.server.speeds import Speeds
from ui.server.store import JobStore
from ui.server.uploads import Uploads

SECONDS_TO_END = 5


def launch(
    host: str,
    port: int,
    options: ServerOptions,
    *,
    device: str = "auto",
    fetch: Mapping[str, Any] | None = None,
    memory: Mapping[str, Any] | None = None,
    commercial_only: bool = False,
    log_level: int = logging.INFO,
) -> None:
    """Serves until Ctrl-C or SIGTERM; jobs that are at work then run again when the server begins anew.

    With `commercial_only` the page offers no model that may not be used commercially by its owner's word.

    Raises:
        InvalidInput: when nothing can listen on that address, or another server has the folder.
        OutputUnwritable: when the folder cannot be written to.
    """
    set_up_logging(options.log_format, log_level)
    os.environ["FASTAPI_OTEL_AUTO_CONFIGURE"] = "false"  # nothing is told to anyone
    with listen(host, port) as listener, running(options, device=device, fetch=fetch, memory=memory) as services:
        own_files.serve_others()
        with _server(services, host, store_for(dict(fetch or {})), commercial_only) as server:
            scheme = "https" if options.certificate else "http"
            shown = f"[{host}]" if ":" in host else host
            print(f"Serving at {scheme}://{shown}:{listener.getsockname()[1]}/ (end it with Ctrl-C).", flush=True)
            with contextlib.suppress(KeyboardInterrupt):
                server.run(sockets=[listener])


@contextmanager
def _server(services: Services, host: str, store: WeightStore, commercial_only: bool) -> Iterator[uvicorn.Server]:
    """Opens what serves the interface, and the page where it is wanted; a browser has no token to show."""
    options, interface = services.options, create_app(services)
    settings = connection_settings(options) | {"timeout_graceful_shutdown": SECONDS_TO_END}
    if options.tokens or not options.page:
        yield uvicorn.Server(uvicorn.Config(admit(interface, services, host), **settings))
        return
    from ui.server.page import page_of
    from ui.web.page import PageServer

    with page_of(services, interface, store, commercial_only) as page:
        yield PageServer(uvicorn.Config(admit(page.beside, services, host), **settings), page.app)


@contextmanager
def running(
    options: ServerOptions,
    *,
    device: str = "auto",
    fetch: Mapping[str, Any] | None = None,
    memory: Mapping[str, Any] | None = None,
) -> Iterator[Services]:
    """Runs every part of the server behind its addresses, and ends them with the block.

    Raises:
        InvalidInput: when another server has the folder, or there is no such device.
        OutputUnwritable: when the folder cannot be written to.
    """
    folder, rest = options.data_folder, dict(memory or {})
    budget = rest.pop("memory_budget", "")
    told = FleetOptions(device, budget, dict(fetch or {}), rest, options.model_dump(mode="json"))
    with _only_one(options) as database, contextlib.ExitStack() as stack:
        store, metrics, fleet = JobStore(database), Metrics(), Fleet(told)
        bell = Bell(options, metrics, Speeds(database))
        scheduler = Scheduler(store, fleet.workers, folder, job_seconds=options.job_seconds, listener=bell)
        uploads = Uploads(database, options.uploads_folder, options)
        uploads.is_needed = lambda upload: upload in store.needed_uploads()
        housekeeper = Housekeeper(options, store, scheduler, uploads)
        fleet.subscribe(scheduler.hear)
        fleet.subscribe(lambda worker, message: _count_restart(metrics, worker.name, message))
        scheduler.start()
        for end in (bell.close, scheduler.sweep, fleet.close, scheduler.close, housekeeper.close):  # the last one first
            stack.callback(end)
        fleet.start()
        housekeeper.start()
        audit = AuditLog(folder / "audit.log")
        yield Services(options, database, store, fleet, scheduler, uploads, audit, metrics, housekeeper.rounds)


def listen(host: str, port: int) -> socket.socket:
    """Returns a socket that listens; port 0 is any that is free.

    Raises:
        InvalidInput: when nothing can listen there.
    """
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise InvalidInput(f"Cannot listen on {host}, port {port}: {error.strerror}. Choose another --port.") from error


@contextmanager
def _only_one(options: ServerOptions) -> Iterator[Database]:
    """Opens the database of a folder, which no other server has."""
    folder = options.data_folder
    lock = FileLock(folder / "lock", timeout=0)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        told = f"Another server works in {show(folder)}: end it, or name another folder in {FOLDER_VARIABLE}."
        raise InvalidInput(told) from None
    except OSError as error:
        raise OutputUnwritable(f"{show(folder)} cannot be written to: {error.strerror}.") from error
    with lock, contextlib.closing(Database(folder / "jobs.sqlite")) as database:
        lock.release()  # the block has it once more
        yield database


def _count_restart(metrics: Metrics, worker: str, message: Mapping[str, Any]) -> None:
    if message["is"] == "gone":
        metrics.worker_restarted(worker)
