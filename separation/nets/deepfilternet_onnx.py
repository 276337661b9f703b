"""The networks of DeepFilterNet3 joined into one that is handed its memory, so that it can go on block by block."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

from audio_ml.errors import WeightsCorrupt
from separation.nets.deepfilternet import BANDS, FILTERED_BINS
from separation.recurrent import AFTER

FOLDER = "tmp/export/"  # in the official archive
CHANNELS = 64
FILTER_CONTEXT = 4  # frames of the encoder's output that the filter decoder's convolution sees before its own
ENCODED = ("e0", "e1", "e2", "e3", "emb")  # what both decoders take from the encoder
TO_THE_END = 2**62


def build(output: Path, archive: Path) -> None:
    """Joins the three networks of the official archive; arithmetic and weights stay as they are."""
    import onnx

    onnx.save(_joined(*(_read(archive, name) for name in ("enc", "erb_dec", "df_dec"))), output)


def _read(archive: Path, name: str) -> Any:
    import onnx

    try:
        with tarfile.open(archive) as tar:
            member = tar.extractfile(f"{FOLDER}{name}.onnx")
            assert member is not None
            return onnx.load_model_from_string(member.read())
    except (KeyError, tarfile.TarError) as error:
        raise WeightsCorrupt(f"{archive.name} holds no readable {FOLDER}{name}.onnx.") from error


def _joined(encoder: Any, gain_decoder: Any, filter_decoder: Any) -> Any:
    """Writes one graph: `bands` and `spectrum`, with two frames of context before, to `gains` and `filters`."""
    from onnx import TensorProto, compose, helper

    memories: list[tuple[str, list[int], str]] = [("context", [1, CHANNELS, FILTER_CONTEXT, FILTERED_BINS], "kept")]
    parts = []
    for prefix, model in (("enc/", encoder), ("gain/", gain_decoder), ("filter/", filter_decoder)):
        _drop_padding(model.graph)
        parts.append(compose.add_prefix(model, prefix).graph)
        memories += _expose_memory(parts[-1])

    def pass_on(name: str, new_name: str) -> Any:
        return helper.make_node("Identity", [name], [new_name])

    nodes = [
        pass_on("bands", "enc/feat_erb"),
        pass_on("spectrum", "enc/feat_spec"),
        *parts[0].node,
        *(pass_on(f"enc/{name}", f"gain/{name}") for name in ENCODED),
        pass_on("enc/emb", "filter/emb"),
        helper.make_node("Concat", ["context", "enc/c0"], ["filter/c0"], axis=2),
        helper.make_node("Slice", ["filter/c0", "start", "end", "axis"], ["kept"]),
        *parts[1].node,
        *parts[2].node,
        *(pass_on(state, name + AFTER) for name, _, state in memories),
        pass_on("gain/m", "gains"),
        pass_on("filter/coefs", "filters"),
    ]
    bounds = [("start", -FILTER_CONTEXT), ("end", TO_THE_END), ("axis", 2)]

    def value(name: str, shape: list[Any]) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    nodes = _needed(nodes, ["gains", "filters", *(name + AFTER for name, _, _ in memories)])
    used = {name for node in nodes for name in node.input}
    graph = helper.make_graph(
        nodes,
        "deepfilternet3",
        [
            value("bands", [1, 1, "heard", BANDS]),
            value("spectrum", [1, 2, "heard", FILTERED_BINS]),
            *(value(name, shape) for name, shape, _ in memories),
        ],
        [
            value("gains", [1, 1, "frames", BANDS]),
            value("filters", [1, "frames", FILTERED_BINS, None]),
            *(value(name + AFTER, shape) for name, shape, _ in memories),
        ],
        [
            *(weights for part in parts for weights in part.initializer if weights.name in used),
            *(helper.make_tensor(name, TensorProto.INT64, [1], [number]) for name, number in bounds),
        ],
    )
    return helper.make_model(graph, opset_imports=encoder.opset_import, ir_version=encoder.ir_version)


def _drop_padding(graph: Any) -> None:
    """Lets convolutions over time see the frames before instead of the zeros that the exported graph puts there."""
    for node in [node for node in graph.node if node.op_type == "Pad"]:
        for other in graph.node:
            for position, name in enumerate(other.input):
                if name == node.output[0]:
                    other.input[position] = node.input[0]
        graph.node.remove(node)


def _needed(nodes: list[Any], results: list[str]) -> list[Any]:
    """Returns the nodes, in order, without those that none of the results depends on."""
    wanted, kept = set(results), []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            wanted.update(node.input)
            kept.append(node)
    return kept[::-1]


def _expose_memory(graph: Any) -> list[tuple[str, list[int], str]]:
    """Makes the state of each recurrent layer an input; returns its name, its shape, and what it is afterwards."""
    found = []
    for node in (node for node in graph.node if node.op_type == "GRU"):
        (size,) = (attribute.i for attribute in node.attribute if attribute.name == "hidden_size")
        name = f"{node.name}/state"
        node.input[5] = name
        found.append((name, [1, 1, size], node.output[1]))
    return found
