"""What the speaker encoders hear in a recording."""

from __future__ import annotations

from audio_ml import loader as loaders
from audio_ml.audio import Audio
from audio_ml.judges import heard
from audio_ml.loader import ModelLoader
from audio_ml.progress import Progress
from audio_ml.speaker_windows import Embedding
from voiceclone.engines.speaker_encoders import CAMPPLUS, GE2E, SAMPLE_RATE

ENCODERS = {"ge2e": GE2E, "campplus": CAMPPLUS}


def embeddings(
    audio: Audio, loader: ModelLoader | None = None, progress: Progress | None = None
) -> dict[str, Embedding]:
    """Returns the embeddings of a recording, {"ge2e": [256], "campplus": [192]}, each of unit length.

    They are means over windows of 5 s at the most; all channels are mixed.

    Raises:
        InvalidInput: when it is shorter than half a second.
        WeightsError, MissingDependency: when an encoder cannot be had.
    """
    samples = heard(audio, SAMPLE_RATE)
    with (loader or loaders.default()).use_all([GE2E, CAMPPLUS], progress) as engines:
        return {name: engine.embedding(samples) for name, engine in zip(ENCODERS, engines, strict=True)}
