"""Speech as encoded bytes while it is spoken: what a worker does for `POST /v1/audio/speech`."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

import tts
from audio_ml.audio import Samples
from audio_ml.byte_streams import STREAM_FORMS, ByteStream
from audio_ml.loader import ModelLoader
from audio_ml.progress import Progress
from audio_ml.speech import SpeechChunk

BEGINNING_SECONDS = 0.5
_HEAD = struct.Struct("<QId")  # of a piece on its way to the server


@dataclass(frozen=True)
class Piece:
    """Some bytes of a reply, how many samples of speech went into them, and for how long they were worked at.

    >>> Piece.load(Piece(36_000, 24_000, 0.1, b"ID3").dump()).content
    b'ID3'
    """

    n_samples: int
    sample_rate: int
    work_seconds: float
    content: bytes

    def dump(self) -> bytes:
        """Returns it as a worker sends it."""
        return _HEAD.pack(self.n_samples, self.sample_rate, self.work_seconds) + self.content

    @staticmethod
    def load(sent: bytes) -> Piece:
        """Returns what a worker sent."""
        n_samples, sample_rate, work_seconds = _HEAD.unpack_from(sent)
        return Piece(n_samples, sample_rate, work_seconds, sent[_HEAD.size :])


def speak(request: Mapping[str, Any], loader: ModelLoader, progress: Progress) -> Iterator[bytes]:
    """Yields a text as pieces of a format, each a `Piece` as it is sent; none before the first words are spoken.

    `request` has `text`, `format`, and perhaps `voice`, `model` and `options`. Asking for the next piece late is not
    counted as work.

    Raises:
        InvalidInput, WeightsError: as `tts.stream`.
    """
    began = time.perf_counter()
    options = request.get("options") or {}
    chunks = tts.stream(
        request["text"],
        request.get("voice"),
        model=request.get("model"),
        options=options,
        loader=loader,
        progress=progress,
    )
    first = next(chunks)
    rate = first.audio.sample_rate
    encoded = ByteStream(request["format"], rate, seed=options.get("seed", 0))
    is_lossy = STREAM_FORMS[request["format"]].bitrate_kbps > 0
    for block in _blocks(chain([first], chunks), is_lossy):
        content = encoded.push(block)
        yield Piece(block.shape[1], rate, time.perf_counter() - began, content).dump()
        progress.check()
        began = time.perf_counter()
    if rest := encoded.finish():
        yield Piece(0, rate, time.perf_counter() - began, rest).dump()


def _blocks(chunks: Iterator[SpeechChunk], is_slow: bool) -> Iterator[Samples]:
    """Yields the sound of chunks; where encoding `is_slow`, the beginning by itself: it need not wait for the rest."""
    first = next(chunks).audio
    n_beginning = round(BEGINNING_SECONDS * first.sample_rate) if is_slow else first.n_samples
    yield first.samples[:, :n_beginning]
    if n_beginning < first.n_samples:
        yield first.samples[:, n_beginning:]
    for chunk in chunks:
        yield chunk.audio.samples
