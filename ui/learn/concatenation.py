"""Speech from pieces of recordings: the halves of sounds, chosen so that they fit, and joined where they are alike.

Unit selection after Hunt and Black 1996, "Unit selection in a concatenative speech synthesis system using a large
speech database" (ICASSP): the cheapest path through all candidates, where being unfit and being joined cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from audio_ml.audio import Audio, Samples
from audio_ml.errors import InvalidInput
from ui.learn.reading import SILENCE, Phone
from ui.learn.recordings import Recording
from voiceclone.mel import SAMPLE_RATE

N_CANDIDATES = 40  # of a sound, those in the most similar company
OVERLAP = 192  # samples over which two pieces are faded into each other: 8 ms
MOST_SHIFT = 64  # samples by which a piece may begin earlier or later, so that periods meet
WRONG_NEIGHBOUR, WRONG_STRESS = 1.0, 0.7
JOIN, JOIN_AT_BORDER = 1.0, 2.5  # a join in the middle of a sound is heard less than one between two
PER_PITCH, PER_MEL = 4.0, 1.2  # of a difference of one in log F0, and in log magnitude

Floats = NDArray[np.float64]
Wanted = Sequence[tuple[str, bool]]  # sounds with whether they are stressed; "" is a pause


@dataclass(frozen=True)
class Unit:
    """Half a sound of a recording: number `phone` of recording `recording`, samples `begin` to `end`."""

    recording: int
    phone: int
    half: int
    begin: int
    end: int


@dataclass(frozen=True)
class Run:
    """A stretch of one recording that is heard as it is; at `start` of the result."""

    recording: int
    begin: int
    end: int
    start: int


@dataclass(frozen=True, eq=False)
class Joined:
    """Speech of pieces: `audio`, the `runs` it consists of, and its sounds in order."""

    audio: Audio
    runs: tuple[Run, ...]
    units: tuple[Unit, ...]


def wanted_of(phones: Sequence[Phone]) -> list[tuple[str, bool]]:
    """Returns the sounds of a reading, pauses that follow each other as one."""
    wanted: list[tuple[str, bool]] = []
    for phone in phones:
        if phone.symbol or not wanted or wanted[-1][0]:
            wanted.append((phone.symbol, phone.stressed))
    return wanted


def concatenate(wanted: Wanted, recordings: Sequence[Recording]) -> Joined:
    """Says sounds with pieces of recordings.

    Raises:
        InvalidInput: when a sound is in none of them.
    """
    halves = [half for place in range(len(wanted)) for half in _candidates(wanted, place, recordings)]
    units = _cheapest(halves, recordings)
    return _join(units, recordings)


@dataclass(frozen=True, eq=False)
class _Half:
    """All that could be one half of a sound, what each lacks, and what is measured where it begins and ends."""

    units: list[Unit]
    costs: Floats
    begins: Floats  # [candidates, bands + 1]
    ends: Floats


def _candidates(wanted: Wanted, place: int, recordings: Sequence[Recording]) -> list[_Half]:
    symbol, stressed = wanted[place]
    company = (_at(wanted, place - 1), _at(wanted, place + 1))
    found: list[tuple[float, float, int, int]] = []
    for number, recording in enumerate(recordings):
        for index, phone in enumerate(recording.phones):
            if phone.symbol != symbol:
                continue
            near = (_near(recording.phones, index - 1), _near(recording.phones, index + 1))
            costs = [WRONG_NEIGHBOUR * (a != b) for a, b in zip(near, company, strict=True)]
            unlike = WRONG_STRESS * (phone.stressed != stressed)
            found.append((costs[0] + unlike, costs[1] + unlike, number, index))
    if not found:
        raise InvalidInput(f"The sound '{symbol}' is in none of the recordings: try other words.")
    found.sort(key=lambda each: (each[0] + each[1], each[2], each[3]))
    return [_half(found[:N_CANDIDATES], half, recordings) for half in (0, 1)]


def _half(found: Sequence[tuple[float, float, int, int]], half: int, recordings: Sequence[Recording]) -> _Half:
    units = []
    for _, _, number, index in found:
        phone = recordings[number].phones[index]
        middle = (phone.begin + phone.end) // 2
        begin, end = (phone.begin, middle) if half == 0 else (middle, phone.end)
        units.append(Unit(number, index, half, begin, end))
    return _Half(
        units,
        np.array([each[half] for each in found]),
        np.array([_measure(recordings[unit.recording], unit.begin) for unit in units]),
        np.array([_measure(recordings[unit.recording], unit.end) for unit in units]),
    )


def _measure(recording: Recording, sample: int) -> Floats:
    """Returns what is compared at a join [21]: 20 levels of the spectrum, and the pitch."""
    frame = recording.frame(sample)
    levels = recording.mels[:, frame].reshape(20, 4).mean(axis=1) * PER_MEL / np.sqrt(20)
    f0_hz = recording.f0_hz[frame]
    return np.append(levels, PER_PITCH * np.log(f0_hz / 200) if f0_hz > 0 else 0.0).astype(np.float64)


def _cheapest(halves: Sequence[_Half], recordings: Sequence[Recording]) -> list[Unit]:
    """Returns the units of the cheapest path (Viterbi's)."""
    costs, came_from = halves[0].costs, []
    for before, half in pairwise(halves):
        joins = np.linalg.norm(before.ends[:, None] - half.begins[None], axis=2)
        joins += JOIN if half.units[0].half == 1 else JOIN_AT_BORDER
        for i, unit in enumerate(before.units):
            for j, follows in enumerate(half.units):
                if unit.recording == follows.recording and unit.end == follows.begin:
                    joins[i, j] = 0.0  # no join at all
        total = costs[:, None] + joins
        came_from.append(total.argmin(axis=0))
        costs = total.min(axis=0) + half.costs
    place = int(costs.argmin())
    path = [place]
    for step in reversed(came_from):
        place = int(step[place])
        path.append(place)
    return [half.units[index] for half, index in zip(halves, reversed(path), strict=True)]


def _join(units: Sequence[Unit], recordings: Sequence[Recording]) -> Joined:
    """Plays units one after the other; where they come from different places they are faded, their periods in step."""
    spans: list[tuple[int, int, int]] = []
    for unit in units:
        if spans and spans[-1][0] == unit.recording and spans[-1][2] == unit.begin:
            spans[-1] = (unit.recording, spans[-1][1], unit.end)
        else:
            spans.append((unit.recording, unit.begin, unit.end))
    margin = OVERLAP + MOST_SHIFT
    padded = {number: np.pad(recordings[number].samples, margin) for number, _, _ in spans}
    parts: list[Samples] = []
    runs: list[Run] = []
    n_samples, first = 0, 0
    fading = (0.5 - 0.5 * np.cos(np.pi * (np.arange(OVERLAP) + 0.5) / OVERLAP)).astype(np.float32)
    for index, (number, begin, end) in enumerate(spans):
        source = padded[number]
        if index:
            before, _, ended = spans[index - 1]
            tail = padded[before][margin + ended - OVERLAP // 2 :][:OVERLAP]
            # No further than the piece itself is long.
            latest = min(MOST_SHIFT, end - begin - OVERLAP)
            shift = _best_shift(tail, source, margin + begin - OVERLAP // 2, latest)
            head = source[margin + begin - OVERLAP // 2 + shift :][:OVERLAP]
            parts.append(tail * (1 - fading) + head * fading)
            first = begin + OVERLAP // 2 + shift
            runs.append(Run(number, begin + shift, end, n_samples + OVERLAP // 2))
            n_samples += OVERLAP
        else:
            first = begin
            runs.append(Run(number, begin, end, 0))
        last = end - OVERLAP // 2 if index < len(spans) - 1 else end
        parts.append(source[margin + first : margin + last])
        n_samples += last - first
    return Joined(Audio(np.concatenate(parts)[None], SAMPLE_RATE), tuple(runs), tuple(units))


def _best_shift(tail: Samples, source: Samples, begin: int, latest: int) -> int:
    """Returns by how much later a piece should begin so that it looks like the tail of the one before."""
    shifts = np.arange(-MOST_SHIFT, latest + 1)
    windows = np.lib.stride_tricks.sliding_window_view(source[begin - MOST_SHIFT : begin + latest + OVERLAP], OVERLAP)
    likeness = windows @ tail / (np.linalg.norm(windows, axis=1) * np.linalg.norm(tail) + 1e-6)
    likeness -= 1e-3 * np.abs(shifts) / MOST_SHIFT  # silence is alike everywhere
    return int(shifts[likeness.argmax()])


def _at(wanted: Wanted, place: int) -> str:
    return wanted[place][0] if 0 <= place < len(wanted) else SILENCE


def _near(phones: Sequence[Phone], index: int) -> str:
    return phones[index].symbol if 0 <= index < len(phones) else SILENCE
