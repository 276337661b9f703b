"""Cloning through a whole server: recordings are checked, somebody agrees and says so, a voice is made and heard."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from made_up_voices import made_up_voice
from serving import Server, serving
from signals import noise

import tts
import voiceclone
from audio_ml.errors import Cancelled, EngineFailed
from audio_ml.loader import ModelLoader
from audio_ml.progress import Progress
from audio_ml.voice_library import VoiceLibrary
from audio_ml.writer import write_audio
from ui.server.lanes import LANES, lane_of
from ui.server.options import ServerOptions
from ui.server.request import InputRef, JobRequest
from ui.server.tasks import Work
from ui.server.tasks import enroll as enrolling
from voiceclone.consent import parse_consent, sentence_of

pytestmark = pytest.mark.weights

CONSENT = "Anna Smith, 2025-11-26, temp ADR"
TEXT = (
    "Where were you on Friday? We walked along the river until the lights went out, and nobody said a word. "
    "The committee will meet again in the spring, to discuss what has been learned from the experiment."
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUDIO_ML_VOICES", str(tmp_path_factory.mktemp("voices")))
        with serving(ServerOptions(folder=str(tmp_path_factory.mktemp("server")))) as on:
            yield on


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory, loader: ModelLoader) -> dict[str, Path]:
    """A reference, and the consent spoken by the same voice and by another."""
    folder = tmp_path_factory.mktemp("recordings")
    said = {"reference": (TEXT, "hibari/heart"), "agreed": (sentence_of(parse_consent(CONSENT)), "hibari/heart")}
    said["other"] = (said["agreed"][0], "am_michael")
    paths = {name: folder / f"{name}.wav" for name in said}
    for name, (text, voice) in said.items():
        write_audio(paths[name], tts.synthesize(text, voice, loader=loader).audio)
    paths["noise"] = folder / "noise.wav"
    write_audio(paths["noise"], noise(4, 24000, 1))
    return paths


def check(server: Server, *paths: Path) -> dict[str, Any]:
    return server.end_of(server.submit(task="check_reference", inputs=[server.upload(path) for path in paths]))


def test_a_reference_is_checked_without_consent_and_nothing_is_kept(
    server: Server, recordings: dict[str, Path]
) -> None:
    job = check(server, recordings["reference"])
    assert (job["state"], job["files"], job["report"]["is_fit"]) == ("done", [], True)
    outcomes = {each["kind"]: each["outcome"] for each in job["report"]["checks"]}
    assert set(outcomes) == {"length", "level", "noise", "clipping", "bandwidth", "speakers", "language"}
    assert not {"fail", "unknown"} & {outcomes[kind] for kind in ("length", "noise", "speakers")}
    silent = check(server, recordings["noise"])["report"]
    assert not silent["is_fit"] and "Nobody speaks in noise.wav" in silent["checks"][0]["message"]


def test_what_is_no_recording_is_told_by_its_name(server: Server, tmp_path: Path) -> None:
    (tmp_path / "note.wav").write_text("not a recording")
    job = check(server, tmp_path / "note.wav")
    assert job["state"] == "failed" and "note.wav" in job["error"]["message"]
    for wrong in ({"consent": CONSENT}, {"options": {"quick": True}}, {"model": "kokoro"}, {"inputs": []}):
        asked = {"task": "check_reference", "inputs": [{"path": "/x"}], **wrong}
        assert server.ask("POST", "/v1/jobs", asked).status == 422


def test_checks_wait_for_nobody_unless_they_are_long(tmp_path: Path) -> None:
    request = JobRequest(task="check_reference")
    path = tmp_path / "reference.wav"
    path.write_bytes(b"x")
    assert lane_of(request, [{"path": str(path)}]) is LANES["speech"]
    path.open("r+b").truncate(31_000_000)
    assert lane_of(request, [{"path": str(path)}]) is LANES["long"]


def enroll(server: Server, recordings: dict[str, Path], spoken: str) -> dict[str, Any]:
    return server.end_of(
        server.submit(
            task="enroll",
            name="anna",
            consent=CONSENT,
            consent_recording=server.upload(recordings[spoken]),
            inputs=[server.upload(recordings["reference"])],
            options={"quick": True},
            text="This is how I sound.",
        )
    )


def test_a_consent_that_another_voice_speaks_makes_no_voice(server: Server, recordings: dict[str, Path]) -> None:
    refused = enroll(server, recordings, "other")
    assert (refused["state"], refused["error"]["type"]) == ("failed", "ConsentMissing")
    assert "another voice" in refused["error"]["message"] and VoiceLibrary.default().names() == []
    noted = [json.loads(line) for line in (server.services.options.data_folder / "audit.log").read_text().splitlines()]
    asked = [(line["what"], line["voices"]) for line in noted if line.get("job") == refused["id"]]
    assert asked == [("enroll", ["anna"]), ("clone", ["anna"])]  # it was to speak, too


@pytest.mark.slow
def test_a_spoken_consent_is_on_record_and_the_voice_is_heard_and_seen(
    server: Server, recordings: dict[str, Path]
) -> None:
    made = enroll(server, recordings, "agreed")
    assert made["state"] == "done", made["error"]
    assert made["report"]["consent"]["recording_sha256"] and "recorded" in made["report"]["consent"]["checked"]
    assert [file["name"] for file in made["files"]] == ["sample.wav", "view.json"]  # the voice is no file of the job
    heard, beside = made["report"]["likenesses"].items()
    assert heard[0] == "what it said, to the reference" and heard[1]["meaning"] and 0 < heard[1]["score"] < 1
    assert beside[0].startswith("for comparison, the nearest built-in voice, kokoro/") and beside[1]["meaning"]
    assert server.ask("GET", "/v1/voices/anna").json["consent"] == made["report"]["consent"]
    said = server.end_of(
        server.submit(task="clone", voice="anna", text="Good morning to you all.", delivery={"view": True})
    )
    assert said["state"] == "done", said["error"]
    assert [file["name"] for file in said["files"]] == ["speech.wav", "view.json"]
    view = json.loads(server.ask("GET", f"/v1/jobs/{said['id']}/files/view.json").body)
    assert view["result"]["mel"]["levels_db"] and view["likenesses"]["what it said, to the reference"]["meaning"]
    assert said["report"]["likenesses"] == view["likenesses"]
    assert {"this voice", "result"} <= {place["kind"] for place in view["map"]["places"]}
    assert server.ask("DELETE", "/v1/voices/anna").status == 204


def test_a_text_that_cannot_be_read_is_told_before_a_voice_is_made(server: Server, recordings: dict[str, Path]) -> None:
    asked = {"task": "enroll", "name": "ben", "consent": CONSENT, "text": "<speak>Hello."}
    reply = server.ask("POST", "/v1/jobs", {**asked, "inputs": [server.upload(recordings["reference"])]})
    assert (reply.status, reply.json["error"]["param"]) == (422, "text") and "XML" in reply.json["error"]["message"]


@pytest.mark.parametrize("fails", ["", "clone_file", "write_view", "stopped"])
def test_a_voice_that_cannot_be_heard_is_kept_unless_it_is_stopped(
    fails: str, tmp_path: Path, loader: ModelLoader, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise Cancelled("Stopped.") if fails == "stopped" else EngineFailed("It broke.")

    monkeypatch.setattr(voiceclone, "enroll", lambda *_, **__: made_up_voice("ben"))
    if fails:
        monkeypatch.setattr(enrolling, "clone_file", lambda *_, **__: None)
        monkeypatch.setattr(enrolling, "clone_file" if fails == "stopped" else fails, fail)
    request = JobRequest(task="enroll", name="ben", consent=CONSENT, inputs=(InputRef(upload="x"),), text="???")
    work = Work(request, (tmp_path / "x.wav",), tmp_path / "files", loader, Progress())
    if fails == "stopped":
        with pytest.raises(Cancelled):
            enrolling.run(work)
        return
    told = enrolling.run(work)
    why = "It broke." if fails else "Nothing in the text can be spoken: '???' is not spoken."
    what = "compared with its reference" if fails == "write_view" else "heard"
    assert told["warnings"] == [f"The voice is made, but could not be {what}: {why}"]
    assert "likenesses" not in told and VoiceLibrary(tmp_path / enrolling.MADE).names() == ["ben"]


def test_a_recording_of_a_consent_is_for_enrolling_alone(server: Server, recordings: dict[str, Path]) -> None:
    asked = {"task": "separate", "inputs": [server.upload(recordings["noise"])], "consent_recording": {"path": "/x"}}
    reply = server.ask("POST", "/v1/jobs", asked)
    assert reply.status == 422 and "consent_recording" in reply.json["error"]["message"]
    missing = {"task": "enroll", "name": "ben", "consent_recording": server.upload(recordings["agreed"])}
    reply = server.ask("POST", "/v1/jobs", {**missing, "inputs": [server.upload(recordings["reference"])]})
    assert reply.status == 422 and reply.json["error"]["type"] == "ConsentMissing"
