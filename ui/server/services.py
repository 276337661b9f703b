"""What the routes of the server work with, and who asks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from ui.server.database import Database
from ui.server.fleet import Fleet
from ui.server.logs import AuditLog
from ui.server.metrics import Metrics
from ui.server.options import ServerOptions
from ui.server.scheduler import Scheduler
from ui.server.store import JobStore
from ui.server.tokens import Caller
from ui.server.uploads import Uploads


@dataclass(frozen=True, eq=False)
class Services:
    """The parts of a running server."""

    options: ServerOptions
    database: Database
    store: JobStore
    fleet: Fleet
    scheduler: Scheduler
    uploads: Uploads
    audit: AuditLog
    metrics: Metrics
    rounds: list[Callable[[], None]] = field(default_factory=list)  # what is done once a minute


async def services_of(request: Request) -> Services:
    """Returns the parts of the server that a request came to."""
    services: Services = request.app.state.services
    return services


async def caller_of(request: Request) -> Caller:
    """Returns who sent a request."""
    caller: Caller = request.state.caller
    return caller


# Both are coroutines for this alone: FastAPI would ask a plain function on a thread of its own.
Served = Annotated[Services, Depends(services_of)]
Known = Annotated[Caller, Depends(caller_of)]
