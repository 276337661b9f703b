"""The client: connections break, queues fill, servers go away, and every job is one job and every file whole."""

from __future__ import annotations

import ast
import asyncio
import re
import subprocess
import sys
import threading
import time
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from stand_in_server import StandIn, stand_in

import audio_ml_client
from audio_ml_client import AsyncClient, Client, Job, ServerError, Step, Unreachable

CLIENT = Path(audio_ml_client.__file__)


@pytest.fixture
def server() -> Iterator[StandIn]:
    with stand_in() as running:
        yield running


@pytest.fixture
def song(tmp_path: Path) -> Path:
    """Three and a half megabytes, no two alike."""
    path = tmp_path / "söng.wav"
    path.write_bytes(b"".join(number.to_bytes(4, "big") for number in range(900_000)))
    return path


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio_ml_client, "PIECE_BYTES", 1 << 20)
    monkeypatch.setattr(audio_ml_client, "SHORTEST_PAUSE", 0.01)
    monkeypatch.setattr(audio_ml_client, "POLL_SECONDS", 0.02)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class TestFile:
    """The file itself is fit for hosts."""

    def test_it_is_python_3_8(self) -> None:
        ast.parse(CLIENT.read_text(), feature_version=(3, 8))

    def test_it_needs_nothing_but_the_standard_library(self) -> None:
        code = f"import sys; sys.path[:0] = [{str(CLIENT.parent)!r}]; import audio_ml_client"
        ran = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr


class TestUploads:
    def test_a_file_arrives_whole_and_under_its_name(self, server: StandIn, song: Path) -> None:
        told: list[tuple[int, int]] = []
        id = Client(server.url).upload(song, lambda sent, size: told.append((sent, size)))
        assert server.uploads[id]["content"] == song.read_bytes()
        assert server.uploads[id]["name"] == "söng.wav"
        assert [sent for sent, _ in told] == sorted(sent for sent, _ in told)
        assert told[-1] == (3_600_000, 3_600_000)

    @pytest.mark.parametrize("breaks", [[1], [500_000, 0, 1 << 20], [1000] * 30])
    def test_a_broken_connection_goes_on_where_it_broke(self, server: StandIn, song: Path, breaks: list[int]) -> None:
        server.faults.break_upload_after = list(breaks)
        id = Client(server.url).upload(song)
        assert not server.faults.break_upload_after
        assert server.uploads[id]["content"] == song.read_bytes()
        assert len(server.uploads) == 1

    def test_a_small_file_takes_one_request(self, server: StandIn, tmp_path: Path) -> None:
        (tmp_path / "a.wav").write_bytes(b"abc")
        Client(server.url).upload(tmp_path / "a.wav")
        assert [method for method, _, _ in server.requests] == ["POST"]

    def test_an_empty_file_is_a_file(self, server: StandIn, tmp_path: Path) -> None:
        (tmp_path / "a.wav").touch()
        assert server.uploads[Client(server.url).upload(tmp_path / "a.wav")]["size"] == 0

    def test_a_server_that_stays_away_is_told(self, server: StandIn, song: Path) -> None:
        server.faults.break_upload_after = [0] * 10_000
        with pytest.raises(Unreachable, match=server.url):
            Client(server.url, patience=0.3).upload(song)


class TestJobs:
    def test_a_lost_reply_makes_no_second_job(self, server: StandIn) -> None:
        server.faults.lose_reply_to_job = 2
        job = Client(server.url).submit("speak", text="Hello.")
        assert list(server.jobs) == [job.id]
        assert server.count("POST", "/v1/jobs") == 3

    def test_a_key_of_ones_own_is_sent(self, server: StandIn) -> None:
        client = Client(server.url)
        jobs = {client.submit("speak", text="Hello.", key="mine").id for _ in range(2)}
        assert len(jobs) == 1 and list(server.keys) == ["mine"]

    def test_two_requests_are_two_jobs(self, server: StandIn) -> None:
        client = Client(server.url)
        assert client.submit("speak", text="Hello.").id != client.submit("speak", text="Hello.").id

    def test_a_full_queue_is_waited_for_as_long_as_it_asks(self, server: StandIn) -> None:
        server.faults.busy, server.faults.retry_after = 1, "1"
        began = time.monotonic()
        Client(server.url).submit("speak", text="Hello.")
        assert time.monotonic() - began >= 1 and server.count("POST", "/v1/jobs") == 2

    def test_patience_with_a_full_queue_ends(self, server: StandIn) -> None:
        server.faults.busy, server.faults.retry_after = 100, "60"
        with pytest.raises(ServerError) as caught:
            Client(server.url, queue_patience=1).submit("speak", text="Hello.")
        assert (caught.value.status, caught.value.type) == (429, "QueueFull")

    def test_a_proxy_without_its_server_is_waited_for(self, server: StandIn) -> None:
        server.faults.refuse_all = 2
        assert Client(server.url).jobs() == []

    def test_a_refusal_is_told_as_the_server_words_it(self, server: StandIn) -> None:
        with pytest.raises(ServerError, match="no such job") as caught:
            Client(server.url).job("none")
        assert (caught.value.status, caught.value.type, caught.value.request_id) == (404, "UnknownJob", "r1")

    def test_nobody_at_the_address_is_told_at_once(self) -> None:
        looks: list[None] = []
        with pytest.raises(Unreachable):
            Client("http://127.0.0.1:9", check=lambda: looks.append(None)).models()
        assert len(looks) == 1, "it was tried once, and nothing was waited for"

    @pytest.mark.parametrize(
        "url", ["http://localhost:99999", "localhost:port", "ftp://localhost", "http://", "http://a..b", "http://[::1"]
    )
    def test_what_is_no_address_is_told_at_once(self, url: str) -> None:
        with pytest.raises(
            ValueError, match=f"^{re.escape(repr(url))} is no address of a server: write http://HOST:PORT"
        ):
            Client(url)

    @pytest.mark.parametrize("token", ["“secret”", "secret\r\nX-Other: 1", "sec ret", "secrét", "sec\0ret"])
    def test_what_is_no_token_is_told_at_once_and_not_shown(self, token: str) -> None:
        with pytest.raises(ValueError, match="The token is none") as caught:
            Client("localhost", token)
        assert token not in str(caught.value)

    @pytest.mark.parametrize("token", ["secret\r", " secret\n"])
    def test_what_stands_around_a_token_is_not_of_it(self, token: str) -> None:
        with stand_in(token="secret") as server:
            assert Client(server.url, token).jobs() == []

    def test_the_token_is_shown(self) -> None:
        with stand_in(token="secret") as server:
            assert Client(server.url, "secret").jobs() == []
            with pytest.raises(ServerError) as caught:
                Client(server.url).jobs()
            assert caught.value.status == 401


class TestEvents:
    def _states(self, server: StandIn) -> list[Job]:
        client = Client(server.url)
        return list(client.events(client.submit("speak", text="Hello.").id))

    def test_news_come_in_order_and_end_with_the_end(self, server: StandIn) -> None:
        server.faults.seconds = 0.3
        seen = self._states(server)
        assert [job.state for job in seen if job.is_over] == ["done"]
        assert seen[-1].state == "done" and seen[-1].files
        running = [job.fraction for job in seen if job.state == "running"]
        assert running == sorted(running) and len(running) > 2

    def test_a_stream_that_breaks_is_opened_again(self, server: StandIn) -> None:
        server.faults.seconds, server.faults.break_events = 0.4, 3
        assert self._states(server)[-1].state == "done"
        assert server.count("GET", "/v1/jobs/") > 3

    def test_without_a_stream_it_asks(self, server: StandIn) -> None:
        server.faults.seconds, server.faults.no_events = 0.3, True
        assert [job.state for job in self._states(server)][-1] == "done"
        assert sum(path.endswith("/events") for _, path, _ in server.requests) == 2

    def test_a_failed_job_is_its_error(self, server: StandIn) -> None:
        server.faults.fail_with = {"type": "OutOfMemory", "message": "Too little memory.", "code": 507}
        client = Client(server.url)
        with pytest.raises(ServerError, match="Too little memory") as caught:
            client.wait(client.submit("speak", text="Hello."))
        assert (caught.value.status, caught.value.type) == (507, "OutOfMemory")

    def test_a_check_ends_the_wait_within_a_moment(self, server: StandIn) -> None:
        server.faults.seconds = 120

        def check() -> None:
            if server.count("GET", "/v1/jobs/"):  # the job is followed
                raise KeyboardInterrupt

        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            Client(server.url, check=check).run("speak", text="Hello.")
        assert time.monotonic() - began < 60
        assert len(server.cancelled) == 1 and not server.jobs


class TestDownloads:
    CONTENT = bytes(range(256)) * 4000

    def _job(self, server: StandIn) -> Job:
        server.files = {"song/vocals.wav": self.CONTENT}
        client = Client(server.url)
        return client.wait(client.submit("speak", text="Hello."))

    @pytest.mark.parametrize("breaks", [[100_000], [0, 1, 70_000, 0]])
    def test_a_broken_one_goes_on_where_it_broke(self, server: StandIn, tmp_path: Path, breaks: list[int]) -> None:
        job = self._job(server)
        server.faults.break_file_after = list(breaks)
        Client(server.url).download(job, "song/vocals.wav", tmp_path / "v.wav")
        assert (tmp_path / "v.wav").read_bytes() == self.CONTENT
        ranges = [headers.get("range") for _, path, headers in server.requests if "/files/" in path]
        assert ranges[-1] not in (None, "bytes=0-")
        assert names_in(tmp_path) == ["v.wav"]

    def test_of_a_file_that_changed_meanwhile_no_half_is_kept(self, server: StandIn, tmp_path: Path) -> None:
        job = self._job(server)
        server.faults.break_file_after, server.faults.change_file = [100_000], True
        Client(server.url).download(job, "song/vocals.wav", tmp_path / "v.wav")
        assert (tmp_path / "v.wav").read_bytes() == bytes(reversed(self.CONTENT))

    def test_a_file_that_is_there_is_kept(self, server: StandIn, tmp_path: Path) -> None:
        job, target = self._job(server), tmp_path / "v.wav"
        target.write_text("mine")
        with pytest.raises(FileExistsError, match=r"v\.wav"):
            Client(server.url).download(job, "song/vocals.wav", target)
        assert (target.read_text(), names_in(tmp_path)) == ("mine", ["v.wav"])
        Client(server.url).download(job, "song/vocals.wav", target, overwrite=True)
        assert target.read_bytes() == self.CONTENT

    def test_a_file_that_comes_meanwhile_is_kept(self, server: StandIn, tmp_path: Path) -> None:
        job, target = self._job(server), tmp_path / "v.wav"
        with pytest.raises(FileExistsError):
            Client(server.url).download(
                job, "song/vocals.wav", target, on_progress=lambda got, size: target.write_text("mine") and None
            )
        assert (target.read_text(), names_in(tmp_path)) == ("mine", ["v.wav"])

    @pytest.mark.parametrize("name", ["../x.wav", "/x.wav", "a/../../x.wav", "a\\..\\x.wav", "c:x.wav", "a//x.wav", ""])
    def test_a_name_that_leaves_the_folder_is_refused(self, name: str, tmp_path: Path) -> None:
        with pytest.raises(ServerError, match="cannot be used"):
            audio_ml_client.safe_path(tmp_path, name)


class TestWholeRequests:
    def test_a_separation_leaves_its_stems_here_and_nothing_there(
        self, server: StandIn, song: Path, tmp_path: Path
    ) -> None:
        stages: list[Step] = []
        done = Client(server.url).separate(
            song, tmp_path / "stems", model="htdemucs", options={"shifts": 2}, on_progress=stages.append
        )
        assert (tmp_path / "stems/song/vocals.wav").read_bytes() == song.read_bytes()
        assert done.paths["song/rest.wav"].read_bytes() == b"rest"
        assert server.bodies[0]["options"] == {"shifts": 2} and server.bodies[0]["model"] == "htdemucs"
        assert not server.jobs and not server.uploads
        assert {step.stage for step in stages} >= {"uploading", "downloading"}

    def test_a_shared_disk_needs_no_upload(
        self, server: StandIn, song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        Client(server.url).separate(song.name, tmp_path / "stems", shared=True)
        assert server.bodies[0]["inputs"] == [{"path": str(song)}]
        assert not server.count("POST", "/v1/uploads")

    def test_one_stem_that_is_there_already_keeps_all_away(self, server: StandIn, song: Path, tmp_path: Path) -> None:
        (tmp_path / "song").mkdir()
        (tmp_path / "song/rest.wav").write_text("mine")
        with pytest.raises(FileExistsError):
            Client(server.url).separate(song, tmp_path)
        assert names_in(tmp_path / "song") == ["rest.wav"]
        assert not server.jobs and not server.uploads

    def test_a_failure_leaves_nothing(self, server: StandIn, song: Path, tmp_path: Path) -> None:
        server.faults.fail_with = {"type": "UnreadableAudio", "message": "This is no sound.", "code": 422}
        with pytest.raises(ServerError, match="no sound"):
            Client(server.url).separate(song, tmp_path / "stems")
        assert not (tmp_path / "stems").exists() and not server.jobs and not server.uploads

    def test_speech_and_its_captions_have_the_name_that_was_asked(self, server: StandIn, tmp_path: Path) -> None:
        server.files = {
            "speech_001.mp3": b"one",
            "speech_002.mp3": b"two",
            "speech_001.srt": b"1",
            "speech_002.srt": b"2",
        }
        Client(server.url).speak_file("Hello.", tmp_path / "line.mp3", captions=["srt"], voice="heart")
        assert names_in(tmp_path) == ["line_001.mp3", "line_001.srt", "line_002.mp3", "line_002.srt"]
        assert server.bodies[0]["delivery"] == {"format": "mp3", "captions": ["srt"]}

    def test_further_formats_and_views_have_names_of_their_own(self, server: StandIn, tmp_path: Path) -> None:
        server.files = {name: name.encode() for name in ("speech.wav", "speech.mp3", "speech.json", "view.json")}
        delivery = {"also": ["mp3"], "view": True}
        Client(server.url).clone("Hello.", tmp_path / "line.wav", "anna", captions=["json"], delivery=delivery)
        written = {path.name: path.read_text() for path in tmp_path.iterdir()}
        assert written == {
            "line.wav": "speech.wav",
            "line.mp3": "speech.mp3",
            "line.json": "speech.json",
            "line.view.json": "view.json",
        }

    @pytest.mark.parametrize("filename", ["speech of anna", "anna_2", "Zoe\u0308"])
    def test_a_name_for_the_servers_files_is_none_for_ours(
        self, filename: str, server: StandIn, tmp_path: Path
    ) -> None:
        called = unicodedata.normalize("NFC", filename)  # as the server does
        server.files = {f"{called}_001.wav": b"one", f"{called}_002.wav": b"two"}
        Client(server.url).speak_file("Hello.", tmp_path / "line.wav", delivery={"filename": filename, "split": True})
        assert names_in(tmp_path) == ["line_001.wav", "line_002.wav"]

    def test_steps_never_take_long_and_closing_them_cancels(self, server: StandIn, song: Path) -> None:
        server.faults.seconds = 120

        def longest() -> float:
            took, steps = [], Client(server.url).steps("separate", inputs=[song])
            for _ in range(30):
                began = time.monotonic()
                next(steps)
                took.append(time.monotonic() - began)
            steps.close()
            return max(took)

        assert any(longest() < 0.5 for _ in range(3))  # the machine may stand still now and then
        assert server.cancelled and not server.jobs
        assert not server.uploads

    def test_steps_end_with_the_result(self, server: StandIn, tmp_path: Path) -> None:
        server.files = {"speech.wav": b"sound"}
        steps = Client(server.url).steps("speak", text="Hello.", place=lambda name: tmp_path / name)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                assert end.value.paths["speech.wav"].read_bytes() == b"sound"
                return

    def test_the_file_of_a_voice_is_for_nobody_else(self, server: StandIn, song: Path, tmp_path: Path) -> None:
        server.voices, target = {"anna": b"voice"}, tmp_path / "anna.voice"
        server.files = {"sample.wav": b"sound", "view.json": b"{}"}
        done = Client(server.url).enroll([song], "anna", "Anna, today", target=target, text="Hello.")
        assert done.paths == {"anna.voice.safetensors": target} and target.read_bytes() == b"voice"
        assert target.stat().st_mode & 0o777 == 0o600
        assert server.bodies[0]["name"] == "anna" and server.bodies[0]["consent"] == "Anna, today"
        with pytest.raises(FileExistsError):
            Client(server.url).enroll([song], "anna", "Anna, today", target=target)
        server.keeps_voices = False
        with pytest.raises(ServerError, match="may not take voices away"):
            Client(server.url).enroll([song], "anna", "Anna, today", target=tmp_path / "other.voice")
        assert len(server.bodies) == 1  # both were seen before any work

    def test_speech_comes_as_bytes(self, server: StandIn) -> None:
        server.files = {"speech": b"x" * 200_000}
        assert Client(server.url).speak("Hello.", voice="heart", response_format="wav") == b"x" * 200_000
        assert server.bodies[0] == {"input": "Hello.", "voice": "heart", "response_format": "wav"}


class TestLateBeginnings:
    """Speech that waits for its turn, and a model whose weights are fetched first."""

    @pytest.fixture
    def hold(self, server: StandIn) -> Iterator[threading.Event]:
        server.faults.hold = threading.Event()
        yield server.faults.hold
        server.faults.hold.set()

    @pytest.fixture
    def client(self, server: StandIn, hold: threading.Event) -> Client:
        """A client that gives up anything that is silent for 0.2 s, before a server that waits until it did."""
        looks: list[None] = []

        def check() -> None:
            looks.append(None)
            if len(looks) == 12:  # of which there are ten a second
                hold.set()

        return Client(server.url, timeout=0.2, check=check)

    def test_speech_that_begins_late_is_waited_for(self, server: StandIn, client: Client) -> None:
        assert client.speak("Hello.") == b"RIFF"
        assert server.count("POST", "/v1/audio/speech") == 1

    def test_a_model_that_loads_for_long_is_waited_for(self, server: StandIn, client: Client) -> None:
        assert client.load("kokoro") is True
        assert server.count("POST", "/v1/models/kokoro/load") == 1

    def test_a_check_is_heard_meanwhile(self, server: StandIn, hold: threading.Event) -> None:
        def check() -> None:
            if server.bodies:  # the request is there
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            Client(server.url, check=check).speak("Hello.")
        assert not hold.is_set()

    def test_speech_that_began_may_not_be_silent_for_as_long(self, server: StandIn, hold: threading.Event) -> None:
        server.faults.break_speech_by_silence = True
        with pytest.raises(Unreachable, match="in the middle"):
            Client(server.url, timeout=0.2).speak("Hello.")
        assert not hold.is_set() and server.count("POST", "/v1/audio/speech") == 1


class TestProxies:
    """Of the environment, never for this machine."""

    def test_this_machine_is_reached_without_one(self, server: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        monkeypatch.delenv("no_proxy", raising=False)
        for url in (server.url, server.url.replace("127.0.0.1", "localhost")):
            assert Client(url).jobs() == []

    def test_others_are_reached_through_it(self, server: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("http_proxy", server.url.replace("//", "//user:word@"))
        monkeypatch.delenv("no_proxy", raising=False)
        with pytest.raises(ServerError):  # the stand-in knows no whole addresses
            Client("http://studio.example:8600").models()
        method, path, headers = server.requests[0]
        assert (method, path) == ("GET", "http://studio.example:8600/v1/models")
        assert headers["proxy-authorization"] == "Basic dXNlcjp3b3Jk"


class TestAsync:
    def test_jobs_run_beside_each_other(self, server: StandIn, tmp_path: Path) -> None:
        server.faults.seconds = 60
        server.files = {"speech.wav": b"sound"}
        client = AsyncClient(server.url)

        async def end_when_all_are_there() -> None:
            while len(server.jobs) < 4:
                await asyncio.sleep(0.02)
            server.faults.seconds = 0

        async def speak() -> None:
            work = (client.speak_file("Hello.", tmp_path / f"{n}.wav") for n in range(4))
            await asyncio.wait_for(asyncio.gather(end_when_all_are_there(), *work), 50)

        asyncio.run(speak())
        assert len(names_in(tmp_path)) == 4

    def test_a_task_that_is_cancelled_cancels_its_job(self, server: StandIn, tmp_path: Path) -> None:
        server.faults.seconds = 120

        async def speak() -> None:
            task = asyncio.create_task(AsyncClient(server.url).speak_file("Hello.", tmp_path / "a.wav"))
            while not server.count("GET", "/v1/jobs/"):  # the job is followed
                await asyncio.sleep(0.02)
            task.cancel()
            await task

        began = time.monotonic()
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(speak())
        assert time.monotonic() - began < 60
        assert len(server.cancelled) == 1 and not server.jobs

    def test_events_are_an_asynchronous_iterator(self, server: StandIn) -> None:
        server.faults.seconds = 0.2

        async def follow() -> list[str]:
            client = AsyncClient(server.url)
            job = await client.submit("speak", text="Hello.")
            return [each.state async for each in client.events(job.id)]

        assert asyncio.run(follow())[-1] == "done"

    def test_it_has_every_method_of_the_client(self) -> None:
        missing = {name for name in vars(Client) if not name.startswith("_")} - set(vars(AsyncClient))
        assert missing == {"checked", "steps"}
