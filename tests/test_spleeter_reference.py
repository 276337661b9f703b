"""Our Spleeter against real Spleeter, by numbers that real Spleeter gave.

`tests/data/spleeter_reference.npz` holds what Spleeter 2.4.2 on TensorFlow 2.12 made of the song in
`reference_signal.py`: windows of each stem, and its energy in every second. Nothing of ours took part.
`python -m bench.separation --write-reference` runs real Spleeter again and writes the file anew.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import reference_signal
from numpy.typing import NDArray

import separation
from audio_ml.audio import Audio
from audio_ml.loader import ModelLoader

pytestmark = pytest.mark.weights

AGREEMENT_DB = 90.0
ENERGY_TOLERANCE_DB = 0.01
AUDIBLE_DB = -40.0  # below, agreement would say little
STEMS = ("vocals", "accompaniment")


@pytest.fixture(scope="module")
def reference() -> dict[str, NDArray[np.generic]]:
    with np.load(Path(__file__).with_name("data") / "spleeter_reference.npz") as stored:
        return dict(stored)


@pytest.fixture(scope="module")
def ours(loader: ModelLoader) -> dict[str, Audio]:
    song = Audio(reference_signal.samples(), reference_signal.SAMPLE_RATE)
    return separation.separate(song, model="spleeter-2stems", options={"exact": True}, loader=loader).stems


def test_the_song_is_the_one_real_spleeter_heard(reference: dict[str, NDArray[np.generic]]) -> None:
    heard = hashlib.sha256(reference_signal.rounded().tobytes()).hexdigest()
    assert heard == str(reference["signal_sha256"])


@pytest.mark.parametrize("stem", STEMS)
def test_windows_agree_with_real_spleeter(
    stem: str, reference: dict[str, NDArray[np.generic]], ours: dict[str, Audio]
) -> None:
    expected = reference[f"{stem}_windows"].astype(np.float64)  # [windows, channels, time]
    n_samples = expected.shape[-1]
    found = np.stack([ours[stem].samples[:, start : start + n_samples] for start in reference["starts"]])
    error = np.sum((expected - found) ** 2)
    assert 10 * np.log10(np.sum(expected**2) / error) >= AGREEMENT_DB


@pytest.mark.parametrize("stem", STEMS)
def test_the_energy_of_every_second_agrees_with_real_spleeter(
    stem: str, reference: dict[str, NDArray[np.generic]], ours: dict[str, Audio]
) -> None:
    expected = reference[f"{stem}_energies"]
    seconds = ours[stem].samples.astype(np.float64).reshape(2, len(expected), -1)
    found = np.sum(seconds**2, axis=(0, 2))
    quietest = np.min(expected) / (seconds.shape[0] * seconds.shape[-1])
    assert 10 * np.log10(quietest) > AUDIBLE_DB
    np.testing.assert_allclose(10 * np.log10(found / expected), 0, atol=ENERGY_TOLERANCE_DB)
