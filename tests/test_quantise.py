"""Rounding to a bit depth: dither by its statistics, and what must stay untouched."""

from __future__ import annotations

import numpy as np
import pytest

from audio_ml.quantise import Quantiser

LSB = 2.0**-15


def test_dither_makes_error_independent_of_the_signal() -> None:
    """TPDF of two steps: no bias, and a variance of a quarter of a squared step wherever the signal lies."""
    for level in (0.1, 0.25, 0.5, 0.9):
        held = Quantiser("16", seed=(1,))(np.full((1, 200_000), level * LSB, np.float32))
        error = held / LSB - level
        assert abs(float(error.mean())) < 0.005
        assert float(error.var()) == pytest.approx(0.25, abs=0.005)
    plain = Quantiser("16")(np.full((1, 10), 0.25 * LSB, np.float32))
    assert not plain.any(), "without dither a quiet signal is lost"


def test_silence_and_whole_steps_stay_as_they_are() -> None:
    rng = np.random.default_rng(0)
    whole = (rng.integers(-(2**15), 2**15, (2, 5000)) / 2**15).astype(np.float32)
    whole[:, 100:200] = 0
    quantise = Quantiser("16", seed=(0,))
    np.testing.assert_array_equal(quantise(whole), whole)
    mixed = np.concatenate([np.full((2, 50), 0.3 * LSB, np.float32), np.zeros((2, 50), np.float32)], axis=1)
    assert not quantise(mixed)[:, 50:].any(), "digital silence beside sound stays digital silence"


@pytest.mark.parametrize("depth", ["16", "24"])
def test_what_is_held_fits_the_depth(depth: str) -> None:
    steps = 2 ** (int(depth) - 1)
    quantise = Quantiser(depth, seed=(3,))  # type: ignore[arg-type]
    held = quantise(np.linspace(-1.5, 1.5, 30_001, dtype=np.float32)[None])
    codes = held.astype(np.float64) * steps
    np.testing.assert_array_equal(codes, np.rint(codes))
    assert codes.min() == -steps and codes.max() == steps - 1
    assert quantise.n_clipped == pytest.approx(10_000, abs=4)


def test_float_passes_and_counts() -> None:
    quantise = Quantiser("32f", seed=(0,))
    loud = np.array([[0.5, -1.5, 1.0]], np.float32)
    assert quantise(loud) is loud and quantise.n_clipped == 1


def test_the_seed_decides_and_blocks_do_not() -> None:
    sound = (np.random.default_rng(5).standard_normal((2, 3001)) * 0.1).astype(np.float32)
    whole = Quantiser("16", seed=(7, 1))(sound)
    quantise = Quantiser("16", seed=(7, 1))
    parts = np.concatenate([quantise(part) for part in np.split(sound, [1, 700, 701, 2222], axis=1)], axis=1)
    np.testing.assert_array_equal(whole, parts)
    assert (whole != Quantiser("16", seed=(7, 2))(sound)).any()
