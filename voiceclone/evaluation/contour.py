"""The melody of speech by autocorrelation, to judge whether conversion keeps it: not the tracker that conversion uses.

Boersma 1993, "Accurate short-term analysis of the fundamental frequency and the harmonics-to-noise ratio of a sampled
sound" (IFA Proceedings 17).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from audio_ml.audio import Audio, Samples
from audio_ml.judges import heard

SAMPLE_RATE = 16000
HOP = SAMPLE_RATE // 100
LOWEST_HZ, HIGHEST_HZ = 60.0, 500.0
WINDOW = round(3 * SAMPLE_RATE / LOWEST_HZ)  # three periods of the lowest pitch
N_FFT = 2048
CANDIDATES = 6
VOICED = 0.45  # of the strength of a candidate
QUIET_DB = -35.0  # of a frame beside the loudest: it has no pitch
OCTAVE_COST = 0.02  # prefers higher candidates, whose multiples of the period fit as well
JUMP_COST = 0.35  # per octave between frames
TOGGLE_COST = 0.14  # for beginning or ending to be voiced
LEAST_FRAMES = 20  # voiced in both, for a correlation to mean anything

Floats = NDArray[np.float64]


def contour(audio: Audio) -> Floats:
    """Returns the pitch in Hz [frames], one every 10 ms, 0 where there is none."""
    samples = heard(audio, SAMPLE_RATE)
    hz, strength = _candidates(samples)
    costs = np.concatenate([np.full((len(hz), 1), -VOICED), -strength], axis=1)  # the first candidate: no pitch
    octaves = np.concatenate([np.full((len(hz), 1), np.nan), np.log2(hz)], axis=1)
    path = _cheapest(costs, octaves)
    chosen = np.where(path > 0, 2 ** octaves[np.arange(len(path)), path], 0.0)
    return np.nan_to_num(chosen)


def correlation(one: Audio, other: Audio) -> float | None:
    """Returns the correlation of log pitch where both are voiced at the same time; None where that is next to nowhere.

    It does not change when one of them is lower or livelier as a whole.
    """
    first, second = contour(one), contour(other)
    n_frames = min(len(first), len(second))
    both = (first[:n_frames] > 0) & (second[:n_frames] > 0)
    if both.sum() < LEAST_FRAMES:
        return None
    logs = np.log(first[:n_frames][both]), np.log(second[:n_frames][both])
    if min(np.std(logs[0]), np.std(logs[1])) < 1e-6:
        return None
    return float(np.corrcoef(*logs)[0, 1])


def _candidates(samples: Samples) -> tuple[Floats, Floats]:
    """Returns periods in Hz and their strengths, [frames, candidates] each; those that are missing have none."""
    padded = np.pad(samples.astype(np.float64), (WINDOW // 2, WINDOW))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[: samples.size : HOP]
    frames = frames - frames.mean(axis=1, keepdims=True)
    window = np.hanning(WINDOW)
    power = np.square(frames).mean(axis=1)
    shapes = _autocorrelation(frames * window) / _autocorrelation(window[None])  # equation 9
    lags = np.arange(int(SAMPLE_RATE / HIGHEST_HZ), int(SAMPLE_RATE / LOWEST_HZ) + 1)
    before, here, after = shapes[:, lags - 1], shapes[:, lags], shapes[:, lags + 1]
    is_peak = (here > before) & (here >= after) & (here > 0.3)
    bend = np.where(is_peak, before - 2 * here + after, -1.0)
    shift = np.where(is_peak, 0.5 * (before - after) / bend, 0.0)  # a parabola through three points
    hz = SAMPLE_RATE / (lags + shift)
    strength = np.minimum(here - 0.25 * (before - after) * shift, 1.0) + OCTAVE_COST * np.log2(hz / LOWEST_HZ)
    is_heard = power > max(power.max() * 10 ** (QUIET_DB / 10), 1e-10)
    strength = np.where(is_peak & is_heard[:, None], strength, -1.0)
    best = np.argsort(-strength, axis=1)[:, :CANDIDATES]
    return np.take_along_axis(hz, best, axis=1), np.take_along_axis(strength, best, axis=1)


def _autocorrelation(frames: Floats) -> Floats:
    """Returns that of frames [n, window], 1 where nothing is shifted."""
    spectrum = np.fft.rfft(frames, N_FFT)
    found = np.fft.irfft(np.square(np.abs(spectrum)), N_FFT)[:, : N_FFT // 2]
    normalised: Floats = found / np.maximum(found[:, :1], 1e-12)
    return np.where(np.abs(normalised) < 1e-9, 1e-9, normalised)


def _cheapest(costs: Floats, octaves: Floats) -> NDArray[np.int64]:
    """Returns the candidate of every frame along the cheapest path; a candidate whose octave is nan has no pitch."""
    n_frames, n = costs.shape
    total, came_from = costs[0].copy(), np.zeros((n_frames, n), np.int64)
    for frame in range(1, n_frames):
        jumps = JUMP_COST * np.abs(octaves[frame - 1][:, None] - octaves[frame])
        jumps[0], jumps[:, 0], jumps[0, 0] = TOGGLE_COST, TOGGLE_COST, 0.0
        steps = total[:, None] + jumps
        came_from[frame] = steps.argmin(axis=0)
        total = steps.min(axis=0) + costs[frame]
    path = np.zeros(n_frames, np.int64)
    path[-1] = total.argmin()
    for frame in range(n_frames - 1, 0, -1):
        path[frame - 1] = came_from[frame, path[frame]]
    return path
