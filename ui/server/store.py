"""The jobs of the server, on the disk: accepted once, run until they end, published once."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any, Literal, NamedTuple
from urllib.parse import quote

import sqlalchemy as sql
from sqlalchemy import Column, Connection, Float, Integer, String, Table, Text, UniqueConstraint

from audio_ml.errors import AudioMLError, InvalidInput
from ui.server.database import METADATA, Database
from ui.server.refusals import QueueFull, UnknownJob
from ui.server.request import JobRequest

RETRY_AFTER = {"Retry-After": "10"}  # seconds
State = Literal["queued", "running", "done", "failed", "cancelled"]
ENDED: tuple[State, ...] = ("done", "failed", "cancelled")

JOBS = Table(
    "jobs",
    METADATA,
    Column("number", Integer, primary_key=True),  # in the order of coming
    Column("id", String, nullable=False, unique=True),
    Column("owner", String, nullable=False, index=True),
    Column("key", String),  # the client's, so that a repeated request makes no second job
    Column("request", Text, nullable=False),
    Column("sha256", String, nullable=False),
    Column("inputs", Text, nullable=False),
    Column("lane", String, nullable=False),
    Column("state", String, nullable=False, index=True),
    Column("at_once", Integer),  # how many of its owner's may run, where there is a limit
    Column("attempts", Integer, nullable=False),
    Column("crashes", Integer, nullable=False),
    Column("created", Float, nullable=False),
    Column("started", Float),
    Column("finished", Float),
    Column("outcome", Text),
    Column("n_bytes", Integer, nullable=False),
    UniqueConstraint("owner", "key"),
)


@dataclass(frozen=True)
class QueueLimits:
    """How many jobs may wait, and of one owner wait and run at once; None is no limit of its own."""

    waiting: int
    waiting_of_owner: int | None = None
    at_once_of_owner: int | None = None


@dataclass(frozen=True)
class JobFile:
    """A result by the name that a client asks for it with."""

    name: str
    n_bytes: int
    media_type: str


@dataclass(frozen=True)
class JobError:
    """Why a job failed: the name of the error, its sentence, its HTTP status, and the argument that is at fault."""

    type: str
    message: str
    code: int
    param: str | None = None

    @staticmethod
    def of(error: AudioMLError) -> JobError:
        return JobError(type(error).__name__, str(error), error.http_status, error.param)


@dataclass(frozen=True)
class Outcome:
    """What came of a job."""

    report: dict[str, Any] | None = None
    files: tuple[JobFile, ...] = ()
    error: JobError | None = None

    def dump(self) -> str:
        files = [vars(file) for file in self.files]
        return json.dumps({"report": self.report, "files": files, "error": vars(self.error) if self.error else None})

    @staticmethod
    def load(text: str | None) -> Outcome:
        told = json.loads(text) if text else {}
        error = told.get("error")
        files = tuple(JobFile(**file) for file in told.get("files", ()))
        return Outcome(told.get("report"), files, JobError(**error) if error else None)


@dataclass(frozen=True)
class Job:
    """A job as it stands in the database; times are seconds since 1970."""

    number: int
    id: str
    owner: str
    request: JobRequest
    inputs: tuple[dict[str, str], ...]
    lane: str
    state: State
    attempts: int
    crashes: int
    created: float
    started: float | None
    finished: float | None
    outcome: Outcome = field(repr=False)

    @property
    def has_ended(self) -> bool:
        return self.state in ENDED

    def as_dict(self) -> dict[str, Any]:
        """Returns what a client is told of the job, but for its progress."""
        outcome = self.outcome
        return {
            "id": self.id,
            "task": self.request.task,
            "model": self.request.model,
            "inputs": [source["name"] for source in self.inputs],
            "state": self.state,
            "attempts": self.attempts,
            "created": _iso(self.created),
            "started": _iso(self.started),
            "finished": _iso(self.finished),
            "error": vars(outcome.error) if outcome.error else None,
            "files": [vars(file) | {"url": f"/v1/jobs/{self.id}/files/{quote(file.name)}"} for file in outcome.files],
            "request": self.request.model_dump(mode="json", exclude_defaults=True),
            "report": outcome.report,
            "warnings": [_words(warning) for warning in (outcome.report or {}).get("warnings", ())],
        }


class Waiting(NamedTuple):
    """A job in the queue, how many of its owner's may run at once, and how many workers have broken under it."""

    id: str
    owner: str
    at_once: int | None
    crashes: int


class JobStore:
    """Jobs in a database. What a method has returned from is on the disk."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def accept(
        self,
        request: JobRequest,
        owner: str,
        inputs: Sequence[dict[str, str]],
        lane: str,
        *,
        key: str | None = None,
        note: Callable[[str], None] = lambda _: None,
        limits: QueueLimits,
    ) -> tuple[Job, bool]:
        """Puts a job into the queue; returns it, and whether it is new: the same key and request give the same job.

        `note` is told the id of a new one; what it raises keeps the job out.

        Raises:
            InvalidInput: for a key that an other request had.
            QueueFull: when as many wait as may.
        """
        with self._database.begin() as connection:
            earlier = _of_key(connection, owner, key, request)
            if earlier is not None:
                return earlier, False
            _check_room(connection, owner, limits)
            told = request.model_dump_json()
            row = {
                "id": secrets.token_hex(16),
                "owner": owner,
                "key": key,
                "request": told,
                "sha256": request.sha256,
                "inputs": json.dumps(list(inputs)),
                "lane": lane,
                "state": "queued",
                "at_once": limits.at_once_of_owner,
                "attempts": 0,
                "crashes": 0,
                "created": time.time(),
                "n_bytes": len(told),
            }
            connection.execute(sql.insert(JOBS).values(row))
            note(str(row["id"]))
            return _job(connection.execute(sql.select(JOBS).where(JOBS.c.id == row["id"])).one()), True

    def of_key(self, owner: str, key: str | None, request: JobRequest) -> Job | None:
        """Returns the job that was accepted for a key, if one was; raises `InvalidInput` as `accept`."""
        with self._database.read() as connection:
            return _of_key(connection, owner, key, request)

    def get(self, id: str, owner: str | None = None) -> Job:
        """Returns a job; of another owner there is none.

        Raises:
            UnknownJob: when there is none.
        """
        with self._database.read() as connection:
            row = connection.execute(sql.select(JOBS).where(JOBS.c.id == id)).first()
        if row is None or owner not in (None, row.owner):
            raise UnknownJob(f"There is no job '{id}'.")
        return _job(row)

    def find(
        self, *, owner: str | None = None, states: Collection[str] = (), lane: str | None = None, limit: int = 0
    ) -> list[Job]:
        """Returns jobs, those that came last first."""
        query = sql.select(JOBS).order_by(JOBS.c.number.desc())
        if owner is not None:
            query = query.where(JOBS.c.owner == owner)
        if states:
            query = query.where(JOBS.c.state.in_(states))
        if lane is not None:
            query = query.where(JOBS.c.lane == lane)
        with self._database.read() as connection:
            return [_job(row) for row in connection.execute(query.limit(limit) if limit else query)]

    def waiting(self, lane: str) -> list[Waiting]:
        """Returns the jobs that wait in a lane, in the order of coming."""
        query = sql.select(JOBS.c.id, JOBS.c.owner, JOBS.c.at_once, JOBS.c.crashes)
        query = query.where(JOBS.c.lane == lane, JOBS.c.state == "queued").order_by(JOBS.c.number)
        with self._database.read() as connection:
            return [Waiting(*row) for row in connection.execute(query)]

    def position(self, job: Job) -> int:
        """Counts the jobs that came into its lane before it and wait still."""
        query = sql.select(sql.func.count()).where(
            JOBS.c.lane == job.lane, JOBS.c.state == "queued", JOBS.c.number < job.number
        )
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def counts(self) -> dict[str, dict[str, int]]:
        """Counts the jobs by lane and state."""
        query = sql.select(JOBS.c.lane, JOBS.c.state, sql.func.count()).group_by(JOBS.c.lane, JOBS.c.state)
        found: dict[str, dict[str, int]] = {}
        with self._database.read() as connection:
            for lane, state, n in connection.execute(query):
                found.setdefault(lane, {})[state] = n
        return found

    def begin(self, id: str) -> Job | None:
        """Notes that a worker takes a job; None when it waits no longer."""
        changes = {"state": "running", "attempts": JOBS.c.attempts + 1, "started": time.time()}
        return self._change(id, ("queued",), changes)

    def put_back(self, id: str, *, crashed: bool) -> Job | None:
        """Puts a job that was not finished back to its place; `crashed` says that its worker broke down."""
        changes = {"state": "queued", "started": None, "crashes": JOBS.c.crashes + int(crashed)}
        return self._change(id, ("running",), changes)

    def publish(self, id: str, outcome: Outcome, reveal: Callable[[], None]) -> Job | None:
        """Ends a job that is running well: `reveal` gives its results their name, in the same transaction.

        None when the job is not running any more; its results are not revealed then.
        """
        n_bytes = sum(file.n_bytes for file in outcome.files)
        changes: dict[str, Any] = {"state": "done", "finished": time.time(), "outcome": outcome.dump()}
        changes["n_bytes"] = JOBS.c.n_bytes + n_bytes
        return self._change(id, ("running",), changes, reveal)

    def fail(self, id: str, error: JobError) -> Job | None:
        """Ends a job that came to nothing."""
        changes = {"state": "failed", "finished": time.time(), "outcome": Outcome(error=error).dump()}
        return self._change(id, ("queued", "running"), changes)

    def cancel(self, id: str) -> Job | None:
        """Ends a job that its owner does not want any more; None when it has ended."""
        return self._change(id, ("queued", "running"), {"state": "cancelled", "finished": time.time()})

    def remove(self, id: str) -> None:
        """Forgets a job that has ended."""
        with self._database.begin() as connection:
            connection.execute(sql.delete(JOBS).where(JOBS.c.id == id, JOBS.c.state.in_(ENDED)))

    def leave_out(self, id: str, name: str) -> bool:
        """Takes a file out of what a job that is done has made; False where it has none of that name."""
        with self._database.begin() as connection:
            row = connection.execute(sql.select(JOBS.c.outcome).where(JOBS.c.id == id, JOBS.c.state == "done")).first()
            made = Outcome.load(row.outcome if row else None)
            rest = replace(made, files=tuple(file for file in made.files if file.name != name))
            if rest != made:
                connection.execute(sql.update(JOBS).where(JOBS.c.id == id).values(outcome=rest.dump()))
            return rest != made

    def needed_uploads(self) -> set[str]:
        """Names the uploads that jobs have yet to read."""
        query = sql.select(JOBS.c.inputs).where(JOBS.c.state.in_(("queued", "running")))
        with self._database.read() as connection:
            inputs = [ref for row in connection.execute(query) for ref in json.loads(row.inputs)]
        return {ref["upload"] for ref in inputs if "upload" in ref}

    def surplus(self, keep_seconds: float, keep_bytes: int) -> list[str]:
        """Names the jobs that ended too long ago, and of the others the oldest beyond so many bytes."""
        query = sql.select(JOBS.c.id, JOBS.c.finished, JOBS.c.n_bytes).where(JOBS.c.state.in_(ENDED))
        names, n_bytes, limit = [], 0, time.time() - keep_seconds
        with self._database.read() as connection:
            for row in connection.execute(query.order_by(JOBS.c.finished.desc())):
                n_bytes += row.n_bytes
                if row.finished < limit or n_bytes > keep_bytes:
                    names.append(row.id)
        return names

    def _change(
        self, id: str, states: Sequence[State], changes: dict[str, Any], meanwhile: Callable[[], None] | None = None
    ) -> Job | None:
        """Changes a job that is in one of some states, in one transaction with what happens `meanwhile`."""
        with self._database.begin() as connection:
            changed = connection.execute(
                sql.update(JOBS).where(JOBS.c.id == id, JOBS.c.state.in_(states)).values(**changes)
            )
            if not changed.rowcount:
                return None
            if meanwhile is not None:
                meanwhile()
            return _job(connection.execute(sql.select(JOBS).where(JOBS.c.id == id)).one())


def _check_room(connection: Connection, owner: str, limits: QueueLimits) -> None:
    count = sql.select(sql.func.count()).where(JOBS.c.state == "queued")
    if (n := connection.execute(count).scalar_one()) >= limits.waiting:
        raise QueueFull(f"{n} jobs wait already, which is as many as may; try again later.", RETRY_AFTER)
    if limits.waiting_of_owner is not None:
        n = connection.execute(count.where(JOBS.c.owner == owner)).scalar_one()
        if n >= limits.waiting_of_owner:
            raise QueueFull(f"{n} jobs of yours wait already, which is as many as may; try again later.", RETRY_AFTER)


def _of_key(connection: Connection, owner: str, key: str | None, request: JobRequest) -> Job | None:
    if key is None:
        return None
    row = connection.execute(sql.select(JOBS).where(JOBS.c.owner == owner, JOBS.c.key == key)).first()
    if row is not None and row.sha256 != request.sha256:
        raise InvalidInput("This Idempotency-Key was sent with another request; make a new one.")
    return None if row is None else _job(row)


def _job(row: Any) -> Job:
    return Job(
        number=row.number,
        id=row.id,
        owner=row.owner,
        request=JobRequest.model_validate_json(row.request),
        inputs=tuple(json.loads(row.inputs)),
        lane=row.lane,
        state=row.state,
        attempts=row.attempts,
        crashes=row.crashes,
        created=row.created,
        started=row.started,
        finished=row.finished,
        outcome=Outcome.load(row.outcome),
    )


def _iso(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds")


def _words(warning: Any) -> str:
    return str(warning["message"] if isinstance(warning, dict) else warning)
