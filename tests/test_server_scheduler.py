"""Who gets which job when, and what becomes of it: the scheduler with workers that do as they are told."""

import asyncio
import errno
import json
import os
import sqlite3
import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from ui.server.database import Database
from ui.server.lanes import DEVICE, LANES, SPEECH
from ui.server.request import JobRequest
from ui.server.routes.jobs import _events
from ui.server.scheduler import MOST_CRASHES, Scheduler
from ui.server.store import Job, JobStore, QueueLimits

SPEAK = JobRequest(task="speak", text="Hello.")
SEPARATE = JobRequest(task="separate")
MANY = QueueLimits(1000)
LOCKED = OperationalError("UPDATE jobs", {}, sqlite3.OperationalError("database is locked"))


class Puppet:
    """A worker that is ready and notes what it is sent."""

    def __init__(self, name: str) -> None:
        self.name, self.is_ready, self.is_there = name, True, True
        self.jobs: list[dict] = []
        self.cancelled: list[str] = []
        self.n_killed = 0

    def send(self, message) -> bool:
        if self.is_there and message["do"] == "job":
            self.jobs.append(message)
        elif message["do"] == "cancel":
            self.cancelled.append(message["id"])
        return self.is_there

    def kill(self) -> None:
        self.n_killed += 1


class Stage:
    """A scheduler with its store and two puppets."""

    def __init__(self, folder, job_seconds: float = 3600.0) -> None:
        self.folder = folder
        self.store = JobStore(Database(folder / "jobs.sqlite"))
        self.workers = {name: Puppet(name) for name in (DEVICE, SPEECH)}
        self.ended: list[Job] = []
        self.scheduler = Scheduler(
            self.store, self.workers, folder, job_seconds=job_seconds, listener=self.ended.append
        )

    def submit(self, request=SPEAK, owner="anna", limits=MANY, inputs=()) -> Job:
        return self.scheduler.submit(request, owner, list(inputs), limits=limits)[0]

    def given(self, worker: str, n: int) -> list[dict]:
        """Waits until a worker has got so many jobs."""
        eventually(lambda: len(self.workers[worker].jobs) >= n)
        return self.workers[worker].jobs

    def finish(self, message, content: bytes = b"sound", seconds: float = 60.0) -> None:
        """Does as a worker that has made one file, and waits until that was dealt with."""
        from pathlib import Path

        folder = Path(message["folder"])
        (folder / "files" / "song").mkdir(parents=True)
        (folder / "files" / "song" / "vocals.wav").write_bytes(content)
        self.say({"is": "done", "id": message["id"], "report": {"n": 1}}, seconds)

    def say(self, message, seconds: float = 60.0) -> None:
        worker = next(w for w in self.workers.values() if any(job["id"] == message.get("id") for job in w.jobs))
        ends_at = time.monotonic() + seconds
        self.scheduler.hear(worker, message)
        while message["id"] in self.scheduler._running and time.monotonic() < ends_at:
            time.sleep(0.005)  # results are kept on another thread


def eventually(is_so: Callable[[], bool], seconds: float = 60.0) -> None:
    ends_at = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < ends_at, "it did not come to that"
        time.sleep(0.01)


@pytest.fixture
def stage(tmp_path):
    stage = Stage(tmp_path)
    stage.scheduler.start()
    yield stage
    stage.scheduler.close()


def test_results_appear_under_their_name_and_nothing_is_left_of_the_work(stage):
    job = stage.submit()
    stage.finish(stage.given(SPEECH, 1)[0])
    kept = stage.store.get(job.id)
    assert kept.state == "done"
    assert [file.name for file in kept.outcome.files] == ["song/vocals.wav"]
    assert (stage.scheduler.folder_of(job.id) / "song/vocals.wav").read_bytes() == b"sound"
    assert list((stage.folder / "work").iterdir()) == []
    assert [ended.id for ended in stage.ended] == [job.id]


def test_results_have_their_name_on_the_disk_before_the_job_is_done(stage, monkeypatch):
    fsync, synced = os.fsync, []
    job = stage.submit()
    message = stage.given(SPEECH, 1)[0]

    def note(descriptor):
        fsync(descriptor)
        state = stage.store.get(job.id).state
        synced.append((os.fstat(descriptor).st_ino, (stage.folder / "results" / job.id).exists(), state))

    monkeypatch.setattr(os, "fsync", note)
    stage.finish(message)
    assert synced[-1] == ((stage.folder / "results").stat().st_ino, True, "running")
    assert stage.store.get(job.id).state == "done"


def test_a_worker_gets_no_more_than_its_lane_has_room_for(stage):
    for _ in range(5):
        stage.submit()
    stage.given(SPEECH, LANES["speech"].slots)
    time.sleep(0.1)
    assert len(stage.workers[SPEECH].jobs) == LANES["speech"].slots
    stage.finish(stage.workers[SPEECH].jobs[0])
    stage.given(SPEECH, LANES["speech"].slots + 1)


def test_speech_and_short_work_go_on_beside_long_work(stage, tmp_path):
    reel, clip = tmp_path / "reel.wav", tmp_path / "clip.wav"
    clip.write_bytes(b"")
    with reel.open("wb") as file:
        file.truncate(1_000_000_000)
    for _ in range(3):
        stage.submit(SEPARATE, inputs=[{"path": str(reel)}])
    stage.given(DEVICE, 1)
    short = stage.submit(SEPARATE, inputs=[{"path": str(clip)}])
    speech = stage.submit()
    assert stage.given(DEVICE, 2)[1]["id"] == short.id
    assert stage.given(SPEECH, 1)[0]["id"] == speech.id


def test_owners_take_turns(stage, tmp_path):
    clip = tmp_path / "clip.wav"
    clip.write_bytes(b"")
    stage.workers[DEVICE].is_ready = False
    for owner in ("anna", "anna", "anna", "ben"):
        stage.submit(SEPARATE, owner, inputs=[{"path": str(clip)}])
    stage.workers[DEVICE].is_ready = True
    stage.scheduler.wake()
    for n in range(1, 5):
        stage.finish(stage.given(DEVICE, n)[n - 1])
    owners = [stage.store.get(message["id"]).owner for message in stage.workers[DEVICE].jobs]
    assert owners == ["anna", "ben", "anna", "anna"]


def test_an_owner_has_no_more_at_work_than_allowed(stage):
    for _ in range(3):
        stage.submit(limits=QueueLimits(10, at_once_of_owner=1))
    stage.given(SPEECH, 1)
    other = stage.submit(owner="ben")
    assert stage.given(SPEECH, 2)[1]["id"] == other.id


def test_a_job_whose_worker_died_runs_again_once(stage):
    job = stage.submit()
    for n in range(1, MOST_CRASHES + 1):
        stage.given(SPEECH, n)
        stage.scheduler.hear(stage.workers[SPEECH], {"is": "gone"})
    failed = stage.store.get(job.id)
    assert (failed.state, failed.attempts) == ("failed", MOST_CRASHES)
    assert failed.outcome.error is not None and failed.outcome.error.type == "WorkerGone"


def test_nobody_is_charged_for_a_worker_that_was_ended_because_another_job_did_not_stop(stage, monkeypatch):
    monkeypatch.setattr("ui.server.scheduler.SECONDS_TO_CANCEL", 0.0)
    worker, reel = stage.workers[SPEECH], stage.submit()
    for n in range(1, MOST_CRASHES + 1):
        deaf = stage.submit(owner="ben")
        stage.given(SPEECH, 2 * n)
        stage.scheduler.cancel(deaf.id)
        n_killed = worker.n_killed
        eventually(lambda: worker.n_killed > n_killed)  # noqa: B023
        stage.scheduler.hear(worker, {"is": "gone"})
        assert stage.store.get(deaf.id).state == "cancelled"
    stage.finish(stage.given(SPEECH, 2 * MOST_CRASHES + 1)[-1])
    assert (stage.store.get(reel.id).state, stage.store.get(reel.id).crashes) == ("done", 0)


def test_those_that_lost_a_worker_together_do_not_run_together_again(stage, tmp_path):
    clip = tmp_path / "clip.wav"
    clip.write_bytes(b"")
    reel = stage.submit(SEPARATE, inputs=[{"url": "https://studio/reel.wav"}])
    bad = stage.submit(SEPARATE, owner="ben", inputs=[{"path": str(clip)}])
    stage.given(DEVICE, 2)
    stage.scheduler.hear(stage.workers[DEVICE], {"is": "gone"})
    again = stage.given(DEVICE, 3)[2]["id"]
    other = next(job.id for job in (reel, bad) if job.id != again)
    fresh = stage.submit(JobRequest(task="pull", model="kokoro"), owner="eve")
    assert stage.given(DEVICE, 4)[3]["id"] == fresh.id  # who broke nothing does not wait for them
    time.sleep(0.1)
    assert stage.store.get(other).state == "queued"
    stage.finish(stage.workers[DEVICE].jobs[3])
    stage.scheduler.hear(stage.workers[DEVICE], {"is": "gone"})
    assert stage.store.get(again).state == "failed"
    assert stage.given(DEVICE, 5)[4]["id"] == other
    stage.finish(stage.workers[DEVICE].jobs[4])
    assert stage.store.get(other).state == "done"


def test_the_death_of_one_worker_is_no_matter_to_the_jobs_of_the_other(stage, tmp_path):
    clip = tmp_path / "clip.wav"
    clip.write_bytes(b"")
    stage.submit()
    separated = stage.submit(SEPARATE, inputs=[{"path": str(clip)}])
    stage.given(SPEECH, 1)
    message = stage.given(DEVICE, 1)[0]
    stage.scheduler.hear(stage.workers[SPEECH], {"is": "gone"})
    stage.finish(message)
    assert stage.store.get(separated.id).state == "done"


def test_what_an_earlier_attempt_says_late_counts_for_nothing(stage):
    stage.submit()
    message = stage.given(SPEECH, 1)[0]
    stage.scheduler.hear(stage.workers[DEVICE], {"is": "done", "id": message["id"], "report": {}})
    assert stage.store.get(message["id"]).state == "running"


def test_cancelling_tells_the_worker_and_nothing_is_published(stage):
    job = stage.submit()
    message = stage.given(SPEECH, 1)[0]
    stage.scheduler.cancel(job.id)
    assert stage.workers[SPEECH].cancelled == [job.id]
    stage.finish(message)  # it was faster than the news
    assert stage.store.get(job.id).state == "cancelled"
    assert not stage.scheduler.folder_of(job.id).exists()


def test_who_follows_a_job_is_told_at_once_that_it_was_cancelled(stage):
    job = stage.submit()
    stage.given(SPEECH, 1)
    services = SimpleNamespace(store=stage.store, scheduler=stage.scheduler)

    async def follow() -> list[dict]:
        events = _events(services, stage.store.get(job.id))
        heard = [await asyncio.wait_for(anext(events), 60)]
        stage.scheduler.cancel(job.id)  # of which its worker hears nothing
        return [*heard, await asyncio.wait_for(anext(events), 60)]

    heard = asyncio.run(follow())
    assert [event["event"] for event in heard] == ["progress", "end"]
    assert [json.loads(event["data"])["state"] for event in heard] == ["running", "cancelled"]


def test_a_job_that_waits_is_cancelled_and_never_handed_out(stage):
    stage.workers[SPEECH].is_ready = False
    job = stage.submit()
    stage.scheduler.cancel(job.id)
    stage.workers[SPEECH].is_ready = True
    other = stage.submit()
    assert stage.given(SPEECH, 1)[0]["id"] == other.id


def test_a_job_that_takes_too_long_is_stopped_and_told_so(tmp_path):
    stage = Stage(tmp_path, job_seconds=0.0)
    stage.scheduler.start()
    job = stage.submit()
    stage.given(SPEECH, 1)
    eventually(lambda: job.id in stage.workers[SPEECH].cancelled)
    stage.say({"is": "failed", "id": job.id, "error": {"type": "Cancelled", "message": "Stopped.", "code": 499}})
    stage.scheduler.close()
    failed = stage.store.get(job.id)
    assert failed.outcome.error is not None and failed.outcome.error.type == "TookTooLong"


def test_a_job_whose_time_is_over_is_stopped_while_the_queue_cannot_be_read(tmp_path, monkeypatch):
    stage = Stage(tmp_path, job_seconds=0.0)
    waiting, looks = stage.store.waiting, []

    def read_once(lane):
        looks.append(lane)
        if looks.count("speech") > 1:
            raise LOCKED
        return waiting(lane)

    monkeypatch.setattr(stage.store, "waiting", read_once)
    job = stage.submit()
    stage.scheduler.start()
    eventually(lambda: job.id in stage.workers[SPEECH].cancelled)
    stage.scheduler.close()


def test_a_failure_is_told_without_its_trace(stage):
    job = stage.submit()
    stage.given(SPEECH, 1)
    error = {"type": "InternalError", "message": "It broke.", "code": 500, "trace": "secret"}
    stage.say({"is": "failed", "id": job.id, "error": error})
    told = stage.store.get(job.id).as_dict()
    assert told["error"]["message"] == "It broke."
    assert "secret" not in str(told)


class TestAfterAKill:
    def test_a_job_that_ran_runs_again(self, stage, tmp_path):
        job = stage.submit()
        stage.given(SPEECH, 1)
        stage.workers[SPEECH].is_ready = False
        after = Stage(tmp_path)
        after.scheduler.start()
        assert after.given(SPEECH, 1)[0]["id"] == job.id
        after.scheduler.close()

    def test_results_that_had_their_name_are_published_and_not_made_again(self, stage, tmp_path):
        job = stage.submit()
        message = stage.given(SPEECH, 1)[0]
        publish, revealed = stage.store.publish, []

        def killed(id, outcome, reveal):
            def reveal_and_die() -> None:
                reveal()
                revealed.append(id)
                raise KeyboardInterrupt  # after the renaming, before the transaction is on the disk

            return publish(id, outcome, reveal_and_die)

        stage.store.publish = killed
        stage.finish(message, seconds=0)
        eventually(lambda: revealed)
        assert stage.store.get(job.id).state == "running"
        stage.workers[SPEECH].is_ready = False
        after = Stage(tmp_path)
        after.scheduler.start()
        assert after.store.get(job.id).state == "done"
        assert [ended.id for ended in after.ended] == [job.id]
        assert (after.scheduler.folder_of(job.id) / "song/vocals.wav").read_bytes() == b"sound"
        time.sleep(0.1)
        assert after.workers[SPEECH].jobs == []
        after.scheduler.close()

    def test_half_of_a_result_is_never_there(self, stage, tmp_path):
        job = stage.submit()
        folder = tmp_path / "work" / stage.given(SPEECH, 1)[0]["folder"].rpartition("/")[2]
        (folder / "files").mkdir(parents=True)
        (folder / "files" / "vocals.wav").write_bytes(b"so")
        stage.workers[SPEECH].is_ready = False
        after = Stage(tmp_path)
        after.workers[SPEECH].is_ready = False
        after.scheduler.start()
        assert not folder.exists()
        assert not after.scheduler.folder_of(job.id).exists()
        after.scheduler.close()


def test_closing_puts_what_runs_back(tmp_path):
    stage = Stage(tmp_path)
    stage.scheduler.start()
    job = stage.submit()
    stage.given(SPEECH, 1)
    stage.scheduler.close()
    assert stage.store.get(job.id).state == "queued"


def test_an_orderly_end_fails_no_job_that_had_bad_luck_before(tmp_path):
    stage = Stage(tmp_path)
    stage.scheduler.start()
    job = stage.submit()
    stage.given(SPEECH, 1)
    stage.scheduler.hear(stage.workers[SPEECH], {"is": "gone"})
    stage.given(SPEECH, 2)
    stage.scheduler.close()
    stage.say({"is": "failed", "id": job.id, "error": {"type": "Cancelled", "message": "Stopped.", "code": 499}})
    stage.scheduler.hear(stage.workers[SPEECH], {"is": "gone"})
    assert stage.store.get(job.id).state == "queued"


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EMFILE, "Too many open files"),
        NoConnectionFree("QueuePool limit of size 5 overflow 10 reached"),
        LOCKED,
    ],
    ids=["room", "files", "connections", "lock"],
)
def test_results_that_could_not_be_kept_at_once_are_published_when_they_can(stage, monkeypatch, error):
    publish, tries = stage.store.publish, []

    def full(id, outcome, reveal):
        tries.append(stage.store.get(id).state)

        def reveal_and_fail():
            reveal()
            if len(tries) < 3:
                raise error  # as the transaction is written

        return publish(id, outcome, reveal_and_fail)

    monkeypatch.setattr(stage.store, "publish", full)
    job = stage.submit()
    stage.finish(stage.given(SPEECH, 1)[0], seconds=0)
    eventually(lambda: stage.store.get(job.id).state == "done")
    assert tries == ["running"] * 3
    assert (stage.scheduler.folder_of(job.id) / "song/vocals.wav").read_bytes() == b"sound"


def test_a_job_that_cannot_be_ended_at_all_has_failed_as_soon_as_that_can_be_noted(stage, monkeypatch):
    fail, tries = stage.store.fail, []

    def busy(id, why):
        tries.append(id)
        if len(tries) < 3:
            raise LOCKED
        return fail(id, why)

    monkeypatch.setattr(stage.store, "fail", busy)
    monkeypatch.setattr(stage.store, "publish", lambda *_: 1 / 0)
    job = stage.submit()
    stage.finish(stage.given(SPEECH, 1)[0])
    assert (stage.store.get(job.id).state, len(tries)) == ("failed", 3)
    assert [ended.id for ended in stage.ended] == [job.id]
    assert not (stage.folder / "work" / f"{job.id}-1").exists()
