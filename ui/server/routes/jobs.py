"""`/v1/jobs`: work that a client asks for, follows, stops, and fetches the results of."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, JSONResponse
from sse_starlette import EventSourceResponse

from ui.server.inputs import check_inputs, check_webhook
from ui.server.refusals import NotFound, TooLarge, UnknownJob
from ui.server.request import JobRequest, TaskName
from ui.server.scheduler import Live
from ui.server.services import Known, Served, Services
from ui.server.store import Job, QueueLimits, State
from ui.server.tasks import check_request, find_task, in_words
from ui.server.tokens import Caller

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

SECONDS_BETWEEN_LOOKS = 0.1  # at what is in memory
SECONDS_BETWEEN_QUERIES = 0.4
SECONDS_BETWEEN_SIGNS = 15
LONGEST_KEY = 200  # characters


@router.post("", status_code=202)
def submit(
    body: JobRequest,
    services: Served,
    caller: Known,
    idempotency_key: Annotated[str | None, Header(max_length=LONGEST_KEY)] = None,
) -> dict[str, Any]:
    """Accepts a job; the same Idempotency-Key with the same request gives the job that was accepted first."""
    return told(services, accept(services, caller, body, idempotency_key))


def accept(services: Services, caller: Caller, body: JobRequest, key: str | None = None) -> Job:
    """Checks a request and puts it into the queue.

    Raises:
        AudioMLError: when it is not accepted.
    """
    options = services.options
    earlier = services.store.of_key(caller.name, key, body)
    if earlier is not None:  # whatever has become of its inputs since
        return earlier
    if len(body.text or "") > options.max_text:
        raise TooLarge(f"The text has {len(body.text or ''):,} characters, and {options.max_text:,} are accepted.")
    check_request(body)
    inputs = check_inputs(body.all_inputs, caller, services.uploads, options)
    if body.webhook is not None:
        check_webhook(body.webhook, options)
    limits = QueueLimits(options.queue_size, caller.limits.max_queued, caller.limits.max_jobs)
    voices = find_task(body.task).cloned(body)

    def note(id: str) -> None:
        also = ("clone",) if body.task == "enroll" and body.text is not None else ()  # the new voice speaks
        for what in (body.task, *also) if voices else ():
            services.audit.note(caller, what, job=id, voices=voices, consent=body.consent)

    job, _ = services.scheduler.submit(body, caller.name, inputs, key=key, note=note, limits=limits)
    return job


@router.get("")
def find(
    services: Served,
    caller: Known,
    state: State | None = None,
    task: Annotated[list[TaskName], Query(description="Of these tasks; of all without any.")] = [],  # noqa: B006
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> dict[str, Any]:
    """Returns the caller's jobs, the newest first."""
    jobs = services.store.find(owner=caller.name, states=(state,) if state else (), limit=0 if task else limit)
    wanted = [job for job in jobs if not task or job.request.task in task]
    return {"jobs": [told(services, job) for job in wanted[:limit]]}


@router.get("/{id}")
def get(id: str, services: Served, caller: Known) -> dict[str, Any]:
    """Returns a job as it stands."""
    return told(services, services.store.get(id, caller.name))


@router.delete("/{id}")
def delete(id: str, services: Served, caller: Known) -> Response:
    """Stops a job that waits or runs (202), or removes one that has ended with its results (204)."""
    job = services.store.get(id, caller.name)
    if job.has_ended:
        services.scheduler.remove(id)
        return Response(status_code=204)
    services.scheduler.cancel(id)
    return JSONResponse(told(services, services.store.get(id, caller.name)), status_code=202)


@router.get("/{id}/events", response_class=EventSourceResponse)
async def events(id: str, services: Served, caller: Known) -> EventSourceResponse:
    """Tells how far a job is, as server-sent events: `progress` whenever something changes, at last `end`."""
    job = await run_in_threadpool(services.store.get, id, caller.name)
    return EventSourceResponse(_events(services, job), ping=SECONDS_BETWEEN_SIGNS)


@router.head("/{id}/files/{name:path}", include_in_schema=False)  # as players ask
@router.get("/{id}/files/{name:path}", response_class=FileResponse)
def file(id: str, name: str, services: Served, caller: Known) -> FileResponse:
    """Returns a result, whole or by range."""
    path, media_type = find_file(services, services.store.get(id, caller.name), name)
    return FileResponse(path, media_type=media_type, filename=path.name, content_disposition_type="attachment")


def find_file(services: Services, job: Job, name: str) -> tuple[Path, str]:
    """Returns where a result lies, and its media type; raises `NotFound`."""
    found = next((file for file in job.outcome.files if file.name == name), None)
    if job.state != "done" or found is None:
        raise NotFound(f"The job has no file '{name}'.")
    path = services.scheduler.folder_of(job.id) / found.name
    if not path.is_file():
        raise NotFound(f"The job has no file '{name}' any more.")  # it was removed just now
    return path, found.media_type


def told(services: Services, job: Job) -> dict[str, Any]:
    """Returns what a client is told of a job."""
    summary = in_words(job.request.task, job.outcome.report) if job.state == "done" else []
    return job.as_dict() | {"summary": summary} | _progress(services, job, services.scheduler.live(job.id))


def _progress(services: Services, job: Job, live: Live | None) -> dict[str, Any]:
    if job.state != "running" or live is None:
        live = Live(fraction=float(job.state == "done"))
    position = services.store.position(job) if job.state == "queued" else None
    return {"state": job.state, **vars(live), "position": position}


def _newest(services: Services, job: Job) -> Job:
    """Returns a job as it is now; one that was removed while somebody followed it is over for them."""
    try:
        return services.store.get(job.id)
    except UnknownJob:
        return replace(job, state="cancelled")


async def _events(services: Services, job: Job) -> AsyncIterator[dict[str, str]]:
    former: dict[str, Any] = {}
    while not job.has_ended:
        live = services.scheduler.live(job.id)
        if job.state != "running" or live is None:  # else the database has nothing new
            job = await run_in_threadpool(_newest, services, job)
        progress = await run_in_threadpool(_progress, services, job, live)
        if progress != former and not job.has_ended:
            former = progress
            yield {"event": "progress", "data": json.dumps(progress)}
        await asyncio.sleep(SECONDS_BETWEEN_LOOKS if job.state == "running" else SECONDS_BETWEEN_QUERIES)
    yield {"event": "end", "data": json.dumps(told(services, job))}
