"""The page as a visitor meets it: a real server, a real browser, the real model."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browsing import PAGE_MS, WORK_MS, OpenPage, download, needs_chromium
from serving import Server, serving
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

pytestmark = [pytest.mark.browser, pytest.mark.weights, needs_chromium]
expect = pytest.importorskip("playwright.sync_api").expect
FOCUSED = """() => {
    let element = document.activeElement;
    while (element.shadowRoot?.activeElement) element = element.shadowRoot.activeElement;
    return (element.getAttribute('aria-label') ?? element.textContent).trim();
}"""
LONG_NAME = "it's a söng — 音 🎸 #1 (50 %)" + " and on" * 10 + ".wav"  # of 100 characters and more


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(ServerOptions(folder=str(tmp_path_factory.mktemp("server"))), page=True) as server:
        yield server


@pytest.fixture(scope="module")
def long_song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An hour, which takes so long that there is time to stop the work."""
    path = tmp_path_factory.mktemp("song") / "long.wav"
    write_audio(path, Audio(np.tile(noise(10, 8000, 1).samples, 360), 8000), bit_depth="16")
    return path


def drop(page: Any, *sources: Path) -> None:
    page.locator("input[type=file]").first.set_input_files(sources)
    for source in sources:
        expect(page.locator(".file-preview").get_by_text(source.stem[:12]).first).to_be_visible(timeout=WORK_MS)


def button(page: Any) -> Any:
    return page.get_by_role("button", name="Separate", exact=True)


def separate(page: Any, *sources: Path) -> None:
    drop(page, *sources)
    button(page).click()


def card(page: Any, name: str) -> Any:
    return page.get_by_role("article", name=name, exact=True)


def stems_are_there(page: Any) -> None:
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_enabled(timeout=WORK_MS)


def test_a_file_becomes_stems_to_hear_and_to_keep(open_page: OpenPage, tmp_path: Path) -> None:
    source, mixture = tmp_path / LONG_NAME, noise(8)
    write_audio(source, mixture)
    page = open_page()
    separate(page, source)

    stems_are_there(page)
    expect(page.get_by_text("times real time")).to_be_visible()
    for stem in ("vocals", "accompaniment"):
        expect(page.get_by_role("button", name=f"Mute {stem}")).to_be_visible(timeout=WORK_MS)
    page.get_by_role("button", name="Play", exact=True).click()
    expect(page.get_by_role("button", name="Pause", exact=True)).to_be_visible()
    expect(page.get_by_role("slider", name="Position")).not_to_have_attribute("aria-valuenow", "0")
    expect(page.get_by_text(f"{mixture.n_samples} samples at 44100 Hz")).to_be_visible()
    expect(page.get_by_text("give back the source to within -1")).to_be_visible()

    page.get_by_text("Files", exact=True).last.click()
    links = page.locator(".files a")
    expect(links).to_have_count(2)
    stems = [read_audio(download(page, link, tmp_path)) for link in links.all()]
    assert [stem.n_samples for stem in stems] == [mixture.n_samples] * 2
    assert np.abs(stems[0].samples + stems[1].samples - mixture.samples).max() < 2**-22
    archive = download(page, page.get_by_role("link", name="Download all (zip)"), tmp_path)
    assert len(zipfile.ZipFile(archive).namelist()) == 2


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
    exact = page.get_by_role("checkbox", name="Exact")  # which the residual's default would contradict, were it given
    exact.check()
    separate(page, source)
    expect(page.get_by_text("66150 samples at 44100 Hz")).to_be_visible(timeout=WORK_MS)
    expect(page.get_by_text("is not the whole mixture")).to_be_visible()
    expect(page.get_by_role("button", name="Solo vocals")).to_be_visible(timeout=WORK_MS)
    expect(page.get_by_role("button", name="Solo accompaniment")).to_have_count(0)


def test_a_job_goes_on_while_the_page_is_loaded_anew_and_cancel_stops_it(
    open_page: OpenPage, server: Server, long_song: Path
) -> None:
    page = open_page()
    separate(page, long_song)
    running = card(page, "long.wav")
    expect(running).to_contain_text(re.compile(r"Separating: [1-9]\d?%, .*\d+ s left"), timeout=WORK_MS)
    page.reload()
    expect(running).to_contain_text(re.compile(r"Separating: [1-9]\d?%"), timeout=PAGE_MS)
    page.get_by_role("button", name="Cancel: long.wav").click()
    expect(running).to_contain_text("Stopped; nothing was kept.", timeout=WORK_MS)
    assert (
        not any((server.services.options.data_folder / "results").iterdir())
        or len(page.locator("stem-player").all()) == 0
    )
    page.get_by_role("button", name="Delete: long.wav").click()
    expect(running).to_have_count(0)
    expect(page.get_by_text("The stems will appear here.")).to_be_visible()


def test_on_a_phone_a_job_comes_into_sight_and_only_two_presses_delete_it(open_page: OpenPage, tmp_path: Path) -> None:
    source = tmp_path / "small.wav"
    write_audio(source, noise(2, seed=4))
    page = open_page(viewport={"width": 380, "height": 700}, color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"
    separate(page, source)
    done = card(page, "small.wav")
    expect(done).to_be_in_viewport()
    expect(done).to_have_css("border-top-width", "1px")  # our styles come after Gradio's
    expect(done).to_contain_text(re.compile(r"spleeter-2stems, .*\d:\d\d"))
    title = page.get_by_text("accompaniment", exact=True).filter(visible=True).last
    expect(title).to_be_visible(timeout=WORK_MS)
    assert title.evaluate("element => element.scrollWidth <= element.clientWidth")
    delete = done.get_by_role("button", name="Delete: small.wav")
    delete.dblclick()
    sure = done.get_by_role("button", name="Delete for good?: small.wav")
    expect(sure).to_be_visible()
    page.keyboard.press("Tab")
    expect(delete).to_be_visible()
    delete.click()
    sure.click()
    expect(done).to_have_count(0)


def test_several_files_become_several_jobs_and_two_clicks_are_one(
    open_page: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ui.server.page.SECONDS_OF_A_DOUBLE_CLICK", 60)  # as long as it may take the machine
    sources = [tmp_path / f"part {number}.wav" for number in (1, 2)]
    for source in sources:
        write_audio(source, noise(60))
    page = open_page()
    drop(page, *sources)
    button(page).dblclick()
    for source in sources:
        expect(card(page, source.name)).to_contain_text("Done.", timeout=WORK_MS)
        expect(card(page, source.name)).to_have_count(1)


def test_a_mistake_is_told_in_one_sentence_where_it_is(open_page: OpenPage, tmp_path: Path) -> None:
    source, empty = tmp_path / "notes.wav", tmp_path / "empty.wav"
    source.write_text("This is no sound.")
    empty.touch()
    page = open_page()
    button(page).click()
    expect(page.get_by_text("Choose an audio or video file first.")).to_be_visible(timeout=WORK_MS)
    told = {source: "notes.wav is not an audio or video file that can be read.", empty: "empty.wav is empty."}
    for wrong, sentence in told.items():
        separate(page, wrong)
        expect(card(page, wrong.name).get_by_role("alert")).to_have_text(sentence, timeout=WORK_MS)
        page.get_by_label("Clear").or_(page.get_by_label("Remove this file")).first.click()
    page.get_by_label("Start (s)").fill("-5")
    separate(page, source)
    expect(page.get_by_text("“Start (s)” cannot be -5: it has to be at least 0.")).to_be_visible(timeout=PAGE_MS)


def test_two_visitors_never_see_each_others_files(open_page: OpenPage, server: Server, tmp_path: Path) -> None:
    source = tmp_path / "mine.wav"
    write_audio(source, noise(2, seed=7))
    mine, other = open_page(), open_page()
    separate(mine, source)
    stems_are_there(mine)
    job = card(mine, "mine.wav").get_attribute("data-job")
    other.reload()
    expect(other.get_by_text("The stems will appear here.")).to_be_visible()
    ask = "path => fetch(path).then(reply => reply.status)"
    for path in ("", "/tracks", "/archive", "/files/mine%20-%20vocals.wav", "/events"):
        assert other.evaluate(ask, f"mine/v1/jobs/{job}{path}") == 404
        assert other.evaluate(ask, f"v1/jobs/{job}{path}") == 404
    assert mine.evaluate(ask, f"mine/v1/jobs/{job}/tracks") == 200
    assert server.ask("GET", f"/mine/v1/jobs/{job}").status == 401


def test_a_lost_connection_is_told_and_found_again(open_page: OpenPage, long_song: Path) -> None:
    page = open_page()
    separate(page, long_song)
    running = card(page, "long.wav")
    expect(running).to_contain_text("Separating", timeout=WORK_MS)
    page.route("**/mine/v1/**", lambda route: route.abort())
    page.reload()
    page.get_by_role("tab", name="Separate").click()
    expect(page.get_by_role("alert").filter(has_text="The server does not answer.").first).to_be_visible()
    page.unroute("**/mine/v1/**")
    page.reload()
    expect(running).to_contain_text("Separating", timeout=PAGE_MS)
    page.get_by_role("button", name="Cancel: long.wav").click()
    expect(running).to_contain_text("Stopped", timeout=WORK_MS)


def test_keys_alone_do_it_all(open_page: OpenPage, tmp_path: Path) -> None:
    source = tmp_path / "keys.wav"
    write_audio(source, noise(2, seed=3))
    page = open_page()
    drop(page, source)
    page.get_by_role("tab", name="Separate").focus()

    def tab_to(name: str, most: int = 60) -> None:
        for _ in range(most):
            page.keyboard.press("Tab")
            if page.evaluate(FOCUSED) == name:
                return
        raise AssertionError(f"no key leads to {name}")

    tab_to("Separate")
    page.keyboard.press("Enter")
    stems_are_there(page)
    tab_to("Play")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Pause", exact=True)).to_be_visible()


def test_the_browser_is_told_to_talk_to_its_server_only(open_page: OpenPage, server: Server) -> None:
    blocked = open_page().evaluate(
        """() => new Promise(resolve => {
            document.addEventListener("securitypolicyviolation", event => resolve(event.blockedURI));
            fetch("http://elsewhere.invalid/").catch(() => setTimeout(resolve, 10000, "the policy let it pass"));
        })"""
    )
    assert blocked == "http://elsewhere.invalid/"
    forged = urllib.request.Request(server.url, headers={"Host": "elsewhere.invalid"})
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(forged, timeout=60)


def test_a_key_of_the_page_is_for_this_page_alone(server: Server) -> None:
    cookie = server.ask("GET", "/").headers["Set-Cookie"]
    for attribute in ("HttpOnly", "SameSite=Lax", "Path=/"):
        assert attribute in cookie
    key = cookie.split(";")[0]
    assert server.ask("GET", "/", headers={"Cookie": key}).headers["Set-Cookie"] is None
    assert server.ask("GET", "/mine/v1/jobs", headers={"Cookie": key}).json == {"jobs": []}
    for wrong in (
        "",
        "audio_ml_visitor=",
        "audio_ml_visitor=local",
        "audio_ml_visitor=../../../../../../../../../../x",
    ):
        assert server.ask("GET", "/mine/v1/jobs", headers={"Cookie": wrong}).status == 401


def test_ctrl_c_ends_a_page_that_is_at_work_without_a_traceback(browser: Any, long_song: Path, tmp_path: Path) -> None:
    from browsing import visiting

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "ui.cli", "ui", "--port", str(port)],
        env=os.environ | {"AUDIO_ML_SERVER_FOLDER": str(tmp_path / "server")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert f"http://127.0.0.1:{port}/" in process.stdout.readline()
    with visiting(browser, f"http://127.0.0.1:{port}/") as open_one:
        page = open_one()
        separate(page, long_song)
        expect(card(page, "long.wav")).to_contain_text("Separating", timeout=WORK_MS)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=120)
    assert "Traceback" not in errors and process.returncode == 0
    assert not any((tmp_path / "server" / "work").iterdir())
    assert not (tmp_path / "server" / "arriving").exists()


def test_a_taken_port_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InvalidInput, match=f"Cannot listen on 127.0.0.1, port {port}"):
            launch("127.0.0.1", port, ServerOptions())
