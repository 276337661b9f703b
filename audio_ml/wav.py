"""Writes WAV files with chunks of metadata, as RF64 or BW64 when they pass 4 GiB."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from audio_ml.audio import Samples
from audio_ml.formats import BYTES_PER_SAMPLE, BitDepth
from audio_ml.riff import SIZE_IS_ELSEWHERE

LARGEST_RIFF_BYTES = SIZE_IS_ELSEWHERE - 1
PIECE_SAMPLES = 1 << 14  # per channel: the pieces stay in the processor's cache
DS64_BYTES = 28
DS64_OFFSET = 12  # the first chunk (EBU Tech 3306, section 3.5)

PCM, IEEE_FLOAT, EXTENSIBLE = 0x0001, 0x0003, 0xFFFE
GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")  # of KSDATAFORMAT_SUBTYPE_PCM and _IEEE_FLOAT

Chunks = Sequence[tuple[bytes, bytes]]


class WavWriter:
    """Writes a stream [channels, n] to a WAV file.

    The chunks lie as EBU Tech 3285 (section 1.4) and Tech 3306 (section 3.5) put them: JUNK, whose room becomes `ds64`
    when the file passes 4 GiB; `bext`; `fmt `, `fact`; the other `chunks`; `data`; the trailer. A file below 4 GiB is
    RIFF, a larger one RF64, or BW64 when that is the `magic`. With a `channel_mask` the format is
    WAVE_FORMAT_EXTENSIBLE.

    Raises:
        OSError: when the file cannot be written.

    >>> writer = WavWriter(Path("x.wav"), 48000, 2, "24")                       # doctest: +SKIP
    >>> writer.write(np.zeros((2, 480), np.float32)); writer.close()            # doctest: +SKIP
    """

    def __init__(
        self,
        path: Path,
        sample_rate: int,
        n_channels: int,
        bit_depth: BitDepth,
        *,
        channel_mask: int | None = None,
        chunks: Chunks = (),
        magic: Literal[b"RIFF", b"BW64"] = b"RIFF",
    ) -> None:
        self.n_written = 0
        self._bit_depth = bit_depth
        self._frame_bytes = n_channels * BYTES_PER_SAMPLE[bit_depth]
        self._large_magic = b"BW64" if magic == b"BW64" else b"RF64"
        self._chunk_places: list[tuple[bytes, int, int]] = []
        self._fact_offset: int | None = None
        self._file = path.open("wb")
        try:
            self._file.write(b"RIFF\0\0\0\0WAVE")
            self._put_chunk(b"JUNK", bytes(DS64_BYTES))
            self._put_header(_format_chunk(sample_rate, n_channels, bit_depth, channel_mask), chunks)
        except BaseException:
            self.abandon()
            raise

    def write(self, samples: Samples) -> None:
        """Writes a block [channels, n] of float32, rounded and clipped to the codes of the bit depth."""
        for start in range(0, samples.shape[1], PIECE_SAMPLES):
            self._file.write(encode(samples[:, start : start + PIECE_SAMPLES], self._bit_depth))
        self.n_written += samples.shape[1]

    def close(self, chunks: Chunks | None = None, trailer: Chunks = ()) -> None:
        """Ends the file: `chunks` of the same ids and sizes replace the first ones, `trailer` goes behind the sound."""
        n_data_bytes = self.n_written * self._frame_bytes
        self._file.write(bytes(n_data_bytes % 2))
        for id, payload in trailer:
            self._put_chunk(id, payload)
        if chunks is not None:
            self._replace(chunks)
        self._file.seek(0, 2)
        self._patch_sizes(self._file.tell() - 8, n_data_bytes)
        self._file.close()

    def abandon(self) -> None:
        """Lets go of the file as it is, which is no valid one: it is about to be removed."""
        with contextlib.suppress(OSError):  # what is left to be written finds no room either
            self._file.close()

    def _put_header(self, format: bytes, chunks: Chunks) -> None:
        for id, payload in chunks:
            if id == b"bext":
                self._put_metadata(id, payload)
        self._put_chunk(b"fmt ", format)
        if (
            self._bit_depth == "32f"
        ):  # every format but PCM tells its length here (Microsoft, "New Multimedia Data Types")
            self._fact_offset = self._file.tell() + 8
            self._put_chunk(b"fact", bytes(4))
        for id, payload in chunks:
            if id != b"bext":
                self._put_metadata(id, payload)
        self._data_offset = self._file.tell() + 8
        self._file.write(b"data\0\0\0\0")

    def _put_metadata(self, id: bytes, payload: bytes) -> None:
        self._chunk_places.append((id, self._file.tell() + 8, len(payload)))
        self._put_chunk(id, payload)

    def _put_chunk(self, id: bytes, payload: bytes) -> None:
        self._file.write(struct.pack("<4sI", id, len(payload)) + payload + bytes(len(payload) % 2))

    def _replace(self, chunks: Chunks) -> None:
        in_order = sorted(chunks, key=lambda chunk: chunk[0] != b"bext")
        places = [(id, size) for id, _, size in self._chunk_places]
        assert [(id, len(payload)) for id, payload in in_order] == places, "chunks may not change their sizes"
        for (_, offset, _), (_, payload) in zip(self._chunk_places, in_order, strict=True):
            self._file.seek(offset)
            self._file.write(payload)

    def _patch_sizes(self, riff_bytes: int, n_data_bytes: int) -> None:
        is_large = riff_bytes > LARGEST_RIFF_BYTES
        if is_large:
            ds64 = struct.pack("<4sIQQQI", b"ds64", DS64_BYTES, riff_bytes, n_data_bytes, self.n_written, 0)
            self._put_at(DS64_OFFSET, ds64)
        magic = self._large_magic if is_large else b"RIFF"
        self._put_at(0, struct.pack("<4sI", magic, SIZE_IS_ELSEWHERE if is_large else riff_bytes))
        self._put_at(self._data_offset - 4, struct.pack("<I", SIZE_IS_ELSEWHERE if is_large else n_data_bytes))
        if self._fact_offset is not None:
            self._put_at(self._fact_offset, struct.pack("<I", min(self.n_written, SIZE_IS_ELSEWHERE)))

    def _put_at(self, offset: int, content: bytes) -> None:
        self._file.seek(offset)
        self._file.write(content)


def stream_header(
    sample_rate: int, n_channels: int, bit_depth: BitDepth, n_samples: int, *, channel_mask: int | None = None
) -> bytes:
    """Returns what comes before `n_samples` of encoded sound that is sent as it is made; RF64 beyond 4 GiB.

    An odd number of bytes of sound is to be followed by one more, as in every RIFF chunk.

    >>> stream_header(48_000, 2, "24", 480)[:4], len(stream_header(48_000, 2, "24", 480))
    (b'RIFF', 44)
    """
    form = _format_chunk(sample_rate, n_channels, bit_depth, channel_mask)
    chunks = struct.pack("<4sI", b"fmt ", len(form)) + form
    if bit_depth == "32f":
        chunks += struct.pack("<4sII", b"fact", 4, min(n_samples, SIZE_IS_ELSEWHERE))
    data_bytes = n_samples * n_channels * BYTES_PER_SAMPLE[bit_depth]
    riff_bytes = len(b"WAVE") + len(chunks) + 8 + data_bytes + data_bytes % 2
    if riff_bytes <= LARGEST_RIFF_BYTES:
        head = struct.pack("<4sI4s", b"RIFF", riff_bytes, b"WAVE")
        return head + chunks + struct.pack("<4sI", b"data", data_bytes)
    riff_bytes += 8 + DS64_BYTES
    ds64 = struct.pack("<4sIQQQI", b"ds64", DS64_BYTES, riff_bytes, data_bytes, n_samples, 0)
    head = struct.pack("<4sI4s", b"RF64", SIZE_IS_ELSEWHERE, b"WAVE")
    return head + ds64 + chunks + struct.pack("<4sI", b"data", SIZE_IS_ELSEWHERE)


def encode(samples: Samples, bit_depth: BitDepth) -> bytes:
    """Returns samples [channels, n] as interleaved little-endian PCM codes or floats.

    >>> encode(np.array([[-1.0, 0.5]], np.float32), "24").hex()
    '000080000040'
    """
    if bit_depth == "32f":
        return samples.T.astype("<f4", order="C").tobytes()
    steps = np.float32(1 << (int(bit_depth) - 1))
    codes: Samples = np.clip(np.rint(samples.T * steps), -steps, steps - 1)
    if bit_depth == "16":
        return codes.astype("<i2", order="C").tobytes()
    wide = codes.astype("<i4", order="C")
    packed: np.ndarray[Any, Any] = np.ndarray(wide.size, "V3", wide, strides=(4,))  # the low three bytes of each
    return packed.tobytes()


def _format_chunk(sample_rate: int, n_channels: int, bit_depth: BitDepth, channel_mask: int | None) -> bytes:
    code = IEEE_FLOAT if bit_depth == "32f" else PCM
    n_bytes = BYTES_PER_SAMPLE[bit_depth]
    tag = code if channel_mask is None else EXTENSIBLE
    frame_bytes = n_channels * n_bytes
    basic = struct.pack("<HHIIHH", tag, n_channels, sample_rate, sample_rate * frame_bytes, frame_bytes, n_bytes * 8)
    if channel_mask is not None:
        return basic + struct.pack("<HHIH", 22, n_bytes * 8, channel_mask, code) + GUID_TAIL
    return basic if code == PCM else basic + bytes(2)
