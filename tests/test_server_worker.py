"""What a worker says and the server keeps of it: device and budget as found, and of each job how it ended."""

from __future__ import annotations

from multiprocessing import Pipe
from typing import Any

import numpy as np
import pytest

from ui.server.fleet import Fleet, FleetOptions
from ui.server.lanes import DEVICE, SPEECH
from ui.server.wire import Wire
from ui.server.worker import Worker

SETTINGS = {"device": "cpu", "memory_budget": 10**9, "fetch": {}, "memory": {}, "server": {}}


def test_a_worker_is_told_of_with_the_device_and_budget_that_it_found() -> None:
    ours, theirs = Pipe()
    Worker(Wire(theirs), SETTINGS | {"device": "auto", "memory_budget": None}).ready()
    found, _ = Wire(ours).receive() or ({}, None)
    assert found["device"] != "auto"
    fleet = Fleet(FleetOptions("auto", "4GB", {}, {}, {}))
    fleet.workers[SPEECH]._hear(found, None)
    fleet.workers[DEVICE]._hear(found | {"device": "cuda", "memory_budget": 4}, None)
    told = {worker["name"]: (worker["device"], worker["memory_budget"]) for worker in fleet.memory()}
    assert told == {SPEECH: (found["device"], found["memory_budget"]), DEVICE: ("cuda", 4)}


def test_a_report_that_cannot_be_told_has_its_job_fail_and_not_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    report: dict[str, Any] = {"n": np.int64(3)}  # which JSON does not know
    monkeypatch.setattr(Worker, "_job", lambda *_: {"is": "done", "report": report})
    ours, theirs = Pipe()
    Worker(Wire(theirs), SETTINGS).take({"do": "job", "id": "a1"})
    assert ours.poll(60)
    said, _ = Wire(ours).receive() or ({}, None)
    assert (said["is"], said["id"], said["error"]["type"]) == ("failed", "a1", "InternalError")
    assert "int64" in said["error"]["trace"]
