"""Spleeter's U-Nets as an ONNX graph, written straight from the weights and shaped for ONNX Runtime on a CPU."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from audio_ml.errors import WeightsCorrupt
from audio_ml.onnx_sessions import cpu_session
from separation.nets.spleeter import (
    BINS,
    FRAMES,
    LEAK,
    MASK_EPSILON,
    NORM_EPSILON,
    PAD,
    Array,
    Convolution,
    Normalisation,
    UNetWeights,
    read_weights,
    torch_masks,
)

ONNX_PADS = [PAD[0], PAD[0], PAD[1], PAD[1]]
VERIFIED_DB = 80.0  # agreement with the torch network that a build must reach


def build(output: Path, index: Path, data: Path) -> None:
    """Writes the ONNX graph of a two-stem checkpoint, after checking it against the torch network."""
    import onnx
    import torch

    networks = read_weights(index, data, n_stems=2)
    onnx.save(_onnx_model(networks), output)
    magnitude = np.random.default_rng(0).gamma(0.5, 2.0, (1, 2, FRAMES, BINS)).astype(np.float32)
    expected = torch_masks(networks, "cpu")(torch.from_numpy(magnitude)).numpy()
    session = cpu_session(output, n_threads=1)
    found = np.concatenate(session.run(None, {"magnitude": magnitude}))
    agreement_db = 10 * np.log10(np.sum(expected**2) / max(np.sum((expected - found) ** 2), 1e-30))
    if agreement_db < VERIFIED_DB:
        raise WeightsCorrupt(f"The ONNX graph agrees with the torch network only to {agreement_db:.0f} dB.")


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
    for index, layer in enumerate(weights.down):
        x = graph.layer("Conv", x, layer, strides=[2, 2], pads=ONNX_PADS)
        skips.append(x)
        if index < len(weights.down_norms):
            x = graph.node("LeakyRelu", graph.norm(x, weights.down_norms[index]), alpha=LEAK)
    parts = [skips.pop()]
    for layer, norm in zip(weights.up, weights.up_norms, strict=True):
        write = _onnx_transposed if layer.kernel.shape[1] == 1 else _onnx_phases
        x = write(graph, parts, layer, norm)
        parts = [skips.pop(), x] if skips else []
    return graph.node("Mul", graph.node("Sigmoid", _onnx_head(graph, x, weights.head)), "magnitude")


def _onnx_transposed(graph: _GraphWriter, parts: Sequence[str], layer: Convolution, norm: Normalisation) -> str:
    """Writes a layer up on the way, over `parts` that would be concatenated, as plain transposed convolution."""
    return graph.norm(
        graph.node(
            "Relu",
            _onnx_sum(graph, "ConvTranspose", parts, layer.kernel, layer.bias, 0, strides=[2, 2], pads=ONNX_PADS),
        ),
        norm,
    )


def _onnx_phases(graph: _GraphWriter, parts: Sequence[str], layer: Convolution, norm: Normalisation) -> str:
    """Writes a transposed convolution with stride 2 as four plain ones, one for each parity of the output.

    Output 2i + p of a 5-tap kernel k, cropped by one, is k1 x[i] + k3 x[i-1] for p = 0 and
    k0 x[i+1] + k2 x[i] + k4 x[i-1] for p = 1: as many products, but in ONNX Runtime's fast
    convolution; the four results are interleaved at the end. A third less time than ConvTranspose,
    except where there is only one output channel.
    """
    taps = ([3, 1], [4, 2, 0])
    kernel = layer.kernel.transpose(1, 0, 2, 3)  # [out, in, height, width]
    phases = []
    for row in (0, 1):
        for column in (0, 1):
            phase = kernel[:, :, taps[row]][:, :, :, taps[column]]
            total = _onnx_sum(graph, "Conv", parts, phase, layer.bias, 1, pads=[1, 1, row, column])
            phases.append(graph.norm(graph.node("Relu", total), norm))
    return graph.node("DepthToSpace", graph.node("Concat", *phases, axis=1), blocksize=2, mode="DCR")


def _onnx_sum(
    graph: _GraphWriter, operator: str, parts: Sequence[str], kernel: Array, bias: Array, axis: int, **attributes: Any
) -> str:
    """Writes a convolution over the concatenation of `parts` as a sum, which spares copying them together."""
    total = ""
    for number, (part, slab) in enumerate(zip(parts, np.split(kernel, len(parts), axis=axis), strict=True)):
        values = [graph.constant(slab), graph.constant(bias)] if number == 0 else [graph.constant(slab)]
        convolved = graph.node(operator, part, *values, **attributes)
        total = graph.node("Add", total, convolved) if total else convolved
    return total


def _onnx_head(graph: _GraphWriter, x: str, layer: Convolution) -> str:
    """Writes the closing 4x4 convolution with dilation 2 on the four parities of its input as channels.

    Its taps lie at -3, -1, 1 and 3, so parity p of the output sees parity 1 - p of the input only, from
    p - 2 on. As eight output channels instead of two it fills ONNX Runtime's blocks of sixteen, which
    at full resolution would hold 34 MB, and with their reordered copies twice that.
    """
    kernel = np.zeros((2, 2, 2, 2, 2, 5, 5), np.float32)  # [row parity, column parity, out] from [parities]
    for row in (0, 1):
        for column in (0, 1):
            kernel[row, column, :, 1 - row, 1 - column, row : row + 4, column : column + 4] = layer.kernel[:, 0]
    parities = graph.node("SpaceToDepth", x, blocksize=2)
    wide = Convolution(kernel.reshape(8, 4, 5, 5), np.tile(layer.bias, 4))
    return graph.node("DepthToSpace", graph.layer("Conv", parities, wide, pads=[2] * 4), blocksize=2, mode="DCR")


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
        self.nodes.append(helper.make_node(operator, list(inputs), [output], name=output, **attributes))
        return output

    def layer(self, operator: str, x: str, layer: Convolution, **attributes: Any) -> str:
        return self.node(operator, x, self.constant(layer.kernel), self.constant(layer.bias), **attributes)

    def norm(self, x: str, norm: Normalisation) -> str:
        vectors = (norm.scale, norm.shift, norm.mean, norm.variance)
        return self.node("BatchNormalization", x, *map(self.constant, vectors), epsilon=NORM_EPSILON)
