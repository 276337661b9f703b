"""Where speech is silent: the ends of a piece, and the pauses that borders of words belong to."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from audio_ml.audio import Samples

FRAME_SECONDS = 0.005
SILENCE_DB = -46.0  # below the loudest frame
PAUSE_SECONDS = 0.04  # a shorter silence may be the closure of a stop

Range = tuple[int, int]  # samples


def heard(samples: Samples, sample_rate: int) -> Range:
    """Returns where the sound of a piece [1, time] begins and ends; a silent piece is heard as a whole."""
    loud, size = _loud_frames(samples, sample_rate)
    places = np.flatnonzero(loud)
    if not places.size:
        return 0, samples.shape[1]
    return int(places[0]) * size, min(samples.shape[1], (int(places[-1]) + 1) * size)


def at_pauses(
    words: Sequence[Range], begin_with_stop: Sequence[bool], samples: Samples, sample_rate: int
) -> list[Range]:
    """Returns the words of a piece with their borders moved to where sound ends before a pause and begins after it.

    A model tells how long it thinks of each symbol, which is not quite when it is heard. Words without a pause
    between them meet in the middle of what the model thinks of as the space; before a stop, at its end, since the
    model counts the closure as the stop.
    """
    if not words:
        return []
    loud, size = _loud_frames(samples, sample_rate)
    pauses = _pauses(loud, round(PAUSE_SECONDS * sample_rate / size))
    begins, ends = [begin for begin, _ in words], [end for _, end in words]
    first, last = heard(samples, sample_rate)
    begins[0], ends[-1] = min(first, ends[0] - 1), max(last, begins[-1] + 1)
    for place, ((begin, end), (next_begin, next_end)) in enumerate(pairwise(words)):
        between = [(a * size, b * size) for a, b in pauses if a * size < next_begin + size and end - size < b * size]
        inside = [(a, b) for a, b in between if begin < a and b < next_end]
        if inside:
            ends[place], begins[place + 1] = max(inside, key=lambda found: found[1] - found[0])
        else:  # the space between them is not heard
            meet = next_begin if begin_with_stop[place + 1] else (end + next_begin) // 2
            ends[place] = begins[place + 1] = meet
    return [(begin, max(end, begin + 1)) for begin, end in zip(begins, ends, strict=True)]


def _loud_frames(samples: Samples, sample_rate: int) -> tuple[NDArray[np.bool_], int]:
    """Returns for each frame whether it is heard, and the length of a frame in samples."""
    size = max(1, round(sample_rate * FRAME_SECONDS))
    n_frames = -(-samples.shape[1] // size)
    padded = np.pad(samples[0], (0, n_frames * size - samples.shape[1]))
    envelope = np.abs(padded.reshape(n_frames, size)).max(axis=1)
    loud: NDArray[np.bool_] = envelope > envelope.max(initial=0.0) * 10 ** (SILENCE_DB / 20)
    return loud, size


def _pauses(loud: NDArray[np.bool_], n_frames: int) -> list[Range]:
    """Returns the runs of so many silent frames or more."""
    changes = np.flatnonzero(np.diff(loud, prepend=True, append=True))
    return [(int(a), int(b)) for a, b in zip(changes[::2], changes[1::2], strict=True) if b - a >= n_frames]
