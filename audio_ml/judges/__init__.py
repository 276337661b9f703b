"""Models that judge sound: words (`whisper.py`), quality (`dnsmos.py`), speakers (`ecapa.py`, `eres2net.py`)."""

from __future__ import annotations

import numpy as np

from audio_ml.audio import Audio, Samples
from audio_ml.streams import Resampler


def heard(audio: Audio, sample_rate: int) -> Samples:
    """Returns sound as a judge hears it: mono samples [time] at its own rate, within full scale."""
    mixed = audio.samples.mean(axis=0, keepdims=True)
    samples: Samples = np.concatenate(list(Resampler(audio.sample_rate, sample_rate, 1).stream([mixed])), axis=-1)[0]
    return samples.clip(-1, 1)
