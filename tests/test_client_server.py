"""Clients against the real server: its workers, its uploads, its events; over a line that breaks, too."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import re
import shlex
import socket
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
from serving import Server, serving
from signals import noise
from stand_in_audacity import StandInAudacity
from stand_in_reaper import Project, Reaper

import audio_ml_client
import separation
import tts
from audio_ml.loader import ModelLoader
from audio_ml.writer import write_audio
from audio_ml_client import AsyncClient, Client, ServerError
from ui.server.options import ServerOptions

pytestmark = pytest.mark.weights

Cli = Callable[..., subprocess.CompletedProcess[str]]
NEWS = "Good morning. Here is the news."
STEMS = ["accompaniment", "vocals"]
COMMAND = Path(sys.executable).with_name("audio-ml")


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("songs")
    for name, seconds in (("song", 2.0), ("reel", 40.0)):
        write_audio(folder / f"{name}.wav", noise(seconds))
    return folder


@pytest.fixture(scope="module")
def server(songs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(ServerOptions(folder=str(tmp_path_factory.mktemp("server")), roots=(str(songs),))) as running:
        yield running


@pytest.fixture(scope="module")
def here(songs: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray[Any, Any]]:
    """The stems that this process makes of the song."""
    folder = tmp_path_factory.mktemp("here")
    report = separation.separate_file(songs / "song.wav", folder, loader=ModelLoader("cpu"))
    return {file.stem: soundfile.read(file.path)[0] for file in report.files}


def assert_same_stems(folder: Path, here: dict[str, np.ndarray[Any, Any]]) -> None:
    assert sorted(path.stem for path in folder.iterdir()) == STEMS
    for stem, samples in here.items():
        np.testing.assert_array_equal(soundfile.read(folder / f"{stem}.wav")[0], samples)


def assert_nothing_left(server: Server) -> None:
    assert Client(server.url).jobs() == []
    folder = server.services.options.uploads_folder
    assert not folder.exists() or not [path for path in folder.iterdir() if path.is_file()]


@contextlib.contextmanager
def breaking_line(url: str, lives: list[int]) -> Iterator[str]:
    """Gives an address that leads to `url` and breaks uploads after so many bytes, while there are `lives`."""
    host, port = url.rpartition("/")[2].split(":")
    listener = socket.create_server(("127.0.0.1", 0))

    def carry(near: socket.socket) -> None:
        with contextlib.suppress(OSError), near, socket.create_connection((host, int(port))) as far:
            back = threading.Thread(target=_pour, args=(far, near, 1 << 40), daemon=True)
            back.start()
            head = near.recv(1 << 16)
            far.sendall(head)
            _pour(near, far, lives.pop(0) if head.startswith(b"PATCH") and lives else 1 << 40)
            back.join(timeout=0.2)
            for end in (far, near):
                end.shutdown(socket.SHUT_RDWR)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=carry, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.close()


def _pour(source: socket.socket, sink: socket.socket, n_bytes: int) -> None:
    with contextlib.suppress(OSError):
        while n_bytes > 0 and (block := source.recv(min(1 << 16, n_bytes))):
            sink.sendall(block)
            n_bytes -= len(block)


class TestClient:
    def test_stems_are_those_of_the_verb_and_nothing_is_left(
        self, server: Server, songs: Path, tmp_path: Path, here: dict[str, Any]
    ) -> None:
        stages: list[str] = []
        done = Client(server.url).separate(
            songs / "song.wav", tmp_path, on_progress=lambda step: stages.append(step.stage)
        )
        assert_same_stems(tmp_path / "song", here)
        assert done.job.report is not None and done.job.report["length_ok"]
        assert {"uploading", "downloading"} < set(stages)
        assert_nothing_left(server)

    def test_a_line_that_breaks_is_no_matter(
        self, server: Server, songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(audio_ml_client, "SMALL_BYTES", 0)
        lives = [100_000, 1_000_000, 10_000]
        with breaking_line(server.url, lives) as url:
            upload = Client(url).upload(songs / "reel.wav")
        assert not lives
        job = Client(server.url).submit("separate", inputs=[{"upload": upload}], delivery={"duration_seconds": 1.0})
        report = Client(server.url).wait(job).report
        assert report is not None
        assert report["provenance"]["source_sha256"] == hashlib.sha256((songs / "reel.wav").read_bytes()).hexdigest()
        Client(server.url).remove(job.id)
        with contextlib.suppress(ServerError):
            Client(server.url).discard(upload)

    def test_a_file_of_the_servers_disk_is_not_uploaded(
        self, server: Server, songs: Path, tmp_path: Path, here: dict[str, Any]
    ) -> None:
        Client(server.url).separate(songs / "song.wav", tmp_path, shared=True)
        assert_same_stems(tmp_path / "song", here)

    def test_cancelling_ends_the_job_within_a_moment(self, server: Server, songs: Path, tmp_path: Path) -> None:
        began = 0.0

        def check() -> None:
            if began and time.monotonic() - began > 0.2:
                raise KeyboardInterrupt

        def watch(step: audio_ml_client.Step) -> None:
            nonlocal began
            if step.stage == "separating" and not began:
                began = time.monotonic()

        client = Client(server.url, check=check)
        with pytest.raises(KeyboardInterrupt):
            client.separate(songs / "reel.wav", tmp_path / "stems", options={"shifts": 20}, on_progress=watch)
        ends = time.monotonic() + 60
        while any(not job.is_over for job in Client(server.url).jobs()) and time.monotonic() < ends:
            time.sleep(0.05)
        assert time.monotonic() < ends
        assert not (tmp_path / "stems").exists()
        assert_nothing_left(server)

    def test_the_same_key_is_the_same_job(self, server: Server) -> None:
        client = Client(server.url)
        first = client.submit("speak", text=NEWS, voice="heart", key="a-key-of-mine")
        assert client.submit("speak", text=NEWS, voice="heart", key="a-key-of-mine").id == first.id
        client.wait(first)
        client.remove(first.id)

    def test_events_end_with_files_and_report(self, server: Server) -> None:
        client = Client(server.url)
        seen = list(client.events(client.submit("speak", text=NEWS, voice="heart").id))
        assert (
            seen[-1].state == "done" and seen[-1].report and [file["name"] for file in seen[-1].files] == ["speech.wav"]
        )
        client.remove(seen[-1].id)

    def test_speech_has_its_captions_beside_it(self, server: Server, tmp_path: Path) -> None:
        Client(server.url).speak_file(NEWS, tmp_path / "news.flac", voice="heart", captions=["srt"])
        assert sorted(path.name for path in tmp_path.iterdir()) == ["news.flac", "news.srt"]
        assert soundfile.info(tmp_path / "news.flac").duration > 1

    def test_speech_comes_as_it_is_made(self, server: Server) -> None:
        content = b"".join(Client(server.url).speak_stream(NEWS, voice="heart", response_format="pcm"))
        spoken = tts.synthesize(NEWS, "heart", loader=ModelLoader("cpu")).audio
        assert abs(len(content) / 2 / 24000 - spoken.n_samples / spoken.sample_rate) < 0.05

    def test_an_option_that_is_unknown_is_named(self, server: Server, songs: Path, tmp_path: Path) -> None:
        with pytest.raises(ServerError, match="polish") as caught:
            Client(server.url).separate(songs / "song.wav", tmp_path, options={"polish": 1})
        assert (caught.value.status, caught.value.type) == (422, "InvalidOption")

    def test_models_tell_their_options_and_ports(self, server: Server) -> None:
        client = Client(server.url)
        assert {"spleeter-2stems", "hibari"} <= {model["id"] for model in client.models()}
        assert "shifts" in client.model("spleeter-2stems")["options"]["properties"]
        assert client.load("spleeter-2stems") and client.memory()["workers"] and not client.unload("spleeter-2stems")

    def test_coroutines_work_beside_each_other(self, server: Server, tmp_path: Path) -> None:
        client = AsyncClient(server.url)

        async def speak() -> None:
            names = [tmp_path / f"{number}.wav" for number in range(3)]
            await asyncio.gather(*(client.speak_file(NEWS, name, voice="heart") for name in names))

        asyncio.run(speak())
        first, *others = [soundfile.read(path)[0] for path in sorted(tmp_path.iterdir())]
        assert len(others) == 2 and all(np.array_equal(first, other) for other in others)


class TestCommandLine:
    def test_a_batch_is_that_of_this_machine(
        self, server: Server, songs: Path, tmp_path: Path, run_cli: Cli, here: dict[str, Any]
    ) -> None:
        write_audio(tmp_path / "in/bad.wav", noise(0.01))
        (tmp_path / "in/bad.wav").write_text("no sound")
        (tmp_path / "in/song.wav").write_bytes((songs / "song.wav").read_bytes())
        command = ["--server", server.url, "separate", tmp_path / "in", "-o", tmp_path / "out", "--json"]
        ran = run_cli(*command)
        assert ran.returncode == 7, ran.stderr
        told = json.loads(ran.stdout)
        assert [report["source"] for report in told["reports"]] == [str(tmp_path / "in/song.wav")]
        assert "bad.wav" in told["failures"][0]["source"]
        assert_same_stems(tmp_path / "out/song", here)
        assert len(json.loads(run_cli(*command).stdout)["skipped"]) == 1
        assert_nothing_left(server)

    def test_a_lone_file_that_is_no_sound_ends_as_here(self, server: Server, tmp_path: Path, run_cli: Cli) -> None:
        (tmp_path / "bad.wav").write_text("no sound")
        there = run_cli("--server", server.url, "separate", tmp_path / "bad.wav", "-o", tmp_path / "out")
        ours = run_cli("separate", tmp_path / "bad.wav", "-o", tmp_path / "out")
        assert there.returncode == ours.returncode == 2, there.stderr
        assert not (tmp_path / "out").exists()

    def test_speech_is_that_of_this_machine(self, server: Server, tmp_path: Path, run_cli: Cli) -> None:
        for place, where in ((tmp_path / "there.wav", ["--server", server.url]), (tmp_path / "ours.wav", [])):
            ran = run_cli(
                *where, "speak", NEWS, "-v", "heart", "--speed", "1.1", "-o", place, "--captions", "srt", "--json"
            )
            assert ran.returncode == 0, ran.stderr
            assert json.loads(ran.stdout)["files"][0]["path"] == str(place)
        assert np.array_equal(soundfile.read(tmp_path / "there.wav")[0], soundfile.read(tmp_path / "ours.wav")[0])
        assert (tmp_path / "there.srt").read_text() == (tmp_path / "ours.srt").read_text()

    def test_standard_output_gets_the_samples(self, server: Server) -> None:
        sound = {}
        for name, where in (("there", ["--server", server.url]), ("ours", [])):
            command = [COMMAND, *where, "speak", NEWS, "-v", "heart", "-o", "-", "--speed", "1.2"]
            sound[name] = subprocess.run(command, capture_output=True, timeout=300, check=True).stdout
        there, ours = (np.frombuffer(sound[name], "<i2").astype(int) for name in ("there", "ours"))
        assert there.shape == ours.shape and np.abs(there - ours).max() <= 1

    def test_models_in_memory_are_the_servers(self, server: Server, run_cli: Cli) -> None:
        Client(server.url).load("spleeter-2stems")
        ran = run_cli("--server", server.url, "models", "ps")
        assert ran.returncode == 0 and "spleeter-2stems" in ran.stdout and "worker" in ran.stdout, ran.stdout


class TestHosts:
    """The scripts of the hosts: the hosts are stand-ins, the server is not."""

    def test_reaper(self, server: Server, songs: Path, tmp_path: Path) -> None:
        project = Project(tmp_path, answers=[{"Server": server.url}, {"stems": ""}])
        project.add_item(project.add_track("Song"), 3.0, 1.0, songs / "song.wav", D_STARTOFFS=0.5)
        reaper = Reaper(project)
        reaper.start()
        reaper.finish()
        assert not project.messages
        found = project.stems()
        assert sorted(set(found) - {"Song"}) == STEMS
        whole = soundfile.read(songs / "song.wav")[0]
        parts = [soundfile.read(found[stem][0]["path"])[0] for stem in STEMS]
        rate = soundfile.info(songs / "song.wav").samplerate
        np.testing.assert_allclose(sum(parts), whole[rate // 2 : rate // 2 + rate], atol=2e-4)  # 16 bits, dithered

    def test_reaper_speaks(self, server: Server, tmp_path: Path) -> None:
        project = Project(tmp_path, answers=[{"Server": server.url, "Model": "hibari"}])
        project.add_item(project.add_track("Script"), 1.5, 1.0, notes=NEWS)
        reaper = Reaper(project)
        reaper.start()
        reaper.finish()
        assert not project.messages
        (item,) = project.stems()["Speech"]
        assert item["D_LENGTH"] == pytest.approx(soundfile.info(item["path"]).duration)

    def test_audacity(self, server: Server) -> None:
        sys.path.insert(0, str(Path(__file__).parents[1] / "clients/audacity"))
        import audio_ml_audacity as script

        audacity = StandInAudacity(selection=(2.0, 3.0))
        audacity.add_track("Song", 0.0, 10.0)
        pipe = script.Audacity(audacity.send, audacity.receive)
        client = Client(server.url)
        script.separate(pipe, client, script._parser().parse_args(["separate"]))
        script.speak(pipe, client, script._parser().parse_args(["speak", NEWS, "--voice", "heart"]))
        assert [track["name"] for track in audacity.tracks[1:3]] == [f"Song - {stem}" for stem in STEMS]
        assert {(track["start"], track["end"]) for track in audacity.tracks[1:3]} == {(2.0, 3.0)}
        assert [text for _, _, text in audacity.labels()] == ["Good", "morning.", "Here", "is", "the", "news."]


class TestDocumentation:
    """What the pages show runs as it is printed."""

    DOCS = Path(__file__).parents[1] / "docs"

    @pytest.fixture(autouse=True)
    def _desk(self, songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        for name in ("song.wav", "reels/take.wav"):
            Path(name).parent.mkdir(exist_ok=True)
            Path(name).write_bytes((songs / "song.wav").read_bytes())

    def _blocks(self, page: str, language: str, server: Server) -> list[str]:
        text = (self.DOCS / page).read_text().replace("http://127.0.0.1:8600", server.url)
        return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)

    def test_python(self, server: Server) -> None:
        namespace: dict[str, Any] = {}
        for block in self._blocks("client-python.md", "python", server):
            exec(block, namespace)
        written = {path.as_posix() for path in Path().rglob("*.*") if path.is_file()}
        assert {"stems/song/vocals.wav", "news.srt", "more/song/vocals.wav", "vocals.wav", "two.wav"} <= written
        assert namespace["sound"][:3] == b"ID3" or namespace["sound"][:1] == b"\xff"

    def test_command_line(self, server: Server, run_cli: Cli) -> None:
        (block,) = self._blocks("client-command-line.md", "sh", server)
        for line in block.replace("song.mp3", "song.wav").splitlines():
            ran = run_cli(*shlex.split(line)[1:])
            assert ran.returncode == 0, ran.stderr
        assert Path("stems/take/vocals.wav").is_file() and Path("morning.srt").is_file()
