"""Reads the variables of a TensorFlow checkpoint without TensorFlow.

A checkpoint is two files: `*.index`, a sorted table in the LevelDB format that maps a variable's
name to a `BundleEntryProto`, and `*.data-00000-of-00001`, the raw little-endian tensors.
Formats: LevelDB's `doc/table_format.md`; TensorFlow's `tensor_bundle.proto`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from audio_ml.errors import WeightsCorrupt

TABLE_MAGIC = 0xDB4775248B80FB57
FOOTER_BYTES = 48
BLOCK_TRAILER_BYTES = 5  # compression type, then a checksum
DTYPES = {1: "<f4", 2: "<f8", 3: "<i4", 9: "<i8"}  # TensorFlow's DataType enumeration

VARINT, FIXED64, LENGTH_DELIMITED, FIXED32 = 0, 1, 2, 5  # protobuf wire types


@dataclass(frozen=True)
class _Entry:
    dtype: str
    shape: tuple[int, ...]
    offset: int
    size: int


def read(index_path: Path, data_path: Path) -> dict[str, NDArray[np.generic]]:
    """Returns every variable of a single-shard checkpoint by name, as read-only views of the file.

    Raises:
        WeightsCorrupt: when the index cannot be parsed or a tensor lies outside the data file.
    """
    data = np.memmap(data_path, dtype=np.uint8, mode="r")
    try:
        entries = dict(_entries(index_path.read_bytes()))
    except (IndexError, ValueError, KeyError, struct.error, UnicodeDecodeError) as error:
        raise WeightsCorrupt(f"{index_path} is not a TensorFlow checkpoint index: {error}") from error
    variables = {}
    for name, entry in entries.items():
        n_bytes = int(np.prod(entry.shape, dtype=np.int64)) * np.dtype(entry.dtype).itemsize
        if n_bytes != entry.size or entry.offset + entry.size > data.size:
            raise WeightsCorrupt(f"{data_path}: variable '{name}' does not lie inside the file")
        raw = data[entry.offset : entry.offset + entry.size]
        variables[name] = raw.view(entry.dtype).reshape(entry.shape)
    return variables


def _entries(table: bytes) -> Iterator[tuple[str, _Entry]]:
    footer = table[-FOOTER_BYTES:]
    (magic,) = struct.unpack("<Q", footer[-8:])
    if magic != TABLE_MAGIC:
        raise ValueError("the table's closing number is missing")
    _, position = _block_handle(footer, 0)  # the meta index, which holds no variables
    index_handle, _ = _block_handle(footer, position)
    for _, handle in _records(_block(table, index_handle)):
        data_handle, _ = _block_handle(handle, 0)
        for key, value in _records(_block(table, data_handle)):
            if key:  # the empty key holds the bundle's header
                yield key.decode(), _parse_entry(value)


def _block(table: bytes, handle: tuple[int, int]) -> bytes:
    offset, size = handle
    block = table[offset : offset + size]
    if len(block) != size or table[offset + size : offset + size + BLOCK_TRAILER_BYTES][:1] != b"\0":
        raise ValueError("a block is missing or compressed")
    return block


def _records(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yields the keys and values of a block, whose keys share a prefix with the one before."""
    (n_restarts,) = struct.unpack("<I", block[-4:])
    end = len(block) - 4 * (n_restarts + 1)
    position, key = 0, b""
    while position < end:
        shared, position = _varint(block, position)
        unshared, position = _varint(block, position)
        value_size, position = _varint(block, position)
        key = key[:shared] + block[position : position + unshared]
        position += unshared
        yield key, block[position : position + value_size]
        position += value_size


def _block_handle(data: bytes, position: int) -> tuple[tuple[int, int], int]:
    offset, position = _varint(data, position)
    size, position = _varint(data, position)
    return (offset, size), position


def _parse_entry(message: bytes) -> _Entry:
    """Decodes a `BundleEntryProto`: 1 dtype, 2 shape, 3 shard, 4 offset, 5 size."""
    dtype = shard = offset = size = 0
    shape: tuple[int, ...] = ()
    for field, value in _fields(message):
        if field == 1:
            dtype = _integer(value)
        elif field == 2:
            shape = tuple(_dimensions(_bytes(value)))
        elif field == 3:
            shard = _integer(value)
        elif field == 4:
            offset = _integer(value)
        elif field == 5:
            size = _integer(value)
    if shard != 0:
        raise ValueError("the checkpoint has more than one data file")
    return _Entry(DTYPES[dtype], shape, offset, size)


def _dimensions(message: bytes) -> Iterator[int]:
    """Decodes a `TensorShapeProto`: field 2 repeats a message whose field 1 is the size."""
    for field, value in _fields(message):
        if field == 2:
            yield next((_integer(size) for inner, size in _fields(_bytes(value)) if inner == 1), 0)


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        field, wire_type = tag >> 3, tag & 7
        value: int | bytes
        if wire_type == VARINT:
            value, position = _varint(message, position)
        elif wire_type == LENGTH_DELIMITED:
            size, position = _varint(message, position)
            value, position = message[position : position + size], position + size
        elif wire_type in (FIXED32, FIXED64):
            size = 4 if wire_type == FIXED32 else 8
            value, position = message[position : position + size], position + size
        else:
            raise ValueError(f"wire type {wire_type} is not known")
        yield field, value


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position


def _integer(value: int | bytes) -> int:
    if not isinstance(value, int):
        raise ValueError("a number was expected")
    return value


def _bytes(value: int | bytes) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError("a message was expected")
    return value
