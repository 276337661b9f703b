"""The `bext` chunk of Broadcast Wave files (EBU Tech 3285 version 2, section 2.3)."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from audio_ml.loudness import Loudness

FIXED_BYTES = 602  # everything but CodingHistory
TIME_REFERENCE = slice(338, 346)
VERSION = slice(346, 348)
UMID = slice(348, 412)
LOUDNESS = slice(412, 422)
BASIC_UMID_BYTES = 32  # the other half is the source pack of an extended UMID
LARGEST_TIME_REFERENCE = 2**64 - 1
LOUDNESS_UNKNOWN = 0x7FFF
LARGEST_LOUDNESS = 9999  # hundredths; what lies beyond is ignored by readers


def create(description: str, originator: str, time_reference: int) -> bytes:
    """Returns the chunk of a new file, whose first sample is at `time_reference` samples since midnight.

    >>> time_reference(create("Reel 1", "audio-ml", 172_800_000))
    172800000
    """
    text = description.encode("ascii", "replace")[:256].ljust(256, b"\0")
    text += originator.encode("ascii", "replace")[:32].ljust(32, b"\0")
    version_1 = (1).to_bytes(2, "little")
    fields = bytes(32 + 10 + 8) + time_reference.to_bytes(8, "little") + version_1
    return (text + fields).ljust(FIXED_BYTES, b"\0")


def repaired(bext: bytes) -> bytes | None:
    """Returns the chunk with the fixed fields complete; None when not even the time reference is there."""
    return bext.ljust(FIXED_BYTES, b"\0") if len(bext) >= TIME_REFERENCE.stop else None


def version(bext: bytes) -> int:
    return int.from_bytes(bext[VERSION], "little")


def time_reference(bext: bytes) -> int:
    """Returns the first sample's time in samples since midnight."""
    return int.from_bytes(bext[TIME_REFERENCE], "little")


def with_time_reference(bext: bytes, samples: int) -> bytes:
    return _replaced(bext, TIME_REFERENCE, min(samples, LARGEST_TIME_REFERENCE).to_bytes(8, "little"))


def umid(bext: bytes) -> str | None:
    """Returns the SMPTE 330M identifier in hex, of 32 or 64 bytes; None when it is zero, or version 0 has none."""
    identifier = bext[UMID]
    if version(bext) == 0 or not any(identifier):
        return None
    return (identifier if any(identifier[BASIC_UMID_BYTES:]) else identifier[:BASIC_UMID_BYTES]).hex()


def without_umid(bext: bytes) -> bytes:
    """Returns the chunk with a zero UMID; in version 0 these bytes are reserved and stay."""
    return bext if version(bext) == 0 else _replaced(bext, UMID, bytes(64))


def with_loudness(bext: bytes, loudness: Loudness | None) -> bytes:
    """Returns the chunk with the five loudness fields of version 2; 0x7FFF says that a value is not known.

    Older versions have no such fields and stay as they are.
    """
    if version(bext) < 2:
        return bext
    values: tuple[float | None, ...] = (None,) * 5
    if loudness is not None:
        values = (
            loudness.integrated_lufs,
            loudness.range_lu,
            loudness.true_peak_dbtp,
            loudness.momentary_lufs,
            loudness.short_term_lufs,
        )
    return _replaced(bext, LOUDNESS, struct.pack("<5h", *map(_hundredths, values)))


def _hundredths(value: float | None) -> int:
    if value is None or not math.isfinite(value):
        return LOUDNESS_UNKNOWN
    rounded = math.floor(value * 100 + 0.5)
    return rounded if abs(rounded) <= LARGEST_LOUDNESS else LOUDNESS_UNKNOWN


def with_history_line(bext: bytes, line: str) -> bytes:
    r"""Returns the chunk with one more line of CodingHistory, in the zeros behind the old text as far as they reach.

    >>> with_history_line(bytes(602) + b"A=PCM,F=48000\r\n", "A=PCM,T=audio-ml")[602:]
    b'A=PCM,F=48000\r\nA=PCM,T=audio-ml\r\n\x00'
    """
    old = bext[FIXED_BYTES:]
    text = old.split(b"\0", 1)[0]
    if text and not text.endswith(b"\r\n"):
        text = text.rstrip(b"\r\n") + b"\r\n"
    text += " ".join(line.splitlines()).encode("ascii", "replace") + b"\r\n"
    n_bytes = max(len(old), len(text) + len(text) % 2)
    return bext[:FIXED_BYTES] + text.ljust(n_bytes, b"\0")


def _replaced(bext: bytes, place: slice, value: bytes) -> bytes:
    return bext[: place.start] + value + bext[place.stop :]
