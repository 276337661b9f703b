"""The relatives of HTDemucs: fine-tuned by stem, with six stems, and Hybrid Demucs, which came before it.

Rouard, Massa, Défossez 2023, "Hybrid transformers for music source separation"; Défossez 2021, "Hybrid
spectrogram and waveform source separation".
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from audio_ml import exhaustion, torch_threads
from audio_ml.audio import Samples
from audio_ml.batching import Batcher
from audio_ml.catalogue import DerivedFile, Licence, Member, ModelSpec, Row, WeightFile
from audio_ml.chunks import WeightedSegmentation, triangle
from audio_ml.device import Device
from audio_ml.sources import HubSource, UrlSource
from separation.engines.demucs import HTDEMUCS, LICENCE, DemucsEngine, DemucsOptions
from separation.ensemble import ensemble, specialists
from separation.nets import htdemucs, hybrid_demucs
from separation.nets.hybrid_demucs import SAMPLE_RATE, STEMS

BATCH = 2  # segments that a GPU computes at once; each takes some GB
SHORT_SECONDS = 8.0  # the shortest that running out of memory leads to

_Kind = tuple[bool, tuple[int, ...], int]  # half precision, stems, samples


class HybridDemucsOptions(DemucsOptions):
    """Options of Hybrid Demucs, which takes segments of any length."""

    segment_seconds: float = Field(
        44.0,
        ge=1,
        le=600,
        description="Length of a segment; a longer one takes more memory.",
        json_schema_extra={"flag": "--segment", "unit": "s", "advanced": True},
    )
    precision: Literal["auto", "full", "half"] = Field(
        "auto",
        description="'full', which is 'auto' here, computes in 32 bits; 'half' in 16 where that can be done.",
        json_schema_extra={"advanced": True},
    )


class HybridDemucsEngine:
    """Runs Hybrid Demucs, on a CPU one segment at a time; safe to call from several threads.

    `batch` is how many segments are computed at once, by default what suits the device.
    """

    def __init__(
        self, files: Mapping[str, Path], device: Device, *, weights: str, manifest: str, batch: int = 0
    ) -> None:
        on_cpu = device.kind == "cpu"
        batch = batch or (1 if on_cpu else BATCH)
        self.workers = 1 if batch == 1 else 2 * batch  # while one batch is computed, the next gathers
        self._device = device
        self._network = hybrid_demucs.load(files[weights], STEMS, manifest).to(device.kind)
        self._compute: Batcher[_Kind, Samples, Samples] = Batcher(
            self._separate,
            workers=1,
            batch=batch,
            prepare=functools.partial(torch_threads.use_threads, device.cores) if on_cpu else None,
        )

    def segmentation(self, options: HybridDemucsOptions) -> WeightedSegmentation:
        """Returns how the stream is cut: as `demucs.apply.apply_model` cuts it for a model of any length."""
        length = int(options.segment_seconds * SAMPLE_RATE)
        return WeightedSegmentation(length, int((1 - options.overlap) * length), triangle(length), centred=False)

    def separate(self, segment: Samples, stems: Sequence[str], options: HybridDemucsOptions) -> Samples:
        """Returns the stems [len(stems), 2, length] of a segment [2, length]."""
        chosen = tuple(STEMS.index(stem) for stem in stems)
        return self._compute((options.precision == "half", chosen, segment.shape[-1]), segment)

    def _separate(self, kind: _Kind, segments: list[Samples]) -> list[Samples]:
        import torch

        half, chosen, length = kind
        device = self._device.kind
        dtype = torch.bfloat16 if device == "cpu" else torch.float16
        work = f"A segment of {length / SAMPLE_RATE:g} s"
        with exhaustion.reported(work), torch.inference_mode(), torch.autocast(device, dtype, enabled=half):
            separated = self._network(torch.from_numpy(np.stack(segments)).to(device))
            return list(separated[:, list(chosen)].float().cpu().numpy())

    def lighter(self, options: HybridDemucsOptions) -> tuple[str, HybridDemucsOptions] | None:
        """Returns the next step that takes less memory, and what to call it; None where there is none."""
        shorter = options.segment_seconds / 2
        if shorter >= SHORT_SECONDS:
            return f"segments of {shorter:g} s", options.model_copy(update={"segment_seconds": shorter})
        if options.precision != "half":
            return "half precision", options.model_copy(update={"precision": "half"})
        return None


_RELEASE = "https://dl.fbaipublicfiles.com/demucs/"


def _published(
    folder: str, name: str, size: int, sha256: str, hub: tuple[str, str], safetensors: tuple[int, str] = (0, "")
) -> WeightFile:
    """Returns a model's checkpoint by its signature, or as an alternative the hub's file with the same weights.

    The publisher tells the first eight digits of a sha256 in the name; who fetched the files agree on the rest.
    """
    signature = name.partition("-")[0]
    other = WeightFile(
        f"{signature}.safetensors", *safetensors, (HubSource(hub[0], f"{signature}.safetensors", hub[1]),)
    )
    return WeightFile(name, size, sha256, (UrlSource(f"{_RELEASE}{folder}/{name}"),), alternatives=(other,))


def _transformer(
    name: str, summary: str, file: WeightFile, stems: tuple[str, ...], builder: str, memory_bytes: int
) -> ModelSpec:
    """Returns the row of a network like HTDemucs."""
    bottom_channels = htdemucs.BOTTOM_CHANNELS if stems == STEMS else 0
    make = functools.partial(htdemucs.htdemucs, stems=stems, bottom_channels=bottom_channels)
    architecture = dataclasses.replace(HTDEMUCS, make=make, stems=stems, weights=f"{name}.safetensors")
    return ModelSpec(
        name=name,
        aliases=(file.name.partition("-")[0],),
        task="separation",
        summary=summary,
        licence=LICENCE,
        files=(file,),
        derived=(DerivedFile(architecture.weights, inputs=(file.name,), builder=builder, version="1"),),
        outputs=stems,
        sample_rate=SAMPLE_RATE,
        n_channels=2,
        memory_bytes=memory_bytes,
        normalised=True,
        options=DemucsOptions,
        engine=functools.partial(DemucsEngine, architecture=architecture),
    )


def _hybrid(
    name: str,
    summary: str,
    file: WeightFile,
    manifest: str,
    aliases: tuple[str, ...],
    builder: str = "build",
    licence: Licence = LICENCE,
) -> ModelSpec:
    """Returns the row of a Hybrid Demucs."""
    weights = f"{name}.safetensors"
    return ModelSpec(
        name=name,
        aliases=aliases,
        task="separation",
        summary=summary,
        licence=licence,
        files=(file,),
        derived=(DerivedFile(weights, (file.name,), f"separation.nets.hybrid_demucs:{builder}", version="1"),),
        outputs=STEMS,
        sample_rate=SAMPLE_RATE,
        n_channels=2,
        memory_bytes=2_900_000_000,
        normalised=True,
        options=HybridDemucsOptions,
        engine=functools.partial(HybridDemucsEngine, weights=weights, manifest=manifest),
    )


_FINE_TUNED_HUB = ("adefossez/HTDemucs-ft", "478be8a68f85418addd6f7baefd4be76522a4034")
_FINE_TUNED = [
    _transformer(
        f"htdemucs-ft-{stem}",
        f"HTDemucs fine-tuned for {stem}; its other stems are made along the way.",
        _published("hybrid_transformer", name, 84_141_271, sha256, _FINE_TUNED_HUB, (0, on_hub)),
        STEMS,
        "separation.nets.htdemucs:build",
        1_200_000_000,
    )
    for stem, name, sha256, on_hub in (
        (
            "drums",
            "f7e0c4bc-ba3fe64a.th",
            "ba3fe64ae8ef66ac9a4857222ce48efbdc5eb3ad375cb79dd13debee5aaa4066",
            "2c85ab3c62dd6edd8e0b965e38b16fd1cdde357cc25de6b6bc9ce7c83f60925f",
        ),
        (
            "bass",
            "d12395a8-e57c48e6.th",
            "e57c48e6b0e38af4f7118d7bd08c49f0a0c0edf7d09143bdd902ea0d237303e6",
            "5b01a97567ae9a3178a6236fb520251045c03eb8834bc8c24a4eec11d6c8fb56",
        ),
        (
            "other",
            "92cfc3b6-ef3bcb9c.th",
            "ef3bcb9c8b40d14ae5d51b6db2587339cc12c6b77c0be151ce6d69002e087bf2",
            "a241863551f30d01c42bd7b97da40839922ead3acb0f1fcab25682f55b4eeb59",
        ),
        (
            "vocals",
            "04573f0d-f3cf25b2.th",
            "f3cf25b222c4eed7cd49dd8b2c9597d50c18bd154090f7b919cfa5f93cf22c49",
            "68854b0d7c2b3274723b5761f6fd9f5aec5f1bcd3f0de7c1669546fdb7871b7c",
        ),
    )
]

_EXTRA_HUB = ("adefossez/Demucs-mdx_extra", "main")
_EXTRA = [
    _hybrid(
        f"mdx-extra-{number}",
        f"Model {number} of the four of mdx-extra.",
        _published("mdx_final", name, size, sha256, _EXTRA_HUB),
        manifest,
        (name.partition("-")[0],),
    )
    for number, (name, size, sha256, manifest) in enumerate(
        (
            (
                "e51eebcc-c1b80bdd.th",
                167_399_275,
                "c1b80bdd6de58274abf359e66822a76f49ce2b9f086fc5dc917ac14598e6bebf",
                "hdemucs",
            ),
            (
                "a1d90b5c-ae9d2452.th",
                167_391_595,
                "ae9d245283bf24b552913ee233a1101dcd0aeaed59b1c0a2da0e1f6eda15101b",
                "hdemucs-amplitude",
            ),
            (
                "5d2d6c55-db83574e.th",
                167_391_595,
                "db83574e05b2308f76e2764819da673f2d16d437b9e619f5fcb72f275fc0e24f",
                "hdemucs-amplitude",
            ),
            (
                "cfa93e08-61801ae1.th",
                167_399_275,
                "61801ae1567d606c97a9c3469e943ae306d0a873eeb60d623ae7cfc7042b3f68",
                "hdemucs",
            ),
        ),
        1,
    )
]

MODELS: list[Row] = [
    ensemble(
        "htdemucs-ft",
        specialists(list(zip(_FINE_TUNED, STEMS, strict=True))),
        "Four HTDemucs, each fine-tuned for its stem: a little better than htdemucs, and four times slower.",
        ("htdemucs_ft",),
    ),
    *_FINE_TUNED,
    _transformer(
        "htdemucs-6s",
        "Six stems by HTDemucs: guitar and piano beside the four; its author finds the piano poor.",
        _published(
            "hybrid_transformer",
            "5c90dfd2-34c22ccb.th",
            54_996_327,
            "34c22ccb381c6f9fdbf324f04e1e2fe21aaaf293f5ded163a162697ff9a02ddd",
            ("adefossez/HTDemucs-6s", "3c5ee475be622df764938de97e4281a7b07ffa58"),
            (54_885_744, "d2a1745f0744721f6b8ca5bf469b67c651ea5ed1b52998cab033b2158609d411"),
        ),
        htdemucs.SIX_STEMS,
        "separation.nets.htdemucs:build_six_stems",
        1_200_000_000,
    ),
    _hybrid(
        "hdemucs-mmi",
        "Hybrid Demucs, version 3, trained on MUSDB18 and 800 more songs.",
        _published(
            "hybrid_transformer",
            "75fc33f5-1941ce65.th",
            167_407_275,
            "1941ce654b11df4132b9f4eae408556b4c83fad6fe26b4bc0dbcb36b975befb3",
            ("adefossez/Demucs-hdemucs_mmi", "main"),
        ),
        "hdemucs",
        ("hdemucs_mmi", "75fc33f5"),
    ),
    ensemble(
        "mdx-extra",
        [Member(spec) for spec in _EXTRA],
        "The mean of four Hybrid Demucs trained on MUSDB18 and more, second in the MDX challenge of 2021.",
        ("mdx_extra",),
    ),
    *_EXTRA,
    _hybrid(
        "hdemucs-high",
        "Hybrid Demucs as torchaudio trained it (HDEMUCS_HIGH_MUSDB_PLUS), on MUSDB18 and 150 more songs.",
        WeightFile(
            "hdemucs_high_trained.pt",
            334_697_255,
            "a004b2790d73ffeaa535db458a1a79b539dfdbafbccc31f275d07e632ebd7816",
            (UrlSource("https://download.pytorch.org/torchaudio/models/hdemucs_high_trained.pt"),),
        ),
        "hdemucs",
        ("HDEMUCS_HIGH_MUSDB_PLUS",),
        "build_torchaudio",
        Licence(
            "not stated",
            commercial=None,
            note="torchaudio, which is BSD, says that its models may come under terms of their training data; "
            "MUSDB18-HQ is for research alone.",
            must_accept=True,
        ),
    ),
]
