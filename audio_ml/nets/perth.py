"""The networks of PerTh, and their graphs for ONNX Runtime, written from the published checkpoint.

Resemble AI 2023, "PerTh: perceptual threshold watermarking" (resemble-perth 1.0.1). They are stacks of convolutions
over time that see the lowest `BINS` bins, up to 2 kHz, of spectra in decibels scaled to about [0, 1]. That of the
marker gives what a mark adds there. The detector has one for each of three speeds of the sound, of which it takes a
weighted mean; but the published ones for slow and fast sound say the same of everything, so only `normal` is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from audio_ml.errors import WeightsCorrupt
from audio_ml.onnx_sessions import cpu_session
from audio_ml.state_dicts import load_strictly, read_state_dict

if TYPE_CHECKING:
    from torch import nn

BINS = 128
HIDDEN = 256
KERNEL = 7
N_WIDE = 5  # layers that look at neighbouring frames
SPEEDS = ("slow", "normal", "fast")
EVIDENCE = 2
VERIFIED_DB = 100.0  # agreement with the torch network that a graph must reach
VERIFIED_FRAMES = 200
NO_WEIGHTS = ("ap.spectrogram.window", "ap.inv_spectrogram.window", "ap.stretch.phase_advance")  # in the checkpoint


def build_marker(output: Path, checkpoint: Path) -> None:
    """Writes the graph from `band` [n, BINS, frames] to the `residual` [n, BINS, frames] of a mark."""
    _build(output, read_network(checkpoint), "encoder.layers", "residual")


def build_detector(output: Path, checkpoint: Path) -> None:
    """Writes the graph from `band` [n, BINS, frames] to the `evidence` [n, 2, frames]; the second row is of a mark."""
    _build(output, read_network(checkpoint), "decoder.normal_layers", "evidence")


def read_network(checkpoint: Path) -> nn.ModuleDict:
    """Returns the stacks under their published names; nothing of the checkpoint is unpickled, no weight is left out.

    Raises:
        WeightsCorrupt: when it is not the checkpoint of this network.
    """
    from torch import nn

    published = read_state_dict(checkpoint).get("model")
    if not isinstance(published, Mapping):
        raise WeightsCorrupt(f"{checkpoint.name} is not a checkpoint of PerTh: it holds no 'model'.")
    detector = nn.ModuleDict({f"{speed}_layers": _stack(EVIDENCE) for speed in SPEEDS})
    network = nn.ModuleDict({"encoder": nn.ModuleDict({"layers": _stack(BINS)}), "decoder": detector})
    load_strictly(network, {name: value for name, value in published.items() if name not in NO_WEIGHTS}, "PerTh")
    return network.eval()


def _stack(n_outputs: int) -> nn.Sequential:
    from torch import nn

    wide = [_layer(HIDDEN, HIDDEN, KERNEL) for _ in range(N_WIDE)]
    return nn.Sequential(_layer(BINS, HIDDEN, 1), *wide, _layer(HIDDEN, n_outputs, 1, is_last=True))


def _layer(n_inputs: int, n_outputs: int, kernel: int, is_last: bool = False) -> nn.Sequential:
    """Returns a convolution over time that keeps its length, and a leaky ReLU except in the last layer of a stack."""
    from torch import nn

    layer = nn.Sequential()
    layer.add_module("conv", nn.Conv1d(n_inputs, n_outputs, kernel, padding=kernel // 2))
    if not is_last:
        layer.add_module("activation", nn.LeakyReLU())
    return layer


def _build(output: Path, network: nn.ModuleDict, scope: str, result: str) -> None:
    """Writes one stack from `band` to a result by name, and checks it against the torch network."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    def value(name: str, n_rows: int) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", n_rows, "frames"])

    nodes: list[Any] = []
    weights: list[Any] = []
    stack: Any = network.get_submodule(scope)
    x = "band"
    for place, layer in enumerate(stack):
        names = [f"{place}.weight", f"{place}.bias"]
        parameters = (layer.conv.weight, layer.conv.bias)
        weights += [
            numpy_helper.from_array(p.detach().numpy(), name) for p, name in zip(parameters, names, strict=True)
        ]
        is_last = place == len(stack) - 1
        convolved = result if is_last else f"{place}.convolved"
        nodes.append(helper.make_node("Conv", [x, *names], [convolved], pads=[layer.conv.padding[0]] * 2))
        if not is_last:
            x = f"{place}.activated"
            nodes.append(helper.make_node("LeakyRelu", [convolved], [x], alpha=layer.activation.negative_slope))
    given, made = value("band", BINS), value(result, stack[-1].conv.out_channels)
    graph = helper.make_graph(nodes, scope, [given], [made], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), output)
    _verify(output, stack)


def _verify(output: Path, stack: Any) -> None:
    import torch

    band = np.random.default_rng(0).random((1, BINS, VERIFIED_FRAMES), np.float32)
    (found,) = cpu_session(output, n_threads=1).run(None, {"band": band})
    with torch.inference_mode():
        expected = stack(torch.from_numpy(band)).numpy()
    agreement_db = 10 * np.log10(np.sum(expected**2) / max(np.sum((expected - found) ** 2), 1e-30))
    if not agreement_db >= VERIFIED_DB:
        raise WeightsCorrupt(f"PerTh's graph agrees with its network only to {agreement_db:.0f} dB.")
