"""Pictures of a whole track, made in one pass over it and kept beside the results: peaks, spectrogram, loudness."""

from __future__ import annotations

import os
import secrets
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audio_ml.audio import Samples
from audio_ml.loudness import LoudnessMeter
from ui.server.listening.spectrogram import SpectrogramPainter
from ui.server.listening.tracks import Track
from ui.server.services import Services
from ui.server.store import Job

MOST_BINS = 4096  # that may be asked for; twice as many are kept at most
FIRST_BIN_SAMPLES = 16
DIGITS = 6
FOLDER = "overview"


@dataclass(frozen=True)
class Overview:
    """What a track looks like: the lowest and the highest sample of each bin, over all channels.

    Every bin has `samples_per_bin` samples, a power of two, but the last, which has what is left. `image` is the
    spectrogram [rows, columns], the highest pitch first. `lufs` is None where it was not asked for, or of silence.
    """

    n_samples: int
    samples_per_bin: int
    lows: NDArray[np.float32]
    highs: NDArray[np.float32]
    image: NDArray[np.uint8]
    lufs: float | None

    @property
    def peak(self) -> float:
        """The largest absolute sample."""
        return float(max(np.abs(self.lows).max(initial=0.0), np.abs(self.highs).max(initial=0.0)))

    def peaks(self, n_most: int) -> dict[str, Any]:
        """Returns at most `n_most` bins, as JSON can tell them."""
        lows, highs, size = self.lows, self.highs, self.samples_per_bin
        while len(lows) > n_most:
            evens = range(0, len(lows), 2)
            lows, highs, size = np.minimum.reduceat(lows, evens), np.maximum.reduceat(highs, evens), 2 * size
        return {
            "n_samples": self.n_samples,
            "samples_per_bin": size,
            "lows": [round(float(value), DIGITS) for value in lows],
            "highs": [round(float(value), DIGITS) for value in highs],
            "lufs": self.lufs,
        }


class PeakMeter:
    """Collects the lowest and the highest samples of a stream of any length in bins that grow with it.

    >>> meter = PeakMeter()
    >>> meter.add(np.array([[0.0, 1.0, -1.0]], np.float32))
    >>> meter.result()
    (16, array([-1.], dtype=float32), array([1.], dtype=float32))
    """

    def __init__(self) -> None:
        self._size = FIRST_BIN_SAMPLES
        none = np.zeros(0, np.float32)
        self._lows, self._highs = none, none
        self._rest = (none, none)  # the lowest and the highest samples over the channels, of less than a bin

    def add(self, block: Samples) -> None:
        """Takes the next block [channels, n]."""
        lows = np.concatenate((self._rest[0], block.min(axis=0)))
        highs = np.concatenate((self._rest[1], block.max(axis=0)))
        whole = len(lows) // self._size * self._size
        self._rest = lows[whole:], highs[whole:]
        self._lows = np.concatenate((self._lows, lows[:whole].reshape(-1, self._size).min(axis=1)))
        self._highs = np.concatenate((self._highs, highs[:whole].reshape(-1, self._size).max(axis=1)))
        while len(self._lows) >= 2 * MOST_BINS:
            self._merge()

    def result(self) -> tuple[int, NDArray[np.float32], NDArray[np.float32]]:
        """Returns the samples of a bin, and the lowest and the highest of each bin; the last bin may be shorter."""
        lows, highs = self._lows, self._highs
        if len(self._rest[0]):
            lows, highs = np.append(lows, self._rest[0].min()), np.append(highs, self._rest[1].max())
        return self._size, lows, highs

    def _merge(self) -> None:
        """Joins pairs of bins; one that has no partner goes back to the rest, as samples like it."""
        if len(self._lows) % 2:
            lows, highs = (np.repeat(bins[-1], self._size) for bins in (self._lows, self._highs))
            self._rest = np.concatenate((lows, self._rest[0])), np.concatenate((highs, self._rest[1]))
            self._lows, self._highs = self._lows[:-1], self._highs[:-1]
        self._lows = self._lows.reshape(-1, 2).min(axis=1)
        self._highs = self._highs.reshape(-1, 2).max(axis=1)
        self._size *= 2


class Overviews:
    """Overviews of the tracks of jobs, each made once even if several ask at the same time."""

    def __init__(self) -> None:
        self._locks: dict[tuple[str, str], threading.Lock] = {}

    def of(self, services: Services, job: Job, track: Track) -> Overview:
        """Returns the overview of a track; it lies beside the results, and goes with them."""
        folder = services.scheduler.folder_of(job.id).with_name(FOLDER)
        lock = self._locks.setdefault((job.id, track.name), threading.Lock())
        try:
            with lock:
                return look_over(track, folder)
        finally:
            self._locks.pop((job.id, track.name), None)


def look_over(track: Track, folder: Path) -> Overview:
    """Returns the overview of a track: as it lies in a folder, or else made now and put there."""
    path = folder / f"{track.name}.npz"
    try:
        return _load(path)
    except FileNotFoundError:
        overview = _make(track)
        _save(path, overview)
        return overview


def _make(track: Track) -> Overview:
    peaks, painter = PeakMeter(), SpectrogramPainter(track.sample_rate, track.n_samples)
    meter = LoudnessMeter(track.sample_rate, track.n_channels) if track.is_source else None
    n_samples = 0
    for block in track.blocks():
        n_samples += block.shape[1]
        peaks.add(block)
        painter.add(block)
        if meter is not None:
            meter.add(block)
    size, lows, highs = peaks.result()
    lufs = track.lufs if meter is None else meter.result().integrated_lufs
    return Overview(n_samples, size, lows, highs, painter.result(), lufs)


def _load(path: Path) -> Overview:
    with np.load(path) as kept:
        n_samples, size = (int(value) for value in kept["sizes"])
        lufs = float(kept["lufs"])
        return Overview(n_samples, size, kept["lows"], kept["highs"], kept["image"], None if np.isnan(lufs) else lufs)


def _save(path: Path, overview: Overview) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{secrets.token_hex(8)}.npz")
    np.savez(
        temporary,
        sizes=np.array([overview.n_samples, overview.samples_per_bin]),
        lows=overview.lows,
        highs=overview.highs,
        image=overview.image,
        lufs=np.array(np.nan if overview.lufs is None else overview.lufs),
    )
    os.replace(temporary, path)
