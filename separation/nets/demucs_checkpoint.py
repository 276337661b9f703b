"""The weights of the Demucs family, out of every form they are published in, into one safetensors file.

The forms: the package's own checkpoint (.th), the hub's safetensors, and an ONNX graph. In the graph,
exported by torch 2.8, convolutions keep the names of their parameters; the others are found by the scope of
the node that uses them, `/tencoder.0/dconv/layers.0/layers.0.1/Mul`, and never by their own numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audio_ml.errors import WeightsCorrupt
from audio_ml.state_dicts import check_tensors, read_state_dict

if TYPE_CHECKING:
    import torch

EMBEDDING_SCALE = 10  # the graph holds the frequency embedding already multiplied by it
LAYER_SCALE = re.compile(r"\.dconv\.layers\.\d+\.6$")  # the seventh module of a residual branch

State = dict[str, Any]


def convert(output: Path, published: Path, make_network: Callable[[], torch.nn.Module], name: str) -> None:
    """Writes the weights of a published file in half precision, in which they were published.

    Raises:
        WeightsCorrupt: when they are not those of the network, or half precision does not hold them exactly.
    """
    import torch
    from safetensors.torch import save_file

    state = read(published)
    with torch.device("meta"):
        expected = {key: tuple(value.shape) for key, value in make_network().state_dict().items()}
    check_tensors(state, expected, name)
    halves = {key: value.to(torch.float16).contiguous() for key, value in state.items()}
    rounded = [key for key, half in halves.items() if not torch.equal(half.to(state[key].dtype), state[key])]
    if rounded:
        raise WeightsCorrupt(f"{len(rounded)} tensors of {name} are not in half precision, such as {rounded[0]}.")
    save_file(halves, output)


def read(published: Path) -> State:
    """Returns the parameters by their names in the package's network; raises `WeightsCorrupt`."""
    if published.suffix == ".onnx":
        return _read_onnx(published)
    if published.suffix == ".safetensors":
        return read_state_dict(published)
    package = read_package(published)
    state = package.get("state", package)  # torchaudio's are bare
    if not isinstance(state, dict) or "__quantized" in state:
        raise WeightsCorrupt(f"{published.name} holds no plain weights.")
    return dict(state)


def read_package(published: Path) -> dict[str, Any]:
    """Returns what a checkpoint of the package holds: `klass`, `args`, `kwargs`, `state`; raises `WeightsCorrupt`.

    Beside them it has the scores of its training, which are numbers of numpy 1.
    """
    import numpy as np
    from demucs.hdemucs import HDemucs
    from demucs.htdemucs import HTDemucs

    number = (np.float64(0).__reduce__()[0], "numpy.core.multiarray.scalar")  # where numpy 1 had it
    kinds = [type(np.dtype(kind)) for kind in ("float32", "float64", "int64")]
    return read_state_dict(published, allowed=[HTDemucs, HDemucs, Fraction, number, np.dtype, *kinds])


def _read_onnx(path: Path) -> State:
    import onnx
    import torch
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    from onnx import numpy_helper

    try:
        graph = onnx.load(path, load_external_data=False).graph
        values = {tensor.name: torch.tensor(numpy_helper.to_array(tensor)) for tensor in graph.initializer}
    except (DecodeError, ValueError, TypeError) as error:
        raise WeightsCorrupt(f"{path.name} is not an ONNX file that can be read: {error}") from error
    state: State = {}
    try:
        for node in graph.node:
            for given in node.input:
                if given in values:
                    _place(state, node.name, given, values[given])
    except (IndexError, RuntimeError) as error:  # of shapes that do not go together
        raise WeightsCorrupt(f"{path.name} is the graph of another network: {error}") from error
    return state


def _place(state: State, node: str, given: str, value: torch.Tensor) -> None:
    """Puts an initializer of the graph where the network has it; nodes come in the order of the computation."""
    import torch

    if not given.startswith("onnx::"):
        state[given] = value
        return
    module, operation = _scope(node)
    if operation == "Expand":
        state["freq_emb.embedding.weight"] = value[0, :, :, 0].T / EMBEDDING_SCALE
    elif module.endswith("attn"):
        key = f"{module}.in_proj_{'weight' if operation == 'MatMul' else 'bias'}"
        part = value.T if operation == "MatMul" else value
        state[key] = torch.cat([state[key], part]) if key in state else part  # of queries, then of keys and values
    elif operation == "MatMul":
        state[f"{module}.weight"] = value.T
    elif operation == "Mul":
        state[f"{module}.{'scale' if LAYER_SCALE.search(module) else 'weight'}"] = value.flatten()
    else:
        state[f"{module}.bias"] = value.flatten()


def _scope(node: str) -> tuple[str, str]:
    """Returns the module of a node and its operation without a number.

    >>> _scope("/tencoder.0/dconv/layers.0/layers.0.1/Mul_1")
    ('tencoder.0.dconv.layers.0.1', 'Mul')
    """
    *scopes, operation = node.strip("/").split("/")
    path: list[str] = []
    for scope in scopes:
        if path and scope.startswith(path[-1] + "."):  # a member of a list has the list's name in its own
            path[-1] = scope
        else:
            path.append(scope)
    return ".".join(path), operation.partition("_")[0]
