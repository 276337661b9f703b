"""The jobs of the server on the disk: accepted once, handed out once, published once."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from audio_ml.errors import InvalidInput
from ui.server.database import Database
from ui.server.lanes import DEVICE, LANES, SPEECH, lane_of, share_budget
from ui.server.refusals import QueueFull, UnknownJob
from ui.server.request import JobRequest
from ui.server.store import Job, JobError, JobFile, JobStore, Outcome, QueueLimits

HELLO = JobRequest(task="speak", text="Hello.")
BYE = JobRequest(task="speak", text="Bye.")
MANY = QueueLimits(100)


@pytest.fixture
def store(tmp_path):
    return JobStore(Database(tmp_path / "jobs.sqlite"))


def accept(store: JobStore, request=HELLO, owner="anna", key=None, limits=MANY) -> Job:
    return store.accept(request, owner, [], "speech", key=key, limits=limits)[0]


def test_a_key_gives_one_job_however_often_and_from_however_many_it_comes(store):
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: store.accept(HELLO, "anna", [], "speech", key="k", limits=MANY), range(40)))
    assert len({job.id for job, _ in found}) == 1
    assert [is_new for _, is_new in found].count(True) == 1


def test_a_key_with_another_request_is_refused_and_of_another_owner_is_another_job(store):
    first = accept(store, key="k")
    with pytest.raises(InvalidInput, match="Idempotency-Key"):
        accept(store, BYE, key="k")
    assert accept(store, BYE, owner="ben", key="k").id != first.id


def test_a_job_is_begun_by_one_of_many(store):
    job = accept(store)
    with ThreadPoolExecutor(8) as pool:
        begun = [found for found in pool.map(lambda _: store.begin(job.id), range(40)) if found]
    assert [found.attempts for found in begun] == [1]


def test_what_is_cancelled_is_neither_published_nor_failed(store):
    job = accept(store)
    store.begin(job.id)
    assert store.cancel(job.id) is not None
    revealed = []
    assert store.publish(job.id, Outcome(), lambda: revealed.append(1)) is None
    assert store.fail(job.id, JobError("X", "x", 500)) is None
    assert not revealed
    assert store.get(job.id).state == "cancelled"


def test_results_that_cannot_be_revealed_leave_the_job_as_it_was(store):
    job = accept(store)
    store.begin(job.id)

    def break_down() -> None:
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        store.publish(job.id, Outcome(), break_down)
    assert store.get(job.id).state == "running"


def test_nothing_is_published_twice(store):
    job = accept(store)
    store.begin(job.id)
    revealed = []
    lock = threading.Lock()

    def reveal() -> None:
        with lock:
            revealed.append(1)

    with ThreadPoolExecutor(8) as pool:
        published = list(pool.map(lambda _: store.publish(job.id, Outcome(), reveal), range(20)))
    assert len(revealed) == len([job for job in published if job]) == 1


def test_an_outcome_comes_back_as_it_was(store):
    job = accept(store)
    store.begin(job.id)
    outcome = Outcome({"warnings": [{"message": "soft"}], "n": 1}, (JobFile("a/b.wav", 3, "audio/wav"),))
    store.publish(job.id, outcome, lambda: None)
    kept = store.get(job.id)
    assert kept.outcome == outcome
    told = kept.as_dict()
    assert told["files"][0]["url"] == f"/v1/jobs/{job.id}/files/a/b.wav"
    assert told["warnings"] == ["soft"]


def test_the_queue_has_an_end_and_each_owner_a_part_of_it(store):
    accept(store, limits=QueueLimits(2))
    with pytest.raises(QueueFull, match="of yours"):
        accept(store, limits=QueueLimits(2, waiting_of_owner=1))
    accept(store, owner="ben", limits=QueueLimits(2, waiting_of_owner=1))
    with pytest.raises(QueueFull) as refusal:
        accept(store, owner="cleo", limits=QueueLimits(2))
    assert int(refusal.value.headers["Retry-After"]) > 0


def test_a_job_of_another_owner_is_as_if_it_were_not_there(store):
    job = accept(store)
    with pytest.raises(UnknownJob):
        store.get(job.id, "ben")
    assert store.find(owner="ben") == []


def test_a_new_server_finds_what_an_old_one_accepted(store, tmp_path):
    job = accept(store, key="k")
    store.begin(job.id)
    again = JobStore(Database(tmp_path / "jobs.sqlite"))
    assert [kept.id for kept in again.find(states=("running",))] == [job.id]
    assert again.accept(HELLO, "anna", [], "speech", key="k", limits=MANY) == (again.get(job.id), False)


def test_positions_count_those_before(store):
    jobs = [accept(store) for _ in range(3)]
    assert [store.position(job) for job in jobs] == [0, 1, 2]
    store.begin(jobs[0].id)
    assert [store.position(job) for job in jobs[1:]] == [0, 1]


def test_the_oldest_results_are_surplus_by_size_and_all_old_ones_by_age(store):
    jobs = [accept(store) for _ in range(3)]
    for job in jobs:
        store.begin(job.id)
        store.publish(job.id, Outcome(files=(JobFile("x", 100, ""),)), lambda: None)
    n_bytes = 100 + len(HELLO.model_dump_json())  # a request takes room, too
    assert store.surplus(3600, 3 * n_bytes - 1) == [jobs[0].id]
    assert set(store.surplus(-1, 10_000)) == {job.id for job in jobs}
    accept(store)
    assert len(store.surplus(-1, 0)) == 3  # one that waits is never surplus


def test_lanes_keep_long_work_from_short(tmp_path):
    short, long = tmp_path / "short.wav", tmp_path / "long.wav"
    short.write_bytes(b"x")
    with long.open("wb") as file:
        file.truncate(2_000_000_000)
    separate = JobRequest(task="separate")
    assert lane_of(separate, [{"path": str(short)}]).name == "short"
    assert lane_of(separate, [{"path": str(long)}]).name == "long"
    assert lane_of(HELLO, []).name == "speech"
    assert lane_of(JobRequest(task="speak", text="a " * 5000), []).name == "script"
    assert {lane.worker for lane in LANES.values()} == {DEVICE, SPEECH}


@pytest.mark.parametrize("total", [1, 999, 4_000_000_000])
def test_the_shares_of_one_device_are_the_whole_budget(total):
    assert sum(share_budget(total, one_device=True).values()) == total
