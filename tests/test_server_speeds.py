"""The speed of a model is the median of its last jobs, of whomever, and outlives them."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ui.server.database import Database
from ui.server.request import JobRequest
from ui.server.speeds import LEAST_SECONDS, N_KEPT, Speeds
from ui.server.store import Job, JobError, JobStore, Outcome, QueueLimits

RATE = 1000


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(Database(tmp_path / "jobs.sqlite")) as database:
        yield database


def a_job(database: Database, sound: float, worked: float, *, owner: str = "anna", **report: Any) -> Job:
    """Returns a job that was done; it is in the database, and its times are as they are told."""
    store = JobStore(database)
    job, _ = store.accept(JobRequest(task="speak", model="asked"), owner, [], "speech", limits=QueueLimits(1000))
    store.begin(job.id)
    told = {"model": "net", "n_samples": round(sound * RATE), "sample_rate": RATE} | report
    done = store.publish(job.id, Outcome(told), lambda: None)
    assert done is not None
    return replace(done, started=1000.0, finished=1000.0 + worked)


def test_a_speed_is_the_median_of_the_last_jobs(database: Database) -> None:
    speeds, told = Speeds(database), [3.0, 100.0, 5.0, 20.0, 7.0, 6.0, 8.0]
    assert speeds.all() == {}
    for number, speed in enumerate(told):
        speeds.hear(a_job(database, 10 * speed, 10.0, owner=f"caller {number}"))
        assert speeds.all() == {"net": pytest.approx(statistics.median(told[: number + 1][-N_KEPT:]))}
    speeds.hear(a_job(database, 10.0, 1.0, model="other"))
    assert set(speeds.all()) == {"net", "other"}


def test_it_outlives_the_jobs_and_the_server(tmp_path: Path) -> None:
    path = tmp_path / "jobs.sqlite"
    with closing(Database(path)) as database:
        job = a_job(database, 30.0, 2.0)
        Speeds(database).hear(job)
        JobStore(database).remove(job.id)
    with closing(Database(path)) as database:
        assert JobStore(database).find() == [] and Speeds(database).all() == {"net": pytest.approx(15.0)}


def test_what_says_nothing_of_speed_is_not_noted(database: Database) -> None:
    job = a_job(database, 30.0, 2.0)
    for other in (
        a_job(database, LEAST_SECONDS - 1, 2.0),
        a_job(database, 30.0, 0.0),
        a_job(database, 30.0, 2.0, sample_rate=None),
        a_job(database, 30.0, 2.0, model="+".join(["net"] * 100)),
        replace(job, state="failed", outcome=Outcome(error=JobError("A", "b", 500))),
        replace(job, state="cancelled", started=None),
    ):
        Speeds(database).hear(other)
    assert Speeds(database).all() == {}


def test_a_report_that_tells_its_speed_is_believed_and_the_model_that_was_asked_for_stands_in(
    database: Database,
) -> None:
    Speeds(database).hear(a_job(database, 30.0, 2.0, times_real_time=21.5, model=""))
    assert Speeds(database).all() == {"asked": pytest.approx(21.5)}
