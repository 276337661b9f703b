"""Pieces of tracks, right to the sample in every format: what a player fetches one after the other."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from audio_ml.audio import Audio, Samples
from audio_ml.errors import InvalidInput
from audio_ml.streams import AudioReader, Resampler
from ui.server.listening.tracks import Track

MOST_OPEN = 16
SECONDS_OPEN = 300.0


class Pieces:
    """Cuts pieces out of tracks. Any number of threads may use it.

    Where a format can be entered at any sample, it is. Others, and those that are resampled, are decoded from the
    beginning; the decoder is kept where it stopped, so that who plays on decodes every sample once.
    """

    def __init__(self) -> None:
        self._kept: list[_Decoder] = []  # the one that was used last is the last
        self._lock = threading.Lock()

    def cut(self, track: Track, start: int, n_samples: int, sample_rate: int | None = None) -> Audio:
        """Returns `n_samples` from the sample `start` on, as they are heard at `sample_rate` Hz; fewer at the end.

        A coded file that holds less than was put into it ends in silence.

        Raises:
            InvalidInput: when the track ends before.
        """
        rate = sample_rate or track.sample_rate
        length = None if track.n_samples is None else round(track.n_samples * rate / track.sample_rate)
        wanted = n_samples if length is None else min(n_samples, length - start)
        samples = np.zeros((track.n_channels, 0), np.float32)
        if wanted > 0:
            samples = self._read(track, start, wanted, rate)
        if length is not None and samples.shape[1] < wanted:
            samples = np.pad(samples, ((0, 0), (0, wanted - samples.shape[1])))
        if not samples.shape[1]:
            raise InvalidInput(f"'{track.name}' has ended before its sample {start}.")
        return Audio(samples, rate)

    def tidy(self) -> None:
        """Closes the decoders that nobody has used for a while, or a file that was removed would stay on the disk."""
        since = time.monotonic() - SECONDS_OPEN
        with self._lock:
            self._kept = [each for each in self._kept if each.used > since]

    def _read(self, track: Track, start: int, n_samples: int, rate: int) -> Samples:
        if rate == track.sample_rate and AudioReader(track.path).info.exact:
            return _first(track.blocks(start), n_samples, track.n_channels)
        decoder = self._take(track, start, rate)
        samples = decoder.read(start, n_samples)
        self._keep(decoder)
        return samples

    def _take(self, track: Track, start: int, rate: int) -> _Decoder:
        """Returns a decoder that nobody else has until it is kept."""
        with self._lock:
            fitting = [each for each in self._kept if each.fits(track, rate) and each.position <= start]
            if not fitting:
                return _Decoder(track, rate)
            best = max(fitting, key=lambda each: each.position)
            self._kept.remove(best)
            return best

    def _keep(self, decoder: _Decoder) -> None:
        decoder.used = time.monotonic()
        with self._lock:
            self._kept = [*self._kept, decoder][-MOST_OPEN:]


class _Decoder:
    """Reads a track forwards."""

    def __init__(self, track: Track, rate: int) -> None:
        self.position = 0
        self.used = 0.0
        self._key = (track.path, track.start_seconds, rate)
        self._n_channels = track.n_channels
        self._blocks: Iterator[Samples] = Resampler(track.sample_rate, rate, track.n_channels).stream(track.blocks())
        self._rest = np.zeros((track.n_channels, 0), np.float32)

    def fits(self, track: Track, rate: int) -> bool:
        key: tuple[Path, float, int] = (track.path, track.start_seconds, rate)
        return self._key == key

    def read(self, start: int, n_samples: int) -> Samples:
        self._skip(start - self.position)
        parts, missing = [self._rest], n_samples - self._rest.shape[1]
        while missing > 0 and (block := next(self._blocks, None)) is not None:
            parts.append(block)
            missing -= block.shape[1]
        found = np.concatenate(parts, axis=1)
        self._rest = found[:, n_samples:]
        wanted = found[:, :n_samples]
        self.position += wanted.shape[1]
        return wanted

    def _skip(self, n_samples: int) -> None:
        while n_samples > 0:
            dropped = min(n_samples, self._rest.shape[1])
            self._rest, n_samples = self._rest[:, dropped:], n_samples - dropped
            self.position += dropped
            if n_samples:
                block = next(self._blocks, None)
                if block is None:
                    return
                self._rest = block


def _first(blocks: Iterator[Samples], n_samples: int, n_channels: int) -> Samples:
    parts, missing = [np.zeros((n_channels, 0), np.float32)], n_samples
    while missing > 0 and (block := next(blocks, None)) is not None:
        parts.append(block[:, :missing])
        missing -= parts[-1].shape[1]
    return np.concatenate(parts, axis=1)
