"""Speech over HTTP: what OpenAI's client asks for and gets, as it is made, and what is refused before it begins."""

from __future__ import annotations

import asyncio
import base64
import http.client
import io
import json
import socket
import time
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile
from fake_speech import FAKE_SPEECH, RATE
from made_up_voices import made_up_voice
from serving import Reply, Server
from speech_serving import StandInWorker, speech_serving

import tts
from audio_ml.byte_streams import STREAM_FORMS
from audio_ml.errors import WeightsMissing
from audio_ml.loader import ModelLoader
from audio_ml.voice_library import VoiceLibrary
from tts.voices import find_speaker
from ui.server.openai_names import VOICES, as_ours

TEXT = "The quick brown fox jumps over the lazy dog today. " * 4
VOICE = {"model": "fake-speech", "voice": "low"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with (
        pytest.MonkeyPatch.context() as patch,
        speech_serving(tmp_path_factory.mktemp("s"), patch, max_text=5000) as on,
    ):
        yield on


@pytest.fixture
def worker(server: Server) -> Iterator[StandInWorker]:
    """The stand-in for the worker, as it was found."""
    fleet: Any = server.services.fleet
    worker: StandInWorker = fleet.worker
    worker.cancelled.clear()
    worker.told_to_stop.clear()
    yield worker
    worker.go_on.set()
    worker.holds_first, worker.failure = False, None


def post(server: Server, **body: Any) -> Reply:
    return server.ask("POST", "/v1/audio/speech", {"input": TEXT, **VOICE, **body})


def spoken() -> np.ndarray:
    """The sound as the verb of Python gives it."""
    return tts.synthesize(TEXT, "low", model=FAKE_SPEECH, loader=ModelLoader("cpu")).audio.samples[0]


def n_seconds(content: bytes) -> float:
    with av.open(io.BytesIO(content)) as container:
        return sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))


@pytest.mark.parametrize("format", [name for name in STREAM_FORMS if name != "pcm"])
def test_every_format_holds_all_of_the_speech(server: Server, format: str) -> None:
    reply = post(server, response_format=format)
    assert reply.status == 200 and reply.headers["Content-Type"] == STREAM_FORMS[format].media_type
    assert n_seconds(reply.body) == pytest.approx(len(spoken()) / RATE, abs=0.4)


def test_mp3_is_what_comes_unasked(server: Server) -> None:
    assert post(server).headers["Content-Type"] == "audio/mpeg"


def test_pcm_is_24_khz_16_bit_mono_whatever_the_voice_has(server: Server) -> None:
    sound = np.frombuffer(post(server, response_format="pcm").body, "<i2") / 32768
    assert len(sound) == pytest.approx(len(spoken()) * 24_000 / RATE, abs=2)
    spectrum = np.abs(np.fft.rfft(sound))
    assert np.fft.rfftfreq(len(sound), 1 / 24_000)[spectrum.argmax()] == pytest.approx(200, abs=2)  # the fake's pitch


def test_wav_is_to_the_sample_what_python_gives(server: Server) -> None:
    with wave.open(io.BytesIO(post(server, response_format="wav").body)) as file:
        assert file.getframerate() == RATE
        sound = np.frombuffer(file.readframes(10**8), "<i2") / 32768
    assert len(sound) == len(spoken())
    assert np.abs(sound - spoken()).max() <= 1.5 / 32768


def test_options_and_speed_reach_the_voice(server: Server) -> None:
    plain, fast = (len(post(server, response_format="pcm", **more).body) for more in ({}, {"speed": 2.0}))
    assert fast < 0.65 * plain
    quiet = post(server, response_format="pcm", options={"volume": -20}).body
    assert np.abs(np.frombuffer(quiet, "<i2")).max() < 0.11 * 0.5 * 32768 / 0.5
    assert (
        post(server, response_format="pcm", options={"speed": 2.0}).body
        == post(server, response_format="pcm", speed=2.0).body
    )


def connection_to(server: Server) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=60)


def send(connection: http.client.HTTPConnection, **body: Any) -> None:
    told = json.dumps({"input": TEXT, **VOICE, **body})
    connection.request("POST", "/v1/audio/speech", told, {"Content-Type": "application/json"})


@pytest.mark.parametrize("format", STREAM_FORMS)
def test_the_first_bytes_come_while_the_rest_is_not_spoken(server: Server, worker: StandInWorker, format: str) -> None:
    worker.go_on.clear()
    connection = connection_to(server)
    send(connection, response_format=format)
    reply = connection.getresponse()
    assert reply.status == 200 and reply.getheader("Content-Length") is None
    assert len(reply.read1(100)) > 0 and worker.n_pieces == 1
    worker.go_on.set()
    assert reply.read() and worker.n_pieces > 2


@pytest.mark.parametrize("holds_first", [False, True])
def test_a_client_that_goes_away_stops_the_work(server: Server, worker: StandInWorker, holds_first: bool) -> None:
    worker.go_on.clear()
    worker.holds_first = holds_first
    n_asked, connection = len(worker.asked), connection_to(server)
    send(connection)
    if not holds_first:
        connection.getresponse().read1(10)
    assert wait_for(lambda: len(worker.asked) > n_asked)
    assert isinstance(connection.sock, socket.socket)
    connection.sock.shutdown(socket.SHUT_RDWR)
    connection.close()
    assert worker.told_to_stop.wait(60)
    worker.go_on.set()
    assert worker.cancelled.wait(60)
    assert worker.n_pieces <= 2
    cancelled = 'audio_ml_jobs_ended_total{state="cancelled",task="speech"}'
    assert wait_for(lambda: cancelled in server.ask("GET", "/metrics").body.decode())


def test_a_client_that_takes_nothing_is_cut_off(
    server: Server, worker: StandInWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ui.server.speech_reply.SECONDS_TO_TAKE", 0.3)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", int(server.url.rpartition(":")[2])))
        body = json.dumps({"input": "A long story. " * 350, **VOICE, "response_format": "pcm"}).encode()
        head = f"POST /v1/audio/speech HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
        client.sendall(head.encode() + b"Content-Type: application/json\r\n\r\n" + body)
        assert wait_for(lambda: worker.streams.n_open == 1)
        assert wait_for(lambda: worker.streams.n_open == 0)


def wait_for(condition: Any, seconds: float = 60.0) -> bool:
    ends_at = time.monotonic() + seconds
    while not condition() and time.monotonic() < ends_at:
        time.sleep(0.02)
    return bool(condition())


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"input": ""}, "empty"),
        ({"input": " \n"}, "empty"),
        ({"input": "a" * 5001}, "5,001"),
        ({"input": 7}, "'input'"),
        ({"voice": "lowe"}, "Unknown voice 'lowe'. Did you mean 'low'?"),
        ({"voice": {"id": "lowe"}}, "Unknown voice 'lowe'"),
        ({"voice": {"id": "low", "age": 7}}, "age"),
        ({"model": "kokro", "voice": "heart"}, "Unknown model 'kokro'. Did you mean 'kokoro'?"),
        ({"model": "tts-1", "voice": "nobody"}, "Unknown voice 'nobody'"),
        ({"model": "pocket-tts", "voice": "cloned/anna"}, "POST /v1/jobs has it do 'clone'"),
        ({"voice": "a" * 1001}, "1000"),
        ({"response_format": "mp4"}, "'response_format' cannot be 'mp4'"),
        ({"stream_format": "chunks"}, "'stream_format'"),
        ({"stream_format": "sse", "stream": False}, "stream_format"),
        ({"speed": 0.25}, "'speed' cannot be 0.25"),
        ({"speed": float("nan")}, "'speed'"),
        ({"speed": 1.0, "options": {"speed": 1.2}}, "twice"),
        ({"emotion": "sad"}, "Unknown option 'emotion'"),
        ({"instructions": "Whisper."}, "instructions"),
        ({"options": {"wobble": 1}}, "Unknown option 'wobble'"),
        ({"options": {"volume": float("nan")}}, "volume"),
        ({"options": {"lexicon": ["/etc/passwd"]}}, "names files of the server"),
        ({"input": "[rate: 9]Go![/rate]"}, "Line 1"),
        ({"input": "<speak><foo/></speak>"}, "foo"),
        ({"input": "[voice: nobody]Hello."}, "nobody"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_spoken(
    server: Server, worker: StandInWorker, body: Any, words: str
) -> None:
    n_asked = len(worker.asked)
    reply = post(server, **body)
    assert reply.status == 422, reply.body
    assert words in reply.json["error"]["message"]
    assert reply.json["error"]["code"] == 422 and len(worker.asked) == n_asked


def test_instructions_that_ask_for_nothing_are_no_harm(server: Server) -> None:
    assert post(server, instructions=" ").status == 200


def test_an_error_of_the_worker_before_the_first_piece_is_a_reply(
    server: Server, worker: StandInWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> Iterator[bytes]:
        raise WeightsMissing("kokoro is not on this machine.")
        yield b""

    monkeypatch.setattr("speech_serving.speak", fail)
    reply = post(server)
    assert reply.status == 503 and reply.json["error"]["message"] == "kokoro is not on this machine."
    assert 'audio_ml_errors_total{type="WeightsMissing"}' in server.ask("GET", "/metrics").body.decode()


def test_a_text_with_nothing_to_say_is_told(server: Server) -> None:
    reply = post(server, input="...")
    assert reply.status == 422 and "Nothing in the text can be spoken" in reply.json["error"]["message"]


def test_what_fails_on_the_way_is_never_taken_for_complete(server: Server, worker: StandInWorker) -> None:
    worker.failure = WeightsMissing("gone")
    connection = connection_to(server)
    send(connection, response_format="wav")
    with pytest.raises(http.client.IncompleteRead):
        connection.getresponse().read()
    assert post(server, stream=False).status == 503


def events_of(reply: Reply) -> list[dict[str, Any]]:
    lines = reply.body.decode().split("\n\n")
    assert lines.pop() == "" and all(line.startswith("data: ") for line in lines)
    return [json.loads(line.removeprefix("data: ")) for line in lines]


def test_events_carry_the_very_bytes(server: Server) -> None:
    reply = post(server, response_format="flac", stream_format="sse")
    assert reply.headers["Content-Type"].startswith("text/event-stream")
    *deltas, last = events_of(reply)
    assert {event["type"] for event in deltas} == {"speech.audio.delta"} and len(deltas) > 2
    content = b"".join(base64.b64decode(event["audio"], validate=True) for event in deltas)
    assert content == post(server, response_format="flac").body
    n_words = len(TEXT.split())
    usage = {"input_tokens": n_words, "output_tokens": 0, "total_tokens": n_words}
    assert last == {"type": "speech.audio.done", "usage": usage}


def test_events_tell_what_fails(server: Server, worker: StandInWorker) -> None:
    worker.failure = WeightsMissing("gone")
    *_, last = events_of(post(server, stream_format="sse"))
    assert last["type"] == "error" and last["error"]["message"] == "gone" and last["error"]["code"] == 503


@pytest.mark.parametrize("format", ["wav", "flac"])
def test_what_is_sent_at_once_tells_its_length(server: Server, format: str) -> None:
    reply = post(server, response_format=format, stream=False)
    assert int(reply.headers["Content-Length"]) == len(reply.body)
    sound, rate = soundfile.read(io.BytesIO(reply.body))
    assert rate == RATE and len(sound) == len(spoken())


@pytest.mark.parametrize("format", ["mp3", "opus", "aac", "pcm"])
def test_what_is_sent_at_once_is_what_is_streamed(server: Server, format: str) -> None:
    whole, streamed = (post(server, response_format=format, stream=stream).body for stream in (False, True))
    if format == "opus":  # each Ogg stream has a number of its own
        assert len(whole) == len(streamed)
    else:
        assert whole == streamed


def test_what_a_cloned_voice_said_is_written_down(server: Server) -> None:
    VoiceLibrary.default().save(made_up_voice("anna"), overwrite=True)
    text = "[voice: cloned/anna]Hello.[/voice] Good morning."
    try:
        assert post(server, input=text, options={}).status in (200, 422, 503)  # whether it can be marked here or not
    finally:
        VoiceLibrary.default().delete("anna")
    lines = (server.services.options.data_folder / "audit.jsonl").read_text().splitlines()
    told = json.loads(lines[-1])
    assert (told["what"], told["voice"], told["caller"], told["marked"]) == ("speech", "anna", "local", True)
    assert "Hello" not in lines[-1]


def test_voices_are_listed_with_openais_names(server: Server) -> None:
    voices = {voice["id"]: voice for voice in server.ask("GET", "/v1/audio/voices").json["voices"]}
    assert voices["fake/high"] | {"note": ""} == {
        "id": "fake/high",
        "name": "high",
        "aliases": ["tenor"],
        "stands_for": None,
        "language": "en-US",
        "reads_text": True,
        "gender": "",
        "model": "fake-speech",
        "cloned": False,
        "note": "",
        "here": True,
        "verified": False,
        "mixes": True,
        "licence": {"name": "none", "commercial": True},
    }
    assert {name: voices[name]["stands_for"] for name in VOICES} == VOICES
    british = server.ask("GET", "/v1/audio/voices?language=en-GB").json["voices"]
    assert {voice["language"] for voice in british} == {"en-GB"} and "fable" in {voice["id"] for voice in british}


@pytest.mark.parametrize("name", VOICES)
def test_openais_voices_are_voices_that_were_heard(name: str) -> None:
    model, voice = as_ours("tts-1", name)
    speaker = find_speaker(voice, model)
    assert speaker.spec.verified and speaker.blend.language.startswith("en")


def test_a_model_of_ours_comes_first_with_its_own_voices() -> None:
    assert as_ours("kokoro", "alloy") == ("kokoro", "alloy")
    assert find_speaker(*reversed(as_ours("hibari", "alloy"))).id == "hibari/heart"
    assert as_ours("tts-1-hd-1106", None) == (None, None)


def test_openais_client(server: Server, tmp_path: Path) -> None:
    openai = pytest.importorskip("openai")
    with openai.OpenAI(api_key="any", base_url=f"{server.url}/v1", max_retries=0) as client:
        whole = client.audio.speech.create(**VOICE, input=TEXT, response_format="wav")
        assert n_seconds(whole.content) == pytest.approx(len(spoken()) / RATE)
        path = tmp_path / "speech.mp3"
        with client.audio.speech.with_streaming_response.create(**VOICE, input=TEXT) as streamed:
            streamed.stream_to_file(path)
        assert n_seconds(path.read_bytes()) == pytest.approx(len(spoken()) / RATE, abs=0.4)
        with client.audio.speech.with_streaming_response.create(
            **VOICE, input=TEXT, response_format="pcm", speed=1.5, extra_body={"options": {"volume": -6}}
        ) as streamed:
            assert len([*streamed.iter_bytes(1024)]) > 10
        with pytest.raises(openai.UnprocessableEntityError, match="Unknown voice 'lowe'"):
            client.audio.speech.create(model="fake-speech", voice="lowe", input=TEXT)
        assert "hibari" in {model.id for model in client.models.list()}
        assert client.models.retrieve("tts-1").id == "hibari"
        with pytest.raises(openai.NotFoundError, match="Did you mean 'kokoro'"):
            client.models.retrieve("kokro")


def test_openais_asynchronous_client(server: Server) -> None:
    openai = pytest.importorskip("openai")

    async def speak(format: str) -> bytes:
        async with openai.AsyncOpenAI(api_key="any", base_url=f"{server.url}/v1", max_retries=0) as client:
            create = client.audio.speech.with_streaming_response.create
            async with create(**VOICE, input=TEXT, response_format=format) as streamed:
                return b"".join([part async for part in streamed.iter_bytes()])

    async def speak_all() -> list[bytes]:
        return await asyncio.gather(*(speak(format) for format in ("wav", "wav", "pcm")))

    first, second, pcm = asyncio.run(speak_all())
    assert first == second == post(server, response_format="wav").body and len(pcm) % 2 == 0
