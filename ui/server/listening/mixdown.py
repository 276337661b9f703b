"""A mix of tracks as a 24-bit WAV file, sent while it is made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from audio_ml.audio import Samples
from audio_ml.formats import BYTES_PER_SAMPLE
from audio_ml.quantise import Quantiser
from audio_ml.wav import encode, stream_header
from ui.server.listening.tracks import Track, check_alike

BLOCK_SAMPLES = 1 << 16
FULL_SCALE = 1.0
DITHER_SEED = 0  # the same mix is the same file


@dataclass(frozen=True)
class Mixdown:
    """Tracks with a linear gain each, that are to be one. `factor` turns all of it down where it would clip."""

    tracks: tuple[Track, ...]
    gains: tuple[float, ...]
    n_samples: int
    factor: float = 1.0

    @property
    def n_bytes(self) -> int:
        """The size of the file."""
        return len(self._header()) + self._n_data_bytes + self._n_data_bytes % 2

    def encoded(self) -> Iterator[bytes]:
        """Yields the file."""
        quantiser = Quantiser("24", (DITHER_SEED,))
        yield self._header()
        for block in self.blocks():
            yield encode(quantiser(block), "24")
        yield bytes(self._n_data_bytes % 2)

    def blocks(self) -> Iterator[Samples]:
        """Yields the mix [channels, n]; each sum is rounded once."""
        missing = self.n_samples
        streams = [_even(track.blocks()) for track in self.tracks]
        silence: Samples = np.zeros((self.tracks[0].n_channels, 0), np.float32)
        blocks: tuple[Samples, ...]
        for blocks in zip_longest(*streams, fillvalue=silence):
            n = min(missing, max(block.shape[1] for block in blocks))
            mix = np.zeros((len(silence), n))
            for block, gain in zip(blocks, self.gains, strict=True):
                heard = block[:, :n]
                mix[:, : heard.shape[1]] += gain * heard.astype(np.float64)
            yield (self.factor * mix).astype(np.float32)
            missing -= n
        while missing > 0:  # a coded file may hold less than was put into it
            n = min(missing, BLOCK_SAMPLES)
            yield np.zeros((len(silence), n), np.float32)
            missing -= n

    @property
    def _n_data_bytes(self) -> int:
        return self.n_samples * self.tracks[0].n_channels * BYTES_PER_SAMPLE["24"]

    def _header(self) -> bytes:
        first = self.tracks[0]
        return stream_header(first.sample_rate, first.n_channels, "24", self.n_samples)


def mix_down(tracks: Sequence[Track], gains_db: Sequence[float], peaks: Sequence[float]) -> Mixdown:
    """Returns a mix that does not clip; `peaks` are the largest absolute samples of the tracks.

    Where they could add up to more than full scale, the mix is listened to first.

    Raises:
        InvalidInput: when the tracks differ in rate or channels.
    """
    check_alike(list(tracks))
    gains = tuple(10 ** (gain_db / 20) for gain_db in gains_db)
    mix = Mixdown(tuple(tracks), gains, max(track.counted() for track in tracks))
    if sum(gain * peak for gain, peak in zip(gains, peaks, strict=True)) <= FULL_SCALE:
        return mix
    highest = max(float(np.abs(block).max(initial=0.0)) for block in mix.blocks())
    return Mixdown(mix.tracks, gains, mix.n_samples, min(1.0, FULL_SCALE / max(highest, FULL_SCALE)))


def _even(blocks: Iterator[Samples]) -> Iterator[Samples]:
    """Yields the same samples in blocks of `BLOCK_SAMPLES`, so that streams go in step."""
    rest: Samples | None = None
    for block in blocks:
        rest = block if rest is None else np.concatenate((rest, block), axis=1)
        while rest.shape[1] >= BLOCK_SAMPLES:
            yield rest[:, :BLOCK_SAMPLES]
            rest = rest[:, BLOCK_SAMPLES:]
    if rest is not None and rest.shape[1]:
        yield rest
