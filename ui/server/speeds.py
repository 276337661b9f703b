"""How fast each model was on this machine: of its last jobs, whoever asked for them, kept when those jobs are gone."""

from __future__ import annotations

import logging
import statistics
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sql
from sqlalchemy import Column, Float, Integer, String, Table
from sqlalchemy.exc import SQLAlchemyError

from ui.server.database import METADATA, Database
from ui.server.store import Job

log = logging.getLogger(__name__)
N_KEPT = 5  # of each model: a median of them is little moved by one that had to load or to wait
LEAST_SECONDS = 5.0  # of sound: what a shorter job takes says more of its beginning and end
LONGEST_NAME = 100  # of a model; an ensemble that a client put together may have any

SPEEDS = Table(
    "speeds",
    METADATA,
    Column("number", Integer, primary_key=True),  # in the order of coming
    Column("model", String, nullable=False, index=True),
    Column("times_real_time", Float, nullable=False),
)


class Speeds:
    """The speeds in a database, in times real time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def hear(self, job: Job) -> None:
        """Takes note of a job that has ended, if it says anything of speed."""
        report = job.outcome.report or {}
        model, speed = str(report.get("model") or job.request.model or ""), speed_of(job)
        if job.state != "done" or speed is None or not 0 < len(model) <= LONGEST_NAME:
            return
        of_model = SPEEDS.c.model == model
        last = sql.select(SPEEDS.c.number).where(of_model).order_by(SPEEDS.c.number.desc()).limit(N_KEPT)
        try:
            with self._database.begin() as connection:
                connection.execute(sql.insert(SPEEDS).values(model=model, times_real_time=speed))
                connection.execute(sql.delete(SPEEDS).where(of_model, SPEEDS.c.number.not_in(last)))
        except SQLAlchemyError as error:  # a full disk, say: the job is what counts
            log.warning("The speed of a job was not noted: %s", error, extra={"facts": {"job": job.id}})

    def all(self) -> dict[str, float]:
        """Returns the speed of every model that has one: the median of its last jobs."""
        found: dict[str, list[float]] = {}
        with self._database.read() as connection:
            for model, speed in connection.execute(sql.select(SPEEDS.c.model, SPEEDS.c.times_real_time)):
                found.setdefault(model, []).append(speed)
        return {model: statistics.median(speeds) for model, speeds in found.items()}


def speed_of(job: Job) -> float | None:
    """Returns how many seconds of sound a job went through in one second; None where that cannot be told."""
    report = job.outcome.report or {}
    sound = sound_seconds(report)
    if sound is None or sound < LEAST_SECONDS or job.started is None or job.finished is None:
        return None
    told = report.get("times_real_time")
    worked = job.finished - job.started
    return float(told) if told else sound / worked if worked > 0 else None


def sound_seconds(report: Mapping[str, Any]) -> float | None:
    """Returns how long the sound is that a job made or read, where its report says so."""
    if report.get("n_samples") and report.get("sample_rate"):
        return float(report["n_samples"] / report["sample_rate"])
    lengths = [file["duration_seconds"] for file in report.get("files", ()) if "duration_seconds" in file]
    return float(sum(lengths)) if lengths else None
