"""Spleeter's U-Nets: read from its checkpoint, as a torch module and as an ONNX graph.

Network: Jansson et al. 2017, "Singing voice separation with deep U-Net convolutional networks";
its masks: Hennequin et al. 2020, "Spleeter" (JOSS 5(50), 2154). One U-Net per stem sees the
magnitudes [1, 2, FRAMES, BINS] of a stereo patch and estimates that stem's magnitudes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
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
VERIFIED_DB = 80.0  # agreement between the graph and the torch network that a build must reach

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
        networks.append(
            UNetWeights(tuple(down), tuple(norms[: DEPTH - 1]), tuple(up), tuple(norms[DEPTH:]), head)
        )
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


def torch_module(networks: Sequence[UNetWeights]) -> torch.nn.Module:
    """Returns a module from magnitudes [1, 2, FRAMES, BINS] to masks [stems, 2, FRAMES, BINS] that sum to one."""
    import torch
    from torch.nn import functional

    def parameter(values: Array) -> torch.nn.Parameter:
        return torch.nn.Parameter(torch.from_numpy(np.array(values)), requires_grad=False)

    class UNet(torch.nn.Module):
        def __init__(self, weights: UNetWeights) -> None:
            super().__init__()
            self.down = torch.nn.ModuleList(self._group(layer.kernel, layer.bias) for layer in weights.down)
            self.up = torch.nn.ModuleList(self._group(layer.kernel, layer.bias) for layer in weights.up)
            self.head = self._group(weights.head.kernel, weights.head.bias)
            self.down_norms = torch.nn.ModuleList(self._norm(norm) for norm in weights.down_norms)
            self.up_norms = torch.nn.ModuleList(self._norm(norm) for norm in weights.up_norms)

        @staticmethod
        def _group(*values: Array) -> Any:
            return torch.nn.ParameterList(parameter(value) for value in values)

        def _norm(self, norm: Normalisation) -> Any:
            return self._group(norm.mean, norm.variance, norm.scale, norm.shift)

        def forward(self, magnitude: torch.Tensor) -> torch.Tensor:
            x, skips = magnitude, []
            for index, (kernel, bias) in enumerate(self.down):
                x = functional.conv2d(functional.pad(x, PAD + PAD), kernel, bias, stride=2)
                skips.append(x)  # before the normalisation, as in the paper's code
                if index < len(self.down_norms):
                    normalised = functional.batch_norm(x, *self.down_norms[index], eps=NORM_EPSILON)
                    x = functional.leaky_relu(normalised, LEAK)
            skips.pop()
            for (kernel, bias), norm in zip(self.up, self.up_norms, strict=True):
                x = functional.conv_transpose2d(x, kernel, bias, stride=2)
                x = functional.relu(x[..., PAD[0] : -PAD[1], PAD[0] : -PAD[1]])
                x = functional.batch_norm(x, *norm, eps=NORM_EPSILON)
                if skips:
                    x = torch.cat([skips.pop(), x], dim=1)
            kernel, bias = self.head
            x = functional.conv2d(x, kernel, bias, padding=HEAD_PAD, dilation=2)
            return torch.sigmoid(x) * magnitude

    class Masks(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stems = torch.nn.ModuleList(UNet(weights) for weights in networks)

        def forward(self, magnitude: torch.Tensor) -> torch.Tensor:
            powers = torch.cat([stem(magnitude) for stem in self.stems]) ** 2
            total = powers.sum(dim=0, keepdim=True) + MASK_EPSILON
            return (powers + MASK_EPSILON / len(powers)) / total

    return Masks().eval()


def build_onnx(output: Path, index: Path, data: Path) -> None:
    """Writes the ONNX graph of a two-stem checkpoint, after checking it against the torch network."""
    import onnx
    import torch

    networks = read_weights(index, data, n_stems=2)
    onnx.save(_onnx_model(networks), output)
    magnitude = np.random.default_rng(0).gamma(0.5, 2.0, (1, 2, FRAMES, BINS)).astype(np.float32)
    with torch.inference_mode():
        expected = torch_module(networks)(torch.from_numpy(magnitude)).numpy()
    session = cpu_session(output, n_threads=1)
    found = np.concatenate(session.run(None, {"magnitude": magnitude}))
    agreement_db = 10 * np.log10(np.sum(expected**2) / max(np.sum((expected - found) ** 2), 1e-30))
    if agreement_db < VERIFIED_DB:
        raise WeightsCorrupt(f"The ONNX graph agrees with the torch network only to {agreement_db:.0f} dB.")


def cpu_session(path: Path, n_threads: int) -> Any:
    """Returns an ONNX Runtime session for the CPU; `run` may be called from several threads at once."""
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = n_threads
    settings.enable_mem_pattern = False  # its one large block per call takes 100 MB more than it saves time
    return onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])


def _onnx_model(networks: Sequence[UNetWeights]) -> Any:
    from onnx import TensorProto, helper

    graph = _GraphWriter()
    estimates = [_onnx_unet(graph, weights) for weights in networks]
    powers = [graph.node("Mul", estimate, estimate) for estimate in estimates]
    total = graph.node("Add", graph.node("Sum", *powers), graph.constant(np.float32(MASK_EPSILON)))
    share = graph.constant(np.float32(MASK_EPSILON / len(powers)))
    for number, power in enumerate(powers):
        graph.node("Div", graph.node("Add", power, share), total, output=f"mask_{number}")
    shape = [1, 2, FRAMES, BINS]
    outputs = [f"mask_{number}" for number in range(len(networks))]
    return helper.make_model(
        helper.make_graph(
            graph.nodes,
            "spleeter",
            [helper.make_tensor_value_info("magnitude", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in outputs],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=9,
    )


def _onnx_unet(graph: _GraphWriter, weights: UNetWeights) -> str:
    x, skips = "magnitude", []
    pads = [PAD[0], PAD[0], PAD[1], PAD[1]]
    for index, layer in enumerate(weights.down):
        x = graph.layer("Conv", x, layer, strides=[2, 2], pads=pads)
        skips.append(x)
        if index < len(weights.down_norms):
            x = graph.node("LeakyRelu", graph.norm(x, weights.down_norms[index]), alpha=LEAK)
    skips.pop()
    for layer, norm in zip(weights.up, weights.up_norms, strict=True):
        if layer.kernel.shape[1] == 1:
            x = graph.layer("ConvTranspose", x, layer, strides=[2, 2], pads=pads)
        else:
            x = _onnx_phases(graph, x, layer)
        x = graph.norm(graph.node("Relu", x), norm)
        if skips:
            x = graph.node("Concat", skips.pop(), x, axis=1)
    x = graph.layer("Conv", x, weights.head, dilations=[2, 2], pads=[HEAD_PAD] * 4)
    return graph.node("Mul", graph.node("Sigmoid", x), "magnitude")


def _onnx_phases(graph: _GraphWriter, x: str, layer: Convolution) -> str:
    """Writes a transposed convolution with stride 2 as four plain ones, one for each parity of the output.

    Output 2i + p of a 5-tap kernel k, cropped by one, is k1 x[i] + k3 x[i-1] for p = 0 and
    k0 x[i+1] + k2 x[i] + k4 x[i-1] for p = 1: as many products, but in ONNX Runtime's fast
    convolution; the four results are interleaved at the end. A third less time than ConvTranspose,
    except where there is only one output channel.
    """
    taps = ([3, 1], [4, 2, 0])
    kernel = layer.kernel.transpose(1, 0, 2, 3)  # [out, in, height, width]
    phases = []
    for vertical in (0, 1):
        for horizontal in (0, 1):
            part = Convolution(kernel[:, :, taps[vertical]][:, :, :, taps[horizontal]], layer.bias)
            phases.append(graph.layer("Conv", x, part, pads=[1, 1, vertical, horizontal]))
    return graph.node("DepthToSpace", graph.node("Concat", *phases, axis=1), blocksize=2, mode="DCR")


class _GraphWriter:
    """Collects the nodes and constants of an ONNX graph under generated names."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, values: Any) -> str:
        from onnx import numpy_helper

        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def node(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        from onnx import helper

        output = output or f"value_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def layer(self, operator: str, x: str, layer: Convolution, **attributes: Any) -> str:
        return self.node(operator, x, self.constant(layer.kernel), self.constant(layer.bias), **attributes)

    def norm(self, x: str, norm: Normalisation) -> str:
        vectors = (norm.scale, norm.shift, norm.mean, norm.variance)
        return self.node("BatchNormalization", x, *map(self.constant, vectors), epsilon=NORM_EPSILON)
