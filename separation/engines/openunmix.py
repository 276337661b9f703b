"""Open-Unmix: a recurrent network for each stem, then a Wiener filter over all of them.

Stöter, Uhlich, Liutkus, Mitsufuji 2019, "Open-Unmix: a reference implementation for music source separation"
(JOSS 4(41), 1667).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import Field

from audio_ml import exhaustion
from audio_ml.audio import Samples
from audio_ml.catalogue import Licence, ModelSpec, Row, WeightFile
from audio_ml.chunks import WeightedSegmentation, triangle
from audio_ml.device import Device
from audio_ml.sources import UrlSource
from audio_ml.state_dicts import load_strictly, read_state_dict
from separation.batching import Batch
from separation.options import SeparationOptions

GPU_BATCH = 4
SHORTEST_SECONDS = 4.0
# Entries of the older files that hold nothing learned: the window of a transform, and the rate.
BESIDE_THE_NETWORK = {"sample_rate", "stft.window", "transform.0.window"}


class OpenUnmixOptions(SeparationOptions):
    """Options of the Open-Unmix models."""

    overlap: float = Field(
        0.25,
        ge=0,
        le=0.9,
        description="Share of each segment that the next one covers again: smoother, and slower.",
        json_schema_extra={"advanced": True},
    )
    segment_seconds: float = Field(
        30.0,
        ge=SHORTEST_SECONDS,
        le=3600,
        description="Length of a segment. The networks listen back and ahead as far as it reaches; a piece that "
        "fits into one is heard as a whole, as Open-Unmix itself does.",
        json_schema_extra={"flag": "--segment", "unit": "s", "advanced": True},
    )
    wiener_iterations: int = Field(
        1,
        ge=0,
        le=10,
        description="How often the Wiener filter refines the stems: more is cleaner, with more artefacts.",
        json_schema_extra={"advanced": True},
    )
    softmask: bool = Field(
        False,
        description="Begin with each stem's share of the mixture instead of its own estimate.",
        json_schema_extra={"advanced": True},
    )


@dataclass(frozen=True)
class Checkpoint:
    """What the files of a model hold: one network for each of its `files`, of these sizes."""

    files: Mapping[str, str]  # by stem
    sample_rate: int
    n_fft: int
    n_channels: int
    heard: int
    hidden: int


class OpenUnmixEngine:
    """Runs the networks of all stems over a segment; safe to call from several threads."""

    def __init__(
        self, files: Mapping[str, Path], device: Device, *, checkpoint: Checkpoint, batch: int | None = None
    ) -> None:
        paths = {stem: files[name] for stem, name in checkpoint.files.items()}  # before torch: they may be out of reach

        from separation.nets import open_unmix

        self.workers = 1
        self._kind, self._checkpoint = device.kind, checkpoint
        self._batch = batch or (1 if device.kind == "cpu" else GPU_BATCH)
        self._net = open_unmix
        self._shape = open_unmix.Shape(checkpoint.n_fft, checkpoint.n_channels, checkpoint.heard, checkpoint.hidden)
        self._networks = {}
        for stem, path in paths.items():
            network = open_unmix.OpenUnmix(self._shape)
            state = read_state_dict(path)
            learned = {key: value for key, value in state.items() if key not in BESIDE_THE_NETWORK}
            load_strictly(network, learned, checkpoint.files[stem])
            self._networks[stem] = network.to(device.kind)

    def segmentation(self, options: OpenUnmixOptions) -> WeightedSegmentation:
        """Returns how the stream is cut: long segments that fade into each other."""
        return self._cut(options).segmentation()

    def separate(self, segment: Samples, stems: Sequence[str], options: OpenUnmixOptions) -> Samples:
        """Returns the stems [len(stems), channels, length] of a segment [channels, length].

        Silence around the sound of a segment, such as that beyond the ends of a file, is left out.

        Raises:
            OutOfMemory: when the device's memory does not hold the computation.
        """
        batch = self._cut(options)
        pieces = batch.cut(segment)
        separated = np.zeros((len(pieces), len(stems), *pieces.shape[1:]), np.float32)
        alike: dict[tuple[int, int], list[int]] = {}
        for index, piece in enumerate(pieces):
            alike.setdefault(_sounding(piece, self._checkpoint.n_fft), []).append(index)
        with exhaustion.reported(f"A segment of {options.segment_seconds:g} s"):
            for (first, last), chosen in alike.items():
                if first < last:
                    heard = pieces[chosen][..., first:last]
                    separated[chosen, ..., first:last] = self._separate(heard, stems, options)
        return batch.join(separated)

    def lighter(self, options: OpenUnmixOptions) -> tuple[str, OpenUnmixOptions] | None:
        """Returns the next step that takes less memory, and what to call it; None where there is none."""
        seconds = options.segment_seconds / 2
        if seconds < SHORTEST_SECONDS:
            return None
        return f"segments of {seconds:g} s", options.model_copy(update={"segment_seconds": seconds})

    def _separate(self, mixture: Samples, stems: Sequence[str], options: OpenUnmixOptions) -> Samples:
        """Returns the stems [batch, len(stems), channels, time] of a mixture [batch, channels, time]."""
        import torch

        together = options.wiener_iterations > 0 or options.softmask  # a stem depends on the others
        names = list(self._networks) if together else list(stems)
        networks = [self._networks[name] for name in names]
        with torch.inference_mode():
            heard = torch.from_numpy(np.ascontiguousarray(mixture)).to(self._kind)
            made = self._net.separate(networks, heard, self._shape, options.wiener_iterations, options.softmask)
            return np.asarray(made[:, [names.index(stem) for stem in stems]].cpu().numpy())

    def _cut(self, options: OpenUnmixOptions) -> Batch:
        length = round(options.segment_seconds * self._checkpoint.sample_rate)
        hop = max(1, round(length * (1 - options.overlap)))
        return Batch(length, hop, triangle(length), self._batch)


def _sounding(segment: Samples, shortest: int) -> tuple[int, int]:
    """Returns where the sound of a segment [channels, length] begins and ends: `shortest` samples or none at all."""
    (heard,) = np.nonzero(segment.any(axis=0))
    if not heard.size:
        return 0, 0
    first = max(0, min(int(heard[0]), segment.shape[-1] - shortest))
    return first, max(int(heard[-1]) + 1, first + shortest)


MIT = Licence(
    "MIT",
    commercial=True,
    note="Trained on MUSDB18, whose songs are for education and research; its authors offer the weights under MIT.",
)
NON_COMMERCIAL = Licence(
    "CC BY-NC-SA 4.0",
    commercial=False,
    note="Trained on about 400 hours of music that is not public; not to be used commercially.",
    must_accept=True,
)
UNKNOWN = Licence(
    "unknown", commercial=None, note="Open-Unmix's code is MIT; what holds for these weights is not said there."
)
_RECORDS = "https://zenodo.org/records/"


def _checkpoint(
    names: Sequence[str],
    hidden: int,
    sample_rate: int = 44100,
    n_fft: int = 4096,
    n_channels: int = 2,
    heard: int = 1487,
) -> Checkpoint:
    """Describes the files of a model; the music models hear the bins up to 16 kHz."""
    stems = {re.split("[-_]", name)[0]: name for name in names}
    return Checkpoint(stems, sample_rate, n_fft, n_channels, heard, hidden)


def _model(
    name: str, record: str, summary: str, licence: Licence, checkpoint: Checkpoint, memory_bytes: int, **told: str
) -> ModelSpec:
    """Returns the row of a model; `told` has the sha256 of files by stem, whose beginning their names tell."""
    size = UMXHQ_BYTES if told else 0
    files = (
        WeightFile(file, size, told.get(stem) or _hash_in(file), (UrlSource(f"{_RECORDS}{record}/files/{file}"),))
        for stem, file in checkpoint.files.items()
    )
    return ModelSpec(
        name=name,
        task="separation",
        summary=summary,
        licence=licence,
        files=tuple(files),
        outputs=tuple(checkpoint.files),
        sample_rate=checkpoint.sample_rate,
        n_channels=checkpoint.n_channels,
        memory_bytes=memory_bytes,
        options=OpenUnmixOptions,
        engine=functools.partial(OpenUnmixEngine, checkpoint=checkpoint),
    )


def _hash_in(name: str) -> str:
    return re.split("[-_.]", name)[1]


UMXHQ_BYTES = 35_637_796  # of each file

MODELS: list[Row] = [
    _model(
        "umxhq",
        "3370489",
        "Vocals, drums, bass and other by Open-Unmix, trained on MUSDB18-HQ: light, with a free licence.",
        MIT,
        _checkpoint(("vocals-b62c91ce.pth", "drums-9619578f.pth", "bass-8d85a5bd.pth", "other-b52fbbf7.pth"), 512),
        700_000_000,
        vocals="b62c91cedbc7a066f1778ead5b5cecb377aa3a46a31af1cce7c5c8769339d083",
        drums="9619578f885c54737cb0234f9f9a4a679ee4f31438fd77fd1dbe02bb16c2da0a",
        bass="8d85a5bd3f996a8867fca0e8442e077e5a3f5ec747a6112742452a8f347b39c8",
        other="b52fbbf76479e752bd72e02304c602ac7802aa5bfbfb9cd12054b2695d5093ab",
    ),
    _model(
        "umxl",
        "5069601",
        "Vocals, drums, bass and other by the largest Open-Unmix: about a decibel better than umxhq.",
        NON_COMMERCIAL,
        _checkpoint(("vocals-bccbd9aa.pth", "drums-69e0ebd4.pth", "bass-2ca1ce51.pth", "other-c8c5b3e6.pth"), 1024),
        950_000_000,
    ),
    _model(
        "umx",
        "3370486",
        "Vocals, drums, bass and other by Open-Unmix, trained on the compressed MUSDB18: to compare with.",
        MIT,
        _checkpoint(("vocals-c8df74a5.pth", "drums-5a48008b.pth", "bass-646024d3.pth", "other-f8e132cc.pth"), 512),
        700_000_000,
    ),
    _model(
        "umxse",
        "3786908",
        "Speech and noise by Open-Unmix, at 16 kHz.",
        UNKNOWN,
        _checkpoint(
            ("speech_f5e0d9f9.pth", "noise_04a6fc2d.pth"), 256, sample_rate=16000, n_fft=1024, n_channels=1, heard=513
        ),
        520_000_000,
    ),
]
