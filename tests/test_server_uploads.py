"""Uploads arrive byte for byte, in any number of parts, whatever breaks in between; and belong to their caller."""

from __future__ import annotations

import base64
import errno
import hashlib
import json
import os
import random
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from guarded_app import Asked, served, small_app, talk
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from ui.server import bodies, exchange, upload_store
from ui.server.options import ServerOptions
from ui.server.upload_store import safe_name

BYTES = "application/offset+octet-stream"
TOKENS = {name: f"{name}-0123456789abcdef" for name in ("anna", "ben")}


@pytest.fixture
def options(tmp_path: Path) -> ServerOptions:
    path = tmp_path / "tokens.json"
    path.touch(mode=0o600)
    entries = [{"name": name, "token": token} for name, token in TOKENS.items()]
    entries[1]["max_upload"] = "1KB"
    path.write_text(json.dumps({"tokens": entries}))
    return ServerOptions(folder=str(tmp_path / "s"), tokens=str(path), max_upload="5MB", upload_space="12MB")


@pytest.fixture
def app(options: ServerOptions) -> Any:
    return small_app(options)


@pytest.fixture
def anna(app: Any) -> Asked:
    return Asked(app, Authorization=f"Bearer {TOKENS['anna']}")


@pytest.fixture
def ben(app: Any) -> Asked:
    return Asked(app, Authorization=f"Bearer {TOKENS['ben']}")


def noise(n_bytes: int) -> bytes:
    return random.Random(n_bytes).randbytes(n_bytes)


def begin(ask: Asked, length: int, name: str = "song.wav", **more: Any) -> str:
    metadata = f"filename {base64.b64encode(name.encode()).decode()}"
    headers = {"Upload-Length": str(length), "Upload-Metadata": metadata, "Tus-Resumable": "1.0.0"}
    reply = ask("POST", "/v1/uploads", headers=headers | more.pop("headers", {}), **more)
    assert reply.status_code == 201, reply.text
    assert reply.headers["location"] == f"/v1/uploads/{reply.json()['id']}"
    return str(reply.headers["location"])


def send(ask: Asked, place: str, offset: int, data: bytes, **headers: str) -> httpx.Response:
    fixed = {"Content-Type": BYTES, "Upload-Offset": str(offset), "Tus-Resumable": "1.0.0"}
    return ask("PATCH", place, headers=fixed | headers, content=data)


def found(app: Any, place: str, owner: str = "anna") -> Any:
    return app.uploads.find(place.rpartition("/")[2], owner)


@pytest.mark.parametrize("cuts", [[], [0], [1], [1 << 20], [5, 5, 1_500_000], [2_999_999]])
def test_parts_make_the_whole(app: Any, anna: Asked, cuts: list[int]) -> None:
    data = noise(3_000_000)
    place = begin(anna, len(data))
    for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
        assert anna("HEAD", place).headers["upload-offset"] == str(start)
        reply = send(anna, place, start, data[start:end])
        assert (reply.status_code, reply.headers["upload-offset"]) == (204, str(end))
    upload = found(app, place)
    assert upload.complete and upload.name == "song.wav"
    assert upload.path.read_bytes() == data
    if os.name == "posix":
        assert stat.S_IMODE(upload.path.stat().st_mode) == 0o600
        assert stat.S_IMODE(upload.path.parent.stat().st_mode) == 0o700


def test_one_request_is_enough_for_a_small_file(app: Any, anna: Asked) -> None:
    place = begin(anna, 5, content=b"hello", headers={"Content-Type": BYTES})
    assert found(app, place).complete and found(app, place).path.read_bytes() == b"hello"
    empty = begin(anna, 0)
    assert found(app, empty).complete


def test_head_and_options_say_how_it_stands(anna: Asked) -> None:
    place = begin(anna, 10)
    reply = anna("HEAD", place)
    assert (reply.status_code, reply.headers["upload-length"], reply.headers["upload-offset"]) == (200, "10", "0")
    assert reply.headers["cache-control"] == "no-store" and reply.headers["tus-resumable"] == "1.0.0"
    assert reply.headers["upload-metadata"].startswith("filename ")
    reply = anna("OPTIONS", "/v1/uploads")
    assert (reply.status_code, reply.headers["tus-version"], reply.headers["tus-max-size"]) == (204, "1.0.0", "5000000")


def test_an_upload_is_its_callers_alone(anna: Asked, ben: Asked) -> None:
    place = begin(anna, 10)
    for reply in (ben("HEAD", place), send(ben, place, 0, b"x"), ben("DELETE", place)):
        assert reply.status_code == 404
    nobody = ben("DELETE", "/v1/uploads/" + "0" * 32).json()["error"]
    assert nobody["type"] == ben("DELETE", place).json()["error"]["type"] == "UnknownUpload"
    assert anna("HEAD", place).status_code == 200


@pytest.mark.parametrize(
    "name", ["..", "../jobs.sqlite", "%2e%2e%2fjobs.sqlite", "x" * 300, "a%00b", "é", "jobs.sqlite"]
)
def test_an_id_is_never_a_path(anna: Asked, name: str, options: ServerOptions) -> None:
    for method in ("HEAD", "DELETE"):
        assert anna(method, f"/v1/uploads/{name}").status_code in (404, 405)
    assert (options.data_folder / "jobs.sqlite").exists()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Upload-Length": "6000000"}, 413),
        ({"Upload-Length": "9" * 30}, 422),
        ({"Upload-Length": "-1"}, 422),
        ({"Upload-Length": "ten"}, 422),
        ({}, 422),
        ({"Upload-Length": "5", "Tus-Resumable": "0.2.2"}, 412),
        ({"Upload-Length": "5", "Upload-Metadata": "filename ü"}, 422),
        ({"Upload-Length": "5", "Upload-Metadata": "x" * 9000}, 422),
        ({"Upload-Length": "5", "Content-Type": "text/plain", "Content-Length": "1"}, 415),
    ],
)
def test_a_wrong_beginning_is_refused(anna: Asked, headers: dict[str, str], status: int) -> None:
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    reply = anna("POST", "/v1/uploads", headers=encoded, content=b"x" if "Content-Length" in headers else None)
    assert reply.status_code == status
    assert reply.json()["error"]["message"]


def test_a_wrong_part_is_refused_and_changes_nothing(app: Any, anna: Asked) -> None:
    place = begin(anna, 10)
    assert send(anna, place, 0, b"12345").status_code == 204
    reply = send(anna, place, 4, b"x")
    assert (reply.status_code, reply.headers["upload-offset"]) == (409, "5")
    assert send(anna, place, 6, b"x").status_code == 409
    assert send(anna, place, 5, b"123456").status_code == 413
    assert send(anna, place, 5, b"x", **{"Content-Type": "text/plain"}).status_code == 415
    assert send(anna, place, -1, b"x").status_code == 422
    assert found(app, place).path.read_bytes() == b"12345"


def test_limits_are_the_callers(anna: Asked, ben: Asked) -> None:
    assert ben("POST", "/v1/uploads", headers={"Upload-Length": "1001"}).status_code == 413
    begin(ben, 1000)
    places = [begin(anna, 5_000_000), begin(anna, 5_000_000)]
    assert anna("POST", "/v1/uploads", headers={"Upload-Length": "5000000"}).status_code == 413
    assert anna("DELETE", places[0]).status_code == 204
    begin(anna, 5_000_000)


def test_the_number_of_uploads_is_limited(anna: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload_store, "MOST_UPLOADS", 3)
    for _ in range(3):
        begin(anna, 1)
    assert anna("POST", "/v1/uploads", headers={"Upload-Length": "1"}).status_code == 413


def test_a_body_without_a_length_is_counted(app: Any, anna: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "LINGER_SECONDS", 0.2)
    place = begin(anna, 2_500_000)

    async def endless() -> Any:
        while True:
            yield bytes(100_000)

    reply = anna("PATCH", place, headers={"Content-Type": BYTES, "Upload-Offset": "0"}, content=endless())
    assert reply.status_code == 413
    assert found(app, place).n_bytes <= 2_500_000


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_a_checksum_is_held_to(app: Any, anna: Asked, algorithm: str) -> None:
    data = noise(1_500_000)
    place = begin(anna, 2 * len(data))
    digest = base64.b64encode(hashlib.new(algorithm, data).digest()).decode()
    assert send(anna, place, 0, data, **{"Upload-Checksum": f"{algorithm} {digest}"}).status_code == 204
    wrong = data[:-1] + bytes([data[-1] ^ 1])
    reply = send(anna, place, len(data), wrong, **{"Upload-Checksum": f"{algorithm} {digest}"})
    assert (reply.status_code, reply.json()["error"]["type"]) == (460, "WrongChecksum")
    assert found(app, place).path.read_bytes() == data
    for unknown in ("md4 abcd", "sha1", "sha1 ?", "sha1 é"):
        sent = anna(
            "PATCH", place, headers=[(b"Upload-Checksum", unknown.encode("latin-1")), *PATCH_HEADERS], content=b"x"
        )
        assert sent.status_code in (400, 409)


PATCH_HEADERS = [(b"Content-Type", BYTES.encode()), (b"Upload-Offset", b"1500000")]


def test_an_upload_that_was_removed_is_gone_with_its_bytes(app: Any, anna: Asked) -> None:
    place = begin(anna, 5, content=b"hello", headers={"Content-Type": BYTES})
    path = found(app, place).path
    assert anna("DELETE", place).status_code == 204
    assert not path.exists() and anna("HEAD", place).status_code == 404


def test_what_nobody_goes_on_with_expires_but_not_what_is_in_use(
    app: Any, anna: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, used = begin(anna, 5), begin(anna, 5)
    orphan = app.uploads.find(old.rpartition("/")[2], "anna").path.with_name("f" * 32)
    orphan.touch()
    assert app.uploads.expire() == 0 and orphan.exists()
    later = time.time() + 25 * 3600
    monkeypatch.setattr(upload_store.time, "time", lambda: later)
    fresh = begin(anna, 5)
    assert app.uploads.expire(in_use={used.rpartition("/")[2]}) == 1
    assert [anna("HEAD", place).status_code for place in (old, used, fresh)] == [404, 200, 200]
    assert not orphan.exists()


def test_the_name_of_an_upload_is_on_the_disk_before_its_client_is_told(
    anna: Asked, options: ServerOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync, synced = os.fsync, []

    def note(descriptor: int) -> None:
        fsync(descriptor)
        synced.append((os.fstat(descriptor).st_ino, len(list(options.uploads_folder.iterdir()))))

    monkeypatch.setattr(upload_store.os, "fsync", note)
    begin(anna, 10)
    assert (options.uploads_folder.stat().st_ino, 1) in synced


def test_a_full_disk_is_said(anna: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    place = begin(anna, 10)

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(upload_store.os, "fsync", full)
    assert send(anna, place, 0, b"x").status_code == 507
    monkeypatch.undo()
    monkeypatch.setattr(upload_store, "RESERVE_BYTES", 1 << 62)
    assert anna("POST", "/v1/uploads", headers={"Upload-Length": "1"}).status_code == 507


def test_a_disk_without_room_for_the_database_is_said(anna: Asked, app: Any) -> None:
    """The database gets no page more, which SQLite tells as it tells a full disk."""
    database = app.uploads._database
    with database.begin() as connection:
        n_pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    database.close()  # so that every connection is a new one
    event.listen(database.engine, "connect", lambda new, _: new.execute(f"PRAGMA max_page_count = {n_pages}"))
    told = "filename " + base64.b64encode(bytes(5000)).decode()
    reply = anna("POST", "/v1/uploads", headers={"Upload-Length": "1", "Upload-Metadata": told})
    assert (reply.status_code, reply.json()["error"]["type"]) == (507, "DiskFull")
    assert "full" in reply.json()["error"]["message"]


@settings(deadline=None)
@given(st.text(max_size=400))
def test_a_name_is_a_file_name_everywhere(name: str) -> None:
    safe = safe_name(name)
    assert safe and len(safe.encode()) <= 220 and safe not in (".", "..")
    assert not set(safe) & set('/\\<>:"|?*\0') and safe.isprintable()
    assert safe == Path(safe).name and safe_name(safe) == safe


# On a socket: connections break, two write at once, and the server is killed.


def head(place: str, offset: int, length: int) -> bytes:
    lines = [
        f"PATCH {place} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Authorization: Bearer {TOKENS['anna']}",
        f"Content-Type: {BYTES}",
        f"Upload-Offset: {offset}",
        f"Content-Length: {length}",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def wait_for(condition: Any, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_what_arrived_before_a_break_stays(app: Any, anna: Asked, options: ServerOptions) -> None:
    data = noise(300_000)
    place = begin(anna, len(data))
    with served(app, options) as port:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(head(place, 0, len(data)) + data[:200_000])
        wait_for(lambda: found(app, place).n_bytes == 200_000)
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {TOKENS['anna']}"}, timeout=60
        ) as client:
            wait_for(lambda: client.head(place).headers["upload-offset"] == "200000")
            headers = {"Upload-Offset": "200000", "Content-Type": BYTES}
            wait_for(lambda: client.patch(place, headers=headers, content=data[200_000:]).status_code == 204)
    assert found(app, place).path.read_bytes() == data


def test_with_a_checksum_nothing_of_a_broken_part_stays(app: Any, anna: Asked, options: ServerOptions) -> None:
    place = begin(anna, 3_000_000)
    sent = head(place, 0, 3_000_000).replace(b"\r\n\r\n", b"\r\nUpload-Checksum: sha1 AAAA\r\n\r\n")
    with served(app, options) as port, socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(sent + bytes(2_500_000))
        wait_for(lambda: found(app, place).n_bytes > 0)
        connection.close()
        wait_for(lambda: found(app, place).n_bytes == 0)


def test_two_cannot_write_to_one_upload(app: Any, anna: Asked, options: ServerOptions) -> None:
    place = begin(anna, 10)
    with served(app, options) as port, socket.create_connection(("127.0.0.1", port)) as first:
        first.sendall(head(place, 0, 10) + b"01234")
        wait_for(lambda: app.uploads._locked)
        second = talk(port, head(place, 0, 10) + b"abcdefghij")
        assert second.startswith(b"HTTP/1.1 423") and b'"Busy"' in second
        assert anna("DELETE", place).status_code == 423
        first.sendall(b"56789")
        assert first.recv(100).startswith(b"HTTP/1.1 204")
    assert found(app, place).path.read_bytes() == b"0123456789"


def test_a_slow_upload_keeps_what_it_brought(
    app: Any, anna: Asked, options: ServerOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "LONGEST_PAUSE", 0.3)
    monkeypatch.setattr(exchange, "LINGER_SECONDS", 0.2)
    place = begin(anna, 10)
    with served(app, options) as port:
        assert talk(port, head(place, 0, 10) + b"01234").startswith(b"HTTP/1.1 408")
    assert found(app, place).n_bytes == 5


def test_memory_does_not_grow_with_an_upload(tmp_path: Path) -> None:
    """200 MB pass through a process that has room for 40 more than it needs at rest."""
    with server_process(tmp_path, max_upload="1GB") as (process, url):
        import psutil

        httpx.get(url + "/health", timeout=60)
        rest = psutil.Process(process.pid).memory_info().rss
        most = rest

        def watch() -> None:
            nonlocal most
            while not done.wait(0.02):
                most = max(most, psutil.Process(process.pid).memory_info().rss)

        done = threading.Event()
        watcher = threading.Thread(target=watch)
        watcher.start()
        headers = {"Upload-Length": "200000000", "Content-Type": BYTES}
        with (tmp_path / "big").open("wb+") as file:
            file.truncate(200_000_000)
            reply = httpx.post(url + "/v1/uploads", headers=headers, content=file, timeout=300)
        done.set()
        watcher.join()
        assert reply.status_code == 201 and reply.json()["offset"] == 200_000_000
        assert most - rest < 40_000_000


SERVER = """
import sys
from guarded_app import small_app
from ui.server.connections import connection_settings
from ui.server.options import ServerOptions
import uvicorn
options = ServerOptions(folder=sys.argv[1], max_upload=sys.argv[3])
uvicorn.run(small_app(options), host="127.0.0.1", port=int(sys.argv[2]), **connection_settings(options))
"""


class server_process:  # noqa: N801 - reads as a function
    """Runs the application in a process of its own, on the same folder each time."""

    def __init__(self, folder: Path, max_upload: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        command = [sys.executable, "-c", SERVER, str(folder / "server"), str(self.port), max_upload]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
        self.process = subprocess.Popen(command, env=environment)

    def __enter__(self) -> tuple[subprocess.Popen[bytes], str]:
        url = f"http://127.0.0.1:{self.port}"

        def answers() -> bool:
            try:
                return httpx.get(url + "/health", timeout=60).status_code == 200
            except httpx.TransportError:
                return False

        wait_for(answers, 180)
        return self.process, url

    def __exit__(self, *_: Any) -> None:
        self.process.kill()
        self.process.wait()


@pytest.mark.skipif(os.name != "posix", reason="kill -9")
def test_an_upload_goes_on_after_the_server_was_killed(tmp_path: Path) -> None:
    data = noise(4_000_000)
    with server_process(tmp_path, max_upload="1GB") as (process, url):
        place = httpx.post(url + "/v1/uploads", headers={"Upload-Length": str(len(data))}, timeout=60).headers[
            "location"
        ]
        with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as connection:
            connection.sendall(head(place, 0, len(data)) + data[:2_200_000])
            wait_for(lambda: int(httpx.head(url + place, timeout=60).headers["upload-offset"]) > 1_000_000)
            process.send_signal(signal.SIGKILL)
            process.wait()
    with server_process(tmp_path, max_upload="1GB") as (_, url):
        offset = int(httpx.head(url + place, timeout=60).headers["upload-offset"])
        assert offset > 1_000_000
        headers = {"Upload-Offset": str(offset), "Content-Type": BYTES}
        assert httpx.patch(url + place, headers=headers, content=data[offset:], timeout=60).status_code == 204
    (path,) = (tmp_path / "server" / "uploads").iterdir()
    assert path.read_bytes() == data


def test_an_independent_client_of_the_protocol_understands_it(app: Any, options: ServerOptions, tmp_path: Path) -> None:
    """tuspy, by the people who wrote the protocol: in parts, with checksums, and resumed by another client."""
    tus = pytest.importorskip("tusclient.client")
    data = noise(1_000_000)
    (tmp_path / "song.wav").write_bytes(data)
    with served(app, options) as port:
        client = tus.TusClient(
            f"http://127.0.0.1:{port}/v1/uploads", headers={"Authorization": f"Bearer {TOKENS['anna']}"}
        )
        settings = {"chunk_size": 300_000, "metadata": {"filename": "song.wav"}}
        first = client.uploader(str(tmp_path / "song.wav"), upload_checksum=True, **settings)
        first.upload_chunk()
        assert first.offset == 300_000
        second = client.uploader(str(tmp_path / "song.wav"), url=first.url, **settings)
        assert second.offset == 300_000
        second.upload()
    upload = found(app, first.url)
    assert upload.path.read_bytes() == data and upload.name == "song.wav"
