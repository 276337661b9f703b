"""WAVE files put together by hand, sound or damaged, from the layouts in the standards."""

from __future__ import annotations

import struct
from pathlib import Path

Chunks = list[tuple[bytes, bytes]]


def chunk(id: bytes, payload: bytes, *, size: int | None = None, pad: bool = True) -> bytes:
    """Returns a chunk; `size` lies about its length, `pad` False forgets the pad byte."""
    padding = bytes(len(payload) % 2) if pad else b""
    return id + struct.pack("<I", len(payload) if size is None else size) + payload + padding


def wave(*parts: bytes, magic: bytes = b"RIFF", size: int | None = None) -> bytes:
    body = b"WAVE" + b"".join(parts)
    return magic + struct.pack("<I", len(body) if size is None else size) + body


def pcm_format(sample_rate: int = 48000, n_channels: int = 2, bits: int = 24, mask: int | None = None) -> bytes:
    frame = n_channels * bits // 8
    tag = 1 if mask is None else 0xFFFE
    fields = struct.pack("<HHIIHH", tag, n_channels, sample_rate, sample_rate * frame, frame, bits)
    if mask is not None:
        guid = bytes([1, 0, 0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71])
        fields += struct.pack("<HHI", 22, bits, mask) + guid
    return chunk(b"fmt ", fields)


def bext(
    time_reference: int = 172_800_000,
    *,
    version: int = 1,
    umid: bytes = b"",
    loudness: tuple[int, int, int, int, int] = (0, 0, 0, 0, 0),
    history: bytes = b"A=PCM,F=48000,W=24,M=stereo,T=Recorder\r\n",
) -> bytes:
    return b"".join(
        (
            b"Boom and lavalier".ljust(256, b"\0"),
            b"Sound Devices".ljust(32, b"\0"),
            b"US12345".ljust(32, b"\0"),
            b"2026-05-0112:30:00",
            struct.pack("<QH", time_reference, version),
            umid.ljust(64, b"\0"),
            struct.pack("<5h", *loudness),
            bytes(180),
            history,
        )
    )


def ixml(
    time_reference: int = 172_800_000, sample_rate: int = 48000, names: tuple[str, ...] = ("Boom", "Lav")
) -> bytes:
    tracks = "".join(
        f"<TRACK><CHANNEL_INDEX>{index}</CHANNEL_INDEX><INTERLEAVE_INDEX>{index}</INTERLEAVE_INDEX>"
        f"<NAME>{name}</NAME></TRACK>\n"
        for index, name in enumerate(names, start=1)
    )
    high, low = divmod(time_reference, 2**32)
    sync_high, sync_low = divmod(time_reference + 4000, 2**32)
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<BWFXML>
\t<IXML_VERSION>1.52</IXML_VERSION>
\t<PROJECT>Käfer</PROJECT><SCENE>12A</SCENE><TAKE>3</TAKE><TAPE>7</TAPE>
\t<SPEED>
\t\t<NOTE>48000 is the rate</NOTE>
\t\t<TIMECODE_RATE>25/1</TIMECODE_RATE>
\t\t<FILE_SAMPLE_RATE>{sample_rate}</FILE_SAMPLE_RATE>
\t\t<DIGITIZER_SAMPLE_RATE>{sample_rate}</DIGITIZER_SAMPLE_RATE>
\t\t<TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_HI>{high}</TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_HI>
\t\t<TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_LO>{low}</TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_LO>
\t\t<TIMESTAMP_SAMPLE_RATE>{sample_rate}</TIMESTAMP_SAMPLE_RATE>
\t</SPEED>
\t<SYNC_POINT_LIST><SYNC_POINT_COUNT>2</SYNC_POINT_COUNT>
\t\t<SYNC_POINT><SYNC_POINT_TYPE>RELATIVE</SYNC_POINT_TYPE><SYNC_POINT_LOW>2000</SYNC_POINT_LOW>
\t\t<SYNC_POINT_HIGH>0</SYNC_POINT_HIGH></SYNC_POINT>
\t\t<SYNC_POINT><SYNC_POINT_TYPE>ABSOLUTE</SYNC_POINT_TYPE><SYNC_POINT_LOW>{sync_low}</SYNC_POINT_LOW>
\t\t<SYNC_POINT_HIGH>{sync_high}</SYNC_POINT_HIGH></SYNC_POINT>
\t</SYNC_POINT_LIST>
\t<TRACK_LIST><TRACK_COUNT>{len(names)}</TRACK_COUNT>
{tracks}\t</TRACK_LIST>
\t<BEXT>
\t\t<BWF_TIME_REFERENCE_LOW>{low}</BWF_TIME_REFERENCE_LOW>
\t\t<BWF_TIME_REFERENCE_HIGH>{high}</BWF_TIME_REFERENCE_HIGH>
\t</BEXT>
</BWFXML>
""".encode()


def cue(points: dict[int, int]) -> bytes:
    """Returns the payload of cue points: names and samples."""
    rows = (struct.pack("<II4sIII", name, sample, b"data", 0, 0, sample) for name, sample in points.items())
    return struct.pack("<I", len(points)) + b"".join(rows)


def adtl(labels: dict[int, str], regions: dict[int, int] | None = None) -> bytes:
    """Returns the payload of a LIST with labels and the lengths of regions."""
    parts = [chunk(b"labl", struct.pack("<I", name) + text.encode() + b"\0") for name, text in labels.items()]
    for name, length in (regions or {}).items():
        parts.append(chunk(b"ltxt", struct.pack("<II4sHHHH", name, length, b"rgn ", 0, 0, 0, 0)))
    return b"adtl" + b"".join(parts)


def info(**fields: str) -> bytes:
    return b"INFO" + b"".join(chunk(id.encode(), text.encode() + b"\0") for id, text in fields.items())


def smpl(first: int, last: int, period_ns: int = 20833) -> bytes:
    return struct.pack("<9I", 0, 0, period_ns, 60, 0, 0, 0, 1, 0) + struct.pack("<6I", 1, 0, first, last, 0, 0)


def film(
    path: Path, *, n_samples: int = 48000, n_channels: int = 2, after_data: bytes = b"", data: bytes | None = None
) -> Path:
    """Writes a 48 kHz, 24-bit Broadcast Wave file with every kind of metadata, as a recorder and an editor leave it."""
    path.write_bytes(
        wave(
            chunk(b"bext", bext()),
            pcm_format(n_channels=n_channels),
            chunk(b"minf", bytes(16)),
            chunk(b"data", bytes(n_samples * n_channels * 3) if data is None else data),
            chunk(b"iXML", ixml()),
            chunk(b"cue ", cue({1: 1000, 2: 24000, 3: 47000})),
            chunk(b"LIST", adtl({1: "Slate", 2: "Action", 3: "Cut"}, {2: 12000})),
            chunk(b"LIST", info(INAM="Reel 1", ICMT="odd")),
            chunk(b"smpl", smpl(24000, 35999)),
            after_data,
        )
    )
    return path
