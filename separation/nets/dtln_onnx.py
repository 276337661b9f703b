"""DTLN's two networks, published for one frame at a time, as one that takes any number of frames at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audio_ml.errors import WeightsCorrupt
from audio_ml.onnx_sessions import cpu_session
from separation.nets.dtln import FRAME
from separation.recurrent import AFTER, RecurrentNetwork

Array = NDArray[np.float32]

UNITS = 128
BINS = FRAME // 2 + 1
NORM_EPSILON = 1e-7
VERIFIED_DB = 80.0  # agreement with the published networks that a build must reach
VERIFIED_FRAMES = 50
SECOND = "model_2/"


def build(output: Path, first: Path, second: Path) -> None:
    """Writes the joined network, after checking it against the published ones, which go frame by frame."""
    import onnx

    onnx.save(_joined(*(_weights(onnx.load(path), path) for path in (first, second))), output)
    frames = np.random.default_rng(0).normal(0, 0.1, (VERIFIED_FRAMES, FRAME)).astype(np.float32)
    expected = _frame_by_frame(first, second, frames)
    network = RecurrentNetwork(cpu_session(output, n_threads=1))
    (found,), _ = network.run(network.start(), {"frames": frames})
    agreement_db = 10 * np.log10(np.sum(expected**2) / max(np.sum((expected - found) ** 2), 1e-30))
    if not agreement_db >= VERIFIED_DB:
        raise WeightsCorrupt(f"The joined network agrees with the published ones only to {agreement_db:.0f} dB.")


def _weights(model: Any, path: Path) -> Mapping[str, Array]:
    from onnx import numpy_helper

    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    if not all(np.isfinite(array).all() for array in weights.values()):
        raise WeightsCorrupt(f"{path.name} holds weights that are not finite.")
    return weights


def _frame_by_frame(first: Path, second: Path, frames: Array) -> Array:
    """Runs the published networks as they are meant to be run: spectrum, mask, signal, second network."""
    sessions = [cpu_session(path, n_threads=1) for path in (first, second)]
    names = [[given.name for given in session.get_inputs()] for session in sessions]
    states = [np.zeros(session.get_inputs()[1].shape, np.float32) for session in sessions]
    cleaned = []
    for frame in frames:
        spectrum = np.fft.rfft(frame)
        magnitude = np.abs(spectrum).astype(np.float32)[None, None]
        mask, states[0] = sessions[0].run(None, dict(zip(names[0], (magnitude, states[0]), strict=True)))
        masked = np.fft.irfft(mask[0, 0] * spectrum).astype(np.float32)[None, None]
        result, states[1] = sessions[1].run(None, dict(zip(names[1], (masked, states[1]), strict=True)))
        cleaned.append(result[0, 0])
    return np.stack(cleaned)


def _joined(first: Mapping[str, Array], second: Mapping[str, Array]) -> Any:
    """Writes `frames` [n, FRAME] to `cleaned` [n, FRAME]; the transforms between the networks are matrices."""
    from onnx import TensorProto, helper

    graph = _Graph()
    to_real, to_imaginary, from_real, from_imaginary = map(graph.constant, _transforms())
    real, imaginary = graph.node("MatMul", "frames", to_real), graph.node("MatMul", "frames", to_imaginary)
    power = graph.node("Add", graph.node("Mul", real, real), graph.node("Mul", imaginary, imaginary))
    x = graph.node("Sqrt", power)
    for layer in ("lstm_4", "lstm_5"):
        x = graph.lstm(layer, x, *(first[f"{layer}_{part}"] for part in "WRB"))
    mask = graph.dense(x, first["dense_2/kernel:0"], first["dense_2/bias:0"])
    masked = graph.node(
        "Add",
        graph.node("MatMul", graph.node("Mul", real, mask), from_real),
        graph.node("MatMul", graph.node("Mul", imaginary, mask), from_imaginary),
    )
    encoded = graph.node("MatMul", masked, graph.constant(second["conv1d_2/kernel:0"][..., 0].T))
    norm = [second[f"{SECOND}instant_layer_normalization_1/{name}/ReadVariableOp/resource:0"] for name in NORM]
    x = graph.node("LayerNormalization", encoded, *map(graph.constant, norm), axis=-1, epsilon=NORM_EPSILON)
    for layer in ("lstm_6", "lstm_7"):
        kernel, recurrent, bias = (second[f"{SECOND}{layer}/{name}/ReadVariableOp/resource:0"] for name in LSTM)
        x = graph.lstm(layer, x, *_keras_lstm(kernel, recurrent, bias))
    mask = graph.dense(
        x,
        second[f"{SECOND}dense_3/Tensordot/Reshape_1:0"],
        second[f"{SECOND}dense_3/BiasAdd/ReadVariableOp/resource:0"],
    )
    decoder = graph.constant(second["conv1d_3/kernel:0"][..., 0].T)
    graph.node("MatMul", graph.node("Mul", encoded, mask), decoder, output="cleaned")

    def value(name: str, shape: list[Any]) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    states = [value(name, [1, 1, UNITS]) for name in graph.states]
    after = [value(name + AFTER, [1, 1, UNITS]) for name in graph.states]
    frames, cleaned = value("frames", ["n", FRAME]), value("cleaned", ["n", FRAME])
    made = helper.make_graph(graph.nodes, "dtln", [frames, *states], [cleaned, *after], graph.constants)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


NORM = ("mul", "add_1")  # where the scale and the shift are used
LSTM = ("MatMul", "MatMul_1", "BiasAdd")


def _transforms() -> tuple[Array, Array, Array, Array]:
    """Returns two matrices [FRAME, BINS] of the real Fourier transform, and two [BINS, FRAME] of its inverse."""
    forward = np.fft.rfft(np.eye(FRAME))
    inverse = np.fft.irfft(np.eye(BINS), FRAME), np.fft.irfft(1j * np.eye(BINS), FRAME)
    real, imaginary, from_real, from_imaginary = (
        np.asarray(matrix, np.float32) for matrix in (forward.real, forward.imag, *inverse)
    )
    return real, imaginary, from_real, from_imaginary


def _keras_lstm(kernel: Array, recurrent: Array, bias: Array) -> tuple[Array, Array, Array]:
    """Returns ONNX's W, R and B of Keras' matrices [inputs, 4 units]: gates i, f, c, o there and i, o, f, c here."""

    def reordered(matrix: Array) -> Array:
        gates = np.split(matrix, 4, axis=-1)
        return np.concatenate([gates[gate] for gate in (0, 3, 1, 2)], axis=-1)

    both = np.concatenate([reordered(bias), np.zeros_like(bias)])
    return reordered(kernel).T[None], reordered(recurrent).T[None], both[None]


class _Graph:
    """Collects the nodes and constants of the graph, and the names of its states."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.states: list[str] = []

    def constant(self, values: NDArray[Any]) -> str:
        from onnx import numpy_helper

        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def node(self, operator: str, *inputs: str, output: str = "", more: tuple[str, ...] = (), **attributes: Any) -> str:
        from onnx import helper

        output = output or f"value_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output, *more], name=output, **attributes))
        return output

    def lstm(self, name: str, x: str, *weights: Array) -> str:
        """Adds a layer from [n, inputs] to [n, UNITS]; ONNX takes [n, 1, inputs] and gives [n, 1, 1, UNITS]."""
        states = (f"{name}_h", f"{name}_c")
        self.states += states
        given = self.node("Unsqueeze", x, self.constant(np.array([1])))
        result = self.node(
            "LSTM",
            given,
            *map(self.constant, weights),
            "",
            *states,
            more=tuple(state + AFTER for state in states),
            hidden_size=UNITS,
        )
        return self.node("Squeeze", result, self.constant(np.array([1, 2])))

    def dense(self, x: str, kernel: Array, bias: Array) -> str:
        product = self.node("MatMul", x, self.constant(kernel))
        return self.node("Sigmoid", self.node("Add", product, self.constant(bias)))
