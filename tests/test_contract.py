"""What every registered engine must do, without being listed here (see docs/architecture.md)."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_engine import FAKE
from signals import decibels, noise, peak_db

import separation
from audio_ml import catalogue
from audio_ml.audio import Audio
from audio_ml.catalogue import ModelSpec
from audio_ml.errors import Cancelled, InvalidInput, InvalidOption
from audio_ml.loader import ModelLoader
from audio_ml.options import parse
from audio_ml.progress import Progress, ProgressState
from audio_ml.writer import write_audio
from separation.channels import plan_channels
from separation.stream import StemStream

BIG_BYTES = 1_000_000_000  # of memory: a network that takes long for each second of sound


def _runnable() -> list[Any]:
    """The models whose weights can be had; the big ones, and further ones of the same kind, are slow tests."""
    found = [spec for spec in catalogue.models("separation") if spec.verified and not spec.members]
    parameters, kinds = [], set()
    for spec in (FAKE, *found):
        is_slow = spec.memory_bytes > BIG_BYTES or spec.options in kinds
        kinds.add(spec.options)
        parameters.append(pytest.param(spec, marks=pytest.mark.slow if is_slow else ()))
    return parameters


MODELS = _runnable()

pytestmark = pytest.mark.weights


@pytest.fixture(params=MODELS, ids=lambda spec: spec.name)
def spec(request: pytest.FixtureRequest) -> ModelSpec:
    return request.param


def joined(spec: ModelSpec, loader: ModelLoader, audio: Audio, block_sizes: list[int]) -> np.ndarray:
    """Returns the stems [stems, channels, time] of a stream that comes in blocks of these sizes, over and over."""
    starts, position = [], 0
    while position < audio.n_samples:
        position += block_sizes[len(starts) % len(block_sizes)]
        starts.append(position)
    options = parse(spec.options, None)
    plan = plan_channels(options, audio.n_channels, spec.n_channels)
    with loader.use(spec) as engine:
        stream = StemStream(spec, [engine], options, plan, spec.outputs, audio.sample_rate, Progress())
        pairs = stream.run(np.split(audio.samples, starts[:-1], axis=1), audio.n_samples)
        return np.concatenate([stems for _, stems in pairs], axis=-1)


def test_stems_are_sound_of_the_right_form(spec: ModelSpec, loader: ModelLoader) -> None:
    mixture = noise(3)
    result = separation.separate(mixture, model=spec, loader=loader)
    assert tuple(result.stems) == spec.outputs
    for stem in result.stems.values():
        assert stem.samples.dtype == np.float32 and np.isfinite(stem.samples).all()
        assert (stem.sample_rate, stem.samples.shape) == (mixture.sample_rate, mixture.samples.shape)
    assert max(np.abs(stem.samples).max() for stem in result.stems.values()) > 0.01


@pytest.mark.parametrize("n_samples", [1, 2, 1000, 44100, 44101, 12 * 44100 + 13])
@pytest.mark.parametrize("n_channels", [1, 2])
def test_length_is_kept_and_stems_add_up(spec: ModelSpec, loader: ModelLoader, n_samples: int, n_channels: int) -> None:
    mixture = Audio(noise(13, n_channels=n_channels).samples[:, :n_samples], 44100)
    result = separation.separate(mixture, model=spec, loader=loader)
    total = sum(stem.samples for stem in result.stems.values())
    assert total.shape == mixture.samples.shape
    assert peak_db(total - mixture.samples) <= -120
    assert peak_db(result.residual.samples) <= -120


@pytest.mark.parametrize("rate", [8000, 22050, 48000, 96000, 192000])
def test_any_rate_keeps_length_sum_and_place(spec: ModelSpec, loader: ModelLoader, rate: int) -> None:
    mixture = noise(1.3, rate)
    stems = separation.separate(mixture, model=spec, loader=loader).stems
    assert peak_db(sum(stem.samples for stem in stems.values()) - mixture.samples) <= -120
    loudest = max(stems.values(), key=lambda stem: float(np.sum(stem.samples**2))).samples[0]
    size = 2 * mixture.n_samples
    correlation = np.fft.irfft(np.fft.rfft(loudest, size) * np.conj(np.fft.rfft(mixture.samples[0], size)), size)
    assert int(np.argmax(correlation)) == 0, "the stem is shifted in time"


def test_silence_in_silence_out(spec: ModelSpec, loader: ModelLoader) -> None:
    silence = Audio(np.zeros((2, 50000), np.float32), 44100)
    for stem in separation.separate(silence, model=spec, loader=loader).stems.values():
        assert not stem.samples.any()


def test_the_same_bytes_again(spec: ModelSpec, loader: ModelLoader) -> None:
    first, again = (separation.separate(noise(2), model=spec, loader=loader).stems for _ in range(2))
    for name in spec.outputs:
        np.testing.assert_array_equal(first[name].samples, again[name].samples)


@pytest.mark.parametrize("rate", [44100, 48000])
def test_blocks_do_not_matter(spec: ModelSpec, loader: ModelLoader, rate: int) -> None:
    mixture = noise(14, rate)
    whole = joined(spec, loader, mixture, [mixture.n_samples])
    assert decibels(whole, whole - joined(spec, loader, mixture, [7000, 100_000, 1])) > 60


def test_two_threads_do_not_influence_each_other(spec: ModelSpec, loader: ModelLoader) -> None:
    mixtures = [noise(2, seed=1), noise(2.5, seed=2)]
    alone = [separation.separate(mixture, model=spec, loader=loader).stems for mixture in mixtures]
    together: dict[int, dict[str, Audio]] = {}

    def work(index: int) -> None:
        together[index] = separation.separate(mixtures[index], model=spec, loader=loader).stems

    threads = [threading.Thread(target=work, args=(index,)) for index in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for index, expected in enumerate(alone):
        for name, stem in expected.items():
            assert decibels(stem.samples, stem.samples - together[index][name].samples) > 60


def test_unknown_options_and_stems_are_refused_by_name(spec: ModelSpec, loader: ModelLoader) -> None:
    with pytest.raises(InvalidOption, match="'sharpness'"):
        separation.separate(noise(0.1), model=spec, options={"sharpness": 1}, loader=loader)
    with pytest.raises(InvalidOption, match="'bagpipes'"):
        separation.separate(noise(0.1), model=spec, options={"stems": ("bagpipes",)}, loader=loader)


def test_a_choice_of_stems_changes_none_of_them(spec: ModelSpec, loader: ModelLoader) -> None:
    every = separation.separate(noise(1), model=spec, loader=loader).stems
    for name in spec.outputs:
        only = separation.separate(noise(1), model=spec, options={"stems": (name,)}, loader=loader).stems
        assert list(only) == [name]
        np.testing.assert_allclose(only[name].samples, every[name].samples, atol=1e-6)


@pytest.mark.parametrize("n_channels", [3, 4, 6, 8])
@pytest.mark.parametrize("rate", [44100, 48000])
def test_no_channel_is_dropped(spec: ModelSpec, loader: ModelLoader, n_channels: int, rate: int) -> None:
    mixture = noise(0.5, rate, n_channels)
    stems = separation.separate(mixture, model=spec, loader=loader).stems
    total = sum(stem.samples for stem in stems.values())
    assert peak_db(total - mixture.samples) <= -120 and np.abs(total).max(axis=1).min() > 0.1


def test_more_channels_than_any_recorder_has_are_refused(spec: ModelSpec, loader: ModelLoader) -> None:
    with pytest.raises(InvalidInput, match="65 channels"):
        separation.separate(noise(0.01, n_channels=65), model=spec, loader=loader)


def test_cancel_stops_within_a_segment_and_leaves_nothing(spec: ModelSpec, loader: ModelLoader, tmp_path: Path) -> None:
    write_audio(tmp_path / "long.wav", noise(60))
    seen: list[float] = []

    def cancel_early(state: ProgressState) -> None:
        if state.stage == "separating":
            seen.append(state.fraction)
            if state.fraction > 0:
                progress.cancel()

    progress = Progress(cancel_early)
    with pytest.raises(Cancelled):
        separation.separate_file(tmp_path / "long.wav", tmp_path / "out", model=spec, loader=loader, progress=progress)
    assert sum(fraction > 0 for fraction in seen) == 1
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]


def test_a_progress_runs_from_nothing_to_the_end(spec: ModelSpec, loader: ModelLoader) -> None:
    seen: list[ProgressState] = []
    separation.separate(noise(30), model=spec, loader=loader, progress=Progress(seen.append))
    fractions = [state.fraction for state in seen if state.stage == "separating"]
    assert fractions == sorted(fractions)
    assert fractions[0] == 0 and fractions[-1] == 1
