"""Cue sheets as jobs of a real server, spoken by a real voice."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from serving import Server, serving

import tts
from audio_ml.errors import InvalidInput
from audio_ml.loader import ModelLoader
from audio_ml.streams import AudioReader
from tts.cues import TextToSpeech
from ui.server.lanes import lane_of
from ui.server.options import ServerOptions
from ui.server.request import JobRequest
from ui.server.tasks import cues

pytestmark = pytest.mark.weights

SHEET = """Scene,Cue,Character,TC In,TC Out,Line
12,3,HERO,01:00:00:12,01:00:02:12,Where is everybody?
12,4,Old Man,01:00:03:00,01:00:03:12,They went away a very long time ago.
12,5,HERO,01:00:09:00,01:00:08:00,Backwards.
"""
SESSION = ["guide.wav", "session.rpp", "session.otio", "markers.csv", "labels.txt", "qc.csv", "qc.json"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(ServerOptions(folder=str(tmp_path_factory.mktemp("server")))) as server:
        yield server


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    path = tmp_path / "adr.csv"
    path.write_text(SHEET)
    return path


def test_a_sheet_becomes_timecoded_files_and_sessions(server: Server, sheet: Path, tmp_path: Path) -> None:
    lexicon = tmp_path / "words.csv"
    lexicon.write_text("word,alias\neverybody,each of you\n")
    inputs = [server.upload(sheet), server.upload(lexicon)]
    done = server.end_of(server.submit(task="cues", inputs=inputs, options={"speed": 1.1, "fit": "trim"}))
    assert done["state"] == "done", done["error"]
    report = done["report"]
    takes = ["S012_Q003_HERO_T01.wav", "S012_Q004_OLD-MAN_T01.wav"]
    assert [take["file"] for take in report["takes"]] == takes
    assert [take["status"] for take in report["takes"]] == ["ok", "over"]
    assert [problem["row"] for problem in report["problems"]] == [4]
    assert (report["rows"], report["done"], report["failed"], report["sheet"]) == (3, 2, 1, "adr.csv")
    assert {file["name"] for file in done["files"]} == {*takes, *SESSION, "audio-ml-cues.json"}
    told = {"speed": 1.1, "lexicon": (str(lexicon),)}
    spoken = tts.synthesize("Where is everybody?", options=told, loader=ModelLoader("cpu")).audio
    assert abs(report["takes"][0]["natural_samples"] - 2 * spoken.n_samples) <= 2
    assert str(server.services.options.folder) not in json.dumps(done)

    archive = zipfile.ZipFile(io.BytesIO(server.ask("GET", f"/v1/jobs/{done['id']}/archive").body))
    archive.extractall(tmp_path / "out")
    info = AudioReader(tmp_path / "out" / takes[0]).info
    assert (info.sample_rate, info.n_channels) == (48000, 1)
    assert cues.in_words(report)[1:] == ["1 could not be spoken.", "Takes that are longer than their slot: 1."]


def test_the_cast_speaks(server: Server, sheet: Path) -> None:
    cast = {"hero": "kokoro/am_michael"}
    done = server.end_of(server.submit(task="cues", inputs=[server.upload(sheet)], cast=cast, model=None))
    assert [take["voice"] for take in done["report"]["takes"]] == ["kokoro/am_michael", "hibari/heart"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"cast": {"HERO": "nobody"}}, "HERO: Unknown voice 'nobody'"),
        ({"voice": "nobody"}, "Unknown voice 'nobody'"),
        ({"options": {"takes": 0}}, "takes"),
        ({"options": {"spede": 1}}, "spede"),
        ({"options": {"filename": "{nonsense}.wav"}}, "nonsense"),
        ({"options": {"columns": ["what=Line"]}}, "columns"),
        ({"options": {"lexicon": ["/etc/passwd"]}}, "lexicon"),
        ({"options": {"overwrite": True}}, "overwrite"),
        ({"delivery": {"format": "mp3"}}, "delivery"),
        ({"text": "Hello."}, "text"),
        ({"inputs": []}, "1 to 10"),
    ],
)
def test_a_mistake_is_told_before_any_work(server: Server, sheet: Path, wrong: dict[str, Any], words: str) -> None:
    reply = server.ask("POST", "/v1/jobs", {"task": "cues", "inputs": [server.upload(sheet)]} | wrong)
    assert reply.status == 422 and words in reply.json["error"]["message"]


def test_what_is_no_sheet_fails_in_a_sentence(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "notes.csv"
    path.write_text("a,b\n1,2\n")
    done = server.end_of(server.submit(task="cues", inputs=[server.upload(path)]))
    assert done["state"] == "failed"
    assert done["error"]["message"].startswith("notes.csv lacks cue and tc_in and line")


def test_a_cloned_voice_that_nobody_cast_is_not_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    class Anna:
        name = "anna"

    monkeypatch.setattr(TextToSpeech, "cloned", lambda *_: [(Anna(), True)])
    monkeypatch.setattr(TextToSpeech, "say", lambda *_: "said")
    assert cues._Announced(ModelLoader("cpu"), None, frozenset({"anna"})).say("x", "hibari/heart", {}) == "said"
    with pytest.raises(InvalidInput, match="anna"):
        cues._Announced(ModelLoader("cpu"), None, frozenset()).say("x", "hibari/heart", {})


def test_sheets_do_not_hold_up_short_speech() -> None:
    assert lane_of(JobRequest(task="cues"), []).name == "script"


def test_speech_is_written_in_further_formats(server: Server, tmp_path: Path) -> None:
    delivery = {"captions": ["srt"], "also": ["mp3", "flac"]}
    done = server.end_of(server.submit(task="speak", text="Good morning.", delivery=delivery))
    assert {file["name"] for file in done["files"]} == {"speech.wav", "speech.mp3", "speech.flac", "speech.srt"}
    lengths = {}
    for file in done["files"]:
        if file["name"].endswith("srt"):
            continue
        (tmp_path / file["name"]).write_bytes(server.ask("GET", file["url"]).body)
        reader = AudioReader(tmp_path / file["name"])
        lengths[file["name"]] = sum(block.shape[1] for block in reader.blocks())
    assert lengths["speech.flac"] == lengths["speech.wav"]
    assert abs(lengths["speech.mp3"] - lengths["speech.wav"]) < 2400
    assert b"audio-ml" in (tmp_path / "speech.mp3").read_bytes()
    named = {"captions": ["srt"], "filename": "Zoë's line - take 2"}
    done = server.end_of(server.submit(task="speak", text="Good morning.", delivery=named))
    assert {file["name"] for file in done["files"]} == {"Zoë's line - take 2.wav", "Zoë's line - take 2.srt"}
    for name in ("../up", "a/b", "", ".", "outcome", "x" * 201, 7):
        reply = server.ask("POST", "/v1/jobs", {"task": "speak", "text": "Hi.", "delivery": {"filename": name}})
        assert reply.status == 422 and "filename" in reply.json["error"]["message"]
    reply = server.ask("POST", "/v1/jobs", {"task": "speak", "text": "Hi.", "delivery": {"also": ["wav"]}})
    assert reply.status == 422 and "also" in reply.json["error"]["message"]
