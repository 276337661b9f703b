"""Spleeter's U-Nets, read from its checkpoint: `spleeter_onnx.py` runs them on a CPU, `spleeter_torch.py` on a GPU.

Network: Jansson et al. 2017, "Singing voice separation with deep U-Net convolutional networks";
its masks: Hennequin et al. 2020, "Spleeter" (JOSS 5(50), 2154). One U-Net per stem sees the
magnitudes [1, 2, frames, bins] of a stereo patch and estimates that stem's magnitudes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from audio_ml.errors import WeightsCorrupt
from separation import tensorflow_checkpoint
from separation.spleeter_configuration import DEPTH, Configuration

KERNEL = 5
NORM_EPSILON = 1e-3
LEAK = 0.2
MASK_EPSILON = 1e-10
PAD = (1, 2)  # TensorFlow's "same" of a 5x5 convolution with stride 2: before, after
HEAD_PAD = 3  # "same" of the closing 4x4 convolution with dilation 2
TRAINING = re.compile(r"^(global_step|beta[12]_power)$|/(Adam|Adadelta)(_1)?$")  # the optimisers of Spleeter
SHOWN = 3  # names in a message

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


def read_weights(index: Path, data: Path, configuration: Configuration) -> list[UNetWeights]:
    """Reads the networks of a Spleeter checkpoint, in the order of its stems.

    Raises:
        WeightsCorrupt: when a variable is missing, left over, of another shape, or holds what is no number.
    """
    variables = _Variables(tensorflow_checkpoint.read(index, data))
    widths = (2, *configuration.widths)
    outs = (*widths[DEPTH - 1 : 0 : -1], 1)
    ins = (widths[DEPTH], *(2 * width for width in outs[:-1]))  # each but the first sees a skip connection too
    networks = []
    for stem in range(len(configuration.instruments)):
        first_conv, first_up, first_norm = stem * (DEPTH + 1), stem * DEPTH, stem * 2 * DEPTH
        down = [
            variables.convolution(f"conv2d_{first_conv + i}", (KERNEL, KERNEL, widths[i], widths[i + 1]))
            for i in range(DEPTH)
        ]
        head = variables.convolution(f"conv2d_{first_conv + DEPTH}", (4, 4, 1, 2))
        up = [
            variables.convolution(f"conv2d_transpose_{first_up + i}", (KERNEL, KERNEL, outs[i], ins[i]))
            for i in range(DEPTH)
        ]
        norms = [
            variables.normalisation(f"batch_normalization_{first_norm + i}", width)
            for i, width in enumerate([*widths[1:], *outs])
        ]
        networks.append(UNetWeights(tuple(down), tuple(norms[: DEPTH - 1]), tuple(up), tuple(norms[DEPTH:]), head))
    variables.expect_no_network()
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

    def expect_no_network(self) -> None:
        """What may be left is the number of steps, and what training keeps beside the networks."""
        others = sorted(name for name in self._left if not TRAINING.search(name))
        if others:
            more = f" and {len(others) - SHOWN} more" if len(others) > SHOWN else ""
            raise WeightsCorrupt(f"The checkpoint has variables of another network: {', '.join(others[:SHOWN])}{more}.")

    def _take(self, name: str, shape: tuple[int, ...]) -> Array:
        value = self._left.pop(name, None)
        if value is None or value.shape != shape:
            found = "missing" if value is None else f"of shape {value.shape}"
            raise WeightsCorrupt(f"Variable {name} of the checkpoint is {found}; expected shape {shape}.")
        if not np.isfinite(value).all():
            raise WeightsCorrupt(f"Variable {name} of the checkpoint holds what is no number.")
        return np.asarray(value, np.float32)
