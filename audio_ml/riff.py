"""Finds the chunks of RIFF, RF64 and BW64 WAVE files, damaged ones included."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

MAGICS = (b"RIFF", b"RF64", b"BW64")
SIZE_IS_ELSEWHERE = 0xFFFFFFFF  # in ds64, or not known yet
LARGEST_PAYLOAD_BYTES = 64 << 20
LARGEST_DS64_BYTES = 1 << 16
MOST_CHUNKS = 4096  # a file of nothing but empty chunks should not take minutes
FILLERS = {b"JUNK", b"junk", b"PAD ", b"FLLR", b"filr", b"ds64"}
KNOWN_IDS = FILLERS | {
    b"fmt ",
    b"fact",
    b"data",
    b"bext",
    b"iXML",
    b"cue ",
    b"LIST",
    b"axml",
    b"chna",
    b"_PMX",
    b"id3 ",
}


@dataclass(frozen=True)
class Chunk:
    """A chunk's place in its file: `offset` and `size` in bytes are those of the payload, `list_type` is a LIST's."""

    id: bytes
    offset: int
    size: int
    list_type: bytes = b""

    @property
    def name(self) -> str:
        """The chunk's id as text, a LIST's with its type.

        >>> Chunk(b"LIST", 0, 4, b"INFO").name, Chunk(b"cue ", 0, 4).name
        ('LIST INFO', 'cue')
        """
        return (self.id + b" " + self.list_type).decode("latin-1").strip()


@dataclass(frozen=True)
class RiffFile:
    """The chunks of a WAVE file in the order they lie in, the first of each kind; `warnings` says what is damaged."""

    path: Path
    magic: bytes
    chunks: tuple[Chunk, ...]
    warnings: tuple[str, ...]

    def find(self, id: bytes, list_type: bytes = b"") -> Chunk | None:
        """Returns the chunk of this id, a LIST of this type, or None."""
        return next((chunk for chunk in self.chunks if (chunk.id, chunk.list_type) == (id, list_type)), None)

    def payload(self, chunk: Chunk) -> bytes | None:
        """Reads a chunk; None when it is larger than metadata ever is (64 MB).

        Raises:
            OSError: when the file cannot be read.
        """
        if chunk.size > LARGEST_PAYLOAD_BYTES:
            return None
        with self.path.open("rb") as file:
            file.seek(chunk.offset)
            return file.read(chunk.size)


def read_chunks(path: str | os.PathLike[str]) -> RiffFile | None:
    """Walks over the chunks of a WAVE file; None when it is none.

    Sizes above 4 GiB are taken from `ds64` (EBU Tech 3306, ITU-R BS.2088). Damage is told in `warnings`, never raised.

    Raises:
        OSError: when the file cannot be read.

    >>> read_chunks("film.wav").chunks[0]                                       # doctest: +SKIP
    Chunk(id=b'bext', offset=20, size=858, list_type=b'')
    """
    with Path(path).open("rb") as file:
        header = file.read(12)
        if header[:4] not in MAGICS or header[8:] != b"WAVE":
            return None
        walk = _Walk(file, os.fstat(file.fileno()).st_size)
        found: dict[tuple[bytes, bytes], Chunk] = {}
        for chunk in walk:
            if found.setdefault((chunk.id, chunk.list_type), chunk) is not chunk and chunk.id not in FILLERS:
                walk.warnings.append(f"there are several {chunk.name} chunks: the first one counts")
        return RiffFile(Path(path), header[:4], tuple(found.values()), tuple(walk.warnings))


@dataclass
class _Walk:
    """Goes from chunk to chunk; every step is at least one chunk header long, so it ends."""

    file: BinaryIO
    file_size: int
    warnings: list[str] = field(default_factory=list)
    large_sizes: dict[bytes, int] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Chunk]:
        position = 12
        for _ in range(MOST_CHUNKS):
            if self.file_size - position < 2:  # the end, or the last pad byte
                return
            if not self._is_header(position):
                self.warnings.append(f"the last {self.file_size - position} bytes are no chunk")
                return
            chunk = self._chunk_at(position)
            yield chunk
            position = self._next_header(chunk)
        self.warnings.append(f"there are more than {MOST_CHUNKS} chunks: the rest was not looked at")

    def _chunk_at(self, position: int) -> Chunk:
        id, size = struct.unpack("<4sI", self._read(position, 8))
        offset = position + 8
        if size == SIZE_IS_ELSEWHERE:
            size = self.large_sizes.get(id, SIZE_IS_ELSEWHERE)
        left = self.file_size - offset
        if id == b"data" and left and size in {0, SIZE_IS_ELSEWHERE, 2**64 - 1}:
            self.warnings.append("the recording was never finished: its sound is read up to the end of the file")
            size = left
        elif size > left:
            self.warnings.append(f"{Chunk(id, offset, size).name} is cut short: {left} of {size} bytes are there")
            size = left
        if id == b"ds64":
            self._learn_sizes(self._read(offset, min(size, LARGEST_DS64_BYTES)))
        return Chunk(id, offset, size, self._read(offset, min(4, size)) if id == b"LIST" else b"")

    def _learn_sizes(self, ds64: bytes) -> None:
        """Takes the sizes of `data` and of the chunks in the table (Tech 3306, section 3.4)."""
        if len(ds64) < 16:
            self.warnings.append("ds64 is too short to hold a size")
            return
        (self.large_sizes[b"data"],) = struct.unpack_from("<Q", ds64, 8)
        table = ds64[28:]
        for id, size in struct.iter_unpack("<4sQ", table[: len(table) // 12 * 12]):
            if id.strip(b"\0"):
                self.large_sizes[id] = size

    def _next_header(self, chunk: Chunk) -> int:
        """Returns where the next chunk begins: behind a pad byte, which some programs forget."""
        end = chunk.offset + chunk.size
        if chunk.size % 2 == 0 or end >= self.file_size or self._read(end, 1) == b"\0":
            return end + chunk.size % 2
        # The byte is no zero: the beginning of an id, or a pad byte that breaks the rule.
        ids = self._read(end, 4), self._read(end + 1, 4)
        if self._is_header(end) and (ids[0] in KNOWN_IDS or ids[1] not in KNOWN_IDS):
            self.warnings.append(f"the pad byte after {chunk.name} is missing")
            return end
        return end + 1

    def _is_header(self, position: int) -> bool:
        header = self._read(position, 8)
        return len(header) == 8 and all(0x20 <= byte < 0x7F for byte in header[:4]) and header[0] != 0x20

    def _read(self, position: int, size: int) -> bytes:
        self.file.seek(position)
        return self.file.read(size)
