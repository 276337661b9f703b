"""Speech from averages: what the spectrum of each sound is on average, moved smoothly, and made audible by a buzz.

So spoke the systems of the years 2000 to 2015 that had hidden Markov models: Tokuda and others 2000, "Speech parameter
generation algorithms for HMM-based speech synthesis" (ICASSP). This one has three states a sound and counts
neighbours instead of growing decision trees.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audio_ml.audio import Audio
from audio_ml.errors import InvalidInput
from ui.learn.concatenation import Wanted
from ui.learn.reading import SILENCE
from ui.learn.recordings import Recording
from ui.learn.vocoder import istft, linear_of, pulses, stft
from voiceclone.mel import HOP, SAMPLE_RATE

N_STATES = 3
FEWEST = 4  # examples of a sound between two others that are worth an average of their own
VOICED_SHARE = 0.4  # of the frames of a state, for it to have a pitch
PEAK = 0.5

Floats = NDArray[np.float64]
Key = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class State:
    """What is known of a third of a sound: means and variances of the levels [80], of their changes, and of log F0."""

    mean: Floats
    variance: Floats
    delta_mean: Floats
    delta_variance: Floats
    log_f0: float  # of the voiced frames
    voiced: float  # the share of them
    n_frames: float


class Statistics:
    """Averages over recordings, of each sound between its neighbours, after its neighbour, and alone."""

    def __init__(self, recordings: Sequence[Recording]) -> None:
        self._frames: dict[Key, list[list[tuple[Recording, int, int]]]] = defaultdict(
            lambda: [[] for _ in range(N_STATES)]
        )
        for recording in recordings:
            for index in range(len(recording.phones)):
                self._count(recording, index)
        self._known: dict[tuple[Key, int], State] = {}

    def _count(self, recording: Recording, index: int) -> None:
        phone = recording.phones[index]
        first, last = phone.begin / HOP, phone.end / HOP
        borders = np.rint(np.linspace(first, last, N_STATES + 1)).astype(int)
        for key in _keys([(p.symbol, p.stressed) for p in recording.phones], index):
            for state in range(N_STATES):
                self._frames[key][state].append((recording, int(borders[state]), int(borders[state + 1])))

    def states(self, wanted: Wanted, place: int) -> list[State]:
        """Returns the states of a sound, of the most exact company that was heard often enough.

        Raises:
            InvalidInput: when the sound was never heard.
        """
        keys = [key for key in _keys(wanted, place) if key in self._frames]
        if not keys:
            raise InvalidInput(f"The sound '{wanted[place][0]}' is in none of the recordings: try other words.")
        key = next((key for key in keys if len(self._frames[key][0]) >= FEWEST), keys[-1])
        return [self._state(key, number) for number in range(N_STATES)]

    def _state(self, key: Key, number: int) -> State:
        if (key, number) not in self._known:
            self._known[key, number] = _averages(self._frames[key][number])
        return self._known[key, number]


def _keys(wanted: Wanted, place: int) -> list[Key]:
    """Returns the names of a sound's company, the most exact first."""
    symbol, stressed = wanted[place]
    before = wanted[place - 1][0] if place else SILENCE
    after = wanted[place + 1][0] if place + 1 < len(wanted) else SILENCE
    stress = "ˈ" if stressed else ""
    return [
        (before, stress, symbol, after),
        (before, symbol, after),
        ("-", stress, symbol, after),
        (before, stress, symbol, "-"),
        ("-", stress, symbol, "-"),
        (symbol,),
    ]


def _averages(stretches: Sequence[tuple[Recording, int, int]]) -> State:
    levels, changes, pitches, n_voiced, n_frames = [], [], [], 0, 0
    for recording, first, last in stretches:
        end = max(last, first + 1)
        heard = recording.mels[:, first:end].T
        if not len(heard):
            continue
        levels.append(heard)
        changes.append(
            np.gradient(recording.mels, axis=1)[:, first:end].T if recording.mels.shape[1] > 1 else heard * 0
        )
        f0_hz = recording.f0_hz[first:end]
        pitches.append(np.log(f0_hz[f0_hz > 0]))
        n_voiced, n_frames = n_voiced + int((f0_hz > 0).sum()), n_frames + last - first
    all_levels, all_changes, all_pitches = (
        np.concatenate(each).astype(np.float64) for each in (levels, changes, pitches)
    )
    return State(
        mean=all_levels.mean(axis=0),
        variance=all_levels.var(axis=0) + 0.05,
        delta_mean=all_changes.mean(axis=0),
        delta_variance=all_changes.var(axis=0) + 0.005,
        log_f0=float(all_pitches.mean()) if all_pitches.size else 0.0,
        voiced=n_voiced / max(1, len(all_levels)),
        n_frames=n_frames / len(stretches),
    )


def average_speech(wanted: Wanted, recordings: Sequence[Recording]) -> Audio:
    """Says sounds as they are on average in recordings of 24 kHz.

    Raises:
        InvalidInput: when a sound is in none of them.
    """
    statistics = Statistics(recordings)
    frames: list[State] = []
    for place in range(len(wanted)):
        for state in statistics.states(wanted, place):
            frames += [state] * max(1, round(state.n_frames))
    mels = smooth_path(
        np.array([state.mean for state in frames]),
        np.array([state.variance for state in frames]),
        np.array([state.delta_mean for state in frames]),
        np.array([state.delta_variance for state in frames]),
    )
    return _heard(mels, frames)


def smooth_path(mean: Floats, variance: Floats, delta_mean: Floats, delta_variance: Floats) -> Floats:
    """Returns the path [frames, n] that is most likely, given how values and their changes are spread.

    Tokuda and others 2000, equation 12: (W' U W) c = W' U m, with W of the values and of half the difference of their
    neighbours; here a banded system for each value.
    """
    from scipy.linalg import solveh_banded

    n_frames, size = mean.shape
    path = np.empty_like(mean)
    for number in range(size):
        still, moving = 1 / variance[:, number], 1 / delta_variance[:, number]
        inner = np.zeros(n_frames)
        inner[1:-1] = moving[1:-1] / 4
        bands = np.zeros((3, n_frames))
        bands[2] = still
        bands[2, 2:] += inner[1:-1]
        bands[2, :-2] += inner[1:-1]
        bands[0, 2:] = -inner[1:-1]
        right = still * mean[:, number]
        pull = inner * 2 * delta_mean[:, number]
        right[2:] += pull[1:-1]
        right[:-2] -= pull[1:-1]
        path[:, number] = solveh_banded(bands, right)
    return path


def _heard(mels: Floats, frames: Sequence[State]) -> Audio:
    """Returns the sound of levels [frames, 80]: pulses and noise through them, as a vocoder has it."""
    voiced = np.array([state.voiced > VOICED_SHARE for state in frames], np.float64)
    pitch = np.array([state.log_f0 for state in frames])
    places = np.flatnonzero(voiced * (pitch > 0))
    n_samples = (len(frames) - 1) * HOP
    times = np.arange(n_samples) / HOP
    log_f0 = np.interp(times, places, pitch[places]) if places.size else np.full(n_samples, np.log(120.0))
    log_f0 = np.convolve(np.pad(log_f0, 900, mode="edge"), np.hanning(1801) / np.hanning(1801).sum(), "valid")
    share = np.interp(times, np.arange(len(frames)), voiced)
    noise = np.random.default_rng(0).standard_normal(n_samples)
    source = share * pulses(np.exp(log_f0), SAMPLE_RATE) + (1 - share) * noise + 0.1 * noise
    envelope = linear_of(mels.T.astype(np.float32))
    spectra = stft(source)[:, : envelope.shape[1]]
    sound = istft(spectra * envelope[:, : spectra.shape[1]])
    return Audio((PEAK * sound / max(float(np.abs(sound).max()), 1e-9))[None].astype(np.float32), SAMPLE_RATE)
