"""A one-dimensional convolution with few products: tiles of the signal are convolved as short spectra.

A tile of n samples gives n - taps + 1 outputs by a cyclic convolution, which is a product of spectra.
A complex product takes three real ones (Gauss), and all of this is linear, so that with real matrices

    outputs = synthesis @ (kernels * (analysis @ tile))

where every row of `analysis @ tile` is a vector over channels and every kernel a matrix between them.
Eleven taps take 2.1 products for each output instead of 11. It is exact up to rounding (-128 dB).
Winograd's minimal filters are of the same form, but their rounding grows with the tile.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audio_ml.nets.onnx_graph import OnnxGraph

Array = NDArray[np.float32]

N_OUTPUTS = {7: 16, 11: 22}  # of a tile, by the number of taps: then 32 and 47 products fill registers of 16


@dataclass(frozen=True, eq=False)
class FourierConvolution:
    """The matrices for tiles of an even number of samples, `n_outputs` + `n_taps` - 1."""

    n_taps: int
    n_outputs: int

    @property
    def n_samples(self) -> int:
        return self.n_outputs + self.n_taps - 1

    @cached_property
    def _waves(self) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Cosine and negative sine [samples] of each frequency between zero and half the sampling rate."""
        time = np.arange(self.n_samples)
        angles = [2 * np.pi * k * time / self.n_samples for k in range(1, self.n_samples // 2)]
        return [(np.cos(angle), -np.sin(angle)) for angle in angles]

    @property
    def analysis(self) -> Array:
        """[products, samples]: the two real bins, then of each complex bin a + ib: a + b, a, b."""
        edges = [np.ones(self.n_samples), (-1.0) ** np.arange(self.n_samples)]
        rows = [row for re, im in self._waves for row in (re + im, re, im)]
        return np.array([*edges, *rows], np.float32)

    def kernels(self, weights: Array) -> Array:
        """[products, out, in] from [out, in, taps]: of each complex bin c + id: c, d - c, c + d."""
        spectrum = np.conj(np.fft.rfft(weights.astype(np.float64), self.n_samples))
        inner = [spectrum[..., k] for k in range(1, self.n_samples // 2)]
        rows = [row for z in inner for row in (z.real, z.imag - z.real, z.real + z.imag)]
        return np.array([spectrum[..., 0].real, spectrum[..., -1].real, *rows], np.float32)

    @property
    def synthesis(self) -> Array:
        """[outputs, products]: of the products p, q, r of a bin, p - r is the real part and p + q the imaginary."""
        edges = [np.ones(self.n_samples), (-1.0) ** np.arange(self.n_samples)]
        rows = [row for re, im in self._waves for row in (2 * (re + im), 2 * im, -2 * re)]
        return np.array([*edges, *rows], np.float32).T[: self.n_outputs] / np.float32(self.n_samples)

    def nodes(
        self, graph: OnnxGraph, name: str, x: str, y: str, weights: Array, bias: Array | None, dilation: int
    ) -> list[Any]:
        """Returns nodes that convolve `x` [1, in, time], zeros around it, to `y` [1, out, time]; for odd `n_taps`."""
        write = _Writer(graph, name)
        n_out, n_in, _ = weights.shape
        time = write("Shape", x, start=2, end=3)
        tiles = self._tiles(write, x, time, n_in, dilation)
        n_products = len(self.analysis)
        spectra = write("Reshape", tiles, write.sizes(n_products, n_in, -1))
        products = write("MatMul", graph.constant(f"{name}/kernels", self.kernels(weights)), spectra)
        flat = write("Reshape", products, write.sizes(n_products, -1))
        synthesis = graph.constant(f"fourier/{self.n_taps}/synthesis", self.synthesis)
        outputs = write("Reshape", write("MatMul", synthesis, flat), write.sizes(self.n_outputs, n_out, -1, dilation))
        ordered = write("Transpose", outputs, perm=[1, 2, 0, 3])  # [out, tiles, outputs, dilation]
        whole = write("Reshape", ordered, write.sizes(1, n_out, -1))
        result = write("Slice", whole, write.sizes(0), time, write.sizes(2))
        if bias is not None:
            result = write("Add", result, graph.constant(f"{name}/bias", bias[:, None]))
        write.made[-1].output[0] = y
        return write.made

    def _tiles(self, write: _Writer, x: str, time: str, n_in: int, dilation: int) -> str:
        """Writes the analysis of all tiles as a convolution over an image with the channels as its height."""
        before = self.n_taps // 2 * dilation
        fill = write("Mod", write("Neg", time), write.sizes(self.n_outputs * dilation))
        after = write("Add", fill, write.sizes((self.n_taps - 1) * dilation - before))
        padded = write("Pad", x, write("Concat", write.sizes(0, 0, before, 0, 0), after, axis=0))
        if dilation == 1:  # as two dimensions: ONNX Runtime's blocked convolution is faster here, and slower below
            image = write("Reshape", padded, write.sizes(1, 1, n_in, -1))
            kernel = self.analysis[:, None, None]
            strides = [1, self.n_outputs]
        else:
            image = write("Reshape", padded, write.sizes(1, 1, n_in, -1, dilation))
            kernel = self.analysis[:, None, None, :, None]
            strides = [1, self.n_outputs, 1]
        constant = write.graph.constant(f"fourier/{self.n_taps}/analysis/{kernel.ndim}", kernel)
        return write("Conv", image, constant, strides=strides)


class _Writer:
    """Collects nodes under names that begin alike."""

    def __init__(self, graph: OnnxGraph, name: str) -> None:
        self.graph = graph
        self.made: list[Any] = []
        self._name = name

    def __call__(self, operator: str, *inputs: str, **attributes: Any) -> str:
        from onnx import helper

        output = f"{self._name}/{operator}_{len(self.made)}"
        self.made.append(helper.make_node(operator, list(inputs), [output], name=output, **attributes))
        return output

    def sizes(self, *values: int) -> str:
        return self.graph.constant("sizes/" + ",".join(map(str, values)), np.array(values, np.int64))
