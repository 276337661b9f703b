"""What the painter computes in the browser: the transform, the masks, and what sounds alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from browsing import needs_chromium
from listening import ListeningServer, listening

pytestmark = [pytest.mark.browser, needs_chromium]

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


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ListeningServer]:
    with listening(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="module")
def scripts(browser: Any, server: ListeningServer) -> Any:
    """A page that can import the painter's modules."""
    page = browser.new_page()
    page.goto(f"{server.url}/player/index.html")
    return page


@pytest.mark.parametrize("size", [2, 64, 4096])
def test_the_transform_is_numpys(scripts: Any, size: int) -> None:
    random = np.random.default_rng(size)
    signal = random.standard_normal(size) + 1j * random.standard_normal(size)
    found = scripts.evaluate(TRANSFORM, [signal.real.tolist(), signal.imag.tolist()])
    spectrum, back = (np.array(pair[0]) + 1j * np.array(pair[1]) for pair in (found["spectrum"], found["back"]))
    assert np.abs(spectrum - np.fft.fft(signal)).max() < 1e-10 * size
    assert np.abs(back - signal).max() < 1e-12


@pytest.mark.parametrize("n_samples", [1, 1000, 30_000])
def test_the_clip_comes_back_with_and_without_masks(scripts: Any, n_samples: int) -> None:
    found = scripts.evaluate(THERE_AND_BACK, [n_samples, 7])
    assert found["plain"] < -130 and found["masked"] < -130, "-100 dB is asked for"
    assert found["same"], "made in pieces, it is the same to the bit"
    padded = np.pad(np.array(found["right"]), (4096, 8192))[found["start"] + 4096 :][:4096]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(4096) / 4096)
    expected = np.fft.rfft(padded * window)
    assert np.allclose(np.array(found["spectrum"][0]) + 1j * np.array(found["spectrum"][1]), expected, atol=1e-4)


@pytest.mark.parametrize("seconds", [(0.4, 1.6), (0.8, 1.2)])  # over beginning and end; where only the pitch tells
@pytest.mark.parametrize("pair", [(220, 311), (440, 523)])
def test_what_sounds_alike_is_taken_along(scripts: Any, pair: tuple[int, int], seconds: tuple[float, float]) -> None:
    alone, _ = scripts.evaluate(ALIKE, [*pair, False, *seconds])
    assert alone[1] > 0.95 and all(abs(mask - 0.5) < 0.01 for mask in alone[2:])
    same, others = scripts.evaluate(ALIKE, [*pair, True, *seconds])
    assert min(same) > 0.9, "all partials of the tone that was painted"
    apart = [others[i] for i in range(6) if min(abs((i + 1) * pair[1] - h * pair[0]) for h in range(1, 40)) > 40]
    assert len(apart) >= 3 and max(apart) < 0.6, "and none of the other tone, where the two do not meet"
