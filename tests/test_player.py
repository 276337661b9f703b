"""The multitrack player in a real browser: what it tells the audio thread, and how people and keys move it."""

from __future__ import annotations

import io
import re
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import soundfile
from browsing import PAGE_MS, needs_chromium, wait_for
from listening import ListeningServer, listening, stem_report, write_sparse
from signals import noise

from audio_ml.audio import Audio
from audio_ml.writer import write_audio

pytestmark = [pytest.mark.browser, needs_chromium]
sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect

RATE = 44100
LOW_RATE = 8000
STEMS = ("vocals", "drums")
NOTE_PIECES = """() => {
    const { engine } = document.querySelector('stem-player');
    window.begun = [];
    engine.addEventListener('placed', ({ detail }) => window.begun.push(detail.piece.start));
}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ListeningServer]:
    with listening(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="module")
def stems() -> dict[str, np.ndarray]:
    made = (noise(24, seed=seed, peak=0.25).samples for seed in (1, 2))
    return dict(zip(STEMS, (np.rint(samples * 2**23).astype(np.float32) / 2**23 for samples in made), strict=True))


@pytest.fixture(scope="module")
def job(server: ListeningServer, stems: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> str:
    source = tmp_path_factory.mktemp("source") / "it's a söng — 音.wav"
    write_audio(source, Audio(stems["vocals"] + stems["drums"], RATE))

    def fill(folder: Path) -> None:
        for stem, samples in stems.items():
            write_audio(folder / "song" / f"{stem}.wav", Audio(samples, RATE))

    report = stem_report({"vocals": -20.0, "drums": -23.0}, RATE, 24 * RATE)
    return server.publish(fill, report, source=source)


@pytest.fixture(scope="module")
def slow_reel(server: ListeningServer) -> str:
    """Two hours at a rate that makes them quick to look through."""

    def fill(folder: Path) -> None:
        (folder / "reel").mkdir()
        for stem in STEMS:
            write_sparse(folder / "reel" / f"{stem}.wav", LOW_RATE, 7200 * LOW_RATE, [LOW_RATE])

    return server.publish(fill, stem_report(dict.fromkeys(STEMS, -40.0), LOW_RATE, 7200 * LOW_RATE, "reel"))


@pytest.fixture
def page(browser: sync_api.Browser) -> Iterator[sync_api.Page]:
    """A page that may ask nobody but its server, and on which nothing may go wrong."""
    asked: set[str | None] = set()
    wrong: list[str] = []
    context = browser.new_context(accept_downloads=True)
    page = context.new_page()
    page.set_default_timeout(PAGE_MS)
    page.on("request", lambda request: asked.add(urlsplit(request.url).hostname))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    yield page
    context.close()
    assert asked <= {"127.0.0.1", None} and not wrong


def open_player(page: sync_api.Page, server: ListeningServer, job: str, n_tracks: int) -> None:
    page.goto(f"{server.url}/player/index.html?job=/v1/jobs/{job}")
    expect(page.locator(".wave > *")).to_have_count(n_tracks, timeout=PAGE_MS)


def ask(page: sync_api.Page, expression: str) -> Any:
    """Returns what the player says: `engine` and `player` are known."""
    code = "const player = document.querySelector('stem-player'); const engine = player.engine; return " + expression
    return page.evaluate(f"() => {{ {code} }}")


class TestPlayer:
    def test_it_plays_and_rests(self, page: sync_api.Page, server: ListeningServer, job: str) -> None:
        open_player(page, server, job, 3)
        assert ask(page, "engine") is None, "nothing sounds before somebody wants it"
        page.get_by_role("button", name="Loop").click()  # it goes on, however long this takes
        page.get_by_role("button", name="Play").click()
        wait_for(lambda: ask(page, "engine.position") > RATE // 4)
        expect(page.get_by_role("button", name="Pause")).to_be_visible()
        assert ask(page, "engine.nChunks") <= 3
        page.get_by_role("button", name="Pause").click()
        wait_for(lambda: ask(page, "engine.context.state") == "suspended")
        where = ask(page, "engine.position")
        page.get_by_role("button", name="Play").click()
        wait_for(lambda: ask(page, "engine.position") > where)

    def test_it_goes_where_one_clicks(self, page: sync_api.Page, server: ListeningServer, job: str) -> None:
        open_player(page, server, job, 3)
        box = page.locator(".lane").nth(1).bounding_box()
        assert box is not None
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 9)
        expect(page.get_by_role("slider", name="Position")).to_have_attribute(
            "aria-valuetext", re.compile(r"0:1[12]\.\d of 0:24\.0")
        )
        page.get_by_role("button", name="Play").click()
        wait_for(lambda: ask(page, "engine.position") > 12 * RATE)
        page.evaluate(NOTE_PIECES)
        page.mouse.click(box["x"] + 1, box["y"] + 9)
        wait_for(lambda: any(0 < start < RATE for start in page.evaluate("window.begun")))

    def test_keys_alone_do_everything(self, page: sync_api.Page, server: ListeningServer, job: str) -> None:
        open_player(page, server, job, 3)
        position = page.get_by_role("slider", name="Position")
        position.focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Shift+ArrowRight")
        expect(position).to_have_attribute("aria-valuenow", "6.0")
        page.keyboard.press("i")
        page.keyboard.press("End")
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("o")
        expect(page.get_by_role("button", name="Loop")).to_have_attribute("aria-pressed", "true")
        page.keyboard.press("Home")
        page.keyboard.press(" ")
        expect(page.get_by_role("button", name="Pause")).to_be_visible()
        assert ask(page, "engine.loop") == {"begin": 6 * RATE, "end": 19 * RATE}
        page.keyboard.press("2")
        expect(page.get_by_role("button", name="Mute drums")).to_have_attribute("aria-pressed", "true")
        page.keyboard.press("Shift+1")
        expect(page.get_by_role("button", name="Solo vocals")).to_have_attribute("aria-pressed", "true")
        page.keyboard.press("a")
        expect(page.get_by_role("button", name="Original")).to_have_attribute("aria-pressed", "true")
        page.keyboard.press(" ")
        expect(page.get_by_role("button", name="Play")).to_be_visible()
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        page.keyboard.press(" ")
        expect(page.get_by_role("button", name="Solo vocals")).to_have_attribute("aria-pressed", "false")

    def test_what_is_heard_is_what_the_controls_say(
        self, page: sync_api.Page, server: ListeningServer, job: str
    ) -> None:
        open_player(page, server, job, 3)
        page.get_by_role("button", name="Loop").click()
        page.get_by_role("button", name="Play").click()

        def gains() -> list[float]:
            return [round(gain, 3) for gain in ask(page, "engine.outputs.map((output) => output.gain.value)")]

        wait_for(lambda: gains() == [1, 1, 0])
        page.get_by_role("slider", name="Volume of vocals").fill("-6")
        wait_for(lambda: gains() == [round(10 ** (-6 / 20), 3), 1, 0])
        page.get_by_role("button", name="Mute drums").click()
        wait_for(lambda: gains() == [round(10 ** (-6 / 20), 3), 0, 0])
        page.get_by_role("button", name="Original").click()
        wait_for(lambda: gains()[:2] == [0, 0] and 0 < gains()[2] < 1)
        page.get_by_label("Equal loudness").uncheck()
        wait_for(lambda: gains() == [0, 0, 1])

    def test_the_mix_and_the_files_can_be_taken_home(
        self, page: sync_api.Page, server: ListeningServer, job: str, stems: dict[str, np.ndarray]
    ) -> None:
        open_player(page, server, job, 3)
        page.get_by_role("slider", name="Volume of drums").fill("-12")

        def taken(name: str) -> tuple[str, bytes]:
            with page.expect_download() as caught:
                page.get_by_role("link", name=name).click()
            return caught.value.suggested_filename, Path(caught.value.path()).read_bytes()

        name, content = taken("Export this mix")
        assert name == "it's a söng — 音 - mix.wav"
        mix, _ = soundfile.read(io.BytesIO(content), dtype="float64")
        np.testing.assert_allclose(mix.T, stems["vocals"] + 10 ** (-12 / 20) * stems["drums"], atol=2**-22)
        name, content = taken("Download all")
        assert name == "it's a söng — 音 - stems.zip"
        assert zipfile.ZipFile(io.BytesIO(content)).testzip() is None
        assert taken("Download vocals")[0] == "vocals.wav"

    def test_spectrograms_in_place_of_waveforms(self, page: sync_api.Page, server: ListeningServer, job: str) -> None:
        open_player(page, server, job, 3)
        page.get_by_role("button", name="Spectrogram").click()
        pictures = page.get_by_role("img", name=re.compile("Spectrogram of"))
        expect(pictures).to_have_count(3)
        wait_for(lambda: all(picture.evaluate("picture => picture.naturalWidth > 100") for picture in pictures.all()))
        page.get_by_role("button", name="Spectrogram").click()
        expect(pictures).to_have_count(0)

    def test_a_reel_of_two_hours_draws_and_plays_at_its_end(
        self, page: sync_api.Page, server: ListeningServer, slow_reel: str
    ) -> None:
        server.ask("GET", f"/v1/jobs/{slow_reel}/peaks/reel/vocals.wav")
        server.ask("GET", f"/v1/jobs/{slow_reel}/peaks/reel/drums.wav")
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        open_player(page, server, slow_reel, 2)
        assert sum("/peaks/" in url for url in asked) == 2 and not any("/sound/" in url for url in asked)
        expect(page.get_by_text("0:00.0 / 2:00:00.0")).to_be_visible()
        page.get_by_role("slider", name="Position").focus()
        page.keyboard.press("End")
        page.keyboard.press("Shift+ArrowLeft")
        page.keyboard.press(" ")
        expect(page.get_by_text("2:00:00.0 / 2:00:00.0")).to_be_visible()
        expect(page.get_by_role("button", name="Play")).to_be_visible()
        assert ask(page, "engine.position") == 7200 * LOW_RATE
        wait_for(lambda: ask(page, "engine.context.state") == "suspended")

    def test_idle_it_does_nothing(self, page: sync_api.Page, server: ListeningServer, job: str) -> None:
        open_player(page, server, job, 3)
        page.get_by_role("button", name="Play").click()
        wait_for(lambda: ask(page, "engine.position") > 0)
        page.get_by_role("button", name="Pause").click()
        wait_for(lambda: ask(page, "engine.context.state") == "suspended")
        devtools = page.context.new_cdp_session(page)
        devtools.send("Performance.enable", {"timeDomain": "threadTicks"})  # what others make it wait for is no work

        def worked(seconds: float) -> float:
            seen = []
            for pause in (0, seconds):
                time.sleep(pause)
                metrics = devtools.send("Performance.getMetrics")["metrics"]
                seen.append(next(float(metric["value"]) for metric in metrics if metric["name"] == "TaskDuration"))
            return seen[1] - seen[0]

        wait_for(lambda: worked(2) < 0.05)  # what was begun before may have to end first

    @pytest.mark.parametrize(("rate", "heard"), [(192_000, 96_000), (4000, 8000)])
    def test_rates_that_no_browser_needs_to_know_are_heard_at_another(
        self, page: sync_api.Page, server: ListeningServer, rate: int, heard: int
    ) -> None:
        def fill(folder: Path) -> None:
            write_audio(folder / "song" / "vocals.wav", noise(3, rate, n_channels=1))

        job = server.publish(fill, stem_report({"vocals": -20.0}, rate, 3 * rate))
        open_player(page, server, job, 1)
        expect(page.get_by_text("0:00.0 / 0:03.0")).to_be_visible()
        page.get_by_role("button", name="Play").click()
        wait_for(lambda: ask(page, "engine.position") == 3 * heard and ask(page, "engine.state") == "stopped")

    def test_narrow_and_wide_nothing_is_cut_off(self, page: sync_api.Page, server: ListeningServer, job: str) -> None:
        for width, height in ((380, 700), (3840, 2160)):
            page.set_viewport_size({"width": width, "height": height})
            open_player(page, server, job, 3)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            for lane in page.locator(".lane").all():
                box = lane.bounding_box()
                assert box is not None and box["x"] + box["width"] <= width and box["width"] > 300

    def test_a_connection_that_is_lost_is_told_and_can_come_back(
        self, browser: sync_api.Browser, server: ListeningServer, job: str
    ) -> None:
        page = browser.new_page()
        open_player(page, server, job, 3)
        page.route("**/sound/**", lambda route: route.abort())
        page.get_by_role("button", name="Play").click()
        expect(page.get_by_role("alert")).to_have_text("The server cannot be reached.", timeout=PAGE_MS)
        page.unroute("**/sound/**")
        page.get_by_role("button", name="Play").click()
        wait_for(lambda: ask(page, "engine.position") > 0)
        expect(page.get_by_role("alert")).to_have_count(0)
        page.close()

    @pytest.mark.parametrize(
        ("address", "sentence"),
        [
            ("/v1/jobs/none", "There is no job 'none'."),
            ("//elsewhere.example/v1", "This is not the address of a job."),
            ("https://elsewhere.example/", "This is not the address of a job."),
        ],
    )
    def test_a_mistake_is_one_sentence(
        self, browser: sync_api.Browser, server: ListeningServer, address: str, sentence: str
    ) -> None:
        page = browser.new_page()
        page.goto(f"{server.url}/player/index.html?job={address}")
        expect(page.get_by_role("alert")).to_have_text(sentence, timeout=PAGE_MS)
        page.close()

    def test_a_dark_page_has_a_dark_player(self, page: sync_api.Page, server: ListeningServer, job: str) -> None:
        page.emulate_media(color_scheme="dark")
        open_player(page, server, job, 3)
        player = page.locator("stem-player")
        expect(player).to_have_attribute("data-theme", "dark")
        page.emulate_media(color_scheme="light")
        expect(player).to_have_attribute("data-theme", "light")
        page.evaluate("document.body.classList.add('dark')")
        expect(player).to_have_attribute("data-theme", "dark")
