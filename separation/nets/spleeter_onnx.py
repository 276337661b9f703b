"""Spleeter's U-Nets as an ONNX graph, written straight from the weights and shaped for ONNX Runtime on a CPU."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from audio_ml.errors import WeightsCorrupt
from audio_ml.onnx_sessions import cpu_session
from separation.nets.spleeter import (
    LEAK,
    MASK_EPSILON,
    NORM_EPSILON,
    PAD,
    Array,
    Convolution,
    Normalisation,
    UNetWeights,
    read_weights,
)
from separation.spleeter_configuration import OFFICIAL, Activation, Configuration, read_configuration

ONNX_PADS = [PAD[0], PAD[0], PAD[1], PAD[1]]
VERIFIED_DB = 80.0  # agreement with the torch network that a build must reach
QUICK_SIGMOIDS = (OFFICIAL["2stems"], OFFICIAL["2stems-16kHz"])  # whose weights were seen to need no better one


def build_configured(output: Path, configuration: Path, index: Path, data: Path) -> None:
    """Writes the ONNX graph of a checkpoint that a JSON configuration describes."""
    known = read_configuration(configuration)
    assert known is not None, "the row was made from it"
    _build(output, index, data, configuration=known[0])


def _build(output: Path, index: Path, data: Path, *, configuration: Configuration) -> None:
    """Writes the ONNX graph of a checkpoint, after checking it against the torch network."""
    import onnx
    import torch

    from separation.nets.spleeter_torch import TorchNetworks

    networks = read_weights(index, data, configuration)
    onnx.save(_onnx_model(networks, configuration), output)
    shape = (1, 2, configuration.frames, configuration.bins)
    magnitude = np.random.default_rng(0).gamma(0.5, 2.0, shape).astype(np.float32)
    expected = TorchNetworks(networks, configuration, "cpu").masks(torch.from_numpy(magnitude)).numpy()[:, 0]
    session = cpu_session(output, n_threads=1)
    found = np.concatenate(session.run(None, {"magnitude": magnitude}))
    agreement_db = 10 * np.log10(np.sum(expected**2) / max(np.sum((expected - found) ** 2), 1e-30))
    if not agreement_db >= VERIFIED_DB:
        raise WeightsCorrupt(f"The ONNX graph agrees with the torch network only to {agreement_db:.0f} dB.")


build = functools.partial(_build, configuration=OFFICIAL["2stems"])  # builders of derived files, by name
build_2stems_16khz = functools.partial(_build, configuration=OFFICIAL["2stems-16kHz"])
build_4stems = functools.partial(_build, configuration=OFFICIAL["4stems"])
build_4stems_16khz = functools.partial(_build, configuration=OFFICIAL["4stems-16kHz"])
build_5stems = functools.partial(_build, configuration=OFFICIAL["5stems"])
build_5stems_16khz = functools.partial(_build, configuration=OFFICIAL["5stems-16kHz"])


def _onnx_model(networks: Sequence[UNetWeights], configuration: Configuration) -> Any:
    from onnx import TensorProto, helper

    graph = _GraphWriter()
    if configuration.softmax:
        logits = [_onnx_unet(graph, weights, configuration) for weights in networks]
        estimates = [graph.node("Mul", share, "magnitude") for share in _onnx_softmax(graph, logits)]
    else:
        sigmoid = _onnx_sigmoid if configuration in QUICK_SIGMOIDS else _onnx_exact_sigmoid
        estimates = [
            graph.node("Mul", sigmoid(graph, _onnx_unet(graph, weights, configuration)), "magnitude")
            for weights in networks
        ]
    exponent = configuration.exponent
    powers = [
        graph.node("Mul", estimate, estimate)
        if exponent == 2
        else graph.node("Pow", estimate, graph.constant(np.float32(exponent)))
        for estimate in estimates
    ]
    total = graph.node("Add", graph.node("Sum", *powers), graph.constant(np.float32(MASK_EPSILON)))
    share = graph.constant(np.float32(MASK_EPSILON / len(powers)))
    for number, power in enumerate(powers):
        graph.node("Div", graph.node("Add", power, share), total, output=f"mask_{number}")
    shape = [1, 2, configuration.frames, configuration.bins]
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


def _onnx_sigmoid(graph: _GraphWriter, logit: str) -> str:
    return graph.node("Sigmoid", logit)


def _onnx_exact_sigmoid(graph: _GraphWriter, logit: str) -> str:
    """Writes a sigmoid whose smallest values are right, too, for where no stem claims a bin their ratio is the mask.

    ONNX Runtime's own is right to 1e-7 of one, which left 65 dB of a network that had hardly been trained.
    """
    one = graph.constant(np.float32(1))
    return graph.node("Div", one, graph.node("Add", one, graph.node("Exp", graph.node("Neg", logit))))


def _onnx_softmax(graph: _GraphWriter, logits: Sequence[str]) -> list[str]:
    """Writes the softmax over the stems by elements: ONNX Runtime would first transpose them together."""
    largest = graph.node("Max", *logits)
    powers = [graph.node("Exp", graph.node("Sub", logit, largest)) for logit in logits]
    total = graph.node("Sum", *powers)
    return [graph.node("Div", power, total) for power in powers]


def _onnx_activation(graph: _GraphWriter, x: str, name: Activation) -> str:
    if name == "LeakyReLU":
        return graph.node("LeakyRelu", x, alpha=LEAK)
    return graph.node("Relu" if name == "ReLU" else "Elu", x)


def _onnx_unet(graph: _GraphWriter, weights: UNetWeights, configuration: Configuration) -> str:
    """Writes a network up to its last convolution, and returns what comes out of that."""
    x, skips = "magnitude", []
    for index, layer in enumerate(weights.down):
        x = graph.layer("Conv", x, layer, strides=[2, 2], pads=ONNX_PADS)
        skips.append(x)
        if index < len(weights.down_norms):
            x = _onnx_activation(graph, graph.norm(x, weights.down_norms[index]), configuration.down_activation)
    parts = [skips.pop()]
    for layer, norm in zip(weights.up, weights.up_norms, strict=True):
        write = _onnx_transposed if layer.kernel.shape[1] == 1 else _onnx_phases
        x = write(graph, parts, layer, norm, configuration.up_activation)
        parts = [skips.pop(), x] if skips else []
    return _onnx_head(graph, x, weights.head)


def _onnx_transposed(
    graph: _GraphWriter, parts: Sequence[str], layer: Convolution, norm: Normalisation, activation: Activation
) -> str:
    """Writes a layer up on the way, over `parts` that would be concatenated, as plain transposed convolution."""
    total = _onnx_sum(graph, "ConvTranspose", parts, layer.kernel, layer.bias, 0, strides=[2, 2], pads=ONNX_PADS)
    return graph.norm(_onnx_activation(graph, total, activation), norm)


def _onnx_phases(
    graph: _GraphWriter, parts: Sequence[str], layer: Convolution, norm: Normalisation, activation: Activation
) -> str:
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
            phases.append(graph.norm(_onnx_activation(graph, total, activation), norm))
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
