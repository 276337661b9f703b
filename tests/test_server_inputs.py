"""What a job may read: nothing outside its caller's roots, nothing from a host that is not listed, no endless sound."""

from __future__ import annotations

import contextlib
import http.server
import os
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from audio_ml.errors import Cancelled, InvalidInput, UnreadableAudio
from audio_ml.progress import Progress
from audio_ml.streams import AudioReader
from ui.server import hosts
from ui.server.database import Database
from ui.server.hosts import AllowedHost, HostFailed, HostRefused, Hosts
from ui.server.inputs import check_inputs, check_sound, check_webhook, open_input, resolve_below
from ui.server.options import ServerOptions
from ui.server.refusals import TooLarge, UnknownUpload
from ui.server.request import InputRef
from ui.server.tokens import Caller, local_caller
from ui.server.upload_store import UploadStore

RATE = 8000


def write_sound(path: Path, seconds: float = 1.0, n_channels: int = 1, **settings: Any) -> Path:
    import soundfile

    soundfile.write(path, np.zeros((round(seconds * RATE), n_channels), np.float32), RATE, **settings)
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root" / "inner").mkdir(parents=True)
    write_sound(tmp_path / "root" / "inner" / "song.wav")
    write_sound(tmp_path / "secret.wav")
    return tmp_path / "root"


@pytest.fixture
def options(tmp_path: Path, root: Path) -> ServerOptions:
    return ServerOptions(folder=str(tmp_path / "server"), roots=(str(root),), max_seconds=10, max_channels=4)


@pytest.fixture
def uploads(options: ServerOptions) -> UploadStore:
    options.data_folder.mkdir()
    return UploadStore(Database(options.data_folder / "jobs.sqlite"), options.uploads_folder, options)


# Paths


def test_a_file_below_a_root_is_read_where_it_lies(
    root: Path, options: ServerOptions, uploads: UploadStore, tmp_path: Path
) -> None:
    song = root / "inner" / "song.wav"
    (ref,) = check_inputs([InputRef(path=str(song))], local_caller(options), uploads, options)
    assert (ref["name"], Path(ref["path"])) == ("song.wav", song.resolve())
    assert open_input(ref, tmp_path, options, Progress()) == song.resolve()
    inside = root / "link.wav"
    inside.symlink_to(song)
    assert resolve_below(str(inside), [root])[0] == song.resolve()
    elsewhere = root.parent / "mount"
    elsewhere.symlink_to(root)
    assert resolve_below(str(elsewhere / "inner" / "song.wav"), [elsewhere])[0] == song.resolve()


def outside(root: Path) -> Iterator[str]:
    secret = root.parent / "secret.wav"
    yield str(secret)
    yield f"{root}/../secret.wav"
    yield f"{root}/inner/../../secret.wav"
    yield str(root)  # a folder
    yield f"{root}/none.wav"
    yield f"{root}/song.wav\0"
    yield "inner/song.wav"
    yield ""
    yield f"{root}-other/song.wav"
    yield "x" * 5000
    yield "/" + "x/" * 3000
    yield "/dev/zero"
    yield "/proc/self/environ"
    links = {"file": secret, "folder": root.parent, "device": Path("/dev/zero"), "loop": root / "loop"}
    for name, target in links.items():
        (root / name).symlink_to(target)
    yield from (str(root / "file"), str(root / "folder" / "secret.wav"), str(root / "device"), str(root / "loop"))
    os.mkfifo(root / "fifo")
    yield str(root / "fifo")
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as unix:
        os.chdir(root)  # names of sockets are short
        unix.bind("socket")
    yield str(root / "socket")


@pytest.mark.skipif(os.name != "posix", reason="links, pipes and devices")
def test_nothing_else_is_read_and_every_refusal_sounds_alike(
    root: Path, options: ServerOptions, uploads: UploadStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    (root.parent / "root-other").mkdir()
    write_sound(root.parent / "root-other" / "song.wav")
    for path in outside(root):
        with pytest.raises(InvalidInput) as error:
            check_inputs([InputRef(path=path)], local_caller(options), uploads, options)
        assert str(error.value) == f"{path!r} is no file below a folder that you may read by path on the server."


def test_without_roots_no_path_is_read(root: Path, uploads: UploadStore, options: ServerOptions) -> None:
    caller = Caller("anna", (), local_caller(options).limits)
    with pytest.raises(InvalidInput, match="may read by path"):
        check_inputs([InputRef(path=str(root / "inner" / "song.wav"))], caller, uploads, options)


def test_a_link_that_was_turned_away_meanwhile_is_not_followed(
    root: Path, options: ServerOptions, uploads: UploadStore, tmp_path: Path
) -> None:
    song = root / "inner" / "song.wav"
    (ref,) = check_inputs([InputRef(path=str(song))], local_caller(options), uploads, options)
    song.unlink()
    song.symlink_to(tmp_path / "secret.wav")
    with pytest.raises(InvalidInput, match="may read by path"):
        open_input(ref, tmp_path, options, Progress())


# Uploads


def test_an_upload_is_read_under_its_own_name_and_outlives_its_removal(
    options: ServerOptions, uploads: UploadStore, tmp_path: Path, root: Path
) -> None:
    caller = local_caller(options)
    data = (root / "inner" / "song.wav").read_bytes()
    upload = uploads.create(caller, len(data), "../my song.wav", "")
    with pytest.raises(InvalidInput, match=f"0 of {len(data)} bytes"):
        check_inputs([InputRef(upload=upload.id)], caller, uploads, options)
    uploads.append(upload, data)
    (ref,) = check_inputs([InputRef(upload=upload.id)], caller, uploads, options)
    (tmp_path / "job").mkdir()
    path = open_input(ref, tmp_path / "job", options, Progress())
    assert path == tmp_path / "job" / "my song.wav"
    uploads.delete(upload.id)
    assert path.read_bytes() == data
    with pytest.raises(UnknownUpload):
        check_inputs([InputRef(upload=upload.id)], caller, uploads, options)
    path.unlink()
    with pytest.raises(InvalidInput, match="no longer here"):
        open_input(ref, tmp_path / "job", options, Progress())


def test_an_upload_of_another_is_unknown(options: ServerOptions, uploads: UploadStore) -> None:
    upload = uploads.create(local_caller(options), 0, "a", "")
    with pytest.raises(UnknownUpload):
        check_inputs([InputRef(upload=upload.id)], Caller("ben", (), local_caller(options).limits), uploads, options)


# Sound that claims or holds too much


def test_sound_within_the_limits_passes(tmp_path: Path, options: ServerOptions) -> None:
    for name in ("a.wav", "a.flac", "a.ogg", "a.mp3"):
        check_sound(write_sound(tmp_path / name, 9), options)
    check_sound(write_m4a(tmp_path / "a.m4a", 9), options)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3", "a.m4a"])
def test_sound_over_the_limits_is_refused(tmp_path: Path, options: ServerOptions, name: str) -> None:
    write = write_m4a if name.endswith("m4a") else write_sound
    with pytest.raises(TooLarge, match="longer than") as error:
        check_sound(write(tmp_path / name, 11), options)
    assert "\n" not in str(error.value)


def test_channels_and_rates_are_limited(tmp_path: Path, options: ServerOptions) -> None:
    with pytest.raises(TooLarge, match="5 channels, and 4"):
        check_sound(write_sound(tmp_path / "a.wav", 1, 5), options)
    slow = write_sound(tmp_path / "b.wav")
    content = bytearray(slow.read_bytes())
    content[24:28] = struct.pack("<I", 4_000_000)
    slow.write_bytes(content)
    with pytest.raises(UnreadableAudio, match="sample rate"):
        check_sound(slow, options)


def lie_in_flac(path: Path, claimed: int) -> None:
    """Writes another number of samples into STREAMINFO: its last 36 bits before the MD5."""
    content = bytearray(path.read_bytes())
    field = int.from_bytes(content[18:26], "big")
    content[18:26] = (field >> 36 << 36 | claimed).to_bytes(8, "big")
    path.write_bytes(content)


def lie_in_ogg(path: Path, claimed: int) -> None:
    """Writes another position into the last page, with the checksum that belongs to it."""
    content = bytearray(path.read_bytes())
    page = content.rindex(b"OggS")
    content[page + 6 : page + 14] = struct.pack("<q", claimed)
    content[page + 22 : page + 26] = bytes(4)
    checksum = 0
    for byte in content[page:]:
        checksum ^= byte << 24
        for _ in range(8):
            checksum = (checksum << 1 ^ (0x04C11DB7 if checksum & 0x80000000 else 0)) & 0xFFFFFFFF
    content[page + 22 : page + 26] = struct.pack("<I", checksum)
    path.write_bytes(content)


def lie_in_mp3(path: Path, claimed: int) -> None:
    """Writes another number of frames into the Xing or Info header."""
    content = bytearray(path.read_bytes())
    place = max(content.find(b"Xing", 0, 500), content.find(b"Info", 0, 500))
    assert place > 0
    content[place + 8 : place + 12] = struct.pack(">I", max(1, claimed // 576))
    path.write_bytes(content)


def write_m4a(path: Path, seconds: float) -> Path:
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=RATE, layout="mono")
        for _ in range(round(seconds * RATE / 1024)):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate = RATE
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def lie_in_m4a(path: Path, claimed: int) -> None:
    """Writes another duration into every header that has one, and into the times of the samples."""
    content = bytearray(path.read_bytes())
    for kind, place in ((b"mvhd", 20), (b"mdhd", 20), (b"tkhd", 24)):
        at = content.index(kind) + place
        content[at : at + 4] = struct.pack(">I", max(1, claimed // 100))
    at = content.index(b"stts") + 12
    content[at + 4 : at + 8] = struct.pack(">I", 1)  # each sample lasts one tick
    path.write_bytes(content)


@pytest.mark.parametrize("claimed", [0, 1, RATE, 2 * RATE])
@pytest.mark.parametrize(
    ("name", "lie"), [("a.flac", lie_in_flac), ("a.ogg", lie_in_ogg), ("a.mp3", lie_in_mp3), ("a.m4a", lie_in_m4a)]
)
def test_a_small_file_that_claims_little_gives_little(
    tmp_path: Path, options: ServerOptions, name: str, lie: Callable[[Path, int], None], claimed: int
) -> None:
    """Two minutes of silence in a few kilobytes: refused, or read no further than what was claimed."""
    write = write_m4a if name.endswith("m4a") else write_sound
    path = write(tmp_path / name, 120)
    lie(path, claimed)
    try:
        check_sound(path, options)
    except (InvalidInput, TooLarge):
        return
    reader = AudioReader(path)
    n_read = sum(block.shape[1] for block in reader.blocks())
    assert n_read <= options.max_seconds * reader.info.sample_rate


def test_a_file_that_claims_days_is_refused_at_once(tmp_path: Path, options: ServerOptions) -> None:
    path = write_sound(tmp_path / "a.flac", 1)
    lie_in_flac(path, 2**36 - 1)
    began = time.monotonic()
    with pytest.raises(TooLarge):
        check_sound(path, options)
    assert time.monotonic() - began < 1


@pytest.mark.parametrize(
    "content", [b"", b"RIFF", b"not sound", b"fLaC" + bytes(100), b"#EXTM3U\nhttp://127.0.0.1/x", b"<?xml"]
)
def test_what_is_no_sound_is_one_line(tmp_path: Path, options: ServerOptions, content: bytes) -> None:
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(UnreadableAudio) as error:
        check_sound(tmp_path / "a.wav", options)
    assert "\n" not in str(error.value)


def test_counting_can_be_cancelled(tmp_path: Path, options: ServerOptions) -> None:
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        check_sound(write_m4a(tmp_path / "a.m4a", 9), options, progress)


# Addresses


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
        length = {"short": 1000, "huge": 10**12}.get(what, 5)
        if what != "endless":
            self.send_header("Content-Length", str(length))
        self.end_headers()
        with contextlib.suppress(OSError):
            if what == "slow":
                time.sleep(1)
            self.wfile.write(b"sound")
            while what == "endless":
                self.wfile.write(bytes(100_000))

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


def fetched(url: str, tmp_path: Path, *allowed: str, max_upload: str = "1MB") -> bytes:
    from ui.server.inputs import fetch

    shutil.rmtree(tmp_path / "job", ignore_errors=True)
    (tmp_path / "job").mkdir()
    options = ServerOptions(fetch_hosts=allowed, max_upload=max_upload)
    fetch(url, tmp_path / "job" / "a.wav", options, Progress())
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
    monkeypatch.setattr(hosts, "READ_SECONDS", 0.3)
    with site() as port:
        here = f"http://127.0.0.1:{port}"
        for what in ("huge", "endless"):
            with pytest.raises(TooLarge):
                fetched(f"{here}/{what}", tmp_path, here)
        for what in ("short", "slow", "none"):
            with pytest.raises(HostFailed) as error:
                fetched(f"{here}/{what}", tmp_path, here)
            assert "\n" not in str(error.value)
    with pytest.raises(HostFailed, match="did not answer"):
        fetched(f"{here}/a", tmp_path, here)  # nobody is there any more


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
