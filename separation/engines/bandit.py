"""BandIt v2: dialogue, music and effects of films.

Watcharasupat et al. 2023, "A generalized bandsplit neural network for cinematic audio source separation" (arXiv
2309.02539); Watcharasupat, Wu, Orife 2024, "Remastering Divide and Remaster: a cinematic audio source separation
dataset with multilingual support" (arXiv 2407.07275).
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from audio_ml import exhaustion
from audio_ml.audio import Samples
from audio_ml.catalogue import DerivedFile, Licence, ModelSpec, Row, WeightFile
from audio_ml.chunks import WeightedSegmentation
from audio_ml.device import Device
from audio_ml.sources import UrlSource
from audio_ml.state_dicts import load_strictly, read_state_dict
from separation.batching import Batch
from separation.options import SeparationOptions

SAMPLE_RATE = 48000
TRAINED_SECONDS = 8.0
SHORTEST_SECONDS = 2.0
GPU_BATCH = 8
WEIGHTS = "weights.safetensors"
PUBLISHED = {"dialogue": "speech", "music": "music", "effects": "sfx"}  # our names of stems, and theirs


class BanditOptions(SeparationOptions):
    """Options of the BandIt models."""

    overlap: float = Field(
        0.5,
        ge=0,
        le=0.9,
        description="Share of each segment that the next one covers again: smoother, and slower.",
        json_schema_extra={"advanced": True},
    )
    segment_seconds: float = Field(
        TRAINED_SECONDS,
        ge=SHORTEST_SECONDS,
        le=60,
        description="Length of a segment; the model was trained on 8 s.",
        json_schema_extra={"flag": "--segment", "unit": "s", "advanced": True},
    )
    precision: Literal["auto", "full", "half"] = Field(
        "auto",
        description="'full' computes in 32 bits, 'half' most of it in 16: faster; 'auto' takes half on a CUDA device.",
        json_schema_extra={"advanced": True},
    )


class BanditEngine:
    """Runs the network on segments of one channel; safe to call from several threads."""

    def __init__(self, files: Mapping[str, Path], device: Device, *, batch: int | None = None, **shape: Any) -> None:
        weights = files[WEIGHTS]  # before torch, whose import takes seconds: they may be out of reach

        from separation.nets.bandit import Bandit, Shape

        self.workers = 1
        self._kind = device.kind
        self._batch = batch or (1 if device.kind == "cpu" else GPU_BATCH)
        network = Bandit(Shape(**shape))
        load_strictly(network, read_state_dict(weights), WEIGHTS)
        self._network = network.to(device.kind)
        self._halved: Bandit | None = None
        self._halving = threading.Lock()

    def segmentation(self, options: BanditOptions) -> WeightedSegmentation:
        """Returns how the stream is cut: segments that fade into each other by a squared sine, as its authors' do."""
        return self._cut(options).segmentation()

    def separate(self, segment: Samples, stems: Sequence[str], options: BanditOptions) -> Samples:
        """Returns the stems [len(stems), 1, length] of a segment [1, length].

        Raises:
            OutOfMemory: when the device's memory does not hold the computation.
        """
        import torch

        batch = self._cut(options)
        pieces = batch.cut(segment)
        with exhaustion.reported(f"A segment of {options.segment_seconds:g} s"), torch.inference_mode():
            heard = torch.from_numpy(pieces[:, 0]).to(self._kind)
            separated = self._chosen(options)(heard, [PUBLISHED[stem] for stem in stems])
            return batch.join(separated[:, :, None].cpu().numpy())

    def lighter(self, options: BanditOptions) -> tuple[str, BanditOptions] | None:
        """Returns the next step that takes less memory, and what to call it; None where there is none."""
        seconds = options.segment_seconds / 2
        if seconds >= SHORTEST_SECONDS:
            return f"segments of {seconds:g} s", options.model_copy(update={"segment_seconds": seconds})
        if not self._is_half(options):
            return "half precision", options.model_copy(update={"precision": "half"})
        return None

    def _chosen(self, options: BanditOptions) -> Any:
        if not self._is_half(options):
            return self._network
        import torch

        with self._halving:
            if self._halved is None:
                dtype = torch.bfloat16 if self._kind == "cpu" else torch.float16
                self._halved = copy.deepcopy(self._network).halve(dtype)
            return self._halved

    def _is_half(self, options: BanditOptions) -> bool:
        return options.precision == "half" or (options.precision == "auto" and self._kind == "cuda")

    def _cut(self, options: BanditOptions) -> Batch:
        length = round(options.segment_seconds * SAMPLE_RATE)
        hop = max(1, round(length * (1 - options.overlap)))
        weights = np.sin((np.arange(length) + 0.5) * np.pi / length) ** 2
        return Batch(length, hop, weights.astype(np.float32), self._batch)


_PUBLISHED = WeightFile(
    "checkpoint-multi.ckpt",
    446_680_129,
    "abcfccf65446752a057f4a302c941479a54b7560ebf8d7bca039d2ea98e64cfc",
    (UrlSource("https://zenodo.org/records/12701995/files/checkpoint-multi.ckpt"),),
    alternatives=(
        WeightFile(  # the same without what only training needs, by the makers of a desktop application
            "checkpoint-multi_fixed.ckpt",
            149_133_378,
            "20bcd513dc7eb0541dd045909a4e7dff8dab474cc2efba4904101c76524aee85",
            (
                UrlSource(
                    "https://github.com/TRvlvr/model_repo/releases/download/all_public_uvr_models/"
                    "checkpoint-multi_fixed.ckpt"
                ),
            ),
        ),
    ),
)

MODELS: list[Row] = [
    ModelSpec(
        name="bandit-v2",
        aliases=("bandit",),
        task="separation",
        summary="Dialogue, music and effects of films, in more than thirty languages.",
        licence=Licence(
            "CC BY-SA 4.0",
            commercial=True,
            note="Name Karn N. Watcharasupat, Chih-Wei Wu and Iroro Orife; pass weights on under the same terms.",
        ),
        files=(_PUBLISHED,),
        derived=(
            DerivedFile(
                WEIGHTS,
                inputs=(_PUBLISHED.name,),
                builder="separation.nets.bandit:build",
                version="1",
            ),
        ),
        outputs=tuple(PUBLISHED),
        sample_rate=SAMPLE_RATE,
        n_channels=1,
        memory_bytes=800_000_000,
        options=BanditOptions,
        engine=BanditEngine,
    ),
]
