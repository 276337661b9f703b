"""A server of jobs that are done, for tests of what is heard of them: no worker, no model."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import uvicorn
from fastapi import FastAPI
from serving import Server

from audio_ml.wav import stream_header
from ui.server.app import admit, create_app
from ui.server.database import Database
from ui.server.launch import listen
from ui.server.logs import AuditLog
from ui.server.metrics import Metrics
from ui.server.options import ServerOptions
from ui.server.request import JobRequest
from ui.server.results import find_files
from ui.server.scheduler import Scheduler
from ui.server.services import Services
from ui.server.store import JobStore, Outcome, QueueLimits
from ui.server.uploads import Uploads
from ui.web.files import add_files

NO_LANE = "none"  # which no scheduler serves


@dataclass(frozen=True)
class ListeningServer(Server):
    """A server, and how a job that is done comes to it."""

    def publish(
        self, fill: Any, report: Mapping[str, Any], *, owner: str = "local", source: Path | None = None, **request: Any
    ) -> str:
        """Adds a job whose results `fill(folder)` writes, and returns its id."""
        store, scheduler = self.services.store, self.services.scheduler
        inputs = [{"path": str(source), "root": str(source.parent), "name": source.name}] if source else []
        asked = JobRequest.model_validate({"task": "separate", **request})
        job, _ = store.accept(asked, owner, inputs, NO_LANE, limits=QueueLimits(100))
        store.begin(job.id)
        folder = scheduler.folder_of(job.id)
        folder.mkdir(parents=True)
        fill(folder)
        store.publish(job.id, Outcome(dict(report), find_files(folder)), lambda: None)
        return job.id


def stem_report(stems: Mapping[str, float | None], sample_rate: int, n_samples: int, folder: str = "song") -> Any:
    """Returns as much of a report of a separation as listening needs: the loudness in LUFS of each stem."""
    files = [
        {"stem": stem, "path": f"{folder}/{stem}.wav", "n_samples": n_samples, "loudness": {"integrated_lufs": lufs}}
        for stem, lufs in stems.items()
    ]
    return {"files": files, "sample_rate": sample_rate, "n_samples": n_samples, "null_depth_db": -140.0}


def write_sparse(path: Path, sample_rate: int, n_samples: int, clicks: Sequence[int]) -> None:
    """Writes a mono WAV of 16 bits that is silent but for single samples of half of full scale; it takes no disk."""
    with path.open("wb") as file:
        header = stream_header(sample_rate, 1, "16", n_samples)
        file.write(header)
        for click in clicks:
            file.seek(len(header) + 2 * click)
            file.write((1 << 14).to_bytes(2, "little"))
        file.truncate(len(header) + 2 * n_samples)


@contextmanager
def listening(folder: Path) -> Iterator[ListeningServer]:
    """Runs such a server for a block, with the files of the player."""
    options = ServerOptions(folder=str(folder))
    with closing(Database(folder / "jobs.sqlite")) as database, listen("127.0.0.1", 0) as listener:
        store = JobStore(database)
        scheduler = Scheduler(store, {}, folder, job_seconds=60)
        uploads = Uploads(database, options.uploads_folder, options)
        audit, metrics = AuditLog(folder / "audit.log"), Metrics()
        services = Services(options, database, store, cast(Any, None), scheduler, uploads, audit, metrics)
        app: FastAPI = create_app(services)
        add_files(app)
        config = uvicorn.Config(admit(app, services), log_level="warning", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.02)
        try:
            yield ListeningServer(f"http://127.0.0.1:{listener.getsockname()[1]}", services)
        finally:
            server.should_exit = True
            thread.join()
