"""Kokoro's published ONNX graph, reshaped for ONNX Runtime on a CPU: the whole of it, or its decoder alone.

`build` gives the durations as a second output. `build_decoder` begins behind whatever decides on them, so that what
is said, its pitch and its energy can come from elsewhere: from a recording.

Network: Kokoro-82M, after StyleTTS 2 (Li et al. 2023, arXiv:2306.07691) and iSTFTNet (Kaneko et al. 2022,
arXiv:2203.02395). Three quarters of the time go to its generator's residual blocks. Only they, and the
normalisations of the decoder before them, are replaced. Whatever decides on durations and pitch stays as
it is to the last bit: the phases of the harmonics sum up the pitch, so that a rounding error there is
heard by no one but leaves 25 dB of agreement.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audio_ml.errors import InvalidInput, WeightsCorrupt
from audio_ml.nets.fourier_convolution import N_OUTPUTS, FourierConvolution
from audio_ml.nets.onnx_graph import OnnxGraph
from audio_ml.onnx_sessions import cpu_session

Array = NDArray[np.float32]

WAVEFORM = "waveform"
DURATIONS = "/encoder/Clip_output_0"  # of each symbol in frames, float32 [1, symbols]
FEATURES = "/encoder/MatMul_1_output_0"  # what the decoder says: float32 [1, 512, frames]
PITCH, ENERGY = "/encoder/Reshape_output_0", "/encoder/Reshape_1_output_0"  # float32 [1, 2 frames], pitch in Hz
N_FEATURES = 512
LAYER_OFFSETS = "layer_offsets"  # input [1, n], zeros unless given
DECODER = "/decoder/decoder/"
RESIDUAL_BLOCKS = (DECODER + "generator/resblocks.", DECODER + "generator/noise_res.")
STYLE = "/decoder/Slice_output_0"  # [1, 128], the half of the style vector that the decoder sees
N_STYLE = 256
VERIFIED_DB = (
    60.0  # agreement with the published graph that a build must reach; float16 has alpha and 1 / alpha rounded
)


def build(output: Path, published: Path) -> None:
    """Writes the reshaped graph of a float32 or float16 file, after checking it against that file's."""
    graph = OnnxGraph.read(published)
    graph.add_output(DURATIONS, [1, "sequence_length"])
    _reshape(graph, output, _babble())


def build_decoder(output: Path, published: Path) -> None:
    """Writes the reshaped decoder, from `FEATURES`, `PITCH`, `ENERGY` and "style" [1, 256] to `WAVEFORM`."""
    graph = OnnxGraph.read(published)
    graph.make_input(FEATURES, [1, N_FEATURES, "frames"])
    for name in (PITCH, ENERGY):
        graph.make_input(name, [1, "halves"])
    _reshape(graph, output, _sung_babble())


def check_offsets(offsets: Array, network: Any) -> None:
    """Raises `InvalidInput` for the layers of another network: a voice may come from anybody's file."""
    (n_taken,) = (given.shape[1] for given in network.get_overridable_initializers() if given.name == LAYER_OFFSETS)
    if offsets.size != n_taken:
        raise InvalidInput(
            f"The voice has layer_offsets for another network: {offsets.size} of them, and Kokoro takes {n_taken}."
        )


def _reshape(graph: OnnxGraph, output: Path, inputs: Mapping[str, NDArray[Any]]) -> None:
    """Reshapes a graph and writes it, after checking that it gives for `inputs` what it gave before."""
    graph.to_float32()
    reference = output.with_name(output.name + ".reference")
    try:
        graph.save(reference)
        activations = {snake.x: snake for snake in _snakes(graph)}
        _merge_normalisations(graph, activations)
        for snake in activations.values():
            _reshape_activation(graph, snake)
            _reshape_convolution(graph, snake)
        graph.save(output)
        agreement_db = _agreement_db(reference, output, inputs)
    finally:
        reference.unlink(missing_ok=True)
    if agreement_db < VERIFIED_DB:
        raise WeightsCorrupt(f"The reshaped graph agrees with the published one only to {agreement_db:.0f} dB.")


@dataclass(frozen=True, eq=False)
class _Snake:
    """The nodes of x + sin(alpha x)^2 / alpha (Ziyin et al. 2020, arXiv:2006.08195) and the convolution behind it."""

    x: str
    alpha: Array  # [channels]
    sine: Any
    total: Any
    convolution: Any


def _snakes(graph: OnnxGraph) -> Iterator[_Snake]:
    for node in graph.nodes:
        if node.op_type == "Sin" and node.name.startswith(RESIDUAL_BLOCKS):
            scaled = graph.producer(node.input[0])
            (x,) = (name for name in scaled.input if not graph.is_constant(name))
            power = graph.consumer(node.output[0])
            total = graph.consumer(graph.consumer(power.output[0]).output[0])
            alpha = graph.constant_input(scaled).ravel()
            yield _Snake(x, alpha, node, total, graph.consumer(total.output[0]))


def _merge_normalisations(graph: OnnxGraph, activations: dict[str, _Snake]) -> None:
    """Makes each adaptive instance normalisation of the decoder one node.

    Their scales and shifts come from the style by one matrix product. Where alpha x is what the activation
    needs, they are multiplied by alpha, and the convolution behind the activation is divided by it. A caller may
    add offsets to them, in the order of their scopes' names and for each all scales before all shifts: the way
    for a voice to be what no style gives.
    """
    from onnx import helper

    merged = sorted(_normalisations(graph), key=lambda found: found.scope)
    names, weights, biases, factors = [], [], [], []
    for found in merged:
        (style_layer,) = (node for node in graph.consumers(STYLE) if node.name == f"{found.scope}/fc/Gemm")
        weight, bias = (graph.value(name) for name in style_layer.input[1:])
        bias = bias + np.repeat(np.array([1, 0], np.float32), len(bias) // 2)  # the first half is scale - 1
        snake = activations.get(found.shifted.output[0])
        factor = np.ones(len(bias), np.float32) if snake is None else np.tile(snake.alpha, 2)
        affine = [f"{found.scope}/scale", f"{found.scope}/shift"]
        names += affine
        weights.append(weight * factor[:, None])
        biases.append(bias * factor)
        factors.append(factor)
        graph.replace(
            found.shifted,
            helper.make_node("InstanceNormalization", [found.x, *affine], found.shifted.output, epsilon=found.epsilon),
        )
    sizes = np.repeat([len(bias) // 2 for bias in biases], 2)
    offsets = graph.add_input(LAYER_OFFSETS, np.zeros((1, int(sizes.sum())), np.float32))
    graph.replace(
        graph.producer(STYLE),
        graph.producer(STYLE),
        helper.make_node(
            "Gemm",
            [
                STYLE,
                graph.constant("affine/weight", np.concatenate(weights)),
                graph.constant("affine/bias", np.concatenate(biases)),
            ],
            ["affine/of_style"],
            transB=1,
        ),
        helper.make_node(
            "Mul", [offsets, graph.constant("affine/factors", np.concatenate(factors))], ["affine/offsets"]
        ),
        helper.make_node("Add", ["affine/of_style", "affine/offsets"], ["affine/all"]),
        helper.make_node("Squeeze", ["affine/all", graph.constant("affine/axis", np.array([0]))], ["affine/vector"]),
        helper.make_node("Split", ["affine/vector", graph.constant("affine/sizes", sizes)], names, axis=0),
    )


@dataclass(frozen=True, eq=False)
class _Normalisation:
    """An adaptive instance normalisation: what it takes, in which scope its style layer is, its last node."""

    x: str
    scope: str
    shifted: Any
    epsilon: float


def _normalisations(graph: OnnxGraph) -> Iterator[_Normalisation]:
    for division in [node for node in graph.nodes if _divides_by_deviation(graph, node)]:
        x = graph.producer(division.input[0]).input[0]
        root = graph.producer(division.input[1])
        epsilon = float(graph.constant_input(graph.producer(root.input[0])))
        for scaled in graph.consumers(division.output[0]):
            yield _Normalisation(x, scaled.name.rsplit("/", 1)[0], graph.consumer(scaled.output[0]), epsilon)


def _divides_by_deviation(graph: OnnxGraph, node: Any) -> bool:
    is_division = node.op_type == "Div" and node.name.startswith(DECODER) and not graph.is_constant(node.input[1])
    return is_division and graph.producer(node.input[1]).op_type == "Sqrt"


def _reshape_activation(graph: OnnxGraph, snake: _Snake) -> None:
    """Makes it z + sin(z)^2 of z = alpha x, which is alpha times what it was."""
    from onnx import helper

    (sine,) = snake.sine.output
    square = f"{snake.sine.name}/square"
    graph.replace(
        snake.sine,
        helper.make_node("Sin", [snake.x], [sine]),
        helper.make_node("Mul", [sine, sine], [square]),
    )
    graph.replace(snake.total, helper.make_node("Add", [snake.x, square], snake.total.output))


def _reshape_convolution(graph: OnnxGraph, snake: _Snake) -> None:
    """Divides the weights by alpha, and multiplies spectra instead where there are many taps."""
    from onnx import helper

    node = snake.convolution
    x, weight_name, bias_name = node.input
    weights = (graph.value(weight_name) / snake.alpha[:, None]).astype(np.float32)
    (dilation,) = next(attribute.ints for attribute in node.attribute if attribute.name == "dilations")
    n_taps = weights.shape[-1]
    if n_taps in N_OUTPUTS:
        fourier = FourierConvolution(n_taps, N_OUTPUTS[n_taps])
        # The first of two convolutions is normalised behind, which takes its bias away.
        bias = None if "/convs1." in node.name else graph.value(bias_name)
        graph.replace(node, *fourier.nodes(graph, node.name, x, node.output[0], weights, bias, dilation))
    else:
        margin = n_taps // 2 * dilation
        scaled = graph.constant(f"{node.name}/weights", weights)
        graph.replace(
            node,
            helper.make_node("Conv", [x, scaled, bias_name], node.output, dilations=[dilation], pads=[margin, margin]),
        )


def _babble() -> dict[str, NDArray[Any]]:
    """Returns symbols by chance, a second long."""
    generator = np.random.default_rng(0)
    symbols = generator.integers(43, 103, (1, 18), dtype=np.int64)
    symbols[:, [0, -1]] = 0
    style = generator.normal(0, 0.15, (1, N_STYLE)).astype(np.float32)
    return {"input_ids": symbols, "style": style, "speed": np.ones(1, np.float32)}


def _sung_babble() -> dict[str, NDArray[Any]]:
    """Returns features by chance, a second long."""
    generator = np.random.default_rng(0)
    features = np.repeat(generator.uniform(-0.6, 0.6, (1, N_FEATURES, 8)), 5, axis=-1)
    return {
        FEATURES: features.astype(np.float32),
        PITCH: np.linspace(90, 180, 80, dtype=np.float32)[None],
        ENERGY: np.full((1, 80), 6, np.float32),
        "style": generator.normal(0, 0.15, (1, N_STYLE)).astype(np.float32),
    }


def _agreement_db(reference: Path, reshaped: Path, inputs: Mapping[str, NDArray[Any]]) -> float:
    expected, found = (
        cpu_session(path, n_threads=1).run([WAVEFORM], dict(inputs))[0] for path in (reference, reshaped)
    )
    if expected.shape != found.shape:
        return -np.inf
    return float(10 * np.log10(np.sum(expected**2) / max(np.sum((expected - found) ** 2), 1e-30)))
