"""`audio-ml --server`: the same files at the same places with the same reports, and what it cannot do is named."""

from __future__ import annotations

import dataclasses
import json
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from fake_engine import FAKE
from signals import noise
from stand_in_server import StandIn, stand_in

import audio_ml_client
import separation
import tts
from audio_ml.errors import (
    Cancelled,
    InvalidInput,
    InvalidOption,
    OutOfMemory,
    OutputExists,
    ServerFailed,
    ServerUnreachable,
    UnreadableAudio,
)
from audio_ml.loader import ModelLoader
from audio_ml.progress import Progress
from audio_ml.writer import write_audio
from ui import remote
from ui.batch import Batch, Request
from ui.cli import app
from ui.items import find_items
from ui.remote import Remote, errors_of_ours
from ui.remote_separation import RemoteSeparation

Cli = Callable[..., subprocess.CompletedProcess[str]]
COMMAND = Path(sys.executable).with_name("audio-ml")


@pytest.fixture
def server() -> Iterator[StandIn]:
    with stand_in() as running:
        yield running


@pytest.fixture
def song(tmp_path: Path) -> Path:
    path = tmp_path / "song.wav"
    write_audio(path, noise(0.5))
    return path


def prepare_separation(server: StandIn, song: Path, folder: Path) -> separation.SeparationReport:
    """Has the server give what a separation here gives, and returns the report of that."""
    report = separation.separate_file(
        song, folder, model=FAKE, delivery={"filename": "{stem}.{ext}"}, loader=ModelLoader("cpu")
    )
    server.files = {path.name: path.read_bytes() for path in folder.iterdir()}
    told = report.as_dict()
    server.report = {
        **told,
        "source": "song.wav",
        "files": [{**f, "path": Path(f["path"]).name} for f in told["files"]],
    }
    return report


def separate(server: StandIn, song: Path, out: Path, **delivery: Any) -> separation.SeparationReport:
    work = RemoteSeparation(Remote(server.url))
    return work(song, out, model=FAKE, options={}, delivery=delivery, loader=None, progress=Progress())


def wait_until_followed(server: StandIn) -> None:
    """Waits until a client has a job on the server, and knows of it."""
    ends = time.monotonic() + 60
    while not server.count("GET", "/v1/jobs/") and time.monotonic() < ends:
        time.sleep(0.05)


class TestSeparation:
    def test_files_and_report_are_those_of_this_machine(self, server: StandIn, song: Path, tmp_path: Path) -> None:
        here = prepare_separation(server, song, tmp_path / "here")
        there = separate(server, song, tmp_path / "out")
        assert there == dataclasses.replace(
            here,
            files=tuple(
                dataclasses.replace(file, path=str(tmp_path / f"out/song/{file.stem}.wav")) for file in here.files
            ),
        )
        for file in here.files:
            assert (tmp_path / f"out/song/{file.stem}.wav").read_bytes() == Path(file.path).read_bytes()
        assert server.bodies[0]["delivery"] == {"filename": "{stem}.{ext}"}

    def test_names_are_those_that_were_asked_for(self, server: StandIn, song: Path, tmp_path: Path) -> None:
        prepare_separation(server, song, tmp_path / "here")
        separate(server, song, tmp_path / "out", filename="{stem} of {track}.{ext}")
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["rest of song.wav", "share of song.wav"]

    def test_a_stem_that_exists_is_told_before_the_upload(self, server: StandIn, song: Path, tmp_path: Path) -> None:
        (tmp_path / "song").mkdir()
        (tmp_path / "song/share.wav").write_text("mine")
        with pytest.raises(OutputExists):
            separate(server, song, tmp_path)
        assert not server.requests

    def test_a_file_that_is_not_there_is_told_before_any_request(self, server: StandIn, tmp_path: Path) -> None:
        with pytest.raises(UnreadableAudio):
            separate(server, tmp_path / "none.wav", tmp_path)
        assert not server.requests

    def test_a_report_of_another_kind_is_told(self, server: StandIn, song: Path, tmp_path: Path) -> None:
        prepare_separation(server, song, tmp_path / "here")
        assert server.report is not None
        del server.report["length_ok"]
        with pytest.raises(ServerFailed, match="length_ok"):
            separate(server, song, tmp_path / "out")

    def test_a_batch_ends_when_the_server_is_gone(self, song: Path, tmp_path: Path) -> None:
        write_audio(tmp_path / "second.wav", noise(0.5))
        batch = Batch(Request(FAKE), None, separate_file=RemoteSeparation(Remote("http://127.0.0.1:9")), jobs=1)
        with pytest.raises(ServerUnreachable):
            list(batch.run(find_items([song, tmp_path / "second.wav"], tmp_path / "out")))
        assert len(batch.outcomes) == 1

    def test_cancelling_a_batch_cancels_its_jobs_on_the_server(
        self, server: StandIn, song: Path, tmp_path: Path
    ) -> None:
        server.faults.seconds = 120
        batch = Batch(Request(FAKE), None, separate_file=RemoteSeparation(Remote(server.url)), jobs=2)

        def cancel() -> None:
            wait_until_followed(server)
            batch.cancel()

        threading.Thread(target=cancel).start()
        began = time.monotonic()
        with pytest.raises(Cancelled):
            list(batch.run(find_items([song], tmp_path / "out")))
        assert time.monotonic() - began < 60
        assert len(server.cancelled) == 1 and not server.jobs
        assert not (tmp_path / "out").exists() and not server.uploads


class TestErrors:
    """What a server says no to is the error that the same work raises here, and ends with its exit code."""

    @pytest.mark.parametrize(
        ("status", "kind", "error"),
        [
            (422, "InvalidOption", InvalidOption),
            (507, "OutOfMemory", OutOfMemory),
            (499, "Cancelled", Cancelled),
            (401, "NotAuthorised", ServerUnreachable),
            (413, "TooLarge", ServerFailed),
            (500, "ValueError", ServerFailed),
            (0, "Unreachable", ServerUnreachable),
            (0, "BadReply", ServerFailed),
        ],
    )
    def test_by_the_name_of_its_type(self, status: int, kind: str, error: type[Exception]) -> None:
        with pytest.raises(error, match="the words") as caught, errors_of_ours():
            raise audio_ml_client.ServerError(status, kind, "the words")
        assert type(caught.value) is error


class TestToken:
    def test_it_is_read_from_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "token").write_text(" secret\n")
        remote.choose("http://x", tmp_path / "token", False)
        chosen = remote.chosen()
        remote.choose(None, None, False)
        assert chosen is not None and chosen.token == "secret"

    @pytest.mark.parametrize("content", [b"", b"two words", b"\xff\xfe", b"a\nb"])
    def test_a_file_without_one_is_told(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "token").write_bytes(content)
        with pytest.raises(InvalidInput, match="token"):
            remote.choose("http://x", tmp_path / "token", False)

    def test_one_of_the_environment_that_is_none_is_told_and_not_shown(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AUDIO_ML_TOKEN", "“secret”")
        with pytest.raises(InvalidOption, match="--server: The token") as caught:
            app(["--server", "http://127.0.0.1:9", "models", "list"], standalone_mode=False)
        assert "secret" not in str(caught.value)


def test_an_address_that_is_none_is_told() -> None:
    with pytest.raises(InvalidOption, match="--server: 'http://localhost:99999' is no address"):
        app(["--server", "http://localhost:99999", "models", "list"], standalone_mode=False)


def assert_refused(ran: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    assert ran.returncode == code, ran.stderr
    assert all(word in ran.stderr for word in words), ran.stderr
    assert "Traceback" not in ran.stderr


class TestCommandLine:
    @pytest.mark.parametrize(
        ("command", "words"),
        [
            ("separate song.wav --device cpu", ["--device", "server"]),
            ("separate song.wav --offline", ["--offline"]),
            ("speak Hello. --phonemes", ["--phonemes", "--json"]),
            ("speak Hello. --play -o x.wav", ["--play"]),
            ("speak Hello. -o - --cast A=heart", ["--cast"]),
            ("speak Hello. --voice song.wav", ["song.wav", "file of this machine"]),
            ("loudness song.wav", ["loudness", "--server"]),
            ("models pull x", ["models pull", "--server"]),
        ],
    )
    def test_what_a_server_cannot_do_is_named(
        self, song: Path, command: str, words: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(song.parent)
        with pytest.raises(InvalidOption) as caught:
            app(["--server", "http://127.0.0.1:9", *command.split()], standalone_mode=False)
        assert all(word in str(caught.value) for word in words)

    def test_a_server_that_is_not_there_is_one_line(self, run_cli: Cli, tmp_path: Path) -> None:
        ran = run_cli("--server", "http://127.0.0.1:9", "speak", "Hello.", "-o", tmp_path / "x.wav")
        assert_refused(ran, 9, "http://127.0.0.1:9")
        assert sum(line.startswith("audio-ml: ") for line in ran.stderr.splitlines()) == 1

    def test_a_server_of_the_environment_leaves_other_commands_here(self, run_cli: Cli, song: Path) -> None:
        ran = run_cli("loudness", song, AUDIO_ML_SERVER="http://127.0.0.1:9")
        assert ran.returncode == 0, ran.stderr

    def test_a_flag_for_a_server_needs_one(self) -> None:
        with pytest.raises(InvalidOption, match="--server"):
            app(["--shared", "speak", "Hello."], standalone_mode=False)

    def test_speech_goes_to_the_same_place_with_captions_and_report(
        self, run_cli: Cli, server: StandIn, tmp_path: Path
    ) -> None:
        sound, words = np.zeros(24000, np.int16), [tts.Word("Hello.", 0.1, 0.6, "h", (0, 6))]
        soundfile.write(tmp_path / "speech.flac", sound, 24000)
        server.files = {"speech.flac": (tmp_path / "speech.flac").read_bytes()}
        server.report = {
            "files": [{"path": "speech.flac", "duration_seconds": 1.0, "words": [dataclasses.asdict(words[0])]}],
            "voice": "hibari/heart",
            "sample_rate": 24000,
            "bit_depth": "24",
            "warnings": [{"message": "No one says this.", "span": [0, 1]}],
            "n_clipped": 0,
            "provenance": {
                **dict.fromkeys(["software", "model", "licence", "device", "source", "source_sha256"], "x"),
                **{"weights_sha256": {}, "options": {}, "source_umid": None, "versions": {}, "cloned_voices": []},
            },
        }
        target = tmp_path / "line.flac"
        command = ["speak", "Hello.", "-o", target, "--captions", "srt", "--json", "--speed", "1.2"]
        ran = run_cli("--server", server.url, *command)
        assert ran.returncode == 0, ran.stderr
        told = json.loads(ran.stdout)
        assert told["files"][0]["path"] == str(target) and told["captions"] == [str(tmp_path / "line.srt")]
        assert target.read_bytes() == server.files["speech.flac"]
        assert "Hello." in (tmp_path / "line.srt").read_text()
        assert "line 1: No one says this." in ran.stderr
        assert server.bodies[0]["delivery"] == {"format": "flac"} and server.bodies[0]["options"] == {"speed": 1.2}

    def test_a_stream_to_standard_output_is_the_samples(self, server: StandIn) -> None:
        samples = np.arange(-3000, 3000, dtype="<i2").tobytes()
        head = b"RIFF\xff\xff\xff\xffWAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 22050, 44100, 2, 16)
        server.files = {"speech": head + b"data\xff\xff\xff\xff" + samples}
        ran = subprocess.run(
            [COMMAND, "--server", server.url, "speak", "Hello.", "-o", "-"],
            capture_output=True,
            timeout=300,
            check=True,
        )
        assert ran.stdout == samples
        assert b"22050 Hz" in ran.stderr

    def test_a_cloned_voice_is_called_by_its_whole_name(self, server: StandIn) -> None:
        server.files = {"speech": b"RIFF no sound"}
        with pytest.raises(ServerFailed, match="no WAV"):
            app(["--server", server.url, "clone", "Hello.", "-v", "heart", "-o", "-"], standalone_mode=False)
        assert server.bodies[0]["voice"] == "cloned/heart"

    def test_ctrl_c_cancels_the_job_on_the_server(self, server: StandIn, tmp_path: Path) -> None:
        server.faults.seconds = 300
        process = subprocess.Popen(
            [COMMAND, "--server", server.url, "speak", "Hello.", "-o", tmp_path / "x.wav"], stderr=subprocess.DEVNULL
        )
        wait_until_followed(server)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) != 0
        assert len(server.cancelled) == 1 and not server.jobs

    def test_models_are_the_servers(self, run_cli: Cli, server: StandIn) -> None:
        licence = {"name": "MIT", "commercial": True, "must_accept": False, "accepted": True, "note": ""}
        row = {
            "id": "own-model",
            "task": "separation",
            "licence": licence,
            "verified": "",
            "here": True,
            "loaded": False,
        }
        server.models = [row | {"unavailable": None}, row | {"id": "bad", "licence": None, "unavailable": "it broke"}]
        ran = run_cli("--server", server.url, "models", "list")
        assert ran.returncode == 0 and "own-model" in ran.stdout and "bad is unavailable: it broke" in ran.stdout
