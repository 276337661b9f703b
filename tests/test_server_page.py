"""The page on the server's address: its visitors' jobs are jobs like all others, each visitor's own."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from serving import Server, serving
from signals import noise

from audio_ml.errors import InvalidInput, OutputUnwritable, UnknownModel
from audio_ml.weights import WeightStore
from audio_ml.writer import write_audio
from ui.server import upload_store
from ui.server.options import ServerOptions
from ui.server.page import ServerDesk
from ui.server.refusals import NotAuthorised, TooLarge, UnknownUpload
from ui.server.visitors import visitor_of
from ui.web import files


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


def test_every_script_that_another_names_is_there() -> None:
    """Where one is missing, the browser runs none of them."""
    named = [
        (script, name)
        for script in Path(files.__file__).parent.glob("*/*.js")
        for name in re.findall(r"(?:from|import) '(\.[^']+)'", script.read_text(encoding="utf-8"))
    ]
    assert len(named) > 100
    assert [pair for pair in named if not (pair[0].parent / pair[1]).is_file()] == []


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


def test_what_gradio_removes_after_an_hour_is_put_back(desk: ServerDesk, server: Server, tmp_path: Path) -> None:
    path, ada = song(tmp_path), visitor("i")
    kept, content = desk.keep(ada, path), path.read_bytes()
    path.unlink()
    assert desk.keep(ada, path) == kept and path.read_bytes() == content
    path.unlink()
    after_a_restart = ServerDesk(server.services, WeightStore(), commercial_only=False)
    with pytest.raises(UnknownUpload, match=r"^song\.wav is no longer here: choose it again\.$"):
        after_a_restart.keep(ada, path)


def test_what_was_left_half_put_back_is_in_nobody_s_way(desk: ServerDesk, tmp_path: Path) -> None:
    path, ada = song(tmp_path), visitor("k")
    kept, content = desk.keep(ada, path), path.read_bytes()
    path.rename(tmp_path / "song.wav.part")  # another name of what is kept
    assert desk.keep(ada, path) == kept and path.read_bytes() == content
    assert [each.name for each in tmp_path.iterdir()] == ["song.wav"]


def test_a_file_that_cannot_be_kept_takes_no_room(
    desk: ServerDesk, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    path = song(tmp_path, 9.0)
    with monkeypatch.context() as patch:
        patch.setattr(upload_store.os, "link", fail)
        patch.setattr(upload_store.shutil, "copyfile", fail)
        for _ in range(4):
            with pytest.raises(OutputUnwritable, match="not permitted"):
                desk.keep(visitor("j"), path)
    desk.keep(visitor("j"), path)  # 1.7 of 3 MB


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
        for _ in range(6000):
            job = server.ask("GET", f"/mine/v1/jobs/{id}", headers=cookie).json
            if job["state"] not in ("queued", "running"):
                return dict(job)
            time.sleep(0.05)
        raise AssertionError("the job did not end")

    job = done()
    assert job["inputs"] == ["song.wav"] and job["state"] == "done"
    assert any("exactly as long as the source" in sentence for sentence in job["summary"])
    assert desk.jobs(ada, "separate") == [job]
    assert not desk.jobs(bob) and not desk.jobs(ada, "speak")
    another = {"Cookie": "audio_ml_visitor=" + "e" * 32}
    for path in ("", f"/files/{quote(job['files'][0]['name'])}"):
        assert server.ask("GET", f"/mine/v1/jobs/{id}{path}", headers=cookie).status == 200
        assert server.ask("GET", f"/mine/v1/jobs/{id}{path}", headers=another).status == 404
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
    with pytest.raises(InvalidInput, match="a name has letters") as caught:
        desk.submit(visitor("g"), task="enroll", name="a*b", consent="x", inputs=[{"path": "/etc/passwd"}])
    assert caught.value.param == "name"
    with pytest.raises(InvalidInput, match="no file below a folder"):
        desk.submit(visitor("g"), task="separate", inputs=[{"path": "/etc/passwd"}])


def test_gradio_opens_no_file_and_no_address_for_anybody(server: Server, tmp_path: Path) -> None:
    """By itself it copies whatever a value names, and fetches what is at a URL."""
    secret = tmp_path / "secret.txt"
    secret.write_text("nobody sent this")
    arriving = server.services.options.data_folder / "arriving"
    before = set(arriving.rglob("*"))
    for named in (str(secret), "/etc/hostname", "https://example.org/", f"{arriving}/../jobs.sqlite", 5):
        for value in ({"path": named, "meta": {"_type": "gradio.FileData"}}, [{"value": {"path": named}}]):
            asked = {"data": [value], "fn_index": 0, "session_hash": "abcdefgh"}
            assert server.ask("POST", "/gradio_api/run/predict", asked).status == 422, named
        assert server.ask("GET", f"/gradio_api/file={named}").status == 404
    assert set(arriving.rglob("*")) == before
    for path in ("process_recording", "deep_link", "proxy=https://example.org/", "file/etc/hostname", "queue/join"):
        assert server.ask("POST", f"/gradio_api/{path}", {}).status == 404
    assert server.ask("GET", "/login").status == 404


def test_a_file_that_was_sent_can_be_named(server: Server, desk: ServerDesk) -> None:
    from ui.server.door import Door

    arriving = server.services.options.data_folder / "arriving"
    (arriving / "a").mkdir(exist_ok=True)
    (arriving / "a" / "song.wav").write_bytes(b"RIFF")
    door = Door(None, arriving, 1)  # type: ignore[arg-type]
    assert door._is_ours(str(arriving / "a" / "song.wav"))
    assert not door._is_ours(str(arriving / "a")) and not door._is_ours(str(arriving / "a" / "gone.wav"))
    door._check({"path": str(arriving / "a" / "gone.wav")})  # the tab says at its place that it is gone
    for named in (arriving / "a", arriving / ".." / "jobs.sqlite", arriving / "a" / ".." / ".." / "gone.wav"):
        with pytest.raises(InvalidInput, match="sent to this page"):
            door._check({"path": str(named)})


def test_terms_that_are_accepted_on_the_page_are_written_down(
    server: Server, desk: ServerDesk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from audio_ml import catalogue

    monkeypatch.setenv("AUDIO_ML_CONFIG", str(tmp_path))
    spec = catalogue.find("separation", "htdemucs")
    assert not WeightStore().licences.accepted(spec)
    desk.accept_terms(visitor("h"), spec)
    assert WeightStore().licences.accepted(spec)
    assert visitor("h") in (server.services.options.data_folder / "audit.log").read_text().splitlines()[-1]


def test_models_that_imitate_a_recording_can_be_chosen_as_soon_as_they_are_here(
    desk: ServerDesk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ui.web import clone_tab

    assert {"kokoro", "pocket-tts"} <= clone_tab._speaking(desk).keys()  # their options are drawn at the start
    desk.store = WeightStore(cache=tmp_path)
    assert "pocket-tts" not in [spec.name for spec in clone_tab._here(desk)]
    monkeypatch.setattr(desk.store, "find", lambda *_: tmp_path)
    assert "pocket-tts" in [spec.name for spec in clone_tab._here(desk)]


def test_frames_come_first_and_nothing_is_named_that_is_not_there(server: Server) -> None:
    """Gradio's own scripts have to find the frames taken, and its page names a manifest that it does not have."""
    page = server.ask("GET", "/").body.decode()
    assert "manifest.json" not in page
    assert 0 < page.index("elements/frames.js") < page.index('type="module"')
