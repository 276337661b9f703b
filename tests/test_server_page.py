"""The page on the server's address: its visitors' jobs are jobs like all others, each visitor's own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from serving import Server, serving
from signals import noise

from audio_ml.errors import InvalidInput, UnknownModel
from audio_ml.weights import WeightStore
from audio_ml.writer import write_audio
from ui.server.options import ServerOptions
from ui.server.page import ServerDesk
from ui.server.refusals import NotAuthorised, NotFound, TooLarge, UnknownJob, UnknownUpload
from ui.server.visitors import visitor_of


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = str(tmp_path_factory.mktemp("server"))
    with serving(ServerOptions(folder=folder, upload_space="3MB"), page=True) as server:
        yield server


@pytest.fixture
def desk(server: Server) -> ServerDesk:
    return ServerDesk(server.services, WeightStore(), commercial_only=False)


def visitor(name: str) -> str:
    return visitor_of({"audio_ml_visitor": name * 32})


def song(folder: Path, seconds: float = 1.0) -> Path:
    path = folder / "song.wav"
    write_audio(path, noise(seconds))
    return path


def test_the_page_is_at_the_root_and_the_interface_beside_it(server: Server) -> None:
    reply = server.ask("GET", "/")
    assert reply.status == 200 and b"gradio" in reply.body
    assert "default-src 'self'" in reply.headers["Content-Security-Policy"]
    assert server.ask("GET", "/v1/jobs").json == {"jobs": []}
    nothing, wrong = server.ask("GET", "/v1/nothing"), server.ask("PUT", "/v1/jobs", {})
    assert (nothing.status, nothing.json["error"]["type"], wrong.status) == (404, "NotFound", 405)
    assert server.ask("GET", "/", headers={"Host": "evil.example"}).status == 403
    for name in ("elements/main.js", "elements/main.css", "player/player.js"):
        assert server.ask("GET", f"/{name}").status == 200
    assert server.ask("GET", "/elements/..%2fpage.py").status == 404


def test_a_visitor_s_name_does_not_give_their_key_away() -> None:
    assert visitor("a") == visitor("a") != visitor("b")
    assert "a" * 32 not in visitor("a")
    for cookies in ({}, {"audio_ml_visitor": "short"}, {"audio_ml_visitor": "x" * 31 + "/"}):
        with pytest.raises(NotAuthorised, match="cookie"):
            visitor_of(cookies)


def test_a_file_becomes_one_upload_of_its_visitor(desk: ServerDesk, server: Server, tmp_path: Path) -> None:
    path, (ada, bob) = song(tmp_path), (visitor("a"), visitor("b"))
    kept = desk.keep(ada, path)
    assert desk.keep(ada, path) == kept != desk.keep(bob, path)
    found = server.services.uploads.find(kept["upload"], ada)
    assert found.complete and found.path.read_bytes() == path.read_bytes() and found.name == "song.wav"
    with pytest.raises(UnknownUpload):
        server.services.uploads.find(kept["upload"], bob)
    with pytest.raises(UnknownUpload):
        desk.submit(bob, task="separate", inputs=[kept])
    server.services.uploads.delete(kept["upload"])
    assert desk.keep(ada, path) != kept


def test_uploads_of_a_visitor_have_so_much_room(desk: ServerDesk, server: Server, tmp_path: Path) -> None:
    with pytest.raises(TooLarge, match="3 MB together"):
        desk.keep(visitor("c"), song(tmp_path, 20.0))
    too_much = b"x" * 3_100_000
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    assert server.ask("POST", "/gradio_api/upload", too_much, headers).status == 413


@pytest.mark.weights
def test_a_job_of_a_visitor_is_a_job(desk: ServerDesk, server: Server, tmp_path: Path) -> None:
    ada, bob = visitor("d"), visitor("e")
    asked: dict[str, Any] = {"task": "separate", "inputs": [desk.keep(ada, song(tmp_path, 2.0))]}
    id = desk.submit(ada, **asked)
    cookie = {"Cookie": "audio_ml_visitor=" + "d" * 32}

    def done() -> dict[str, Any]:
        for _ in range(600):
            job = server.ask("GET", f"/mine/v1/jobs/{id}", headers=cookie).json
            if job["state"] not in ("queued", "running"):
                return dict(job)
            time.sleep(0.05)
        raise AssertionError("the job did not end")

    job = done()
    assert job["inputs"] == ["song.wav"] and job["state"] == "done"
    assert any("exactly as long as the source" in sentence for sentence in job["summary"])
    assert desk.job(ada, id) == job
    assert desk.find_file(ada, id, job["files"][0]["name"]).is_file()
    assert not desk.jobs(bob) and not desk.jobs(ada, "speak")
    with pytest.raises(NotFound):
        desk.find_file(ada, id, "../song.wav")
    for ask in (lambda: desk.job(bob, id), lambda: desk.find_file(bob, id, job["files"][0]["name"])):
        with pytest.raises(UnknownJob):
            ask()
    assert server.ask("GET", "/v1/jobs").json == {"jobs": []}


def test_two_clicks_are_one_job(desk: ServerDesk, server: Server, tmp_path: Path) -> None:
    ada = visitor("f")
    asked: dict[str, Any] = {"task": "separate", "inputs": [desk.keep(ada, song(tmp_path, 5.0))]}
    first, second = desk.submit(ada, **asked), desk.submit(ada, **asked)
    other = desk.submit(ada, **asked, options={"exact": True})
    assert first == second != other
    for job in {first, other}:
        server.services.scheduler.cancel(job)


def test_what_is_wrong_is_one_sentence(desk: ServerDesk) -> None:
    with pytest.raises(InvalidInput, match="Unknown option 'colour'"):
        desk.submit(visitor("g"), task="separate", colour="blue")
    with pytest.raises(UnknownModel, match="Unknown model 'spleter'"):
        desk.submit(visitor("g"), task="separate", model="spleter", inputs=[{"path": "/etc/passwd"}])
    with pytest.raises(InvalidInput, match="no file below a folder"):
        desk.submit(visitor("g"), task="separate", inputs=[{"path": "/etc/passwd"}])
