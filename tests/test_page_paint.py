"""Painting on a mask, in a real browser: that it computes what it says, and that strokes do what they are for."""

from __future__ import annotations

import base64
import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from serving import Server, serving

import separation
from audio_ml.audio import Audio
from audio_ml.streams import read_audio
from ui.server.options import ServerOptions

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.weights,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, which is not on the PATH"),
]

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
WAIT_SECONDS = 60.0
RATE = 44100
HEARD_MS = 2000  # at most, on a machine that does other things; 61 to 80 ms on a quiet one
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

TRANSFORM = """async ([re, im]) => {
  const { Fft } = await import('/elements/fft.js');
  const fft = new Fft(re.length);
  const [a, b] = [Float64Array.from(re), Float64Array.from(im)];
  fft.forward(a, b);
  const spectrum = [[...a], [...b]];
  fft.inverse(a, b);
  return { spectrum, back: [[...a], [...b]] };
}"""

# Errors in dB of a clip that goes there and back: untouched, as the sum of two masked parts, and made in pieces.
THERE_AND_BACK = """async ([n, seed]) => {
  const { Stft } = await import('/elements/stft.js');
  let state = seed;
  const random = () => ((state = (state * 1103515245 + 12345) % 2147483648) / 2147483648);
  const clip = [0, 1].map(() => Float32Array.from({ length: n }, () => random() - 0.5));
  const n_frames = 4 + Math.ceil(n / 1024);
  const stft = new Stft({ n_fft: 4096, hop: 1024, first_sample: -4096, n_frames }, clip);
  const masks = Array.from({ length: n_frames }, () => [0, 1].map(() => Float32Array.from({ length: 2049 }, random)));
  const ones = [0, 1].map(() => new Float32Array(2049).fill(1));
  const all = (gainsOf) => stft.synthesise(0, n_frames, gainsOf).channels;
  const kept = all((frame) => masks[frame]);
  const gone = all((frame) => masks[frame].map((mask) => mask.map((value) => 1 - value)));
  const decibels = (a, b) => {
    let [error, whole] = [0, 0];
    a.forEach((samples, c) => samples.forEach((value, i) => {
      error += (value - b[c][i]) ** 2;
      whole += b[c][i] ** 2;
    }));
    return 10 * Math.log10((error + 1e-30) / whole);
  };
  const middle = Math.floor(n_frames / 2);
  const piece = stft.synthesise(middle, middle + 1, (frame) => masks[frame]);
  const same = piece.channels.every((samples, c) => samples.every((v, i) => v === kept[c][piece.start + i]));
  const { re, im } = stft.spectra[1];
  const at = middle * 2049;
  return {
    plain: decibels(all(() => ones), clip),
    masked: decibels(kept.map((samples, c) => samples.map((value, i) => value + gone[c][i])), clip),
    same,
    start: stft.startOf(middle),
    right: [...clip[1]],
    spectrum: [[...re.subarray(at, at + 2049)], [...im.subarray(at, at + 2049)]],
  };
}"""

# Two tones of ten partials in one clip, masks of one half: a stroke over the second partial of the lower one.
ALIKE = """async ([low, high, isAlike, begin, end]) => {
  const { Painting } = await import('/elements/painting.js');
  const [rate, n] = [44100, 88200];
  const tone = (f0, from, to) => Float32Array.from({ length: n }, (_, i) => {
    let sum = 0;
    for (let h = 1; h <= 10; h++) sum += (0.05 / h) * Math.sin((2 * Math.PI * h * f0 * i) / rate);
    return i > from * rate && i < to * rate ? sum : 0;
  });
  const [a, b] = [tone(low, 0.3, 1.7), tone(high, 0.1, 1.9)];
  const mix = a.map((value, i) => value + b[i]);
  const n_frames = 4 + Math.ceil(n / 1024);
  const painting = new Painting({
    channels: [mix, mix.slice()], sampleRate: rate, full: 65535, nMaskBins: 1024, truth: null,
    transform: { n_fft: 4096, hop: 1024, first_sample: -4096, n_frames },
    masks: new Uint16Array(2 * n_frames * 1024).fill(32768),
  });
  const frame = (seconds) => (seconds * rate + 2048) / 1024;
  const row = painting.rows.rowOf(2 * low);
  const points = [{ frame: frame(begin), row }, { frame: frame(end), row }];
  painting.paint({ brush: 'keep', strength: 6, isAlike, points, radius: { frames: 5, rows: 4 } });
  const at = Math.round(frame(1)) * 2049;
  const maskOf = (hz) => painting.steering.steer(0.5, at + Math.round(hz / painting.binHz));
  return [low, high].map((f0) => [1, 2, 3, 4, 5, 6].map((h) => maskOf(h * f0)));
}"""


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


def wait_for(look: Any) -> Any:
    ends_at = time.monotonic() + WAIT_SECONDS
    while not (found := look()):
        assert time.monotonic() < ends_at, "it took too long"
        time.sleep(0.03)
    return found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    options = ServerOptions(folder=str(tmp_path_factory.mktemp("server")))
    with serving(options, page=True) as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


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
    wait_for(lambda: page.evaluate("() => document.querySelector('mask-painter')?.figures.isReady"))
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


@pytest.mark.parametrize("size", [2, 64, 4096])
def test_the_transform_is_numpys(painter_page: Any, size: int) -> None:
    random = np.random.default_rng(size)
    signal = random.standard_normal(size) + 1j * random.standard_normal(size)
    found = painter_page.evaluate(TRANSFORM, [signal.real.tolist(), signal.imag.tolist()])
    spectrum, back = (np.array(pair[0]) + 1j * np.array(pair[1]) for pair in (found["spectrum"], found["back"]))
    assert np.abs(spectrum - np.fft.fft(signal)).max() < 1e-10 * size
    assert np.abs(back - signal).max() < 1e-12


@pytest.mark.parametrize("n_samples", [1, 1000, 30_000])
def test_the_clip_comes_back_with_and_without_masks(painter_page: Any, n_samples: int) -> None:
    found = painter_page.evaluate(THERE_AND_BACK, [n_samples, 7])
    assert found["plain"] < -130 and found["masked"] < -130, "-100 dB is asked for"
    assert found["same"], "made in pieces, it is the same to the bit"
    padded = np.pad(np.array(found["right"]), (4096, 8192))[found["start"] + 4096 :][:4096]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(4096) / 4096)
    expected = np.fft.rfft(padded * window)
    assert np.allclose(np.array(found["spectrum"][0]) + 1j * np.array(found["spectrum"][1]), expected, atol=1e-4)


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
    with painter.page.expect_download() as caught:
        painter.page.get_by_role("button", name="Download the result (WAV)").click()
    path = painter.folder / caught.value.suggested_filename
    caught.value.save_as(path)
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


@pytest.mark.parametrize("seconds", [(0.4, 1.6), (0.8, 1.2)])  # over beginning and end; where only the pitch tells
@pytest.mark.parametrize("pair", [(220, 311), (440, 523)])
def test_what_sounds_alike_is_taken_along(
    painter_page: Any, pair: tuple[int, int], seconds: tuple[float, float]
) -> None:
    alone, _ = painter_page.evaluate(ALIKE, [*pair, False, *seconds])
    assert alone[1] > 0.95 and all(abs(mask - 0.5) < 0.01 for mask in alone[2:])
    same, others = painter_page.evaluate(ALIKE, [*pair, True, *seconds])
    assert min(same) > 0.9, "all partials of the tone that was painted"
    apart = [others[i] for i in range(6) if min(abs((i + 1) * pair[1] - h * pair[0]) for h in range(1, 40)) > 40]
    assert len(apart) >= 3 and max(apart) < 0.6, "and none of the other tone, where the two do not meet"


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
    lit = view.locator("figure canvas").first.evaluate(
        "(canvas) => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some((v) => v > 200)"
    )
    assert lit


def test_a_job_that_is_gone_is_told(painter_page: Any) -> None:
    painter_page.evaluate(SHOW, painter_page.base.rpartition("/")[0] + "/" + "0" * 32)
    expect(painter_page.locator("mask-painter").get_by_role("alert")).to_contain_text("no job")


def test_it_fits_a_narrow_page(painter: Painter) -> None:
    painter.page.set_viewport_size({"width": 380, "height": 800})
    width = "() => document.documentElement.scrollWidth"
    assert painter.page.evaluate(width) <= 380
    painter.page.set_viewport_size({"width": 1200, "height": 1000})
