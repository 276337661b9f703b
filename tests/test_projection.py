"""The difference between a mixture and its stems is shared by who sounds there."""

from __future__ import annotations

import numpy as np
import pytest
from signals import decibels, noise, peak_db

from audio_ml.audio import Samples
from audio_ml.chunks import overlap_add
from separation.projection import Projection

RATE, MODEL_RATE = 96000, 44100


def above(samples: Samples, rate: int, hz: float) -> Samples:
    """Returns what a signal has above a frequency."""
    spectrum = np.fft.rfft(samples)
    spectrum[..., : round(hz * samples.shape[-1] / rate)] = 0
    return np.fft.irfft(spectrum, samples.shape[-1]).astype(np.float32)


def project(projection: Projection, mixture: Samples, estimates: Samples, block: int = 50_000) -> Samples:
    rows = np.concatenate([mixture, estimates.reshape(-1, mixture.shape[-1])])
    blocks = np.split(rows, range(block, rows.shape[1], block), axis=1)
    return np.concatenate(list(overlap_add(blocks, projection.segmentation, projection)), axis=-1)


def takes_turns() -> tuple[Samples, Samples]:
    """Two stems that sound one after the other, with as much above 22 kHz as below."""
    first = np.random.default_rng(0).standard_normal((2, 3 * RATE)).astype(np.float32) * 0.1
    second = np.random.default_rng(1).standard_normal((2, 3 * RATE)).astype(np.float32) * 0.1
    turn = (np.arange(3 * RATE) // RATE) % 2
    return first * (turn == 0), second * (turn == 1)


def test_what_the_model_cannot_hear_goes_to_the_stem_that_sounds() -> None:
    first, second = takes_turns()
    estimates = np.stack([stem - above(stem, RATE, 20_000) for stem in (first, second)]).astype(np.float32)
    projection = Projection(RATE, MODEL_RATE, n_channels=2, n_stems=2, target=1)
    (shared,) = project(projection, first + second, estimates)
    assert decibels(above(first, RATE, 21_000), above(first - shared, RATE, 21_000)) > 15
    assert decibels(first, first - shared) > 20
    assert decibels(first, first - estimates[0]) < 6, "before, the top was missing"


@pytest.mark.parametrize("rate", [8000, 44100, 48000, 192000])
def test_equal_stems_share_equally(rate: int) -> None:
    mixture = noise(1, rate).samples
    estimates = np.stack([mixture * 0.2, mixture * 0.2])
    (shared,) = project(Projection(rate, MODEL_RATE, 2, 2, target=0), mixture, estimates)
    assert peak_db(shared - mixture / 2) < -100


def test_nothing_is_shared_where_nothing_is_missing() -> None:
    first, second = noise(1, seed=1).samples, noise(1, seed=2).samples
    shared = project(Projection(44100, 44100, 2, 2, target=0), first + second, np.stack([first, second]))
    assert peak_db(shared[0] - second) < -100


def test_passed_channels_are_left_to_the_target() -> None:
    mixture = noise(1, n_channels=3).samples
    estimates = np.stack([mixture * 0.5, mixture * 0.2])
    estimates[:, 2] = 0
    (shared,) = project(Projection(44100, 44100, 3, 2, target=1, passed=(2,)), mixture, estimates)
    assert not shared[2].any() and shared[:2].any()


def test_blocks_do_not_matter() -> None:
    mixture = noise(1).samples
    estimates = np.stack([mixture * 0.5, noise(1, seed=3).samples])
    projection = Projection(44100, 44100, 2, 2, target=1)
    np.testing.assert_array_equal(
        project(projection, mixture, estimates), project(projection, mixture, estimates, block=777)
    )
