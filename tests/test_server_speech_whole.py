"""Speech through the whole server: guard, worker process and a real voice, as OpenAI's client hears it."""

from __future__ import annotations

import http.client
import io
import json
import os
import signal
import time
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from serving import Server, serving

import tts
from audio_ml import own_files
from ui.server.options import ServerOptions

pytestmark = pytest.mark.weights

TEXT = "The quick brown fox jumps over the lazy dog today."
LONG_TEXT = f"{TEXT} " * 400


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(ServerOptions(folder=str(tmp_path_factory.mktemp("server")))) as on:
        yield on


def send(server: Server, **body: Any) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=120)
    told = json.dumps({"model": "tts-1", "voice": "alloy", "input": TEXT, **body})
    connection.request("POST", "/v1/audio/speech", told, {"Content-Type": "application/json"})
    return connection


def whole(server: Server, **body: Any) -> bytes:
    reply = send(server, **body).getresponse()
    content = reply.read()
    assert reply.status == 200, content
    return content


def count(server: Server, sample: str) -> float:
    lines = server.ask("GET", "/metrics").body.decode().splitlines()
    return float(next((line.rpartition(" ")[2] for line in lines if line.startswith(sample + " ")), "0"))


def test_it_is_the_speech_of_the_library(server: Server) -> None:
    with wave.open(io.BytesIO(whole(server, response_format="wav"))) as file:
        sound = np.frombuffer(file.readframes(10**8), "<i2") / 32768
    spoken = tts.synthesize(TEXT, "hibari/heart").audio.samples[0]
    assert len(sound) == len(spoken) and np.abs(sound - spoken).max() <= 1.5 / 32768 + 1e-6


def test_openais_client_hears_it(server: Server) -> None:
    openai = pytest.importorskip("openai")
    with openai.OpenAI(api_key="any", base_url=f"{server.url}/v1", max_retries=0) as client:
        create = client.audio.speech.with_streaming_response.create
        with create(model="gpt-4o-mini-tts", voice="alloy", input=TEXT, response_format="opus") as streamed:
            content = b"".join(streamed.iter_bytes())
        with av.open(io.BytesIO(content)) as container:
            assert sum(f.samples / f.sample_rate for f in container.decode(audio=0)) == pytest.approx(2.8, abs=0.3)
        with pytest.raises(openai.UnprocessableEntityError, match="Unknown voice 'nobody'"):
            client.audio.speech.create(model="tts-1", voice="nobody", input=TEXT)


def test_the_first_byte_of_a_warm_voice_is_waited_for_a_part_of_the_time(server: Server) -> None:
    """How long that is by itself, bench/server_speech.py says."""
    whole(server)

    def part() -> float:
        began, connection = time.monotonic(), send(server, input=f"{TEXT} " * 10)
        reply = connection.getresponse()
        reply.read(1)
        first_byte = time.monotonic() - began
        reply.read()
        return first_byte / (time.monotonic() - began)

    assert min(part() for _ in range(3)) < 0.5


@pytest.mark.parametrize("n_read", [0, 1000])
def test_who_goes_away_is_not_spoken_for_any_longer(server: Server, n_read: int) -> None:
    cancelled = 'audio_ml_jobs_ended_total{state="cancelled",task="speech"}'
    before = count(server, cancelled)
    connection = send(server, input=LONG_TEXT)
    if n_read:
        connection.getresponse().read(n_read)
    else:
        ends_at = time.monotonic() + 60
        while not server.services.fleet.stream_counts()["running"]:
            assert time.monotonic() < ends_at
            time.sleep(0.02)
    connection.close()
    ends_at = time.monotonic() + 60
    while server.services.fleet.stream_counts()["running"] or count(server, cancelled) == before:
        assert time.monotonic() < ends_at
        time.sleep(0.05)
    assert count(server, cancelled) == before + 1


def test_a_worker_that_is_killed_breaks_the_stream_off_and_comes_back(server: Server) -> None:
    reply = send(server, input=LONG_TEXT, response_format="pcm").getresponse()
    assert len(reply.read(10_000)) == 10_000
    worker = server.services.fleet.workers["speech"]
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        reply.read()
    ends_at = time.monotonic() + 60
    while server.ask("GET", "/ready").status == 503:
        assert time.monotonic() < ends_at
        time.sleep(0.05)
    assert len(whole(server, response_format="pcm")) > 100_000
    assert count(server, 'audio_ml_worker_restarts_total{worker="speech"}') == 1
    assert count(server, 'audio_ml_errors_total{type="WorkerGone"}') == 1


def test_no_name_is_a_file_of_the_server(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_files, "_served", True)  # as in the process of `audio-ml serve`
    path = tmp_path / "voice.onnx"
    path.write_bytes(b"x")
    for body in ({"voice": str(path)}, {"input": f"[voice: {path}]Hello."}, {"model": str(path)}):
        reply = send(server, **body).getresponse()
        told = json.loads(reply.read())["error"]["message"]
        assert reply.status == 422 and ("Unknown voice" in told or "Unknown model" in told)


def test_a_request_is_known_by_its_route(server: Server) -> None:
    server.ask("GET", "/v1/models/hibari")
    sample = 'audio_ml_http_requests_total{method="GET",route="/v1/models/{model}",status="200"}'
    assert count(server, sample) >= 1
