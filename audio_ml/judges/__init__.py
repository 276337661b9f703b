"""Models that judge sound: words (`whisper.py`), quality (`dnsmos.py`), speakers (`ecapa.py`, `eres2net.py`)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from audio_ml import loader as loaders
from audio_ml.audio import Audio, Samples
from audio_ml.catalogue import ModelSpec
from audio_ml.downmix import mixed_down
from audio_ml.loader import ModelLoader
from audio_ml.speaker_windows import Embedding, embedded_by, mean_embedding
from audio_ml.state_dicts import load_strictly, read_state_dict
from audio_ml.streams import Resampler

if TYPE_CHECKING:
    import torch

SPEAKER_RATE = 16000
LONGEST_SECONDS = 20.0  # that judges of voices hear at once


def heard(audio: Audio, sample_rate: int) -> Samples:
    """Returns sound as a judge hears it: mono samples [time] at its own rate, within full scale."""
    mixed = mixed_down(audio.samples)
    samples: Samples = np.concatenate(list(Resampler(audio.sample_rate, sample_rate, 1).stream([mixed])), axis=-1)[0]
    return samples.clip(-1, 1)


class SpeakerJudge:
    """Runs a speaker network on the CPU, wherever the other models are, so that its verdicts stay comparable."""

    def __init__(self, network: torch.nn.Module, path: Path, name: str) -> None:
        load_strictly(network, read_state_dict(path), name)
        self._network: Any = network

    def embedding(self, samples: Samples) -> Embedding:
        """Returns the embedding [192] of a sound [time] at 16 kHz."""
        return mean_embedding(samples, SPEAKER_RATE, LONGEST_SECONDS, embedded_by(self._network))


def embedding_by(judge: ModelSpec, audio: Audio, loader: ModelLoader | None) -> Embedding:
    """Returns what a judge of voices makes of a recording; all channels are mixed."""
    with (loader or loaders.default()).use(judge) as engine:
        embedding: Embedding = engine.embedding(heard(audio, SPEAKER_RATE))
        return embedding
