"""The page as a user meets it: a real server, a real browser, the real model."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from signals import noise

from audio_ml.audio import Audio
from audio_ml.errors import InvalidInput
from audio_ml.options import describe
from audio_ml.streams import read_audio
from audio_ml.writer import write_audio
from separation import DeliveryOptions
from separation.engines.spleeter import SpleeterOptions
from ui.server.launch import launch
from ui.server.options import ServerOptions

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.weights,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, which is not on the PATH"),
]

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect

BROWSER_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]
OpenPage = Callable[..., "sync_api.Page"]
PAGE_MS, WORK_MS = 15_000, 30_000
STRANGE_NAME = "it's a söng — 音 #1 (50 %).wav"
JOB_FOLDER = re.compile(r"[0-9a-f]{32}")


@dataclass
class Server:
    url: str
    temporary: Path

    def job_folders(self) -> set[Path]:
        return {path for path in self.temporary.glob("audio-ml-*/*") if JOB_FOLDER.fullmatch(path.name)}


@contextmanager
def serving(temporary: Path) -> Iterator[Server]:
    """Runs a server in a process of its own, ended as Ctrl-C does; it may leave no file and no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "ui.cli", "ui", "--port", str(port)],
        env=os.environ | {"TMPDIR": str(temporary), "AUDIO_ML_SERVER_FOLDER": str(temporary / "server")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert f"http://127.0.0.1:{port}/" in process.stdout.readline()
        yield Server(f"http://127.0.0.1:{port}/", temporary)
    finally:
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert "Traceback" not in errors and process.returncode == 0
    assert not list(temporary.glob("audio-ml-*"))
    assert not any(any((temporary / "server" / name).iterdir()) for name in ("work", "results", "uploads"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[sync_api.Browser]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=BROWSER_FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def long_song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three minutes, which take so long that there is time to stop the work."""
    path = tmp_path_factory.mktemp("song") / "long.wav"
    write_audio(path, Audio(np.tile(noise(10).samples, 18), 44100), bit_depth="16")
    return path


@pytest.fixture
def open_page(browser: sync_api.Browser, server: Server) -> Iterator[OpenPage]:
    """Opens the page, each time as another user; in the end, no page may have asked anyone but its server."""
    asked: set[str | None] = set()
    contexts = []

    def only_here(route: sync_api.Route) -> None:
        address = urlsplit(route.request.url)
        asked.add(address.hostname)
        if address.hostname == "127.0.0.1":
            route.continue_()
        else:
            route.abort()

    def open_one(url: str = server.url) -> sync_api.Page:
        context = browser.new_context(accept_downloads=True)
        contexts.append(context)
        context.route(re.compile("^(?!data:|blob:)"), only_here)
        page = context.new_page()
        page.set_default_timeout(PAGE_MS)
        page.goto(url)
        expect(page.get_by_role("button", name="Separate")).to_be_visible(timeout=PAGE_MS)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert asked == {"127.0.0.1"}


def separate(page: sync_api.Page, source: Path) -> None:
    page.locator("input[type=file]").first.set_input_files(source)
    expect(page.get_by_label("Remove this file").or_(page.get_by_label("Clear")).first).to_be_visible(timeout=PAGE_MS)
    page.get_by_role("button", name="Separate").click()


def download(page: sync_api.Page, link: sync_api.Locator, folder: Path) -> Path:
    with page.expect_download() as caught:
        link.click()
    path = folder / caught.value.suggested_filename
    caught.value.save_as(path)
    return path


def wait_until(holds: Callable[[], bool], seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.02)
    return holds()


def test_a_file_becomes_stems_to_hear_and_to_keep(open_page: OpenPage, server: Server, tmp_path: Path) -> None:
    source, mixture = tmp_path / STRANGE_NAME, noise(8)
    write_audio(source, mixture)
    page, former = open_page(), server.job_folders()
    separate(page, source)

    expect(page.get_by_text("times real time")).to_be_visible(timeout=WORK_MS)
    for stem in ("vocals", "accompaniment"):
        expect(page.get_by_role("button", name=f"Mute {stem}")).to_be_visible(timeout=WORK_MS)
    page.get_by_role("button", name="Play", exact=True).click()
    expect(page.get_by_role("button", name="Pause", exact=True)).to_be_visible()
    expect(page.get_by_role("slider", name="Position")).not_to_have_attribute("aria-valuenow", "0")
    expect(page.get_by_text(f"{mixture.n_samples} samples at 44100 Hz")).to_be_visible()
    expect(page.get_by_text("give back the source to within -1")).to_be_visible()

    links = page.locator("a[download$=' - vocals.wav'], a[download$=' - accompaniment.wav']")
    expect(links).to_have_count(2)
    stems = [read_audio(download(page, link, tmp_path)) for link in links.all()]
    assert [stem.n_samples for stem in stems] == [mixture.n_samples] * 2
    assert np.abs(stems[0].samples + stems[1].samples - mixture.samples).max() < 2**-22

    archive = download(page, page.get_by_text("Download all as one file"), tmp_path)
    assert archive.name == f"{source.stem} - stems.zip"
    names = {f"{source.stem} - {stem}.wav" for stem in ("vocals", "accompaniment")}
    assert set(zipfile.ZipFile(archive).namelist()) == names
    (folder,) = server.job_folders() - former
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_every_option_has_a_widget(open_page: OpenPage) -> None:
    from ui.web.widgets import label  # imports gradio, which takes seconds

    page = open_page()
    page.get_by_role("button", name="Advanced").click()
    for field in (*describe(SpleeterOptions), *describe(DeliveryOptions)):
        shown = 0 if field.name in ("filename", "overwrite") else 1
        expect(page.get_by_text(label(field), exact=True)).to_have_count(shown)
        expect(page.get_by_text(field.description, exact=True)).to_have_count(shown)
    assert page.get_by_label("Format").input_value() == "wav"


def test_an_option_reaches_the_work(open_page: OpenPage, tmp_path: Path) -> None:
    source = tmp_path / "song.wav"
    write_audio(source, noise(3))
    page = open_page()
    page.get_by_label("vocals", exact=True).check()
    page.get_by_label("Duration (s)").fill("1.5")
    page.get_by_role("button", name="Advanced").click()
    page.get_by_role(
        "checkbox", name="Exact"
    ).check()  # which the default of the residual would contradict, were it given
    separate(page, source)
    expect(page.get_by_text("66150 samples at 44100 Hz")).to_be_visible(timeout=WORK_MS)
    expect(page.get_by_text("is not the whole mixture")).to_be_visible()
    expect(page.get_by_role("button", name="Solo vocals")).to_be_visible(timeout=WORK_MS)
    expect(page.get_by_role("button", name="Solo accompaniment")).to_have_count(0)


def test_cancel_stops_the_work_and_keeps_nothing(open_page: OpenPage, server: Server, long_song: Path) -> None:
    page, former = open_page(), server.job_folders()
    separate(page, long_song)
    expect(page.get_by_text(re.compile(r"Separating: [1-9]\d?%, \d+ s left"))).to_be_visible(timeout=WORK_MS)
    assert server.job_folders() - former
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Stopped; nothing was kept.")).to_be_visible(timeout=10_000)
    assert not server.job_folders() - former
    expect(page.get_by_role("button", name="Play", exact=True)).to_have_count(0)
    expect(page.get_by_text("Download all")).to_have_count(0)
    expect(page.get_by_role("button", name="Separate")).to_be_enabled()


def test_stopping_the_server_stops_the_work_and_leaves_nothing(
    open_page: OpenPage, long_song: Path, tmp_path: Path
) -> None:
    (temporary := tmp_path / "server").mkdir()
    with serving(temporary) as server:
        separate(open_page(server.url), long_song)
        assert wait_until(lambda: any(server.temporary.rglob("*.part")))
    # `serving` has seen that nothing is left


def test_a_mistake_is_told_in_one_sentence(open_page: OpenPage, tmp_path: Path) -> None:
    source = tmp_path / "notes.wav"
    source.write_text("This is no sound.")
    page = open_page()
    page.get_by_role("button", name="Separate").click()
    expect(page.get_by_role("alert")).to_have_text("Choose an audio or video file first.", timeout=WORK_MS)
    separate(page, source)
    sentence = "notes.wav is not an audio or video file that can be read."
    expect(page.get_by_role("alert")).to_have_text(sentence, timeout=WORK_MS)


def test_users_do_not_see_each_other_and_leave_nothing(open_page: OpenPage, server: Server, tmp_path: Path) -> None:
    source = tmp_path / "mine.wav"
    write_audio(source, noise(2, seed=7))
    mine, other, former = open_page(), open_page(), server.job_folders()
    separate(mine, source)
    expect(mine.get_by_text("times real time")).to_be_visible(timeout=WORK_MS)
    expect(other.get_by_text("The stems will appear here.")).to_be_visible()
    expect(other.get_by_text("mine")).to_have_count(0)
    (folder,) = server.job_folders() - former
    other.get_by_role("button", name="Separate").click()
    expect(other.get_by_role("alert")).to_be_visible()
    assert folder.exists(), "what one user does leaves the other's files alone"
    mine.close()
    assert wait_until(lambda: not folder.exists())
    assert wait_until(lambda: not list(server.temporary.rglob("*mine*")))


def test_the_browser_is_told_to_talk_to_its_server_only(open_page: OpenPage, server: Server) -> None:
    blocked = open_page().evaluate(
        """() => new Promise(resolve => {
            document.addEventListener("securitypolicyviolation", event => resolve(event.blockedURI));
            fetch("http://elsewhere.invalid/").catch(() => setTimeout(resolve, 1000, "the policy let it pass"));
        })"""
    )
    assert blocked == "http://elsewhere.invalid/"
    forged = urllib.request.Request(server.url, headers={"Host": "elsewhere.invalid"})
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(forged, timeout=10)


def test_a_taken_port_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InvalidInput, match=f"Cannot listen on 127.0.0.1, port {port}"):
            launch("127.0.0.1", port, ServerOptions())
