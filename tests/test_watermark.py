"""The watermark of cloned speech: its arithmetic, the published package's own numbers, and what survives what."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from signals import decibels, noise
from typer.testing import CliRunner

import tts
from audio_ml import watermark
from audio_ml.audio import Audio, Samples
from audio_ml.catalogue import ModelSpec
from audio_ml.errors import UnreadableAudio, WeightsCorrupt
from audio_ml.formats import find_format
from audio_ml.judges.perth import CHECKPOINT, MARKER
from audio_ml.loader import ModelLoader
from audio_ml.nets import perth
from audio_ml.streams import read_audio
from audio_ml.watermark import Passage, detect, detect_file, mark
from audio_ml.writer import AudioWriter, write_audio
from ui.watermark import app

RATE = 32000
RATES = (8000, 16000, 24000, 44100, 48000)
# What the package resemble-perth 1.0.1 adds to `voice_like()`, sample by sample, from `apply_watermark(x, 32000) - x`;
# of the marked sound its decoder says 0.99992, of the other 0.00034.
PUBLISHED = {
    5000: -0.00435,
    9000: 0.00929,
    13000: -0.00623,
    17000: -0.00832,
    21000: 0.00209,
    25000: -0.03172,
    29000: 0.00511,
    33000: 0.00557,
    37000: -0.00678,
    41000: 0.00788,
}
TEXT = "Everyone who hears this should be able to find out that no one has ever said it."


class Answering:
    """Stands in for a loader that lends one engine."""

    @contextmanager
    def use_all(self, specs: list[ModelSpec], progress: object = None) -> Iterator[list[Any]]:
        yield [self._engine] * len(specs)

    def __init__(self, engine: Any) -> None:
        self._engine = engine

    def use(self, spec: ModelSpec, progress: object = None) -> Answering:
        return self

    def __enter__(self) -> Any:
        return self._engine

    def __exit__(self, *_: object) -> None:
        pass


class Louder:
    """A marker that makes everything it sees louder by so many dB."""

    def __init__(self, gain_db: float) -> None:
        self._gain_db = gain_db

    def residual(self, band: Samples) -> Samples:
        return np.full_like(band, self._gain_db / watermark.RANGE_DB)


class Averaging:
    """A marker that looks as far around as the real one may."""

    def residual(self, band: Samples) -> Samples:
        reach = watermark.REACH
        padded = np.pad(band, ((reach, reach), (0, 0)))
        return np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=0).mean(axis=-1) * 0.05


class Believing:
    """A detector that sees the same in everything, and a marker that adds the same pattern [BINS] to everything."""

    def __init__(self, score: float, pattern: Samples) -> None:
        self._score, self._pattern = score, pattern

    def evidence(self, band: Samples) -> Samples:
        return np.full(len(band), self._score, np.float32)

    def residual(self, band: Samples) -> Samples:
        return np.broadcast_to(self._pattern, band.shape)


def lent(engine: Any) -> ModelLoader:
    return Answering(engine)  # type: ignore[return-value]


def tone(hz: float, seconds: float = 1.0, rate: int = RATE) -> Samples:
    return (0.25 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)[None]


def voice_like() -> Samples:
    t = np.arange(int(1.5 * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(120 + 30 * np.sin(2 * np.pi * 1.5 * t)) / RATE
    voice = np.sum([np.cos(k * phase) / k for k in range(1, 40)], axis=0)
    return np.asarray(0.1 * voice * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * t)), np.float32)[None]


@pytest.fixture(scope="module")
def speech(loader: ModelLoader) -> Audio:
    return tts.synthesize(TEXT, "hibari/heart", loader=loader).audio


@pytest.fixture(scope="module")
def marked(speech: Audio, loader: ModelLoader) -> Audio:
    return mark(speech, loader)


@pytest.mark.parametrize("rate", RATES)
def test_a_mark_changes_levels_below_2_khz_and_nothing_above(rate: int) -> None:
    louder = lent(Louder(6.0))
    low = Audio(tone(700, rate=rate), rate)
    inner = slice(rate // 10, -rate // 10)
    made = mark(low, louder).samples[:, inner]
    assert decibels(made, made - low.samples[:, inner] * 10 ** (6 / 20)) > 60
    if rate > 8000:
        high = Audio(tone(5000, rate=rate), rate)
        assert decibels(high.samples[:, inner], (mark(high, louder).samples - high.samples)[:, inner]) > 60


def test_what_is_marked_block_by_block_is_what_is_marked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sound, averaging = noise(3, 24000), lent(Averaging())
    whole = mark(sound, averaging).samples
    monkeypatch.setattr(watermark, "BLOCK", 64)
    assert decibels(whole, whole - mark(sound, averaging).samples) > 110
    assert decibels(whole, whole - sound.samples) < 30  # or there would be nothing to compare


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("n_samples", [1, 2, 319, 321, 5000])
def test_length_rate_and_channels_are_kept(rate: int, n_samples: int) -> None:
    sound = Audio(noise(1, rate, 3).samples[:, :n_samples], rate)
    made = mark(sound, lent(Louder(1.0)))
    assert made.samples.shape == sound.samples.shape and made.sample_rate == rate


def test_digital_silence_stays_silence_also_beside_sound() -> None:
    sound = noise(2, 24000).samples
    sound[:, 20000:26000] = 0
    made = mark(Audio(sound, 24000), lent(Louder(6.0))).samples
    assert not made[:, 20001:25999].any()
    assert np.abs(made - sound)[:, 19000:20000].max() > 0.01


@pytest.mark.parametrize("samples", [np.zeros((2, 96000)), np.ones((1, 1)), np.zeros((1, 1))])
def test_what_holds_no_mark_stays_as_it_is_and_needs_no_model(samples: Samples) -> None:
    given = Audio(samples.astype(np.float32), 96000)
    assert mark(given, lent(None)).samples is given.samples


def test_peaks_stay_within_full_scale_unless_they_were_beyond() -> None:
    for peak, ceiling in ((0.95, 1.0), (1.5, 1.5)):
        made = mark(Audio(tone(300) * np.float32(peak / 0.25), RATE), lent(Louder(6.0)))
        assert np.abs(made.samples).max() == pytest.approx(ceiling, abs=1e-3)


def test_channels_get_the_same_gains_so_that_their_sum_is_marked_too() -> None:
    channels = noise(1, RATE).samples
    made = mark(Audio(channels, RATE), lent(Averaging())).samples
    scaled = mark(Audio(channels * np.array([[1], [-1]], np.float32), RATE), lent(Averaging())).samples
    np.testing.assert_allclose(made, scaled * np.array([[1], [-1]]), atol=1e-6)


@given(seconds=st.floats(0.01, 30), blocks=st.integers(4000, 500_000))
@settings(max_examples=15, deadline=None)
def test_windows_cover_all_of_a_stream_and_are_as_long_as_they_can_be(seconds: float, blocks: int) -> None:
    n_samples = round(seconds * RATE)
    samples = np.arange(n_samples, dtype=np.float32)[None]
    windows = list(watermark._windows(samples[:, at : at + blocks] for at in range(0, n_samples, blocks)))
    size = watermark.WINDOW_SECONDS * RATE
    covered = 0
    for start, window in windows:
        assert window.shape[1] == min(size, n_samples) and window[0, 0] == start <= covered
        covered = start + window.shape[1]
    assert covered == n_samples


def test_passages_that_touch_are_one() -> None:
    given = [Passage(0, 6, 0.7), Passage(3, 9, 0.9), Passage(12, 18, 0.8)]
    assert list(watermark._joined(given)) == [Passage(0, 9, 0.9), Passage(12, 18, 0.8)]


def test_what_deceives_the_network_but_lacks_the_pattern_is_not_marked() -> None:
    white = np.random.default_rng(0).normal(0, 0.01, watermark.BINS)
    pattern = np.convolve(white, [0.5, 0.5], "same").astype(np.float32)
    sound = noise(2, RATE, 1)
    assert not detect(sound, lent(Believing(1.0, pattern))).found
    shaped = mark(Audio(sound.samples, RATE), lent(Believing(1.0, pattern)))
    assert detect(shaped, lent(Believing(1.0, pattern))).found
    assert not detect(shaped, lent(Believing(0.3, pattern))).found


@pytest.mark.parametrize("sound", [np.zeros((2, RATE)), noise(0.1, RATE).samples])
def test_silence_and_what_is_too_short_to_tell_is_not_marked(sound: Samples) -> None:
    found = detect(Audio(sound, RATE), lent(Believing(1.0, np.ones(watermark.BINS, np.float32))))
    assert not found.found and found.confidence == 0 and not found.passages


@pytest.mark.weights
def test_it_is_the_mark_of_the_published_package(loader: ModelLoader) -> None:
    sound = voice_like()
    added = (mark(Audio(sound, RATE), loader).samples - sound)[0]
    np.testing.assert_allclose(added[list(PUBLISHED)], list(PUBLISHED.values()), atol=2e-5)


@pytest.mark.weights
@pytest.mark.parametrize("rate", RATES[1:])
def test_marked_speech_is_found_at_any_rate(rate: int, speech: Audio, loader: ModelLoader, tmp_path: Path) -> None:
    write_audio(tmp_path / "speech.wav", speech)
    sound = read_audio(tmp_path / "speech.wav", rate)
    found = detect(mark(sound, loader), loader)
    assert found.found and found.confidence > 0.9
    assert detect(sound, loader).confidence < 0.3


@pytest.mark.weights
@pytest.mark.parametrize("name", ["speech.wav", "speech.mp3"])
def test_the_mark_survives_a_file_and_the_command_finds_it(
    name: str, speech: Audio, marked: Audio, loader: ModelLoader, tmp_path: Path
) -> None:
    for path, sound in ((tmp_path / name, marked), (tmp_path / f"plain {name}", speech)):
        format = find_format(path)
        with AudioWriter(path, format, sound.sample_rate, 1, bit_depth="16", bitrate_kbps=128) as writer:
            writer.write(sound.samples)
            writer.close()
            writer.commit()
    (tmp_path / "broken.wav").write_bytes(b"not audio")
    files = [str(tmp_path / file) for file in (name, f"plain {name}", "broken.wav")]
    shown = CliRunner().invoke(app, ["detect", *files[:2], "--quiet"])
    first, second = shown.stdout.splitlines()
    assert shown.exit_code == 0
    assert first.startswith(f"{files[0]}: watermark found (confidence ") and ", 0:00.0 to 0:0" in first
    assert second.startswith(f"{files[1]}: no watermark found")
    shown = CliRunner().invoke(app, ["detect", *files, "--json"])
    assert getattr(shown.exception, "exit_code", None) == 7
    told = json.loads(shown.stdout)
    assert [row["found"] for row in told["files"]] == [True, False]
    assert [row["source"] for row in told["failures"]] == files[2:]
    assert CliRunner().invoke(app, ["detect", files[2]]).exit_code == 2


@pytest.mark.weights
def test_pieces_that_are_marked_one_by_one_are_found_as_a_whole(speech: Audio, loader: ModelLoader) -> None:
    def pieces() -> Iterator[Samples]:
        length = round(0.7 * speech.sample_rate)
        for start in range(0, speech.n_samples, length):
            yield mark(Audio(speech.samples[:, start : start + length], speech.sample_rate), loader).samples
            yield np.zeros((1, speech.sample_rate // 3), np.float32)

    assert detect(Audio(np.concatenate(list(pieces()), axis=1), speech.sample_rate), loader).found


@pytest.mark.weights
def test_one_marked_channel_and_the_sum_of_channels_are_found(
    speech: Audio, marked: Audio, loader: ModelLoader
) -> None:
    rate, music = speech.sample_rate, noise(speech.duration_seconds, speech.sample_rate, 1).samples
    beside = Audio(np.concatenate([music[:, : marked.n_samples], marked.samples], axis=0), rate)
    assert detect(beside, loader).found
    pair = mark(Audio(np.concatenate([speech.samples, 0.3 * np.roll(speech.samples, 400)]), rate), loader)
    assert detect(Audio(pair.samples.sum(axis=0, keepdims=True), rate), loader).found


@pytest.mark.weights
def test_threads_get_the_same_mark(speech: Audio, marked: Audio, loader: ModelLoader) -> None:
    with ThreadPoolExecutor(3) as pool:
        for made in pool.map(lambda _: mark(speech, loader), range(3)):
            np.testing.assert_array_equal(made.samples, marked.samples)


@pytest.mark.weights
def test_a_file_is_judged_as_the_same_sound_is(marked: Audio, loader: ModelLoader, tmp_path: Path) -> None:
    write_audio(tmp_path / "marked.wav", marked, bit_depth="32f")
    assert detect_file(tmp_path / "marked.wav", loader).confidence == pytest.approx(
        detect(marked, loader).confidence, abs=1e-3
    )
    with pytest.raises(UnreadableAudio):
        detect_file(tmp_path / "missing.wav", loader)


@pytest.mark.weights
def test_marking_never_imports_torch(loader: ModelLoader) -> None:
    loader.store.pull(MARKER)
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import numpy as np\n"
        "from audio_ml.audio import Audio\n"
        "from audio_ml.loader import ModelLoader\n"
        "from audio_ml.watermark import mark\n"
        "sound = np.random.default_rng(0).normal(0, 0.1, (1, 24000)).astype(np.float32)\n"
        "assert (mark(Audio(sound, 24000), ModelLoader('cpu')).samples != sound).any()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)


@pytest.mark.weights
def test_a_checkpoint_that_is_not_the_networks_is_refused(loader: ModelLoader, tmp_path: Path) -> None:
    import torch

    published = torch.load(loader.store.open(MARKER)[CHECKPOINT], weights_only=True, map_location="cpu")
    published["model"].pop("encoder.layers.3.conv.bias")
    torch.save(published, tmp_path / "less.pth.tar")
    torch.save({"step": 1}, tmp_path / "none.pth.tar")
    for name in ("less", "none"):
        with pytest.raises(WeightsCorrupt):
            perth.build_marker(tmp_path / "marker.onnx", tmp_path / f"{name}.pth.tar")
