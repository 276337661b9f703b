"""Prepares a Piper voice (VITS, Kim et al. 2021) for use: its noise becomes inputs, its durations an output."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from audio_ml.errors import InvalidInput

INPUTS = ("input", "input_lengths", "scales")
SPEAKER_INPUT = "sid"
NOISE_INPUT = "noise_"  # and a number


def prepare(path: Path) -> tuple[bytes, int, str | None]:
    """Returns the model of a voice file, how many noise inputs it has, and its output of durations, if it tells.

    Random nodes would give other samples each time. Each becomes a look-up in an input of normal noise [n],
    which is read again from its beginning where it is too short. Durations are the frames of each id
    (w_ceil, before they are summed to a path; the only Ceil node there is).

    Raises:
        InvalidInput: when the file is damaged, or another kind of model.
    """
    import onnx

    model = _load(path)
    graph = model.graph
    inputs = [value.name for value in graph.input]
    if not set(INPUTS) <= set(inputs) <= {*INPUTS, SPEAKER_INPUT} or len(graph.output) < 1:
        raise InvalidInput(
            f"{path} is no Piper voice: its inputs are {', '.join(inputs)[:80]}, not {', '.join(INPUTS)}."
        )
    random = [node for node in graph.node if node.op_type.startswith("Random")]
    other = sorted({node.op_type for node in random} - {"RandomNormalLike"})
    if other:
        raise InvalidInput(f"{path} is no Piper voice: it draws random numbers with {', '.join(other)}.")
    nodes: list[Any] = []
    for node in graph.node:
        nodes += _looked_up(node, NOISE_INPUT + str(random.index(node))) if node in random else [node]
    del graph.node[:]
    graph.node.extend(nodes)
    for number in range(len(random)):
        graph.input.append(
            onnx.helper.make_tensor_value_info(
                f"{NOISE_INPUT}{number}", onnx.TensorProto.FLOAT, [f"noise_{number}_size"]
            )
        )
    durations = _durations(graph)
    if durations and durations not in {value.name for value in graph.output}:
        graph.output.append(onnx.helper.make_empty_tensor_value_info(durations))
    return model.SerializeToString(), len(random), durations


def _load(path: Path) -> Any:
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        return onnx.load(str(path), load_external_data=False)
    except (OSError, DecodeError) as error:
        raise InvalidInput(f"{path} is damaged, or no ONNX model.") from error


def _looked_up(random: Any, noise: str) -> list[Any]:
    """Returns nodes that give the values of `noise`, over and over, in the shape the random node would have had."""
    from onnx import TensorProto, helper

    def node(operator: str, inputs: list[str], output: str, **attributes: Any) -> Any:
        return helper.make_node(operator, inputs, [output], name=output, **attributes)

    def number(value: int, output: str) -> Any:
        return node("Constant", [], output, value=helper.make_tensor(output, TensorProto.INT64, [], [value]))

    name = random.output[0]
    shape, count, size, places = f"{name}/shape", f"{name}/count", f"{noise}/size", f"{name}/places"
    return [
        number(0, f"{name}/zero"),
        number(1, f"{name}/one"),
        node("Shape", [random.input[0]], shape),
        node("ReduceProd", [shape], count, keepdims=0),
        node("Range", [f"{name}/zero", count, f"{name}/one"], f"{name}/range"),
        node("Size", [noise], size),
        node("Mod", [f"{name}/range", size], places),
        node("Gather", [noise, places], f"{name}/values"),
        node("Reshape", [f"{name}/values", shape], name),
    ]


def _durations(graph: Any) -> str | None:
    found = [node.output[0] for node in graph.node if node.op_type == "Ceil"]
    return found[0] if len(found) == 1 else None
