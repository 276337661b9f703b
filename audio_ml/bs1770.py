"""The two filters of ITU-R BS.1770-4, K weighting and oversampling, as products of matrices.

A product costs a third of what a recursion in C does, as long as it is small: numpy's BLAS wakes other
threads for large ones (OpenBLAS: rows * columns * depth > 4 * 65536), and where those find the cores
busy, as beside a model, that costs ten times the work. So each product here is a stack of small ones.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audio_ml.audio import Samples

Matrix = NDArray[np.float64]

# The analogue prototypes behind tables 1 and 2 of annex 1, which give coefficients for 48 kHz alone
# (found by B. De Man, "Evaluation of Implementations of the EBU R128 Loudness Measurement", AES 145, 2018).
SHELF_HZ, SHELF_Q, SHELF_GAIN_DB = 1681.974450955533, 0.7071752369554196, 3.999843853973347
SHELF_BAND_EXPONENT = 0.4996667741545416
HIGH_PASS_HZ, HIGH_PASS_Q = 38.13547087602444, 0.5003270373238773
TABLE_RATE = 48000

N_STATES = 4
BLOCK_SAMPLES = 48
GROUP_BLOCKS = 32
GROUP_SAMPLES = GROUP_BLOCKS * BLOCK_SAMPLES
CHUNK_SAMPLES = 8 * GROUP_SAMPLES  # the longest that should be pushed at once, of two channels


OVERSAMPLING = 4
N_TAPS = 24  # per phase: flat within 0.01 dB up to 0.42 of the sample rate, where annex 2's own 12 lose 2 dB
KAISER_BETA = 6.0
PEAK_ROWS = 16


class KWeighting:
    """The K filter of annex 1 over a stream [channels, n]; what it cannot finish yet, it holds.

    The filter has four states s: s' = A s + b x, y = c s + d x. Over a block of samples that is one
    product with its input and one with the state it begins with; the states at the beginnings of a
    group of blocks follow from their inputs in the same way.

    >>> weighting = KWeighting(48000, 1)
    >>> weighting.push(np.ones((1, 2000), np.float32)).shape, weighting.finish().shape
    ((1, 1536), (1, 464))
    """

    def __init__(self, sample_rate: int, n_channels: int) -> None:
        a, b, c, d = _k_weighting_states(sample_rate)
        powers = [np.linalg.matrix_power(a, n) for n in range(BLOCK_SAMPLES + 1)]
        response = np.array([d, *(c @ power @ b for power in powers)])
        later = np.arange(BLOCK_SAMPLES) - np.arange(BLOCK_SAMPLES)[:, np.newaxis]
        self._input_to_output = np.where(later >= 0, response[np.abs(later)], 0).astype(np.float32)
        self._input_to_state = np.array([power @ b for power in powers[-2::-1]], np.float32)
        self._state_to_output = np.array([c @ power for power in powers[:-1]], np.float32).T.copy()
        leaps = [np.linalg.matrix_power(powers[-1], n).T for n in range(GROUP_BLOCKS + 1)]
        nothing = np.zeros_like(a)
        reached = [
            [leaps[end - begin - 1] if end > begin else nothing for end in range(GROUP_BLOCKS + 1)]
            for begin in range(GROUP_BLOCKS)
        ]
        self._inputs_to_states: Samples = np.block(reached).astype(np.float32)
        self._start_to_states: Samples = np.hstack(leaps).astype(np.float32)
        self._state: NDArray[Any] = np.zeros((n_channels, N_STATES), np.float32)
        self._held: Samples = np.zeros((n_channels, 0), np.float32)

    def push(self, block: Samples) -> Samples:
        """Takes the next block and returns the weighted samples that are ready, which may be none."""
        joined = np.concatenate((self._held, block), axis=1)
        n_ready = joined.shape[1] // GROUP_SAMPLES * GROUP_SAMPLES
        self._held = joined[:, n_ready:].copy()
        return self._weighted(joined[:, :n_ready])

    def finish(self) -> Samples:
        """Returns the rest."""
        n_left = self._held.shape[1]
        return self._weighted(np.pad(self._held, ((0, 0), (0, GROUP_SAMPLES - n_left))))[:, :n_left]

    def _weighted(self, samples: Samples) -> Samples:
        """Filters [channels, groups * GROUP_SAMPLES]."""
        n_channels, n_groups = len(samples), samples.shape[1] // GROUP_SAMPLES
        blocks = samples.reshape(n_channels, n_groups, GROUP_BLOCKS, BLOCK_SAMPLES)
        inputs = (blocks @ self._input_to_state).reshape(n_channels, n_groups, GROUP_BLOCKS * N_STATES)
        states = inputs @ self._inputs_to_states
        for group in range(n_groups):
            states[:, group] += self._state @ self._start_to_states
            self._state = states[:, group, -N_STATES:]
        starts = states[:, :, :-N_STATES].reshape(n_channels, n_groups, GROUP_BLOCKS, N_STATES)
        weighted: Samples = blocks @ self._input_to_output
        weighted += starts @ self._state_to_output
        return weighted.reshape(samples.shape)


class TruePeak:
    """The highest level of a stream [channels, n] between its samples too: three values between any two (annex 2).

    >>> meter = TruePeak(1)
    >>> meter.push(np.sin(np.pi / 2 * np.arange(480, dtype=np.float32) + np.pi / 4)[np.newaxis])  # samples at 0.71
    >>> round(meter.finish(), 1)
    1.0
    """

    def __init__(self, n_channels: int) -> None:
        self._peak = 0.0
        self._held = np.zeros((n_channels, N_TAPS - 1), np.float32)
        self._samples_to_between = _interpolation()
        self._between: Samples = np.empty((0, 0, 0), np.float32)  # kept: new pages cost more than what is done in them

    def push(self, block: Samples) -> None:
        """Takes the next block."""
        self._raise(block)
        joined = np.concatenate((self._held, block), axis=1)
        step = PEAK_ROWS * BLOCK_SAMPLES
        n_ready = (joined.shape[1] - N_TAPS + 1) // step * step
        self._held = joined[:, n_ready:].copy()
        if n_ready:
            ready = joined[:, : n_ready + N_TAPS - 1]
            windows = np.lib.stride_tricks.sliding_window_view(ready, BLOCK_SAMPLES + N_TAPS - 1, axis=1)
            rows = np.ascontiguousarray(windows[:, ::BLOCK_SAMPLES])
            stack = rows.reshape(-1, PEAK_ROWS, rows.shape[2])
            if len(self._between) < len(stack):
                self._between = np.empty((len(stack), PEAK_ROWS, self._samples_to_between.shape[1]), np.float32)
            self._raise(np.matmul(stack, self._samples_to_between, out=self._between[: len(stack)]))

    def finish(self) -> float:
        """Returns the peak of all, linear: what rings after the last sample counts, too."""
        self.push(np.zeros((len(self._held), N_TAPS + PEAK_ROWS * BLOCK_SAMPLES), np.float32))
        return self._peak

    def _raise(self, block: Samples) -> None:
        if block.size:
            self._peak = max(self._peak, float(block.max()), -float(block.min()))


def _interpolation() -> Samples:
    """Returns the matrix from BLOCK_SAMPLES + N_TAPS - 1 samples to the values between BLOCK_SAMPLES of them."""
    matrix = np.zeros((BLOCK_SAMPLES + N_TAPS - 1, OVERSAMPLING - 1, BLOCK_SAMPLES), np.float32)
    for phase in range(1, OVERSAMPLING):
        distance = np.arange(N_TAPS) - (N_TAPS // 2 - 1) - phase / OVERSAMPLING
        window = np.i0(KAISER_BETA * np.sqrt(1 - (distance / (N_TAPS / 2)) ** 2))
        taps = np.sinc(distance) * window
        for sample in range(BLOCK_SAMPLES):
            matrix[sample : sample + N_TAPS, phase - 1, sample] = taps / taps.sum()
    return matrix.reshape(len(matrix), -1)


def _k_weighting_states(sample_rate: int) -> tuple[Matrix, Matrix, Matrix, float]:
    """Returns A [4, 4], b [4], c [4], d of the K filter: a high shelf, then a high pass."""
    shelf_gain = 10 ** (SHELF_GAIN_DB / 20)
    shelf_mix = (shelf_gain, shelf_gain**SHELF_BAND_EXPONENT / SHELF_Q, 1.0)
    a1, b1, c1, d1 = _two_pole_states(SHELF_HZ / sample_rate, SHELF_Q, shelf_mix)
    a2, b2, c2, d2 = _two_pole_states(HIGH_PASS_HZ / sample_rate, HIGH_PASS_Q, (_high_pass_gain(), 0.0, 0.0))
    a = np.block([[a1, np.zeros((2, 2))], [np.outer(b2, c1), a2]])
    return a, np.concatenate((b1, b2 * d1)), np.concatenate((c1 * d2, c2)), d1 * d2


def _high_pass_gain() -> float:
    """Returns the gain, a little above 1, that the numerator 1, -2, 1 of table 2 amounts to."""
    g = math.tan(math.pi * HIGH_PASS_HZ / TABLE_RATE)
    return 1 + g / HIGH_PASS_Q + g * g


def _two_pole_states(
    frequency: float, q: float, mix: tuple[float, float, float]
) -> tuple[Matrix, Matrix, Matrix, float]:
    """Returns A, b, c, d of a state-variable filter that mixes its high, band and low pass.

    `frequency` is in cycles per sample. The states are of the size of the sound even where it is tiny,
    so that float32 suffices (A. Simper, "Linear Trapezoidal Integrated State Variable Filter", 2013).
    """
    high, band, low = mix
    g, k = math.tan(math.pi * frequency), 1 / q
    a1 = 1 / (1 + g * (g + k))
    states_to_passes = np.array([[a1, -g * a1], [g * a1, 1 - g * g * a1]])  # to band and low pass
    input_to_passes = np.array([g * a1, g * g * a1])
    weights = np.array([band - high * k, low - high])  # high pass = input - k * band pass - low pass
    a = 2 * states_to_passes - np.eye(2)
    return a, 2 * input_to_passes, weights @ states_to_passes, high + float(weights @ input_to_passes)
