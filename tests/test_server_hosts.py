"""Which other machines the server talks to: those on a list, at addresses that were checked, and nothing else."""

from __future__ import annotations

import contextlib
import http.server
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any, ClassVar

import pytest

from audio_ml.errors import Cancelled, InvalidInput
from audio_ml.progress import Progress, ProgressState
from ui.server import hosts, inputs
from ui.server.database import Database
from ui.server.hosts import AllowedHost, HostFailed, HostRefused, Hosts
from ui.server.inputs import check_inputs, check_webhook
from ui.server.options import ServerOptions
from ui.server.refusals import TooLarge
from ui.server.request import InputRef
from ui.server.tokens import local_caller
from ui.server.upload_store import UploadStore


@pytest.fixture
def options(tmp_path: Path) -> ServerOptions:
    return ServerOptions(folder=str(tmp_path / "server"))


@pytest.fixture
def uploads(options: ServerOptions) -> UploadStore:
    options.data_folder.mkdir()
    return UploadStore(Database(options.data_folder / "jobs.sqlite"), options.uploads_folder, options)


class Site(http.server.BaseHTTPRequestHandler):
    """A host that gives what is asked for by the path."""

    asked: ClassVar[list[tuple[str, str, bytes]]] = []

    def do_GET(self) -> None:
        Site.asked.append((self.path, self.headers["Host"], b""))
        what, _, argument = self.path[1:].partition("/")
        if what == "to":
            self.send_response(302)
            self.send_header("Location", argument.replace("~", "/"))
            self.end_headers()
            return
        self.send_response(404 if what == "none" else 200)
        length = {"short": 1000, "huge": 10**12, "drips": 1000}.get(what, 5)
        if what != "endless":
            self.send_header("Content-Length", str(length))
        self.end_headers()
        with contextlib.suppress(OSError):
            if what == "slow":
                time.sleep(1)
            self.wfile.write(b"sound")
            while what == "endless":
                self.wfile.write(bytes(100_000))
            for _ in range(200 if what == "drips" else 0):  # which is less than it said
                time.sleep(0.05)
                self.wfile.write(b".")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        Site.asked.append((self.path, self.headers["Host"], body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@contextlib.contextmanager
def site(context: ssl.SSLContext | None = None) -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    server.daemon_threads = True
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    Site.asked.clear()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def fetched(
    url: str, tmp_path: Path, *allowed: str, max_upload: str = "1MB", progress: Progress | None = None
) -> bytes:
    from ui.server.inputs import fetch

    shutil.rmtree(tmp_path / "job", ignore_errors=True)
    (tmp_path / "job").mkdir()
    options = ServerOptions(fetch_hosts=allowed, max_upload=max_upload)
    fetch(url, tmp_path / "job" / "a.wav", options, progress or Progress())
    return (tmp_path / "job" / "a.wav").read_bytes()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Addresses by name, and how often they were asked for under None."""
    known: dict[Any, list[str]] = {None: []}
    real = socket.getaddrinfo

    def look_up(name: Any, port: Any, *more: Any, **settings: Any) -> Any:
        if name not in known:
            return real(name, port, *more, **settings)
        known[None].append(name)
        kind = socket.SOCK_STREAM
        return [(socket.AF_INET6 if ":" in ip else socket.AF_INET, kind, 6, "", (ip, port)) for ip in known[name]]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return known


def test_where_one_address_is_dead_the_next_one_serves(tmp_path: Path, names: dict[Any, list[str]]) -> None:
    names["studio.example"] = ["127.0.0.9", "127.0.0.1"]  # nothing listens on the first
    with site() as port:
        url = f"http://studio.example:{port}/a.wav"
        assert fetched(url, tmp_path, f"http://studio.example:{port}=127.0.0.0/8") == b"sound"
        assert len(Site.asked) == 1


def test_a_listed_host_gives_its_file(tmp_path: Path, names: dict[Any, list[str]]) -> None:
    with site() as port:
        assert fetched(f"http://127.0.0.1:{port}/a.wav?x=1", tmp_path, f"http://127.0.0.1:{port}") == b"sound"
        names["studio.example"] = ["127.0.0.1"]
        url = f"http://studio.example:{port}/a.wav"
        assert fetched(url, tmp_path, f"http://studio.example:{port}=127.0.0.0/8") == b"sound"
        assert Site.asked[-1][1] == f"studio.example:{port}"
        assert names[None] == ["studio.example"]  # looked up once: what was checked is what is used


@pytest.mark.parametrize(
    "addresses",
    [
        *(
            ["127.0.0.1"],
            ["10.1.2.3"],
            ["192.168.0.9"],
            ["172.16.5.5"],
            ["169.254.169.254"],
            ["100.64.0.1"],
            ["0.0.0.0"],
        ),
        *(
            ["::1"],
            ["fe80::1"],
            ["fd00::1"],
            ["::ffff:127.0.0.1"],
            ["::ffff:10.0.0.1"],
            ["::"],
            ["ff02::1"],
            ["224.0.0.1"],
        ),
        ["93.184.216.34", "127.0.0.1"],
    ],
)
def test_a_name_that_leads_into_the_own_network_is_refused(
    tmp_path: Path, names: dict[Any, list[str]], addresses: list[str]
) -> None:
    names["cdn.example"] = addresses
    with pytest.raises(HostRefused, match="not a public address"):
        fetched("https://cdn.example/a.wav", tmp_path, "cdn.example")


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/a.wav",
        "http://cdn.example/a.wav",  # listed for https alone
        "https://cdn.example:8443/a.wav",
        "https://cdn.example.evil.example/a.wav",
        "https://cdn.example@evil.example/a.wav",
        "https://user:secret@cdn.example/a.wav",
        "https://evil.example\\@cdn.example/a.wav",
        "https://cdn.example:x/a.wav",
        "https://cdn.example:99999/a.wav",
        "https://[cdn.example/a.wav",
        "https:///a.wav",
        "//cdn.example/a.wav",
        "file:///etc/passwd",
        "ftp://cdn.example/a",
        "gopher://cdn.example/a",
        "data:audio/wav;base64,AAAA",
        "https://cdn.example/a b",
        "https://cdn.example/a\r\nX: 1",
        "https://cdn.exämple/a",
        "https://cdn\u3002example/a",
        "",
    ],
)
def test_any_other_address_is_refused(url: str, uploads: UploadStore, options: ServerOptions) -> None:
    allowing = options.model_copy(update={"fetch_hosts": ("cdn.example",), "webhook_hosts": ("cdn.example",)})
    with pytest.raises(HostRefused) as error:
        check_inputs([InputRef(url=url)], local_caller(options), uploads, allowing)
    assert "\n" not in str(error.value)
    with pytest.raises(HostRefused):
        check_webhook(url, allowing)
    with pytest.raises(HostRefused):  # nothing is listed by default
        check_inputs([InputRef(url="https://cdn.example/a.wav")], local_caller(options), uploads, options)


def test_an_address_gives_its_name_to_the_results(uploads: UploadStore, options: ServerOptions) -> None:
    allowing = options.model_copy(update={"fetch_hosts": ("cdn.example",)})
    for path, name in (("/x/my%20song.wav?y", "my song.wav"), ("/", "upload"), ("/%2e%2e%2f%2e%2e%2fa", "a")):
        (ref,) = check_inputs([InputRef(url=f"https://CDN.example{path}")], local_caller(options), uploads, allowing)
        assert ref["name"] == name


def test_a_redirect_leads_to_a_listed_host_or_nowhere(tmp_path: Path) -> None:
    with site() as port, site() as other:
        here = f"http://127.0.0.1:{port}"
        assert fetched(f"{here}/to//a.wav", tmp_path, here) == b"sound"
        for elsewhere, words in (
            (f"http:~~127.0.0.1:{other}~a.wav", "may not talk"),
            ("https:~~evil.example~", "may not talk"),
            ("file:~~~etc~passwd", "no address"),
        ):
            with pytest.raises(HostRefused, match=words):
                fetched(f"{here}/to/{elsewhere}", tmp_path, here)
        assert not [asked for asked in Site.asked if str(other) in asked[1]]
        with pytest.raises(HostRefused, match="one address to the next"):
            fetched(f"{here}/to/{'to~' * 10}x", tmp_path, here)


def test_what_a_host_gives_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with site() as port:
        here = f"http://127.0.0.1:{port}"
        for what in ("huge", "endless"):
            with pytest.raises(TooLarge):
                fetched(f"{here}/{what}", tmp_path, here)
        for what in ("short", "none", "slow"):
            if what == "slow":
                monkeypatch.setattr(hosts, "READ_SECONDS", 0.3)
            with pytest.raises(HostFailed) as error:
                fetched(f"{here}/{what}", tmp_path, here)
            assert "\n" not in str(error.value)
    with pytest.raises(HostFailed, match="did not answer"):
        fetched(f"{here}/a", tmp_path, here)  # nobody is there any more


def test_a_host_that_drips_is_cancelled_and_has_its_time_like_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[ProgressState] = []

    def hear(state: ProgressState) -> None:
        heard.append(state)
        progress.cancel()

    progress = Progress(hear)
    with site() as port:
        here = f"http://127.0.0.1:{port}"
        with pytest.raises(Cancelled):
            fetched(f"{here}/drips", tmp_path, here, progress=progress)
        assert 0 < heard[0].fraction < 1  # told when the first bytes were here
        monkeypatch.setattr(inputs, "FETCH_SECONDS", 0.0)
        with pytest.raises(HostFailed, match="takes too long"):
            fetched(f"{here}/drips", tmp_path, here)


def test_a_webhook_is_told_and_its_redirects_are_not_followed() -> None:
    with site() as port:
        allowed = Hosts([f"http://127.0.0.1:{port}"])
        with allowed.request("POST", f"http://127.0.0.1:{port}/done", body=b"{}") as reply:
            assert reply.status == 204
        assert Site.asked == [("/done", f"127.0.0.1:{port}", b"{}")]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes a certificate")
def test_https_is_to_the_name_and_not_to_whoever_is_there(
    tmp_path: Path, names: dict[Any, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    names |= {"studio.example": ["127.0.0.1"], "other.example": ["127.0.0.1"]}
    certificate, key = make_certificate(tmp_path, "studio.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with site(context) as port:
        allowed = [f"{name}:{port}=127.0.0.1" for name in ("studio.example", "other.example")]
        with pytest.raises(HostFailed):  # nobody vouches for it
            fetched(f"https://studio.example:{port}/a.wav", tmp_path, *allowed)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert fetched(f"https://studio.example:{port}/a.wav", tmp_path, *allowed) == b"sound"
        with pytest.raises(HostFailed):
            fetched(f"https://other.example:{port}/a.wav", tmp_path, *allowed)


def make_certificate(folder: Path, name: str) -> tuple[Path, Path]:
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    command += ["-nodes", "-days", "2"]
    command += ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    return certificate, key


@pytest.mark.parametrize(
    "entry", ["", "https://", "ftp://a", "a/b", "a=b", "a:x", "https://u@a", "a=10.0.0.0/99", "http://a/?q"]
)
def test_a_wrong_entry_of_a_list_is_told(entry: str) -> None:
    with pytest.raises(InvalidInput, match="is no host"):
        AllowedHost.parse(entry)


def test_an_address_in_the_guise_of_the_newer_protocol_is_what_it_is() -> None:
    private, public = AllowedHost.parse("nas=10.0.0.0/8"), AllowedHost.parse("cdn.example")
    assert private.admits(ip_address("::ffff:10.1.2.3")) and not public.admits(ip_address("::ffff:10.1.2.3"))
    assert public.admits(ip_address("::ffff:93.184.216.34")) and not private.admits(ip_address("::ffff:93.184.216.34"))
