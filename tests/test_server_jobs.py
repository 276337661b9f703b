"""Jobs as a client meets them: a real server, real workers, real models."""

import hashlib
import json
import os
import signal
import threading
import time

import numpy as np
import pytest
from serving import Server, serving
from signals import noise

import separation
import tts
from audio_ml.errors import InvalidOption
from audio_ml.loader import ModelLoader
from audio_ml.streams import read_audio
from audio_ml.writer import write_audio
from ui.server.lanes import DEVICE, SPEECH
from ui.server.options import ServerOptions
from ui.server.request import JobRequest
from ui.server.tasks.speak import check_delivery

pytestmark = pytest.mark.weights
NEWS = "Good morning. Here is the news."


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("songs")
    for name, seconds in (("song", 3.0), ("reel", 90.0)):
        write_audio(folder / f"{name}.wav", noise(seconds))
    write_audio(folder / "film.wav", noise(1200, 8000, 1))  # of which nobody waits for the end
    return folder


@pytest.fixture(scope="module")
def server(songs, tmp_path_factory):
    options = ServerOptions(folder=str(tmp_path_factory.mktemp("server")), roots=(str(songs),))
    with serving(options) as server:
        yield server


def separate(server: Server, path, **more) -> dict:
    return server.submit(task="separate", inputs=[{"path": str(path)}], **more)


def sound(content: bytes) -> bytes:
    """Returns the samples of a WAV file, without what tells when and by whom it was made."""
    place = content.index(b"data")
    return content[place + 8 : place + 8 + int.from_bytes(content[place + 4 : place + 8], "little")]


def eventually(is_so, seconds=60.0):
    ends_at = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < ends_at, "it did not come to that"
        time.sleep(0.02)


class TestResults:
    def test_stems_are_those_of_the_verb(self, server, songs, tmp_path):
        done = server.end_of(separate(server, songs / "song.wav"))
        assert [file["name"] for file in done["files"]] == ["song/accompaniment.wav", "song/vocals.wav"]
        separation.separate_file(songs / "song.wav", tmp_path, loader=ModelLoader("cpu"))
        for file in done["files"]:
            body = server.ask("GET", file["url"]).body
            assert len(body) == file["n_bytes"]
            assert sound(body) == sound((tmp_path / file["name"]).read_bytes())

    def test_speech_is_that_of_the_verb_with_its_captions(self, server, tmp_path):
        job = server.submit(task="speak", text=NEWS, voice="heart", delivery={"captions": ["srt", "json"]})
        done = server.end_of(job)
        files = {file["name"]: server.ask("GET", file["url"]) for file in done["files"]}
        (tmp_path / "speech.wav").write_bytes(files["speech.wav"].body)
        spoken = tts.synthesize(NEWS, "heart", loader=ModelLoader("cpu"))
        there = read_audio(tmp_path / "speech.wav")
        assert there.samples.shape == spoken.audio.samples.shape
        np.testing.assert_allclose(there.samples, spoken.audio.samples, atol=2**-22)
        assert "Good morning." in files["speech.srt"].body.decode()
        assert files["speech.wav"].headers["Content-Type"] == "audio/wav"

    def test_an_upload_is_read_under_its_own_name_and_a_report_names_no_folder(self, server, songs):
        done = server.end_of(server.submit(task="separate", inputs=[server.upload(songs / "song.wav")]))
        report = json.dumps(done["report"])
        assert done["report"]["source"] == "song.wav"
        assert str(server.services.options.data_folder) not in report

    def test_an_upload_stays_for_the_jobs_that_wait_for_it_and_names_are_quoted(self, server, songs, tmp_path):
        path = tmp_path / "take #3 (50 %).wav"
        path.write_bytes((songs / "song.wav").read_bytes())
        upload = server.upload(path)
        reel = separate(server, songs / "film.wav")  # before it in the same lane
        job = server.submit(task="separate", inputs=[upload])
        assert server.ask("DELETE", f"/v1/uploads/{upload['upload']}").status == 409
        server.ask("DELETE", f"/v1/jobs/{reel['id']}")
        done = server.end_of(job)
        assert server.ask("GET", done["files"][0]["url"]).status == 200
        assert server.ask("DELETE", f"/v1/uploads/{upload['upload']}").status == 204

    def test_a_lexicon_is_an_input(self, server, tmp_path):
        lexicon = tmp_path / "names.csv"
        lexicon.write_text("word,phonemes\nxyzzy,bˈɑbɑ\n")
        done = server.end_of(server.submit(task="speak", text="xyzzy", inputs=[server.upload(lexicon)]))
        assert done["state"] == "done", done["error"]
        assert done["report"]["files"][0]["words"][0]["phonemes"] == "bˈɑbɑ"

    def test_a_part_of_a_file_comes_by_range(self, server, songs):
        (file, _) = server.end_of(separate(server, songs / "song.wav"))["files"]
        whole = server.ask("GET", file["url"]).body
        part = server.ask("GET", file["url"], headers={"Range": "bytes=100-299"})
        assert (part.status, part.body) == (206, whole[100:300])
        assert server.ask("GET", file["url"], headers={"Range": f"bytes={len(whole)}-"}).status == 416

    def test_the_head_of_a_file_tells_its_length(self, server, songs):
        (file, _) = server.end_of(separate(server, songs / "song.wav"))["files"]
        head = server.ask("HEAD", file["url"])
        assert (head.status, head.body, head.headers["Accept-Ranges"]) == (200, b"", "bytes")
        assert int(head.headers["Content-Length"]) == file["n_bytes"]

    @pytest.mark.parametrize("name", ["../outcome.json", "song/../song/vocals.wav", "/etc/passwd", "song", "nope.wav"])
    def test_only_names_of_the_list_are_files(self, server, songs, name):
        job = server.end_of(separate(server, songs / "song.wav"))
        assert server.ask("GET", f"/v1/jobs/{job['id']}/files/{name}").status == 404


class TestRequests:
    @pytest.mark.parametrize(
        ("request_", "told"),
        [
            ({"task": "separate"}, "takes 1 of inputs"),
            ({"task": "separate", "model": "nope"}, "nope"),
            ({"task": "separate", "model": "/etc"}, "/etc"),
            ({"task": "separate", "options": {"wet": 1}}, "'wet'"),
            ({"task": "separate", "delivery": {"overwrite": True}}, "overwrite"),
            ({"task": "separate", "text": "Hello."}, "'text' means nothing"),
            ({"task": "speak", "text": " "}, "empty"),
            ({"task": "speak", "text": "Hello.", "voice": "nobody"}, "nobody"),
            ({"task": "speak", "text": "Hello.", "options": {"lexicon": ["/etc/passwd"]}}, "send lexicons as inputs"),
            ({"task": "speak", "text": "Hello.", "delivery": {"captions": ["doc"]}}, "captions"),
            ({"task": "speak", "text": "Hello.", "delivery": {"captions": [["srt"]]}}, "captions"),
            ({"task": "clone", "text": "Hello."}, "which cloned voice"),
            ({"task": "clone", "text": "Hello.", "voice": "nobody"}, "nobody"),
            ({"task": "convert", "voice": "nobody"}, "takes 1 of inputs"),
            ({"task": "enroll", "name": "anna", "inputs": [{"path": "/x"}]}, "consent"),
            ({"task": "dance"}, "dance"),
            ({"task": "speak", "text": "Hello.", "colour": "red"}, "colour"),
            ({"task": "separate", "inputs": [{"path": "/etc/passwd"}]}, "/etc/passwd"),
            ({"task": "separate", "inputs": [{"upload": "x", "path": "/y"}]}, "one of upload, path and url"),
        ],
    )
    def test_what_is_wrong_is_told_before_any_work(self, server, songs, request_, told):
        if request_["task"] == "separate" and "inputs" not in request_ and len(request_) > 1:
            request_ = request_ | {"inputs": [{"path": str(songs / "song.wav")}]}
        reply = server.ask("POST", "/v1/jobs", request_)
        assert reply.status in (404, 422), reply.body
        assert told in reply.json["error"]["message"]

    def test_a_repeated_key_is_the_same_job(self, server):
        request = {"task": "speak", "text": "Once."}
        replies = [server.ask("POST", "/v1/jobs", request, {"Idempotency-Key": "one"}).json for _ in range(3)]
        assert len({reply["id"] for reply in replies}) == 1
        other = server.ask("POST", "/v1/jobs", request | {"text": "Twice."}, {"Idempotency-Key": "one"})
        assert other.status == 422

    def test_a_file_that_is_no_sound_fails_with_one_sentence(self, server, tmp_path):
        path = tmp_path / "song.wav"
        path.write_bytes(b"RIFF, or not")
        failed = server.end_of(server.submit(task="separate", inputs=[server.upload(path)]))
        assert (failed["state"], failed["error"]["type"], failed["files"]) == ("failed", "UnreadableAudio", [])
        assert failed["error"]["message"].startswith("song.wav is not")


class TestFollowing:
    def test_events_tell_how_far_it_is_and_end_with_the_job(self, server, songs):
        job = separate(server, songs / "reel.wav")
        text = server.ask("GET", f"/v1/jobs/{job['id']}/events").body.decode()
        blocks = [block for block in text.strip().split("\r\n\r\n") if not block.startswith(":")]  # signs of life
        events = [dict(line.split(": ", 1) for line in block.split("\r\n")) for block in blocks]
        told = [json.loads(event["data"]) for event in events]
        assert [event["event"] for event in events] == ["progress"] * (len(events) - 1) + ["end"]
        fractions = [each["fraction"] for each in told if each.get("stage") == "separating"]
        assert len(fractions) > 1 and fractions == sorted(fractions)
        assert told[-1]["state"] == "done" and told[-1]["files"]

    def test_a_cancelled_job_stops_soon_and_leaves_nothing(self, server, songs):
        job = separate(server, songs / "film.wav")
        eventually(lambda: server.ask("GET", f"/v1/jobs/{job['id']}").json["fraction"] > 0.002)
        reply = server.ask("DELETE", f"/v1/jobs/{job['id']}")
        assert (reply.status, reply.json["state"]) == (202, "cancelled")
        eventually(lambda: not any((server.services.options.data_folder / "work").iterdir()))
        assert server.end_of(job)["files"] == []

    def test_a_job_that_ended_can_be_removed_with_its_results(self, server, songs):
        done = server.end_of(separate(server, songs / "song.wav"))
        folder = server.services.scheduler.folder_of(done["id"])
        assert folder.exists()
        assert server.ask("DELETE", f"/v1/jobs/{done['id']}").status == 204
        assert not folder.exists()
        assert server.ask("GET", f"/v1/jobs/{done['id']}").status == 404

    def test_speech_does_not_wait_for_a_reel(self, server, songs):
        reel = separate(server, songs / "film.wav")
        spoken = server.end_of(server.submit(task="speak", text="Me first."))
        assert spoken["state"] == "done"
        assert server.ask("GET", f"/v1/jobs/{reel['id']}").json["state"] in ("queued", "running")
        server.ask("DELETE", f"/v1/jobs/{reel['id']}")


class TestWorkers:
    def test_a_job_survives_the_death_of_its_worker(self, server, songs):
        worker = server.services.fleet.workers[DEVICE]
        job = separate(server, songs / "reel.wav")
        eventually(lambda: server.ask("GET", f"/v1/jobs/{job['id']}").json["fraction"] > 0.02)
        os.kill(worker.pid, signal.SIGKILL)
        done = server.end_of(job)
        assert (done["state"], done["attempts"]) == ("done", 2)

    def test_the_budgets_of_the_workers_sum_to_the_whole_and_models_stay_within(self, server, songs):
        told = server.ask("GET", "/v1/memory").json
        assert sum(worker["memory_budget"] for worker in told["workers"]) == told["memory_budget"]
        for worker in told["workers"]:
            assert sum(model["n_bytes"] for model in worker["models"]) <= worker["memory_budget"]

    def test_a_small_budget_holds_over_all_models_whatever_comes(self, songs, tmp_path):
        budget = 400_000_000
        options = ServerOptions(folder=str(tmp_path / "data"), roots=(str(songs),))
        with serving(options, memory={"memory_budget": str(budget)}) as server:
            highest = []
            ended = threading.Event()

            def watch() -> None:
                while not ended.is_set():
                    models = [m for worker in server.services.fleet.memory() for m in worker["models"]]
                    highest.append(sum(model["n_bytes"] for model in models))

            watcher = threading.Thread(target=watch)
            watcher.start()
            jobs = [separate(server, songs / "song.wav", model=model) for model in ("spleeter-2stems", "dtln") * 2]
            jobs += [server.submit(task="speak", text=text) for text in (NEWS, "And now the weather.")]
            errors = [server.end_of(job)["error"] for job in jobs]
            ended.set()
            watcher.join()
            assert errors == [None] * len(jobs)
            assert 0 < max(highest) <= budget

    def test_each_worker_ends_with_the_server(self, tmp_path):
        with serving(ServerOptions(folder=str(tmp_path))) as server:
            pids = [server.services.fleet.workers[name].pid for name in (DEVICE, SPEECH)]

        def is_there(pid):
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return False
            return True

        eventually(lambda: not any(map(is_there, pids)))


def test_the_same_folder_has_one_server(server):
    from audio_ml.errors import InvalidInput
    from ui.server.launch import running

    with pytest.raises(InvalidInput, match="Another server"), running(server.services.options, device="cpu"):
        pass


def test_what_a_full_queue_sends_away_comes_again(songs, tmp_path):
    options = ServerOptions(folder=str(tmp_path / "data"), roots=(str(songs),), queue_size=1)
    with serving(options) as server:
        jobs = []
        for _ in range(8):
            reply = server.ask("POST", "/v1/jobs", {"task": "separate", "inputs": [{"path": str(songs / "reel.wav")}]})
            if reply.status == 429:
                break
            jobs.append(reply.json)
        assert reply.status == 429 and int(reply.headers["Retry-After"]) > 0
        for job in jobs:
            server.ask("DELETE", f"/v1/jobs/{job['id']}")


def test_results_are_kept_no_longer_than_told(songs, tmp_path):
    from ui.server.housekeeping import Housekeeper

    options = ServerOptions(folder=str(tmp_path / "data"), roots=(str(songs),), keep_hours=1e-9)
    with serving(options) as server:
        done = server.end_of(separate(server, songs / "song.wav"))
        services = server.services
        Housekeeper(options, services.store, services.scheduler, services.uploads).tidy()
        assert server.ask("GET", f"/v1/jobs/{done['id']}").status == 404
        assert not services.scheduler.folder_of(done["id"]).exists()


def test_hashes_do_not_change_between_runs(server, songs):
    digests = set()
    for _ in range(2):
        done = server.end_of(separate(server, songs / "song.wav"))
        digests.add(hashlib.sha256(sound(server.ask("GET", done["files"][0]["url"]).body)).hexdigest())
    assert len(digests) == 1


def named(filename) -> str:
    return check_delivery(JobRequest(task="speak", delivery={"filename": filename}))[1].filename


@pytest.mark.parametrize("name", ["Scene 3, take 1.5", "_x", "हिन्दी में नमस्ते", "Ελένη", "a'b + c-d", "x" * 200])
def test_files_of_speech_are_named_in_any_script(name):
    assert named(name) == name
    assert named("u\u0308ber") == "über"  # in one of the ways to write it


@pytest.mark.parametrize(
    "name",
    [
        *("", " a", "a.", "-a", "a/b", "../a", "a\\b", "a:b", "a\nb", "😀", "é" * 101, 3, None),
        *("view", "Outcome", "CON", "nul", "Aux", "com1", "LPT9"),
    ],
)
def test_files_of_speech_have_no_name_that_a_system_refuses(name):
    with pytest.raises(InvalidOption, match=r"Option 'filename' cannot be "):
        named(name)
