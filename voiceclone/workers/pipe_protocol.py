"""Messages between the suite and a worker, on its standard input and output; docs/cloning-pipes.md has it in words.

A message is b"AMLP", the length of its header (4 bytes, little-endian), the header (a JSON object in UTF-8), and the
bytes of the arrays that the header's "arrays" lists, in that order. The standard library alone is used here: workers
run where nothing of ours is installed.
"""

from __future__ import annotations

import json
import math
import struct
from typing import IO, Any, NamedTuple

VERSION = 1
FOLDER = "AUDIO_ML_WORKER_FOLDER"  # the environment variable that names the worker's own folder for temporary files
MAGIC = b"AMLP"
ITEM_BYTES = {"float32": 4, "int64": 8, "uint8": 1}
LONGEST_HEADER = 1 << 20
MOST_ARRAY_BYTES = 1 << 28
MOST_DIMENSIONS = 8


class ProtocolError(Exception):
    """What came is no message."""


class Array(NamedTuple):
    """Numbers of a `dtype` ("float32", "int64", "uint8") and `shape`, little-endian, in C order."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes


class Message(NamedTuple):
    """A `kind`, such as "speak", what else is told, and arrays by name."""

    kind: str
    fields: dict[str, Any]
    arrays: dict[str, Array]


def write_message(stream: IO[bytes], message: Message) -> None:
    """Writes a message and flushes."""
    listed = [[name, array.dtype, list(array.shape)] for name, array in message.arrays.items()]
    header = json.dumps({**message.fields, "kind": message.kind, "arrays": listed}).encode()
    stream.write(MAGIC + struct.pack("<I", len(header)) + header)
    for array in message.arrays.values():
        stream.write(array.data)
    stream.flush()


def read_message(stream: IO[bytes]) -> Message | None:
    """Returns the next message, or None where the stream has ended before one.

    Raises:
        ProtocolError: when what comes is no message, or ends within one.
    """
    begin = stream.read(len(MAGIC))
    if not begin:
        return None
    if begin != MAGIC:
        raise ProtocolError(f"something else than messages came, beginning with {begin!r}")
    (length,) = struct.unpack("<I", _read(stream, 4))
    if length > LONGEST_HEADER:
        raise ProtocolError(f"a header of {length} bytes is too long")
    try:
        header = json.loads(_read(stream, length))
        kind, listed = header.pop("kind"), [_checked(*entry) for entry in header.pop("arrays")]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ProtocolError(f"a header is not what it should be: {error}") from error
    if sum(n_bytes for *_, n_bytes in listed) > MOST_ARRAY_BYTES:
        raise ProtocolError("its arrays are too large")
    arrays = {name: Array(dtype, shape, _read(stream, n_bytes)) for name, dtype, shape, n_bytes in listed}
    return Message(str(kind), header, arrays)


def _checked(name: str, dtype: str, shape: Any) -> tuple[str, str, tuple[int, ...], int]:
    sizes = tuple(shape)
    if not isinstance(name, str) or len(sizes) > MOST_DIMENSIONS:
        raise ValueError("an array has no name, or too many dimensions")
    if not all(type(size) is int and 0 <= size <= MOST_ARRAY_BYTES for size in sizes):
        raise ValueError("an array has an impossible shape")
    return name, dtype, sizes, ITEM_BYTES[dtype] * math.prod(sizes)


def _read(stream: IO[bytes], n_bytes: int) -> bytes:
    data = stream.read(n_bytes)
    if len(data) < n_bytes:
        raise ProtocolError("it ended in the middle of a message")
    return data
