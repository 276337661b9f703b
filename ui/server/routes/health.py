"""Whether the server is alive, whether work can be sent to it, and what it has measured."""

from __future__ import annotations

import os
import shutil
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError

from audio_ml.budget import show_size
from ui.server.metrics import MEDIA_TYPE
from ui.server.services import Served, Services

router = APIRouter(tags=["health"])

LEAST_FREE_BYTES = 500_000_000  # results of a few jobs


@router.head("/health", include_in_schema=False)  # as load balancers ask
@router.get("/health")
async def health() -> dict[str, str]:  # which waits for no thread
    """Tells that the process is alive and answers."""
    return {"status": "ok"}


@router.get("/ready", responses={503: {"description": "Work cannot be sent now; the reasons say why."}})
def ready(services: Served) -> JSONResponse:
    """Tells whether work can be sent: the workers are there, and what they make can be kept."""
    reasons = _hindrances(services)
    told: dict[str, Any] = {"status": "not ready" if reasons else "ready", "reasons": reasons}
    return JSONResponse(told, status_code=503 if reasons else 200)


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def metrics(services: Served) -> Response:
    """Returns what was counted and measured, for Prometheus."""
    counts = {**services.store.counts(), "stream": services.fleet.stream_counts()}
    text = services.metrics.exposition(counts, services.fleet.memory())
    return Response(text, media_type=MEDIA_TYPE)


def _hindrances(services: Services) -> list[str]:
    workers = services.fleet.workers.values()
    reasons = [f"The worker '{worker.name}' is not ready." for worker in workers if not worker.is_ready]
    try:
        with services.database.begin() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")  # takes the right to write, and writes nothing
    except SQLAlchemyError as error:
        reasons.append(f"The database cannot be written to: {getattr(error, 'orig', None) or error}.")
    folder = services.options.data_folder
    try:
        if not os.access(folder, os.W_OK):
            reasons.append("The folder of results cannot be written to.")
        elif (free := shutil.disk_usage(folder).free) < LEAST_FREE_BYTES:
            reasons.append(f"The disk of results has only {show_size(free)} left.")
    except OSError as error:
        reasons.append(f"The folder of results cannot be read: {error.strerror}.")
    return reasons
