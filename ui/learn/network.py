"""Spleeter's two networks opened up: beside the masks they give what every layer made on the way.

Hennequin et al. 2020, "Spleeter: a fast and efficient music source separation tool with pre-trained models", JOSS
5(50), 2154; its network: Jansson et al. 2017, "Singing voice separation with deep U-Net convolutional networks", ISMIR.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from audio_ml import catalogue
from audio_ml.audio import Samples
from audio_ml.catalogue import ModelSpec
from audio_ml.device import Device
from separation.nets.spleeter import UNetWeights, read_weights
from separation.own_spleeter import DATA, INDEX
from separation.spleeter_configuration import TWO_STEMS, Configuration

MODEL = "spleeter-2stems"
MEMORY_BYTES = 600_000_000  # the weights, and the layers of one patch


def opened_model() -> ModelSpec:
    """Returns the row of the model as it is looked into: the same checkpoint, and no graph made of it."""
    spec = catalogue.find("separation", MODEL)
    return dataclasses.replace(
        spec,
        name=f"{MODEL}-opened",
        summary=f"{MODEL} as it is looked into; a part of the lessons on separation.",
        files_shared_with=(*spec.files_shared_with, spec.name),
        derived=(),
        memory_bytes=MEMORY_BYTES,
        engine=OpenedNetworks,
    )


class OpenedNetworks:
    """The networks of both stems in torch; `weights` are those of each stem."""

    configuration: Configuration = TWO_STEMS

    def __init__(self, files: Mapping[str, Path], device: Device) -> None:
        from separation.nets.spleeter_torch import TorchNetworks

        self.weights: list[UNetWeights] = read_weights(files[INDEX], files[DATA], self.configuration)
        self._device = device.kind
        self._networks = TorchNetworks(self.weights, self.configuration, self._device)

    def masks(self, patch: Samples) -> Samples:
        """Returns the masks [stems, 2, frames, bins] of the magnitudes [2, frames, bins] of a patch."""
        import torch

        return np.asarray(self._networks.masks(torch.from_numpy(patch[None]).to(self._device)).cpu().numpy()[:, 0])

    def layers(self, patch: Samples, stem: int) -> Iterator[tuple[str, Samples]]:
        """Yields the output [channels, frames, bins] of every layer of a stem's network, by its name, in order."""
        import torch

        for name, output in self._networks.layers(torch.from_numpy(patch[None]).to(self._device), stem).items():
            yield name, np.asarray(output[0].cpu().numpy())


def magnitudes(clip: Samples, configuration: Configuration = TWO_STEMS) -> list[Samples]:
    """Returns what the networks see of a clip [2, n]: one array [2, frames, bins] a patch, the last one filled up.

    Frames begin as in the engine: frame k at sample k * hop - n_fft, so that every sample is under four.
    """
    n_fft, hop = configuration.n_fft, configuration.hop
    n_patches = -(-count_frames(clip.shape[1], configuration) // configuration.frames)
    n_needed = (n_patches * configuration.frames - 1) * hop + n_fft
    padded = np.pad(clip, ((0, 0), (n_fft, n_needed - n_fft - clip.shape[1])))
    window = np.hanning(n_fft + 1)[:-1].astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft, axis=-1)[:, ::hop]
    return [
        np.abs(_spectrum(frames[:, start : start + configuration.frames] * window)[..., : configuration.bins])
        for start in range(0, n_patches * configuration.frames, configuration.frames)
    ]


def count_frames(n_samples: int, configuration: Configuration = TWO_STEMS) -> int:
    """Returns the number of frames that touch a clip, and the silent one before it.

    >>> count_frames(1), count_frames(1024), count_frames(1025)
    (5, 5, 6)
    """
    return configuration.n_fft // configuration.hop + -(-n_samples // configuration.hop)


def _spectrum(frames: Samples) -> NDArray[np.complex64]:
    return np.asarray(np.fft.rfft(frames), np.complex64)
