"""Prepares a Piper voice (VITS, Kim et al. 2021) for use: its noise becomes inputs, its durations an output.

They keep to a pace: VITS rounds each duration up, which at twice the speed leaves a third of the hurry without effect.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from audio_ml.errors import InvalidInput

INPUTS = ("input", "input_lengths", "scales")
SPEAKER_INPUT = "sid"
NOISE_INPUT = "noise_"  # and a number
SPEED_INPUT = "speed"


def prepare(path: Path) -> tuple[bytes, int, str | None]:
    """Returns the model of a voice file, how many noise inputs it has, and its output of durations, if it tells.

    Random nodes would give other samples each time. Each becomes a look-up in an input of normal noise [n],
    which is read again from its beginning where it is too short. Durations are the frames of each id
    (w_ceil, before they are summed to a path; the only Ceil node there is). Where they are told, a further
    input `speed` [] divides their sum; at 1 they are those of the voice.

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
    rounding = _rounding(graph)
    nodes: list[Any] = []
    for node in graph.node:
        if node in random:
            nodes += _looked_up(node, NOISE_INPUT + str(random.index(node)))
        elif node is rounding:
            nodes += _paced(node)
        else:
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    for number in range(len(random)):
        graph.input.append(
            onnx.helper.make_tensor_value_info(
                f"{NOISE_INPUT}{number}", onnx.TensorProto.FLOAT, [f"noise_{number}_size"]
            )
        )
    if rounding is None:
        return model.SerializeToString(), len(random), None
    durations = str(rounding.output[0])
    graph.input.append(onnx.helper.make_tensor_value_info(SPEED_INPUT, onnx.TensorProto.FLOAT, []))
    if durations not in {value.name for value in graph.output}:
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


def _rounding(graph: Any) -> Any | None:
    """Returns the node that gives the frames of each id, if it is the only one of its kind."""
    found = [node for node in graph.node if node.op_type == "Ceil"]
    return found[0] if len(found) == 1 else None


def _paced(rounding: Any) -> list[Any]:
    """Returns nodes that round up as one node did, and then keep to the pace of `SPEED_INPUT` (see `durations.paced`).

    An id that lasts keeps a frame, and the next ones make up for it.
    """
    from onnx import TensorProto, helper

    name = rounding.output[0]

    def part(tensor: str) -> str:
        return f"{name}/{tensor}"

    def constant(tensor: str, kind: int, shape: list[int], value: int) -> Any:
        values = helper.make_tensor(part(tensor), kind, shape, [value])
        return helper.make_node("Constant", [], [part(tensor)], value=values)

    def node(operator: str, inputs: list[str], output: str, **attributes: Any) -> Any:
        return helper.make_node(operator, inputs, [output], name=output, **attributes)

    inner = {tensor: part(tensor) for tensor in ("reached", "least", "border", "kept", "reach", "frames")}
    values = {tensor: helper.make_tensor_value_info(inner[tensor], TensorProto.FLOAT, []) for tensor in inner}
    step = helper.make_graph(
        [
            node("Add", [inner["reached"], inner["least"]], inner["kept"]),
            node("Max", [inner["kept"], inner["border"]], inner["reach"]),
            node("Sub", [inner["reach"], inner["reached"]], inner["frames"]),
        ],
        part("step"),
        [values["reached"], values["least"], values["border"]],
        [values["reach"], values["frames"]],
    )
    return [
        node("Ceil", list(rounding.input), part("natural")),
        node("Shape", [part("natural")], part("shape")),
        constant("row", TensorProto.INT64, [1], -1),
        constant("first", TensorProto.INT64, [], 0),
        constant("none", TensorProto.FLOAT, [], 0),
        constant("one", TensorProto.FLOAT, [], 1),
        node("Reshape", [part("natural"), part("row")], part("ids")),
        node("Min", [part("ids"), part("one")], part("shortest")),
        node("CumSum", [part("ids"), part("first")], part("ends")),
        node("Div", [part("ends"), SPEED_INPUT], part("scaled")),
        node("Round", [part("scaled")], part("borders")),
        helper.make_node(
            "Scan",
            [part("none"), part("shortest"), part("borders")],
            [part("end"), part("paced")],
            body=step,
            num_scan_inputs=2,
        ),
        node("Reshape", [part("paced"), part("shape")], name),
    ]
