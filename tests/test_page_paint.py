"""Painting on a mask, in a real browser: that it computes what it says, and that strokes do what they are for."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browsing import download, needs_chromium, wait_for
from numpy.typing import NDArray
from serving import Server, serving

import separation
from audio_ml.audio import Audio
from audio_ml.streams import read_audio
from ui.server.options import ServerOptions

pytestmark = [pytest.mark.browser, pytest.mark.weights, needs_chromium]
expect = pytest.importorskip("playwright.sync_api").expect
RATE = 44100
HEARD_MS = 10_000  # at most, on a machine that stands still at times; 61 to 80 ms on a quiet one
Sound = NDArray[np.float32]

SHOW = """(base) => {
  const host = document.createElement('main');
  for (const name of ['mask-painter', 'layer-view']) {
    const element = document.createElement(name);
    if (name === 'mask-painter') element.setAttribute('job', base);
    host.append(element);
  }
  document.body.replaceChildren(host);
}"""
FIGURES = "() => document.querySelector('mask-painter').figures"
SOUND = """(which) => document.querySelector('mask-painter').sounds[which].map((samples) => {
  const bytes = new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
  let text = '';
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return btoa(text);
})"""
PAINT = "(stroke) => document.querySelector('mask-painter').paint(stroke)"


@dataclass
class Painter:
    """A page with a painter on the example, which is ready."""

    page: Any
    folder: Path

    def figures(self) -> dict[str, Any]:
        return dict(self.page.evaluate(FIGURES))

    def sound(self, which: str) -> Sound:
        channels = [np.frombuffer(base64.b64decode(text), "<f4") for text in self.page.evaluate(SOUND, which)]
        return np.stack(channels)

    def wait(self, n_done: int) -> dict[str, Any]:
        """Waits until so many changes have been computed to the end."""
        return wait_for(lambda: self.figures() if self.figures()["nDone"] >= n_done else None)

    def paint(self, **stroke: Any) -> dict[str, Any]:
        n_done = self.figures()["nDone"]
        self.page.evaluate(PAINT, stroke)
        return self.wait(n_done + 1)

    def press(self, name: str) -> dict[str, Any]:
        n_done = self.figures()["nDone"]
        self.page.get_by_role("button", name=name).click()
        return self.wait(n_done + 1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    options = ServerOptions(folder=str(tmp_path_factory.mktemp("server")))
    with serving(options, page=True) as server:
        yield server


@pytest.fixture(scope="module")
def painter_page(server: Server, browser: Any) -> Iterator[Any]:
    """One visitor's page with the example, as they come to it: a job that is done once for all tests."""
    page = browser.new_page(viewport={"width": 1200, "height": 1000}, accept_downloads=True)
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.goto(server.url)
    page.get_by_role("tab", name="Learn").click()
    page.locator("learn-tour").get_by_text("What a mask is: paint").click()
    page.get_by_role("button", name="Use the example").first.click()
    wait_for(lambda: page.evaluate("() => document.querySelector('mask-painter')?.figures.isReady"), 180)
    page.base = page.locator("mask-painter").get_attribute("job")
    page.get_by_role("article", name="Example").wait_for()
    page.locator("learn-tour").get_by_text("Inside the network, layer by layer").click()
    expect(page.locator("layer-view").get_by_role("button", name="down 3")).to_be_visible()
    yield page
    assert page.problems == []


@pytest.fixture
def painter(painter_page: Any, tmp_path: Path) -> Painter:
    painter_page.evaluate(SHOW, painter_page.base)
    painter = Painter(painter_page, tmp_path)
    painter.wait(1)
    return painter


def energy_db(sound: Sound, seconds: tuple[float, float], hz: tuple[float, float]) -> float:
    """Returns the level of a region in dB, by one long transform: no code of the page's."""
    piece = sound[:, round(seconds[0] * RATE) : round(seconds[1] * RATE)]
    spectrum = np.abs(np.fft.rfft(piece * np.hanning(piece.shape[1]))) ** 2
    frequencies = np.fft.rfftfreq(piece.shape[1], 1 / RATE)
    inside = (frequencies >= hz[0]) & (frequencies <= hz[1])
    return float(10 * np.log10(spectrum[:, inside].sum() + 1e-20))


def ratio_db(signal: Sound, error: Sound) -> float:
    return float(10 * np.log10(np.sum(np.square(signal, dtype=np.float64)) / max(np.sum(np.square(error)), 1e-30)))


def test_without_strokes_it_is_what_the_engine_gives(painter: Painter) -> None:
    clip = painter.sound("original")
    stems = separation.separate(Audio(clip, RATE)).stems
    assert ratio_db(stems["vocals"].samples, painter.sound("result") - stems["vocals"].samples) > 85
    error = painter.sound("removed") - stems["accompaniment"].samples
    assert ratio_db(stems["accompaniment"].samples, error) > 85


def test_result_and_removed_are_the_original(painter: Painter) -> None:
    figures = painter.paint(brush="keep", seconds=[1.5, 2.5], hz=[300, 5000])
    clip = painter.sound("original")
    left = clip.astype(np.float64) - painter.sound("result") - painter.sound("removed")
    measured = -ratio_db(clip, left.astype(np.float32))
    assert measured < -130 and abs(measured - figures["nullDb"]) < 1
    painter.page.get_by_text("Result and what was removed add up to the original").wait_for()


@pytest.mark.parametrize(
    ("brush", "seconds"),
    [("remove", (3.1, 3.6)), ("keep", (0.2, 0.8))],  # while somebody speaks; while only the tune is heard
)
def test_keep_raises_and_remove_lowers_what_they_cover(
    painter: Painter, brush: str, seconds: tuple[float, float]
) -> None:
    inner = (seconds[0] + 0.1, seconds[1] - 0.1), (1200.0, 2600.0)  # away from the soft edge
    model, whole = (energy_db(painter.sound(which), *inner) for which in ("result", "original"))
    painter.paint(brush=brush, strength=12, seconds=seconds, hz=[1000, 3000])
    painted = energy_db(painter.sound("result"), *inner)
    if brush == "remove":
        assert painted < model - 10
    else:
        assert model + 10 < painted <= whole + 0.1
        assert whole - painted < 1, "nearly all of it is kept"


def test_a_stroke_changes_nothing_elsewhere(painter: Painter) -> None:
    before = painter.sound("result")
    painter.paint(brush="remove", seconds=[3.0, 3.2], hz=[500, 2000])
    after = painter.sound("result")
    moved = np.flatnonzero((before != after).any(axis=0)) / RATE
    assert 2.8 < moved.min() < 3.1 and 3.1 < moved.max() < 3.4
    same = energy_db(before, (3.0, 3.2), (6000, 10_000)), energy_db(after, (3.0, 3.2), (6000, 10_000))
    assert abs(same[0] - same[1]) < 0.2


def test_strokes_come_off_as_they_went_on(painter: Painter) -> None:
    model = painter.sound("result")
    painter.paint(brush="keep", seconds=[1, 2], hz=[300, 900])
    once = painter.sound("result")
    painter.paint(brush="soften", seconds=[1.5, 3], hz=[300, 4000], isAlike=True)
    twice = painter.sound("result")
    assert not np.array_equal(once, twice)
    painter.press("Undo")
    assert np.array_equal(painter.sound("result"), once)
    painter.press("Redo")
    assert np.array_equal(painter.sound("result"), twice)
    painter.press("Reset to the model's mask")
    assert np.array_equal(painter.sound("result"), model)
    painter.press("Redo")
    assert np.array_equal(painter.sound("result"), once)
    painter.paint(brush="restore", seconds=[0, 6], hz=[40, 22_000])
    assert ratio_db(model, painter.sound("result") - model) > 60, "the brush 'Model' takes strokes away"


def test_the_other_stem_is_steered_as_well(painter: Painter) -> None:
    place = (1.2, 1.8), (200.0, 1000.0)
    voice = painter.sound("result")
    n_done = painter.figures()["nDone"]
    painter.page.get_by_label("accompaniment", exact=True).check()
    painter.wait(n_done + 1)
    assert np.array_equal(painter.sound("removed"), voice)
    before = energy_db(painter.sound("result"), *place)
    painter.paint(brush="keep", strength=10, seconds=[1, 2], hz=[100, 1200])
    assert energy_db(painter.sound("result"), *place) > before + 3
    assert energy_db(painter.sound("removed"), *place) < energy_db(voice, *place) - 10


def test_a_stroke_of_the_pointer_is_heard_at_once(painter: Painter) -> None:
    """Both while it plays and while it does not; the best of three, for other tests may be at work."""
    page, before = painter.page, painter.sound("result")
    box = page.get_by_role("application").bounding_box()
    heard = []
    for number in range(3):
        n_done = painter.figures()["nDone"]
        x, y = box["x"] + box["width"] * (0.4 + 0.1 * number), box["y"] + box["height"] * 0.5
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + 60, y - 20, steps=6)
        page.mouse.up()
        heard.append(painter.wait(n_done + 1)["heardMs"])
        if number == 0:  # which was played by itself, once
            expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()
            page.get_by_label("Loop").check()
            page.get_by_label("Play after each stroke").uncheck()
            page.get_by_role("button", name="Play", exact=True).click()
    assert all(heard) and min(heard) < HEARD_MS
    assert not np.array_equal(before, painter.sound("result"))
    page.get_by_text("after the stroke").wait_for()
    page.get_by_role("button", name="Stop", exact=True).click()


def test_it_is_painted_by_keys_alone(painter: Painter) -> None:
    page, before = painter.page, painter.sound("result")
    n_done = painter.figures()["nDone"]
    page.get_by_role("application").focus()
    for key in ["ArrowRight", *["Shift+ArrowRight"] * 6, *["Shift+ArrowUp"] * 8, "ArrowUp", "r", "Enter"]:
        page.keyboard.press(key)
    assert painter.wait(n_done + 1)["nStrokes"] == 1
    after = painter.sound("result")
    assert np.sum(after**2) < np.sum(before**2), "R is the brush that removes"
    page.keyboard.press("Control+z")
    painter.wait(n_done + 2)
    assert np.array_equal(painter.sound("result"), before)


def test_numbers_say_a_rectangle(painter: Painter) -> None:
    page, n_done = painter.page, painter.figures()["nDone"]
    page.get_by_text("By numbers and keys").click()
    apply = page.get_by_role("button", name="Apply the brush to this rectangle")
    expect(apply).to_be_disabled()
    boxes = page.locator("mask-painter input[type=number]")
    for box, value in zip(boxes.all(), ("1", "2", "500", "100"), strict=True):
        box.fill(value)
        box.blur()
    expect(apply).to_be_disabled()  # its top is below its bottom
    boxes.nth(3).fill("2000")
    boxes.nth(3).blur()
    apply.click()
    assert painter.wait(n_done + 1)["nStrokes"] == 1


def test_the_result_is_taken_home(painter: Painter) -> None:
    painter.paint(brush="remove", seconds=[2, 3], hz=[100, 8000])
    path = download(painter.page, painter.page.get_by_role("button", name="Download the result (WAV)"), painter.folder)
    assert path.name == "Example - vocals, painted.wav"
    kept = read_audio(path)
    assert kept.sample_rate == RATE and np.array_equal(kept.samples, painter.sound("result"))


def test_of_the_example_the_truth_is_known(painter: Painter) -> None:
    """The figure on the page is that of NumPy, and who paints well is better than the model."""
    figures = painter.figures()
    truth = json.loads(painter.page.evaluate("async (base) => await (await fetch(base)).text()", painter.page.base))
    assert set(truth["report"]["truth"]) == {"vocals", "accompaniment"}
    painter.paint(brush="remove", strength=12, seconds=[0, 0.95], hz=[40, 22_000])  # nobody speaks yet
    after = painter.paint(brush="remove", strength=12, seconds=[5.25, 6.3], hz=[40, 22_000])  # nor any more
    assert after["sdrDb"] > figures["modelSdrDb"]["vocals"]
    painter.page.get_by_text("The true vocals are known here").wait_for()


def test_layers_are_shown_for_the_sound_that_is_painted_on(painter: Painter) -> None:
    view = painter.page.locator("layer-view")
    expect(view.get_by_role("button", name="down 3")).to_be_visible()
    view.get_by_role("button", name="down 3").click()
    expect(view.get_by_role("heading")).to_have_text(
        "down 3: convolution 5 x 5, every second cell; normalised, leaky ReLU"
    )
    expect(view.get_by_text("64 channels of 64 × 128 cells")).to_be_visible()
    expect(view.get_by_text("separation/nets/spleeter_torch.py")).to_be_visible()
    expect(view.get_by_text("goes on to 'up 3'")).to_be_visible()
    expect(view.get_by_role("img")).to_have_count(8)
    view.get_by_role("slider", name="Layer").press("End")
    expect(view.get_by_role("heading")).to_contain_text("mask: ratio")
    view.get_by_label("the one for accompaniment").check()
    expect(view.get_by_role("heading")).to_contain_text("mask: ratio")
    places = [view.get_by_role("button", name=name).bounding_box() for name in ("mask", "estimate", "head", "up 6")]
    assert [box["y"] for box in places] == sorted(box["y"] for box in places)  # what is computed last stands on top
    expect(view.locator("figcaption")).to_contain_text(["left", "right"])
    canvas = view.locator("figure canvas").first
    lit = "(c) => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((v) => v > 200)"
    wait_for(lambda: canvas.evaluate(lit))


def test_a_job_that_is_gone_is_told(painter_page: Any) -> None:
    painter_page.evaluate(SHOW, painter_page.base.rpartition("/")[0] + "/" + "0" * 32)
    expect(painter_page.locator("mask-painter").get_by_role("alert")).to_contain_text("no job")


def test_it_fits_a_narrow_page(painter: Painter) -> None:
    painter.page.set_viewport_size({"width": 380, "height": 800})
    wait_for(lambda: painter.page.evaluate("document.documentElement.scrollWidth") <= 380)
    painter.page.set_viewport_size({"width": 1200, "height": 1000})
