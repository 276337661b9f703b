"""What Prometheus and a load balancer are told of the server."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio.to_thread
import httpx
import pytest
from browsing import wait_for
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families
from serving import Server
from sized_models import sized
from speech_serving import speech_serving

from audio_ml import device as devices
from audio_ml.loader import ModelLoader
from ui.server.metrics import Metrics
from ui.server.routes import health


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with speech_serving(tmp_path, monkeypatch) as on:
        yield on


def values(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Returns the samples of an exposition as Prometheus' own parser reads them."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def key(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return name, frozenset(labels.items())


def test_jobs_are_counted_and_measured() -> None:
    metrics = Metrics()
    metrics.job_ended("separate", "done", 2.0, 30.0, 120.0, model="htdemucs")
    metrics.job_ended("separate", "failed", 1.0, 4.0, None, model="htdemucs", error="OutOfMemory")
    metrics.job_ended("separate", "cancelled", None, None)
    found = values(metrics.exposition({}, []).decode())
    for state in ("done", "failed", "cancelled"):
        assert found[key("audio_ml_jobs_ended_total", task="separate", state=state)] == 1
    assert found[key("audio_ml_job_waiting_seconds_sum", task="separate")] == 3
    assert found[key("audio_ml_job_working_seconds_sum", task="separate")] == 34
    assert found[key("audio_ml_job_working_seconds_bucket", task="separate", le="5.0")] == 1
    assert found[key("audio_ml_real_time_factor_sum", task="separate", model="htdemucs")] == 0.25
    assert found[key("audio_ml_real_time_factor_count", task="separate", model="htdemucs")] == 1
    assert found[key("audio_ml_sound_seconds_total", task="separate", model="htdemucs")] == 120
    assert found[key("audio_ml_errors_total", type="OutOfMemory")] == 1


def test_the_queue_and_memory_are_what_they_are_now() -> None:
    metrics = Metrics()
    model = {"name": "kokoro", "device": "cpu", "n_bytes": 300}
    worker: dict[str, Any] = {"name": "speech", "pid": 7, "memory_budget": 1000, "n_evicted": 3, "models": [model]}
    gone = {"name": "device", "pid": None, "memory_budget": None, "models": []}
    text = metrics.exposition({"long": {"queued": 5, "running": 1}}, [worker, gone]).decode()
    found = values(text)
    assert found[key("audio_ml_jobs", lane="long", state="queued")] == 5
    assert found[key("audio_ml_model_memory_bytes", worker="speech", model="kokoro", device="cpu")] == 300
    assert found[key("audio_ml_memory_budget_bytes", worker="speech")] == 1000
    assert key("audio_ml_memory_budget_bytes", worker="device") not in found
    assert found[key("audio_ml_model_evictions_total", worker="speech")] == 3
    assert (found[key("audio_ml_worker_up", worker="speech")], found[key("audio_ml_worker_up", worker="device")]) == (
        1,
        0,
    )
    assert key("audio_ml_jobs", lane="long", state="queued") not in values(metrics.exposition({}, []).decode())


def test_methods_that_clients_make_up_make_no_series() -> None:
    metrics = Metrics()
    for number in range(50):
        metrics.request(f"M{number}", "", 405, 0.001)
    metrics.request("GET", "/v1/jobs/{id}", 200, 0.02)
    found = values(metrics.exposition({}, []).decode())
    requests = {labels: n for (name, labels), n in found.items() if name == "audio_ml_http_requests_total"}
    assert sorted(requests.values()) == [1, 50]
    assert found[key("audio_ml_http_request_seconds_count", method="GET", route="/v1/jobs/{id}")] == 1


def test_two_servers_do_not_count_together() -> None:
    one, other = Metrics(), Metrics()
    one.worker_restarted("device")
    name = key("audio_ml_worker_restarts_total", worker="device")
    assert name in values(one.exposition({}, []).decode()) and name not in values(other.exposition({}, []).decode())


def test_speech_is_measured(server: Server) -> None:
    body = {"model": "fake-speech", "input": "Good morning, everybody. " * 5}
    assert server.ask("POST", "/v1/audio/speech", body).status == 200
    ended = key("audio_ml_jobs_ended_total", task="speech", state="done")
    wait_for(lambda: values(server.ask("GET", "/metrics").body.decode()).get(ended))
    reply = server.ask("GET", "/metrics")
    assert reply.headers["Content-Type"].startswith("text/plain")
    found = values(reply.body.decode())
    assert found[ended] == 1
    assert found[key("audio_ml_speech_first_byte_seconds_count")] == 1
    assert found[key("audio_ml_sound_seconds_total", task="speech", model="fake-speech")] > 3
    assert found[key("audio_ml_real_time_factor_count", task="speech", model="fake-speech")] == 1
    assert found[key("audio_ml_real_time_factor_sum", task="speech", model="fake-speech")] > 0
    assert found[key("audio_ml_jobs", lane="stream", state="running")] == 0
    assert found[key("process_resident_memory_bytes")] > 1e6


def test_a_request_that_is_refused_is_no_error_of_a_job(server: Server) -> None:
    assert server.ask("GET", "/v1/jobs/none").status == 404
    text = server.ask("GET", "/metrics").body.decode()
    assert not [name for name, _ in values(text) if name == "audio_ml_errors_total"]
    assert "\n# HELP audio_ml_errors_total Errors by type, of jobs and of streams of speech.\n" in text


def test_alive_and_ready(server: Server) -> None:
    assert server.ask("GET", "/health").json == {"status": "ok"}
    head = server.ask("HEAD", "/health")
    assert (head.status, head.body) == (200, b"")
    reply = server.ask("GET", "/ready")
    assert (reply.status, reply.json) == (200, {"status": "ready", "reasons": []})


def reasons(server: Server) -> str:
    reply = server.ask("GET", "/ready")
    assert reply.status == 503 and reply.json["status"] == "not ready"
    assert server.ask("GET", "/health").status == 200
    return " ".join(reply.json["reasons"])


def test_not_ready_while_a_worker_is_not(server: Server) -> None:
    worker: Any = server.services.fleet.workers["speech"]
    worker.is_ready = False
    assert "'speech'" in reasons(server)


def test_not_ready_on_a_full_disk(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**12, 10**12 - 10**6, 10**6))
    assert "1 MB" in reasons(server)


def test_not_ready_without_a_database_to_write_to(server: Server) -> None:
    path = server.services.options.data_folder / "jobs.sqlite"
    server.services.database.close()
    if os.geteuid():
        path.chmod(0o400)
    else:  # to root nothing is read-only
        for each in path.parent.glob("jobs.sqlite*"):
            each.unlink()
        path.mkdir()
    assert "database" in reasons(server)


def test_a_database_that_another_writes_to_is_in_nobodys_way(server: Server) -> None:
    """Asking writes nothing, so that no answer is ever waited for by jobs."""
    path = server.services.options.data_folder / "jobs.sqlite"
    before = sqlite3.connect(path).execute("PRAGMA data_version").fetchone()
    assert server.ask("GET", "/ready").status == 200
    assert sqlite3.connect(path).execute("PRAGMA data_version").fetchone() == before


def test_a_loader_counts_the_models_that_had_to_go_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "held_bytes", lambda kind: ())
    loader = ModelLoader("cpu", memory_budget="20MB")
    for name in "abc":
        with loader.use(sized(name, 10)):
            pass
    assert loader.loaded() == ["b", "c"] and loader.n_evicted == 1
    loader.unload("b")
    loader.unload_idle()
    assert loader.n_evicted == 1


def test_health_is_told_while_every_thread_is_at_work() -> None:
    app = FastAPI()
    app.include_router(health.router)

    async def ask() -> httpx.Response:
        threads = anyio.to_thread.current_default_thread_limiter()
        for n in range(int(threads.total_tokens)):
            threads.acquire_on_behalf_of_nowait(n)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
            return await asyncio.wait_for(client.get("/health"), 60)

    assert asyncio.run(ask()).json() == {"status": "ok"}
