"""Spleeter's U-Nets: read from its checkpoint, and run in torch (`spleeter_onnx.py` has them for a CPU).

Network: Jansson et al. 2017, "Singing voice separation with deep U-Net convolutional networks";
its masks: Hennequin et al. 2020, "Spleeter" (JOSS 5(50), 2154). One U-Net per stem sees the
magnitudes [1, 2, FRAMES, BINS] of a stereo patch and estimates that stem's magnitudes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from audio_ml.errors import WeightsCorrupt
from separation import tensorflow_checkpoint

if TYPE_CHECKING:
    import torch

FRAMES, BINS = 512, 1024  # one patch
DEPTH = 6  # convolutions down, and up again
KERNEL = 5
NORM_EPSILON = 1e-3
LEAK = 0.2
MASK_EPSILON = 1e-10
PAD = (1, 2)  # TensorFlow's "same" of a 5x5 convolution with stride 2: before, after
HEAD_PAD = 3  # "same" of the closing 4x4 convolution with dilation 2

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Convolution:
    """`kernel` [out, in, height, width] and `bias` [out]; of a transposed one the kernel is [in, out, ...]."""

    kernel: Array
    bias: Array


@dataclass(frozen=True)
class Normalisation:
    """The four vectors of a batch normalisation, in the order that torch and ONNX take them."""

    scale: Array
    shift: Array
    mean: Array
    variance: Array


@dataclass(frozen=True)
class UNetWeights:
    """The parameters of one stem's network; the last convolution down has no normalisation that is used."""

    down: tuple[Convolution, ...]
    down_norms: tuple[Normalisation, ...]
    up: tuple[Convolution, ...]
    up_norms: tuple[Normalisation, ...]
    head: Convolution


def read_weights(index: Path, data: Path, n_stems: int) -> list[UNetWeights]:
    """Reads the networks of a Spleeter checkpoint, in the order of its stems.

    Raises:
        WeightsCorrupt: when a variable is missing, left over, or of another shape.
    """
    variables = _Variables(tensorflow_checkpoint.read(index, data))
    networks = []
    for stem in range(n_stems):
        first_conv, first_up, first_norm = stem * (DEPTH + 1), stem * DEPTH, stem * 2 * DEPTH
        widths = [2, 16, 32, 64, 128, 256, 512]
        down = [
            variables.convolution(f"conv2d_{first_conv + i}", (KERNEL, KERNEL, widths[i], widths[i + 1]))
            for i in range(DEPTH)
        ]
        head = variables.convolution(f"conv2d_{first_conv + DEPTH}", (4, 4, 1, 2))
        outs = [256, 128, 64, 32, 16, 1]
        ins = [512, 512, 256, 128, 64, 32]
        up = [
            variables.convolution(f"conv2d_transpose_{first_up + i}", (KERNEL, KERNEL, outs[i], ins[i]))
            for i in range(DEPTH)
        ]
        norms = [
            variables.normalisation(f"batch_normalization_{first_norm + i}", width)
            for i, width in enumerate([*widths[1:], *outs])
        ]
        networks.append(UNetWeights(tuple(down), tuple(norms[: DEPTH - 1]), tuple(up), tuple(norms[DEPTH:]), head))
    variables.discard("global_step")
    variables.expect_empty()
    return networks


class _Variables:
    """The checkpoint's variables, each taken exactly once."""

    def __init__(self, variables: dict[str, NDArray[np.generic]]) -> None:
        first_of_kind = re.compile(r"^(conv2d|conv2d_transpose|batch_normalization)/")
        self._left = {first_of_kind.sub(r"\1_0/", name): value for name, value in variables.items()}

    def convolution(self, name: str, shape: tuple[int, ...]) -> Convolution:
        """TensorFlow keeps [height, width, in, out] (transposed: out, in); we want the last two first."""
        kernel = self._take(f"{name}/kernel", shape).transpose(3, 2, 0, 1)
        n_out = shape[2] if "transpose" in name else shape[3]
        return Convolution(np.ascontiguousarray(kernel), self._take(f"{name}/bias", (n_out,)))

    def normalisation(self, name: str, width: int) -> Normalisation:
        vectors = ("gamma", "beta", "moving_mean", "moving_variance")
        return Normalisation(*(self._take(f"{name}/{vector}", (width,)) for vector in vectors))

    def discard(self, name: str) -> None:
        self._left.pop(name, None)

    def expect_empty(self) -> None:
        if self._left:
            raise WeightsCorrupt(f"The checkpoint has variables of another network: {', '.join(sorted(self._left))}.")

    def _take(self, name: str, shape: tuple[int, ...]) -> Array:
        value = self._left.pop(name, None)
        if value is None or value.shape != shape:
            found = "missing" if value is None else f"of shape {value.shape}"
            raise WeightsCorrupt(f"Variable {name} of the checkpoint is {found}; expected shape {shape}.")
        return np.asarray(value, np.float32)


def torch_masks(networks: Sequence[UNetWeights], device: str) -> Callable[[torch.Tensor], torch.Tensor]:
    """Returns a function from magnitudes [1, 2, FRAMES, BINS] to masks [stems, 2, FRAMES, BINS] that sum to one."""
    import torch

    on_device = [_on_device(network, device) for network in networks]

    def masks(magnitude: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            powers = torch.cat([_torch_unet(network, magnitude) for network in on_device]) ** 2
            total = powers.sum(dim=0, keepdim=True) + MASK_EPSILON
            return (powers + MASK_EPSILON / len(powers)) / total

    return masks


def _on_device(value: Any, device: str) -> Any:
    """Copies weights of any nesting with every array as a tensor on the device."""
    import torch

    if isinstance(value, np.ndarray):
        return torch.from_numpy(np.array(value)).to(device)
    if isinstance(value, tuple):
        return tuple(_on_device(item, device) for item in value)
    return type(value)(*(_on_device(getattr(value, field.name), device) for field in fields(value)))


def _torch_unet(weights: Any, magnitude: torch.Tensor) -> torch.Tensor:
    """Returns a stem's magnitudes; `weights` are `UNetWeights` of tensors."""
    from torch import cat, sigmoid
    from torch.nn.functional import batch_norm, conv2d, conv_transpose2d, leaky_relu, pad, relu

    def normalised(x: torch.Tensor, norm: Any) -> torch.Tensor:
        return batch_norm(x, norm.mean, norm.variance, norm.scale, norm.shift, eps=NORM_EPSILON)

    x, skips = magnitude, []
    for index, layer in enumerate(weights.down):
        x = conv2d(pad(x, PAD + PAD), layer.kernel, layer.bias, stride=2)
        skips.append(x)  # before the normalisation, as in the paper's code
        if index < len(weights.down_norms):
            x = leaky_relu(normalised(x, weights.down_norms[index]), LEAK)
    skips.pop()
    for layer, norm in zip(weights.up, weights.up_norms, strict=True):
        x = conv_transpose2d(x, layer.kernel, layer.bias, stride=2)
        x = normalised(relu(x[..., PAD[0] : -PAD[1], PAD[0] : -PAD[1]]), norm)
        if skips:
            x = cat([skips.pop(), x], dim=1)
    return sigmoid(conv2d(x, weights.head.kernel, weights.head.bias, padding=HEAD_PAD, dilation=2)) * magnitude
