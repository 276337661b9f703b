"""The page on the server's address: what is separated on it are jobs, and nothing of them is left."""

import threading
import time

import pytest
from serving import serving
from signals import noise

from audio_ml.errors import Cancelled, UnreadableAudio
from audio_ml.progress import Progress
from audio_ml.streams import read_audio
from audio_ml.writer import write_audio
from ui.server.options import ServerOptions
from ui.server.page import JobSeparation

pytestmark = pytest.mark.weights


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(ServerOptions(folder=str(tmp_path_factory.mktemp("server"))), page=True) as server:
        yield server


def separate(separation, source, out_dir, progress=None):
    out_dir.mkdir()
    return separation(
        str(source), out_dir, model="spleeter-2stems", options={}, delivery={}, progress=progress or Progress()
    )


def test_stems_come_into_the_folder_and_can_be_heard_by_who_has_the_key(server, tmp_path):
    source = tmp_path / "song.wav"
    write_audio(source, noise(2.0))
    stages = []
    separation = JobSeparation(server.services)
    done = separate(separation, source, tmp_path / "out", Progress(lambda state: stages.append(state.stage)))
    report = done.report
    stems = [read_audio(file.path).samples for file in report.files]
    assert abs(sum(stems) - read_audio(source).samples).max() < 2**-22
    assert "separating" in stages
    heard = server.ask("GET", f"{done.address}/tracks")
    assert [track["title"] for track in heard.json["tracks"]] == ["vocals", "accompaniment", "source"]
    key = done.address.split("/")[2]
    assert server.ask("GET", done.address.replace(key, "another") + "/tracks").status == 404
    assert server.ask("GET", done.address.removeprefix(f"/heard/{key}") + "/tracks").status == 404
    assert server.ask("GET", "/v1/jobs").json == {"jobs": []}
    separation.forget(tmp_path / "out")
    assert server.ask("GET", f"{done.address}/tracks").status == 404
    assert server.services.store.find() == []


def test_cancelling_on_the_page_cancels_the_job(server, tmp_path):
    source = tmp_path / "reel.wav"
    write_audio(source, noise(60.0))
    progress = Progress()
    threading.Timer(1.0, progress.cancel).start()
    separation = JobSeparation(server.services)
    with pytest.raises(Cancelled):
        separate(separation, source, tmp_path / "out", progress)
    separation.forget(tmp_path / "out")
    ends_at = time.monotonic() + 10
    while server.services.scheduler.n_running():
        assert time.monotonic() < ends_at
        time.sleep(0.05)
    assert server.services.store.find() == []


def test_what_goes_wrong_is_raised_as_by_the_verb(server, tmp_path):
    source = tmp_path / "song.wav"
    source.write_bytes(b"no sound")
    with pytest.raises(UnreadableAudio):
        separate(JobSeparation(server.services), source, tmp_path / "out")


def test_the_page_is_at_the_root_and_the_interface_beside_it(tmp_path):
    with serving(ServerOptions(folder=str(tmp_path)), page=True) as server:
        reply = server.ask("GET", "/")
        assert reply.status == 200 and b"gradio" in reply.body
        assert "default-src 'self'" in reply.headers["Content-Security-Policy"]
        assert server.ask("GET", "/v1/jobs").json == {"jobs": []}
        nothing, wrong = server.ask("GET", "/v1/nothing"), server.ask("PUT", "/v1/jobs", {})
        assert (nothing.status, nothing.json["error"]["type"], wrong.status) == (404, "NotFound", 405)
        assert server.ask("GET", "/", headers={"Host": "evil.example"}).status == 403
