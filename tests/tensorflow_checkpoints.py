"""Writes a TensorFlow checkpoint as TensorFlow lays it out, so that tests can make models of their own."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

TABLE_MAGIC = 0xDB4775248B80FB57
DTYPES = {"float32": 1, "int64": 9}
PER_BLOCK = 16  # records; TensorFlow begins a block every 4 kB


def write(folder: Path, variables: Mapping[str, NDArray[np.generic]], prefix: str = "model") -> None:
    """Writes PREFIX.index, PREFIX.data-00000-of-00001 and the note `checkpoint`."""
    folder.mkdir(parents=True, exist_ok=True)
    records, offset = [(b"", _varints(1, 1))], 0
    with (folder / f"{prefix}.data-00000-of-00001").open("wb") as data:
        for name in sorted(variables):
            array = np.ascontiguousarray(variables[name])
            records.append((name.encode(), _entry(array, offset)))
            data.write(array.tobytes())
            offset += array.nbytes
    (folder / f"{prefix}.index").write_bytes(_table(records))
    (folder / "checkpoint").write_text(f'model_checkpoint_path: "{prefix}"\nall_model_checkpoint_paths: "{prefix}"\n')


def _table(records: list[tuple[bytes, bytes]]) -> bytes:
    """Returns a LevelDB table: blocks of records whose keys leave out what they share with the one before."""
    table, index = b"", []
    for first in range(0, len(records), PER_BLOCK):
        part = records[first : first + PER_BLOCK]
        block = _block(part)
        index.append((part[-1][0], _varint(len(table)) + _varint(len(block))))
        table += block + bytes(5)
    handles = b""
    for block in (_block([]), _block(index)):
        handles += _varint(len(table)) + _varint(len(block))
        table += block + bytes(5)
    return table + handles.ljust(40, b"\0") + struct.pack("<Q", TABLE_MAGIC)


def _block(records: list[tuple[bytes, bytes]]) -> bytes:
    block, before = b"", b""
    for key, value in records:
        shared = next((i for i, pair in enumerate(zip(key, before, strict=False)) if pair[0] != pair[1]), None)
        shared = min(len(key), len(before)) if shared is None else shared
        block += _varint(shared) + _varint(len(key) - shared) + _varint(len(value)) + key[shared:] + value
        before = key
    return block + struct.pack("<II", 0, 1)  # one restart, at the start


def _entry(array: NDArray[np.generic], offset: int) -> bytes:
    """Returns a BundleEntryProto: 1 dtype, 2 shape, 4 offset, 5 size."""
    dimensions = b"".join(_message(2, _varints(1, size)) for size in array.shape)
    numbers = _varints(1, DTYPES[array.dtype.name]) + _message(2, dimensions)
    return numbers + (_varints(4, offset) if offset else b"") + _varints(5, array.nbytes)


def _message(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _varints(field: int, number: int) -> bytes:
    return _varint(field << 3) + _varint(number)


def _varint(number: int) -> bytes:
    encoded = b""
    while number >= 0x80:
        encoded += bytes([number & 0x7F | 0x80])
        number >>= 7
    return encoded + bytes([number])
