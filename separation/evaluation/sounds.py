"""The sounds that are compared, in memory or in files, read side by side, and what stands for a stem among them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from audio_ml.audio import Audio, Samples
from audio_ml.chunks import Fifo
from audio_ml.errors import InvalidInput
from audio_ml.streams import BLOCK_SAMPLES, AudioReader, show

MIXTURE = "mixture"
COMPLEMENTS = {"accompaniment": "vocals", "instrumental": "vocals"}  # and no_STEM: all but this stem
LENGTH_TOLERANCE = 4096  # samples by which lossy coding may make an estimate longer or shorter: two frames of AAC

Sum = Mapping[str, float]  # how much of which sounds


@dataclass(frozen=True)
class Sound:
    """Something to listen to, more than once: `blocks` begins anew each time; `n_samples` is None until it was read."""

    name: str
    sample_rate: int
    n_channels: int
    n_samples: int | None
    blocks: Callable[[], Iterator[Samples]]

    @classmethod
    def of(cls, name: str, audio: Audio) -> Sound:
        """Returns a sound that is in memory."""

        def blocks() -> Iterator[Samples]:
            for start in range(0, audio.n_samples, BLOCK_SAMPLES):
                yield audio.samples[:, start : start + BLOCK_SAMPLES]

        return cls(name, audio.sample_rate, audio.n_channels, audio.n_samples, blocks)

    @classmethod
    def file(cls, path: str | os.PathLike[str]) -> Sound:
        """Returns the sound of a file; raises `UnreadableAudio` when it has none."""
        info = AudioReader(path).info
        n_samples = info.n_samples if info.exact else None
        return cls(show(path), info.sample_rate, info.n_channels, n_samples, lambda: AudioReader(path).blocks())


@dataclass(frozen=True)
class Side:
    """Sounds by name, and the stems that are heard in them, each a sum of some of the sounds."""

    sounds: Mapping[str, Sound]
    sums: Mapping[str, Sum]

    @property
    def used(self) -> list[Sound]:
        return [self.sounds[name] for name in self._names]

    @property
    def _names(self) -> list[str]:
        return list(dict.fromkeys(name for each in self.sums.values() for name in each))

    def mix(self, rows: Samples) -> Samples:
        """Returns the stems [stems, channels, n] of the sounds in `used`, [sounds, channels, n]."""
        weights = np.array([[each.get(name, 0) for name in self._names] for each in self.sums.values()], np.float32)
        if np.array_equal(weights, np.eye(len(weights))):
            return rows
        return np.asarray(np.tensordot(weights, rows, axes=1), np.float32)


def other_than(name: str) -> str | None:
    """Returns the stem that a stem is all but; None for stems that are something by themselves.

    >>> other_than("accompaniment"), other_than("no_drums"), other_than("drums")
    ('vocals', 'drums', None)
    """
    return COMPLEMENTS.get(name) or (name[3:] if name.startswith("no_") else None)


def find_sum(stem: str, names: Sequence[str]) -> Sum | None:
    """Returns how a stem is made of sounds of these names, or None where it cannot be.

    What is all but a stem is the mixture without it, or else the sum of the other stems.

    >>> find_sum("accompaniment", ["mixture", "vocals", "drums"])
    {'mixture': 1.0, 'vocals': -1.0}
    >>> find_sum("accompaniment", ["vocals", "drums", "other"])
    {'drums': 1.0, 'other': 1.0}
    """
    if stem in names:
        return {stem: 1.0}
    left_out = other_than(stem)
    if left_out is None or left_out not in names:
        return None
    if MIXTURE in names:
        return {MIXTURE: 1.0, left_out: -1.0}
    others = [name for name in names if name != left_out and other_than(name) is None]
    return dict.fromkeys(others, 1.0) or None


def check_alike(reference: Side, estimate: Side) -> None:
    """Finds out before any work whether sounds can be compared.

    Raises:
        InvalidInput: naming what has another sample rate, number of channels or length.
    """
    first, *others = reference.used
    for sound in others:
        _check_form(sound, first)
        if sound.n_samples is not None and first.n_samples is not None and sound.n_samples != first.n_samples:
            raise InvalidInput(
                f"{sound.name} has {sound.n_samples} samples and {first.name} {first.n_samples}: the references of a "
                "track have to be of one length."
            )
    for sound in estimate.used:
        _check_form(sound, first)
        if sound.n_samples is not None and first.n_samples is not None:
            _check_length(sound, sound.n_samples, first.n_samples)


def _check_form(sound: Sound, first: Sound) -> None:
    if sound.sample_rate != first.sample_rate:
        raise InvalidInput(
            f"{sound.name} has {sound.sample_rate} Hz and {first.name} {first.sample_rate} Hz: bring them to one "
            "sample rate first."
        )
    if sound.n_channels != first.n_channels:
        raise InvalidInput(
            f"{sound.name} has {_channels(sound.n_channels)} and {first.name} {_channels(first.n_channels)}: they "
            "cannot be compared."
        )


def _channels(count: int) -> str:
    return f"{count} channel{'s' if count > 1 else ''}"


def _check_length(sound: Sound, n_samples: int, n_wanted: int) -> None:
    if abs(n_samples - n_wanted) > LENGTH_TOLERANCE:
        raise InvalidInput(
            f"{sound.name} has {n_samples} samples ({n_samples / sound.sample_rate:.3f} s) and its reference "
            f"{n_wanted} ({n_wanted / sound.sample_rate:.3f} s): they are not of the same track, or one is cut."
        )


class Reading:
    """Reads the stems of a reference and of an estimate side by side, as often as it is iterated over.

    Estimates that end a little earlier are gone on with in silence, and what goes beyond the reference is left out;
    `notes` tell. After the first time `n_samples` is the length.

    Raises:
        InvalidInput: when the lengths turn out to be too different, or a file cannot be read.
    """

    def __init__(self, reference: Side, estimate: Side) -> None:
        check_alike(reference, estimate)
        self._reference, self._estimate = reference, estimate
        self.sample_rate = reference.used[0].sample_rate
        self.n_channels = reference.used[0].n_channels
        self.n_expected = reference.used[0].n_samples
        self.n_samples = 0
        self.notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[tuple[Samples, Samples]]:
        references = [_Tape(sound) for sound in self._reference.used]
        estimates = [_Tape(sound) for sound in self._estimate.used]
        n_samples = 0
        while True:
            rows = [tape.take(BLOCK_SAMPLES) for tape in references]
            n_taken = max(row.shape[-1] for row in rows)
            for tape, row in zip(references, rows, strict=True):
                if row.shape[-1] != n_taken:
                    raise InvalidInput(
                        f"{tape.sound.name} ends after {tape.n_taken} samples, before {references[0].sound.name}: the "
                        "references of a track have to be of one length."
                    )
            if not n_taken:
                break
            n_samples += n_taken
            heard = [_lengthened(tape.take(n_taken), n_taken) for tape in estimates]
            yield self._reference.mix(np.stack(rows)), self._estimate.mix(np.stack(heard))
        self.n_samples = n_samples
        self.notes = tuple(note for tape in estimates if (note := _difference(tape, n_samples)))


class _Tape:
    """A sound that is read in pieces of any size."""

    def __init__(self, sound: Sound) -> None:
        self.sound = sound
        self.n_taken = 0
        self._blocks = sound.blocks()
        self._waiting = Fifo()

    def take(self, n_samples: int) -> Samples:
        """Takes so many samples, or what is left."""
        while self._waiting.n_samples < n_samples and (block := next(self._blocks, None)) is not None:
            self._waiting.push(block)
        n_there = min(n_samples, self._waiting.n_samples)
        self.n_taken += n_there
        return self._waiting.pop(n_there) if n_there else np.zeros((self.sound.n_channels, 0), np.float32)


def _lengthened(row: Samples, n_samples: int) -> Samples:
    return np.pad(row, ((0, 0), (0, n_samples - row.shape[-1])))


def _difference(tape: _Tape, n_wanted: int) -> str | None:
    """Says how an estimate's length differs from the reference's; raises `InvalidInput` where it is too much."""
    sound = tape.sound
    n_short = n_wanted - tape.n_taken
    tape.take(LENGTH_TOLERANCE + 1)
    _check_length(sound, tape.n_taken, n_wanted)
    if n_short:
        return f"{sound.name} is {n_short} samples shorter than its reference; silence was put there"
    n_more = tape.n_taken - n_wanted
    return f"{sound.name} is {n_more} samples longer than its reference; they were left out" if n_more else None
