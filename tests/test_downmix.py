"""Several channels as one: plain stereo is averaged, empty and opposite channels are not, whatever the blocks."""

from __future__ import annotations

import numpy as np
import pytest

from audio_ml.audio import Audio
from audio_ml.downmix import Downmix, mixed_down
from audio_ml.judges import heard

VOICE, OTHER = np.random.default_rng(0).standard_normal((2, 4800)).astype(np.float32) / 10


@pytest.mark.parametrize(
    ("channels", "expected"),
    [
        ([VOICE], VOICE),
        ([VOICE, OTHER], (VOICE + OTHER) / 2),
        ([VOICE, VOICE], VOICE),
        ([0 * VOICE, VOICE, 0 * VOICE], VOICE),
        ([VOICE, 0.001 * OTHER], VOICE),
        ([VOICE, -VOICE], VOICE),
        ([VOICE, -1.5 * VOICE], -1.5 * VOICE),
        ([0 * VOICE, 0 * VOICE], 0 * VOICE),
    ],
)
def test_the_channels_in_which_there_is_something_are_mixed(channels: list, expected: np.ndarray) -> None:
    samples = np.stack(channels)
    np.testing.assert_allclose(mixed_down(samples)[0], expected, atol=1e-7)
    np.testing.assert_allclose(heard(Audio(samples, 16000), 16000), expected.clip(-1, 1), atol=1e-7)


def test_one_choice_holds_for_a_whole_recording() -> None:
    """Two people who speak in turn, each into a microphone, do not become louder where the other is silent."""
    samples = np.zeros((2, 9600), np.float32)
    samples[0, :4800], samples[1, 4800:] = VOICE, OTHER
    mixer = Downmix(2)
    for begin in range(0, 9600, 4800):
        mixer.add(samples[:, begin : begin + 4800])
    mixed = [mixer.mix(samples[:, begin : begin + 4800]) for begin in range(0, 9600, 4800)]
    np.testing.assert_array_equal(np.concatenate(mixed, axis=1), mixed_down(samples))
    np.testing.assert_allclose(mixed_down(samples)[0], samples.sum(axis=0) / 2)
