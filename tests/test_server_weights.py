"""Weights over HTTP: fetched with progress, stopped, checked, removed, and not before their terms are accepted."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fetched_models import LARGE, SMALL, WeightServer, fetched_models
from serving import Server, serving

from audio_ml import catalogue
from ui.server.options import ServerOptions
from ui.server.request import JobRequest
from ui.server.routes.models import may_use


@dataclass(frozen=True)
class Stage:
    server: Server
    weights: WeightServer
    cache: Path
    audit: Path

    def model(self, name: str) -> dict[str, Any]:
        return dict(self.server.ask("GET", f"/v1/models/{name}").json)

    def noted(self, what: str) -> list[tuple[str, str]]:
        """Returns by whom and to which model something was done, by the audit log."""
        lines = [json.loads(line) for line in self.audit.read_text().splitlines()]
        return [(line["caller"], line["model"]) for line in lines if line["what"] == what]

    def run(self, task: str, name: str) -> dict[str, Any]:
        return self.server.end_of(self.server.submit(task=task, model=name))


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("weights")
    with fetched_models(folder) as weights, serving(ServerOptions(folder=str(folder / "server"))) as server:
        yield Stage(server, weights, folder / "audio_ml_cache" / "models", folder / "server" / "audit.log")


def wait_for(is_so: Callable[[], bool], seconds: float = 60.0) -> None:
    ends_at = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < ends_at, "it did not come to that"
        time.sleep(0.02)


def test_a_model_is_fetched_with_progress_by_its_bytes(stage: Stage) -> None:
    before = stage.model("slow-net")
    size = len(SMALL) + len(LARGE)
    assert (before["here"], before["bytes_on_disk"], before["download_bytes"]) == (False, 0, size)
    stage.weights.go_on.clear()
    job = stage.server.submit(task="pull", model="slow-net")

    def told() -> dict[str, Any]:
        return dict(stage.server.ask("GET", f"/v1/jobs/{job['id']}").json)

    half = (len(SMALL) + len(LARGE) / 2) / size
    wait_for(lambda: told()["fraction"] > half - 0.01)
    now = told()
    assert now["state"] == "running" and "fetching slow-net" in now["stage"] and half - 0.01 < now["fraction"] < 1
    stage.weights.go_on.set()
    ended = stage.server.end_of(job)
    assert ended["state"] == "done" and ended["report"] == {"model": "slow-net", "n_bytes": size}
    assert ended["summary"] == ["slow-net is here: 2 MB on the disk."]
    after = stage.model("slow-net")
    assert (after["here"], after["bytes_on_disk"]) == (True, size)
    n_requests = len(stage.weights.requests)
    assert stage.run("pull", "slow-net")["state"] == "done"
    assert len(stage.weights.requests) == n_requests, "what is here and right is not fetched again"
    assert stage.server.ask("DELETE", "/v1/models/slow-net/weights").json["freed_bytes"] >= size
    assert not stage.model("slow-net")["here"]
    assert stage.noted("remove weights") == [("local", "slow-net")]


def test_a_fetch_that_is_stopped_leaves_nothing_and_can_be_begun_again(stage: Stage) -> None:
    stage.weights.go_on.clear()
    job = stage.server.submit(task="pull", model="slow-net")
    folder = stage.cache / "slow-net"
    wait_for(lambda: any(path.suffix == ".part" for path in folder.rglob("*")))
    refused = stage.server.ask("DELETE", "/v1/models/slow-net/weights")
    told = "A job may work with slow-net: cancel it first, or wait for its end."
    assert (refused.status, refused.json["error"]["message"]) == (409, told)
    assert stage.server.ask("DELETE", f"/v1/jobs/{job['id']}").status == 202
    assert stage.server.end_of(job)["state"] == "cancelled"
    wait_for(lambda: not any("large" in path.name for path in folder.rglob("*")))
    assert not stage.model("slow-net")["here"]
    stage.weights.go_on.set()
    assert stage.run("pull", "slow-net")["state"] == "done" and stage.model("slow-net")["here"]


def test_files_stay_while_they_are_fetched_for_no_job(stage: Stage) -> None:
    assert stage.server.ask("DELETE", "/v1/models/slow-net/weights").status == 200
    n_removals = len(stage.noted("remove weights"))
    stage.weights.go_on.clear()
    folder = stage.cache / "slow-net"
    with ThreadPoolExecutor(1) as pool:
        loaded = pool.submit(stage.server.ask, "POST", "/v1/models/slow-net/load")
        try:
            wait_for(lambda: any(path.suffix == ".part" for path in folder.rglob("*")))
            refused = stage.server.ask("DELETE", "/v1/models/slow-net/weights")
        finally:
            stage.weights.go_on.set()
        assert (refused.status, refused.json["error"]["type"]) == (409, "Conflict")
        assert loaded.result(60).status == 200 and stage.model("slow-net")["here"]
    assert len(stage.noted("remove weights")) == n_removals


def test_files_stay_while_a_job_may_need_them_that_names_no_model() -> None:
    kokoro, spleeter = catalogue.find("tts", "kokoro"), catalogue.find("separation", "spleeter-2stems")
    by_voice = JobRequest(task="speak", text="Hello.", voice="kokoro/am_adam")
    assert may_use(by_voice, kokoro) and not may_use(by_voice, spleeter)
    assert not may_use(JobRequest(task="speak", text="Hello.", model="hibari"), kokoro)
    assert may_use(JobRequest(task="enroll", name="anna", text="Hello."), kokoro)  # the new voice says it


def test_files_of_a_member_stay_while_a_job_may_need_the_ensemble() -> None:
    names = ("spleeter-2stems", "htdemucs-ft", "mdx-extra")
    spleeter, tuned, extra = (catalogue.find("separation", name) for name in names)
    together = JobRequest(task="separate", model=f"{spleeter.aliases[0]} + {extra.parts[0].name}")
    assert may_use(together, spleeter) and may_use(together, extra) and not may_use(together, tuned)
    assert may_use(JobRequest(task="separate", model=tuned.name), tuned.parts[0])
    assert not may_use(JobRequest(task="speak", model="hibari"), spleeter)


def test_files_are_checked_byte_by_byte_and_repaired(stage: Stage) -> None:
    missing = stage.run("verify", "quick-net")
    assert missing["report"]["files"] == [{"name": "quick-net/small.bin", "state": "missing"}]
    assert missing["summary"] == ["Not on this machine: quick-net/small.bin."] and not missing["report"]["is_right"]
    assert stage.run("pull", "quick-net")["state"] == "done"
    right = stage.run("verify", "quick-net")
    assert right["report"]["is_right"] and right["warnings"] == []
    path = stage.cache / "quick-net" / "small.bin"
    path.write_bytes(bytes([SMALL[0] ^ 1]) + SMALL[1:])
    damaged = stage.run("verify", "quick-net")
    assert damaged["report"]["files"][0]["state"] == "damaged" and not damaged["report"]["is_right"]
    assert "Damaged: quick-net/small.bin" in damaged["warnings"][0]
    assert stage.run("pull", "quick-net")["state"] == "done" and path.read_bytes() == SMALL


def test_terms_are_accepted_first_and_it_is_noted_by_whom(stage: Stage) -> None:
    licence = stage.model("closed-net")["licence"]
    assert licence["must_accept"] and not licence["accepted"]
    assert licence["terms"] == ["research use only. Not for films."]
    failed = stage.run("pull", "closed-net")
    assert failed["error"]["type"] == "LicenceNotAccepted" and "Not for films." in failed["error"]["message"]
    assert stage.server.ask("POST", "/v1/models/closed-net/load").status == 422
    for _ in range(2):  # the second time nothing changes
        reply = stage.server.ask("POST", "/v1/models/closed-net/licence")
        assert reply.status == 200 and reply.json["licence"]["accepted"]
    assert stage.run("pull", "closed-net")["state"] == "done"
    assert stage.server.ask("POST", "/v1/models/closed-net/load").status == 200
    assert not stage.server.ask("DELETE", "/v1/models/closed-net/licence").json["licence"]["accepted"]
    assert stage.run("pull", "closed-net")["error"]["type"] == "LicenceNotAccepted"
    lines = [json.loads(line) for line in stage.audit.read_text().splitlines()]
    noted = [line for line in lines if line["what"] != "remove weights"]
    assert [(line["what"], line["caller"], line["model"]) for line in noted] == [
        ("accept", "local", "closed-net"),
        ("withdraw", "local", "closed-net"),
    ]
    assert noted[0]["terms"] == "research use only. Not for films." and noted[0]["time"]
    free = stage.server.ask("POST", "/v1/models/quick-net/licence")
    assert free.status == 200 and len(stage.audit.read_text().splitlines()) == len(lines)


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"task": "pull"}, "Say which model"),
        ({"task": "verify", "model": "quick-nets"}, "Did you mean 'quick-net'"),
        ({"task": "pull", "model": "/etc/passwd"}, "Unknown model"),
        ({"task": "pull", "model": "quick-net", "options": {"a": 1}}, "no 'options'"),
        ({"task": "verify", "model": "quick-net", "text": "a"}, "'text' means nothing"),
        ({"task": "pull", "model": "quick-net", "inputs": [{"upload": "a"}]}, "takes 0 of inputs"),
    ],
)
def test_what_cannot_be_fetched_is_told_before_it_is_accepted(
    stage: Stage, request_: dict[str, Any], words: str
) -> None:
    reply = stage.server.ask("POST", "/v1/jobs", request_)
    assert reply.status == 422 and words in reply.json["error"]["message"]


def test_a_server_that_may_not_fetch_says_so_in_a_sentence_without_its_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options, own = ServerOptions(folder=str(tmp_path / "server")), tmp_path / "own"
    (own / "slow-net").mkdir(parents=True)
    (own / "slow-net" / "small.bin").write_bytes(SMALL[1:])
    with fetched_models(tmp_path) as weights:
        monkeypatch.setenv("AUDIO_ML_MODELS", str(own))
        with serving(options, fetch={"offline": True}) as server:
            _refuses(server, weights, tmp_path)


def _refuses(server: Server, weights: WeightServer, folder: Path) -> None:
    missing, damaged = (
        server.end_of(server.submit(task="pull", model=name))["error"] for name in ("quick-net", "slow-net")
    )
    assert missing["type"] == "WeightsMissing" and missing["code"] == 503
    assert missing["message"].startswith("quick-net is not on this machine and fetching is off.")
    assert damaged["type"] == "WeightsCorrupt" and damaged["message"].startswith("slow-net/small.bin is damaged")
    assert str(folder) not in missing["message"] + damaged["message"] and not weights.requests


def test_a_job_tells_how_it_was_asked_for_and_no_place_on_the_server(stage: Stage, tmp_path: Path) -> None:
    source = tmp_path / "song.wav"
    source.write_bytes(b"This is no sound.")
    upload = stage.server.upload(source)
    asked = {"task": "separate", "model": "quick-net", "inputs": [upload], "delivery": {"bit_depth": "24"}}
    job = stage.server.submit(**asked)
    assert job["request"] == asked and job["inputs"] == ["song.wav"]
    told = stage.server.ask("GET", "/v1/jobs").body.decode()
    assert str(stage.audit.parent) not in told
    again = stage.server.submit(**job["request"])
    assert again["id"] != job["id"] and again["request"] == job["request"]
    for each in (job, again):
        stage.server.end_of(each)
