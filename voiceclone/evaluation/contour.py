"""The melody of speech by pYIN, to judge whether conversion keeps it: not the tracker that conversion uses.

Mauch and Dixon 2014, "pYIN: a fundamental frequency estimator using probabilistic threshold distributions"; librosa has
it, which the extra `audio-ml[judges]` brings.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from audio_ml.audio import Audio
from audio_ml.errors import MissingDependency
from audio_ml.judges import heard

SAMPLE_RATE = 16000
HOP = SAMPLE_RATE // 100
WINDOW = 1024
SEARCHED_HZ = {"fmin": 45.0, "fmax": 500.0}
HUM_HZ = 70.0  # what is lower is the hum of mains, or an octave too low because of it
LEAST_FRAMES = 20  # voiced in both, for a correlation to mean anything

Floats = NDArray[np.float64]


def tracker() -> Any:
    """Returns the function that tracks pitch.

    Raises:
        MissingDependency: when librosa is not installed.
    """
    try:
        from librosa import pyin
    except ImportError as error:
        raise MissingDependency("The judge of melodies needs librosa: pip install 'audio-ml[judges]'.") from error
    return pyin


def contour(audio: Audio) -> Floats:
    """Returns the pitch in Hz [frames], one every 10 ms, 0 where there is none.

    Raises:
        MissingDependency: when librosa is not installed.
    """
    samples = heard(audio, SAMPLE_RATE)
    found = tracker()(samples, sr=SAMPLE_RATE, frame_length=WINDOW, hop_length=HOP, fill_na=0.0, **SEARCHED_HZ)
    hz = np.asarray(found[0], np.float64)
    return np.where(hz > HUM_HZ, hz, 0.0)


def correlation(one: Audio, other: Audio) -> float | None:
    """Returns the correlation of log pitch where both are voiced at the same time; None where that is next to nowhere.

    It does not change when one of them is lower or livelier as a whole.

    Raises:
        MissingDependency: when librosa is not installed.
    """
    first, second = contour(one), contour(other)
    n_frames = min(len(first), len(second))
    both = (first[:n_frames] > 0) & (second[:n_frames] > 0)
    if both.sum() < LEAST_FRAMES:
        return None
    logs = np.log(first[:n_frames][both]), np.log(second[:n_frames][both])
    if min(np.std(logs[0]), np.std(logs[1])) < 1e-6:
        return None
    return float(np.corrcoef(*logs)[0, 1])
