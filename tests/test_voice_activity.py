"""Where in a stream somebody speaks."""

from __future__ import annotations

import numpy as np
import pytest

import tts
from audio_ml.audio import Audio, Samples
from audio_ml.judges import heard
from audio_ml.loader import ModelLoader
from voiceclone.engines.voice_activity import FRAME, SAMPLE_RATE, VOICE_ACTIVITY, find_spans

SPEECH, NOTHING, BREATH = 0.9, 0.1, 0.4  # probabilities


def probabilities(*runs: tuple[float, int]) -> np.ndarray:
    return np.concatenate([np.full(n, level, np.float32) for level, n in runs])


@pytest.mark.parametrize(
    ("runs", "spans"),
    [
        ([(NOTHING, 50)], []),
        ([(SPEECH, 30)], [(0, 30)]),
        ([(NOTHING, 5), (SPEECH, 20), (NOTHING, 8), (SPEECH, 10), (NOTHING, 5)], [(5, 43)]),  # a gap between words
        ([(SPEECH, 20), (NOTHING, 9), (SPEECH, 10)], [(0, 20), (29, 39)]),  # a pause
        ([(NOTHING, 9), (SPEECH, 7), (NOTHING, 9)], []),  # a click
        ([(SPEECH, 10), (BREATH, 20), (NOTHING, 3)], [(0, 30)]),  # speech ends lower than it begins
        ([(BREATH, 20), (SPEECH, 10)], [(20, 30)]),
    ],
)
def test_spans_are_speech_with_the_gaps_between_words(
    runs: list[tuple[float, int]], spans: list[tuple[int, int]]
) -> None:
    assert find_spans(probabilities(*runs)) == spans


@pytest.mark.weights
def test_a_stream_is_heard_as_the_whole(loader: ModelLoader) -> None:
    said: Samples = heard(tts.synthesize("Nobody said a word.", "hibari/heart", loader=loader).audio, SAMPLE_RATE)
    with loader.use(VOICE_ACTIVITY) as engine:
        whole, stream = engine.begin(), engine.begin()
        at_once = np.concatenate([whole.push(said), whole.finish()])
        pieces = [stream.push(said[first : first + 700]) for first in range(0, said.size, 700)]
        in_pieces = np.concatenate([*pieces, stream.finish()])
    assert at_once.size == -(-said.size // FRAME)
    assert np.abs(in_pieces - at_once).max() < 1e-5
    assert at_once.max() > 0.95


@pytest.mark.weights
def test_the_shortest_sounds_are_heard(loader: ModelLoader) -> None:
    with loader.use(VOICE_ACTIVITY) as engine:
        nothing, little = engine.begin(), engine.begin()
        assert nothing.finish().size == 0
        assert little.push(np.zeros(3, np.float32)).size == 0
        assert little.finish().size == 1


@pytest.mark.weights
def test_a_hum_is_no_speech(loader: ModelLoader) -> None:
    times = np.arange(4 * SAMPLE_RATE) / SAMPLE_RATE
    hum = Audio((0.3 * np.sin(2 * np.pi * 100 * times))[None].astype(np.float32), SAMPLE_RATE)
    with loader.use(VOICE_ACTIVITY) as engine:
        activity = engine.begin()
        assert find_spans(np.concatenate([activity.push(hum.samples[0]), activity.finish()])) == []
