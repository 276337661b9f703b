"""What bounds a separation: its arithmetic, counted, over the arithmetic this machine can do, measured."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audio_ml import catalogue
from audio_ml.device import cpu_cores
from audio_ml.loader import ModelLoader
from audio_ml.onnx_sessions import cpu_session
from audio_ml.weights import WeightStore
from bench.reference import MODEL
from separation.nets.spleeter import UNetWeights, read_weights
from separation.spleeter_configuration import TWO_STEMS

MATRIX_SIZE = 2048
MATRIX_REPEATS = 20
COPY_NUMBERS = 1 << 26


@dataclass(frozen=True)
class Roofline:
    """The work of one song at the model's rate, and how fast it could be and is done without the rest."""

    n_patches: int
    flop_per_patch: int
    bytes_per_patch: int
    ceiling_flop_per_second: float
    ceiling_bytes_per_second: float
    network_seconds: float

    @property
    def flop(self) -> int:
        return self.n_patches * self.flop_per_patch

    @property
    def floor_seconds(self) -> float:
        """What the networks would take if every core always multiplied at its best."""
        return self.flop / self.ceiling_flop_per_second

    @property
    def floor_seconds_of_memory(self) -> float:
        """What the networks would take if moving their layers' numbers were all there is to do."""
        return self.n_patches * self.bytes_per_patch / self.ceiling_bytes_per_second


def measure(n_samples: int) -> Roofline:
    """Measures the networks alone on the patches that `n_samples` at the model's rate take, and the ceiling."""
    spec = catalogue.find("separation", MODEL)
    files = WeightStore().open(spec)
    weights = read_weights(files["model.index"], files["model.data-00000-of-00001"], TWO_STEMS)
    with ModelLoader("cpu").use(spec) as engine:
        plan, workers = engine.segmentation(spec.options()), engine.workers
    n_patches = -(-(plan.lead + n_samples) // plan.hop)
    return Roofline(
        n_patches=n_patches,
        flop_per_patch=sum(map(flop_of, weights)),
        bytes_per_patch=sum(map(bytes_of, weights)),
        ceiling_flop_per_second=_ceiling(),
        ceiling_bytes_per_second=_copy_rate(),
        network_seconds=_network_seconds(files["network.onnx"], n_patches, workers),
    )


def flop_of(weights: UNetWeights) -> int:
    """Counts the multiplications and additions of one network's convolutions on one patch.

    A convolution uses its kernel once per position of its output, a transposed one once per position
    of its input: in both cases the smaller of the two sides.
    """
    total, positions = 0, TWO_STEMS.frames * TWO_STEMS.bins
    for layer in weights.down:
        positions //= 4
        total += 2 * layer.kernel.size * positions
    for layer in weights.up:
        total += 2 * layer.kernel.size * positions
        positions *= 4
    return total + 2 * weights.head.kernel.size * positions


def bytes_of(weights: UNetWeights) -> int:
    """Counts the bytes that one network moves at least: inputs, outputs and kernels of its layers, once each."""
    numbers, positions = 0, TWO_STEMS.frames * TWO_STEMS.bins
    for layer in weights.down:
        n_out, n_in = layer.kernel.shape[:2]
        numbers += n_in * positions + n_out * positions // 4 + layer.kernel.size
        positions //= 4
    for layer in weights.up:
        n_in, n_out = layer.kernel.shape[:2]
        numbers += n_in * positions + n_out * positions * 4 + layer.kernel.size
        positions *= 4
    return 4 * (numbers + 3 * positions)


def _copy_rate() -> float:
    """Returns the best rate, in bytes read and written, of copying a block far larger than the caches."""
    source = np.ones(COPY_NUMBERS, np.float32)
    target = np.empty_like(source)

    def copy() -> float:
        began = time.perf_counter()
        np.copyto(target, source)
        return time.perf_counter() - began

    return 2 * source.nbytes / min(copy() for _ in range(MATRIX_REPEATS))


def _ceiling() -> float:
    """Returns the best rate of a product of two square float32 matrices, on all cores."""
    random = np.random.default_rng(0)
    left, right = (random.standard_normal((MATRIX_SIZE, MATRIX_SIZE), np.float32) for _ in range(2))
    product = np.empty_like(left)

    def multiply() -> float:
        began = time.perf_counter()
        np.matmul(left, right, out=product)
        return time.perf_counter() - began

    return 2 * MATRIX_SIZE**3 / min(multiply() for _ in range(MATRIX_REPEATS))


def _network_seconds(network: Path, n_patches: int, workers: int) -> float:
    """Times the networks on random magnitudes, set up and fed as the engine does it."""
    session = cpu_session(network, n_threads=cpu_cores() // workers)
    names = [session.get_outputs()[0].name]  # by default only the first stem's mask is asked for
    magnitude = np.random.default_rng(0).gamma(0.5, 2.0, (1, 2, TWO_STEMS.frames, TWO_STEMS.bins)).astype(np.float32)

    def one_patch(_: int) -> None:
        session.run(names, {"magnitude": magnitude})

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(one_patch, range(workers)))  # the first patches also allocate
        began = time.perf_counter()
        list(pool.map(one_patch, range(n_patches)))
        return time.perf_counter() - began
