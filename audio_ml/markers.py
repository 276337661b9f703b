"""Markers, regions and loops: the `cue `, `LIST adtl`, `plst`, `smpl` and `cart` chunks in an excerpt.

Their layouts are those of "Multimedia Programming Interface and Data Specifications 1.0" (IBM and Microsoft, 1991),
its "New Multimedia Data Types" (1994, `smpl`) and AES46 (`cart`).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from audio_ml.excerpt import Excerpt

WORD = 1 << 32
CUE_POINT = struct.Struct("<II4sIII")  # name, position, chunk, chunk start, block start, sample offset
PLAY_SEGMENT = struct.Struct("<III")  # name of the cue point, length, loops
SAMPLE_LOOP = struct.Struct("<6I")  # name, type, first sample, last sample, fraction, play count
SMPL_HEADER = struct.Struct("<9I")
POST_TIMERS = slice(684, 748)
POST_TIMER = struct.Struct("<4sI")


def cut_cue(payload: bytes, cut: Excerpt) -> tuple[bytes, set[int]]:
    """Returns the cue points inside an excerpt, and the names of those that were dropped."""
    kept, names, dropped = [], set(), set()
    points, rest = _table(payload, 4, CUE_POINT)
    for name, position, chunk, chunk_start, block_start, offset in points:
        place = cut.position(offset or position)  # programs fill in either or both
        if place is None or place >= WORD:
            dropped.add(name)
            continue
        names.add(name)
        moved = (place if position else 0, place if offset else 0)
        kept.append(CUE_POINT.pack(name, moved[0], chunk, chunk_start, block_start, moved[1]))
    return struct.pack("<I", len(kept)) + b"".join(kept) + rest, dropped - names


def cut_adtl(payload: bytes, cut: Excerpt, dropped: set[int], places: dict[int, int]) -> bytes:
    """Returns the labels, notes and regions without those of dropped cue points.

    `places` has the cue points' positions in the source, so that regions can end where the excerpt does.
    """
    parts = [payload[:4]]
    for id, content, raw in _adtl_parts(payload):
        name = int.from_bytes(content[:4], "little")
        if id in {b"labl", b"note", b"ltxt", b"file"} and name in dropped:
            continue
        if id == b"ltxt" and len(content) >= 8:
            (n_samples,) = struct.unpack_from("<I", content, 4)
            length = min(cut.length(places.get(name, cut.start), n_samples), WORD - 1)
            parts.append(raw[:12] + struct.pack("<I", length) + raw[16:])
        else:
            parts.append(raw)
    return b"".join(parts)


def cut_plst(payload: bytes, cut: Excerpt, dropped: set[int], places: dict[int, int]) -> bytes:
    """Returns the play list without dropped cue points."""
    segments, rest = _table(payload, 4, PLAY_SEGMENT)
    kept = [
        PLAY_SEGMENT.pack(name, min(cut.length(places.get(name, cut.start), n_samples), WORD - 1), loops)
        for name, n_samples, loops in segments
        if name not in dropped
    ]
    return struct.pack("<I", len(kept)) + b"".join(kept) + rest


def cut_smpl(payload: bytes, cut: Excerpt) -> bytes:
    """Returns the sampler's settings with the loops that lie wholly inside the excerpt."""
    if len(payload) < SMPL_HEADER.size:
        return payload
    header = list(SMPL_HEADER.unpack_from(payload))
    loops, rest = _table(payload, SMPL_HEADER.size, SAMPLE_LOOP, count=header[7])
    kept = []
    for name, kind, first, last, fraction, count in loops:
        begin, end = cut.position(first), cut.position(last + 1)  # `last` is still played
        if begin is not None and end is not None and 0 < end <= WORD:
            kept.append(SAMPLE_LOOP.pack(name, kind, begin, max(begin, end - 1), fraction, count))
    header[7] = len(kept)
    if header[2] and cut.from_rate != cut.to_rate:
        header[2] = round(1_000_000_000 / cut.to_rate)  # the sample period in ns
    return SMPL_HEADER.pack(*header) + b"".join(kept) + rest


def cut_cart(payload: bytes, cut: Excerpt) -> bytes:
    """Returns the cart chunk with the post timers moved; those outside are cleared."""
    timers = payload[POST_TIMERS]
    if len(timers) < POST_TIMERS.stop - POST_TIMERS.start:
        return payload
    moved = []
    for usage, sample in POST_TIMER.iter_unpack(timers):
        place = cut.position(sample) if usage.strip(b"\0 ") else sample
        moved.append(bytes(8) if place is None or place >= WORD else POST_TIMER.pack(usage, place))
    return payload[: POST_TIMERS.start] + b"".join(moved) + payload[POST_TIMERS.stop :]


def cue_places(payload: bytes) -> dict[int, int]:
    """Returns the sample at which each cue point lies, under its name."""
    points, _ = _table(payload, 4, CUE_POINT)
    return {name: offset or position for name, position, _, _, _, offset in points}


def _table(
    payload: bytes, offset: int, row: struct.Struct, count: int | None = None
) -> tuple[list[tuple[Any, ...]], bytes]:
    """Returns the rows behind a count, as many as are there, and the bytes after them."""
    if count is None:
        count = int.from_bytes(payload[:4], "little")
    count = min(count, max(0, len(payload) - offset) // row.size)
    end = offset + count * row.size
    return list(row.iter_unpack(payload[offset:end])), payload[end:]


def _adtl_parts(payload: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Yields id, content and all bytes of each sub-chunk; what is damaged comes last, whole, without an id."""
    position = 4
    while position < len(payload):
        id, size = payload[position : position + 4], int.from_bytes(payload[position + 4 : position + 8], "little")
        begin, end = position + 8, position + 8 + size
        if begin > len(payload) or end > len(payload):
            yield b"", b"", payload[position:]
            return
        padded = end + size % 2
        yield id, payload[begin:end], payload[position:padded]
        position = padded
