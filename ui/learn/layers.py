"""The layers of a network for one sound: what each makes, as pictures of its most active channels.

Network: Jansson et al. 2017, "Singing voice separation with deep U-Net convolutional networks", ISMIR; its masks:
Hennequin et al. 2020, "Spleeter", JOSS 5(50), 2154.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audio_ml.audio import Samples
from separation.nets.spleeter import KERNEL, UNetWeights
from separation.spleeter_configuration import DEPTH, Configuration
from ui.learn.network import OpenedNetworks

N_CHANNELS = 8  # pictures of a layer at most
LARGEST_PICTURE = 128  # cells of a side; larger outputs are averaged
LOWEST_DB = -80.0  # of the magnitudes, below the loudest
DARKEST, BRIGHTEST = 0.5, 99.8  # percentiles of what the colours span
SILENT = 1e-6  # a channel whose values differ by no more says nothing
JANSSON = "Jansson et al. 2017, section 3"
HENNEQUIN = "Hennequin et al. 2020"


@dataclass(frozen=True)
class CodeLine:
    """Where a layer is computed: a `path` of ours, the `line`, and its `text`."""

    path: str
    line: int
    text: str


@dataclass(frozen=True)
class Picture:
    """One channel of a layer: `shape` [bins, frames] bytes from `offset` on, low frequencies first.

    Byte 0 is a value of `low` or less, 255 one of `high` or more; `activity` is the share of the layer's variation.
    """

    channel: int
    activity: float
    low: float
    high: float
    offset: int
    shape: tuple[int, int]


@dataclass(frozen=True)
class Layer:
    """What a page tells of a layer; `sees` is the field, in frames and bins, that one of its cells depends on."""

    name: str
    kind: str
    explanation: str
    shape: tuple[int, int, int]
    n_parameters: int
    n_silent: int
    seconds_per_cell: float
    hz_per_cell: float
    sees_seconds: float
    sees_hz: float
    paper: str
    code: CodeLine
    bridge: str
    pictures: tuple[Picture, ...]


class LayerFile:
    """Writes the pictures of layers one after another into a file of bytes; they show the first `n_frames` frames."""

    def __init__(self, path: Path, configuration: Configuration, n_frames: int) -> None:
        self._path, self._configuration = path, configuration
        self._n_frames = min(n_frames, configuration.frames)
        self._bytes = bytearray()

    def describe(self, network: OpenedNetworks, magnitude: Samples, stem: int, mask: Samples) -> list[dict[str, Any]]:
        """Returns all layers of a stem's network for a patch [2, frames, bins], from the input to its mask."""
        weights, share = network.weights[stem], None
        layers = [self._layer("input", _levels_db(magnitude), weights)]
        for name, output in network.layers(magnitude, stem):
            layers.append(self._layer(name, output, weights))
            share = output
        assert share is not None
        layers.append(self._layer("estimate", np.asarray(1 / (1 + np.exp(-share)), np.float32), weights))
        layers.append(self._layer("mask", mask, weights))
        return [asdict(layer) for layer in layers]

    def close(self) -> None:
        """Writes the file."""
        self._path.write_bytes(self._bytes)

    def _layer(self, name: str, output: Samples, weights: UNetWeights) -> Layer:
        configuration = self._configuration
        n_channels, frames, bins = output.shape
        step, seen = configuration.frames // frames, _field(name)
        frame_seconds = configuration.hop / configuration.sample_rate
        bin_hz = configuration.sample_rate / configuration.n_fft
        heard = output[:, : -(-self._n_frames // step)]  # what follows is the silence that fills the patch up
        spread = heard.std(axis=(1, 2))
        kind, explanation, paper, sought = _TOLD[name.partition(" ")[0]]
        return Layer(
            name=name,
            kind=kind,
            explanation=_explain(name, explanation),
            shape=(n_channels, frames, bins),
            n_parameters=_count_parameters(name, weights),
            n_silent=int((spread <= SILENT).sum()),
            seconds_per_cell=step * frame_seconds,
            hz_per_cell=configuration.bins // bins * bin_hz,
            sees_seconds=min(seen, configuration.frames) * frame_seconds,
            sees_hz=min(seen, configuration.bins) * bin_hz,
            paper=paper,
            code=find_line(sought),
            bridge=_bridge(name),
            pictures=tuple(self._pictures(heard, spread)),
        )

    def _pictures(self, output: Samples, spread: Samples) -> Iterator[Picture]:
        energy = np.square(spread.astype(np.float64))
        for channel in np.argsort(-energy, kind="stable")[:N_CHANNELS]:
            small = _shrunk(output[channel]).T  # [bins, frames]
            low, high = (float(edge) for edge in np.percentile(small, (DARKEST, BRIGHTEST)))
            scaled = np.clip((small - low) / max(high - low, SILENT), 0, 1)
            pixels: NDArray[np.uint8] = np.round(255 * scaled).astype(np.uint8)
            offset = len(self._bytes)
            self._bytes += pixels.tobytes()
            activity = float(energy[channel] / max(energy.sum(), SILENT**2))
            yield Picture(int(channel), activity, low, high, offset, (small.shape[0], small.shape[1]))


def find_line(text: str) -> CodeLine:
    """Returns where a piece of the network's code stands, looked up in the code that runs.

    >>> find_line("conv_transpose2d(x,").path
    'separation/nets/spleeter_torch.py'
    """
    from separation.nets import spleeter_torch

    module: ModuleType = spleeter_torch
    lines = inspect.getsource(module).splitlines()
    (number,) = (number for number, line in enumerate(lines, 1) if text in line)
    return CodeLine(f"{module.__name__.replace('.', '/')}.py", number, lines[number - 1].strip())


def _shrunk(channel: Samples) -> Samples:
    """Returns means of blocks of [frames, bins], so that no side has more than `LARGEST_PICTURE` cells."""
    for axis in (0, 1):
        block = -(-channel.shape[axis] // LARGEST_PICTURE)
        cut = np.moveaxis(channel, axis, 0)
        n_blocks = len(cut) // block
        channel = np.moveaxis(cut[: n_blocks * block].reshape(n_blocks, block, -1).mean(axis=1), 0, axis)
    return channel


def _levels_db(magnitude: Samples) -> Samples:
    """Returns magnitudes in dB below the loudest: as they are, they would look black."""
    top = max(float(magnitude.max()), SILENT)
    return np.asarray(20 * np.log10(np.maximum(magnitude / top, 10 ** (LOWEST_DB / 20))), np.float32)


def _field(name: str) -> int:
    """Returns how many frames, and bins, of the input a cell depends on: along the deepest way that leads to it.

    A convolution over `KERNEL` cells that are each 2**n wide adds (KERNEL - 1) * 2**n.
    """
    place, _, number = name.partition(" ")
    if place == "input":
        return 1
    n_down = int(number) if place == "down" else DEPTH
    n_up = {"down": 0, "up": int(number or 0)}.get(place, DEPTH)
    reach = 1 + sum((KERNEL - 1) << depth for depth in range(n_down))
    reach += sum((KERNEL // 2) << (DEPTH - depth) for depth in range(n_up))  # two or three taps of each parity
    return reach if place in ("down", "up") else reach + 6  # four taps, two apart


def _count_parameters(name: str, weights: UNetWeights) -> int:
    place, _, number = name.partition(" ")
    index = int(number or 1) - 1
    if place == "head":
        return weights.head.kernel.size + weights.head.bias.size
    if place not in ("down", "up"):
        return 0
    layers, norms = (weights.down, weights.down_norms) if place == "down" else (weights.up, weights.up_norms)
    of_norm = 4 * norms[index].scale.size if index < len(norms) else 0
    return layers[index].kernel.size + layers[index].bias.size + of_norm


def _bridge(name: str) -> str:
    """Returns the layer at the other end of the skip connection, or ""."""
    place, _, number = name.partition(" ")
    if place == "down" and int(number) < DEPTH:
        return f"up {DEPTH - int(number)}"
    if place == "up" and int(number) < DEPTH:
        return f"down {DEPTH - int(number)}"
    return ""


def _explain(name: str, explanation: str) -> str:
    if name == f"down {DEPTH}":
        return f"{explanation} This is the bottom of the U: the whole patch in the fewest cells."
    if name == f"up {DEPTH}":
        return f"{explanation} All channels have become one picture, as large as the input."
    if bridge := _bridge(name):
        way = "goes on to" if name.startswith("down") else "is joined by what comes straight from"
        return f"{explanation} Beside the way through the bottom, it {way} '{bridge}': the bridge keeps detail sharp."
    return explanation


_TOLD = {  # by the first word of a layer: its kind, what it does, the paper, and a piece of the line that computes it
    "input": (
        "magnitudes, shown in dB",
        "What the network hears: the size of each frequency in each frame, left and right. Phases are left out; the "
        "result takes those of the recording.",
        HENNEQUIN,
        "patches = spectrum[..., :bins].abs()",
    ),
    "down": (
        "convolution 5 x 5, every second cell; normalised, leaky ReLU",
        "Each cell looks at 5 x 5 cells of the layer before. Half as many in time and in frequency remain, with twice "
        "as many channels, each looking for a pattern of its own: edges, steady tones, rising pitch.",
        JANSSON,
        "conv2d(pad(x, PAD + PAD)",
    ),
    "up": (
        "transposed convolution 5 x 5; ReLU, normalised",
        "The way back: each cell paints 5 x 5 cells of a picture twice as large.",
        JANSSON,
        "conv_transpose2d(x,",
    ),
    "head": (
        "convolution 4 x 4, two cells apart",
        "One number for each frequency of each frame, left and right: above zero where the network takes it for this "
        "stem. Strokes of the brush are added to such numbers.",
        HENNEQUIN,
        "conv2d(x, weights.head.kernel",
    ),
    "estimate": (
        "sigmoid",
        "The same squeezed to between 0 and 1: the share of the magnitude that the network gives to this stem.",
        HENNEQUIN,
        "outputs.softmax(dim=0) if configuration.softmax else outputs.sigmoid_()",
    ),
    "mask": (
        "ratio of the squared estimates of both networks",
        "Both networks had their say alone; the mask shares each cell among the stems so that nothing is lost and "
        "nothing counted twice. The recording's spectrum times this is the stem.",
        f"{HENNEQUIN}; Wiener-like masks",
        "return (powers + MASK_EPSILON / len(powers)) / total",
    ),
}
