"""What each output format can hold: channels, sample rates, bit depths, and how it is encoded."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from audio_ml.errors import InvalidOption
from audio_ml.layouts import Layout, layout_of_mask

FormatName = Literal["wav", "flac", "aiff", "mp3", "m4a", "ogg", "opus", "wma"]
BitDepth = Literal["16", "24", "32f"]

BYTES_PER_SAMPLE: dict[BitDepth, int] = {"16": 2, "24": 3, "32f": 4}


@dataclass(frozen=True)
class Format:
    """An output format: its FFmpeg container and codec, and what it can hold (any rate when `rates` is empty).

    A lossless format has a codec for each bit depth; WAV is written by `audio_ml/wav.py`, Ogg Vorbis by libsndfile.
    """

    name: str
    container: str = ""
    codec: str = ""
    codecs: tuple[tuple[BitDepth, str], ...] = ()
    rates: tuple[int, ...] = ()
    max_channels: int = 64
    max_bytes: int | None = None

    @property
    def lossy(self) -> bool:
        return not self.codecs

    @property
    def bit_depths(self) -> tuple[BitDepth, ...]:
        return tuple(depth for depth, _ in self.codecs)

    def rate_for(self, sample_rate: int) -> int:
        """Returns the rate a file of this format has for sound of `sample_rate`."""
        if not self.rates or sample_rate in self.rates:
            return sample_rate
        return min((rate for rate in self.rates if rate >= sample_rate), default=max(self.rates))

    def depth_for(self, subtype: str) -> BitDepth:
        """Returns the depth for a source's subtype (see `source_depth`), as near as this format can hold it."""
        depth = source_depth(subtype)
        return depth if depth in self.bit_depths or self.lossy else self.bit_depths[-1]

    def check(self, depth: BitDepth, n_channels: int, layout: Layout | None = None) -> None:
        """Raises `InvalidOption` when the format cannot hold a bit depth, so many channels, or these loudspeakers."""
        if self.bit_depths and depth not in self.bit_depths:
            held = " or ".join(self.bit_depths)
            raise InvalidOption(f"{self.name} cannot hold a bit depth of {depth}; choose {held}, or wav.")
        if n_channels > self.max_channels:
            most = self.max_channels
            raise InvalidOption(f"{self.name} holds {most} channels at most, not {n_channels}; choose wav.")
        if self.lossy and layout and n_channels > 2 and layout.speakers not in CODED_LAYOUTS:
            said = ", ".join(speaker or "a track" for speaker in layout.speakers)
            raise InvalidOption(
                f"{self.name} codes channels for the loudspeakers it knows, in its own order, and would damage these "
                f"({said}); choose wav."
            )


# What lossy codecs take surround for: they cut the LFE's top off, and a player sends each channel to its place.
CODED_LAYOUTS = {
    layout_of_mask(mask, mask.bit_count()).speakers for mask in (0x7, 0x33, 0x37, 0x3F, 0x607, 0x60F, 0x70F, 0x63F)
}

_MPEG_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)

FORMATS: dict[str, Format] = {
    row.name: row
    for row in (
        Format("wav", codecs=(("16", "pcm"), ("24", "pcm"), ("32f", "float"))),
        Format("flac", container="flac", codecs=(("16", "flac"), ("24", "flac")), max_channels=8),
        Format(
            "aiff",
            container="aiff",
            codecs=(("16", "pcm_s16be"), ("24", "pcm_s24be"), ("32f", "pcm_f32be")),
            max_bytes=2**32 - 2**20,  # its sizes are 32 bits wide, and nothing like RF64 exists
        ),
        Format("mp3", container="mp3", codec="libmp3lame", rates=_MPEG_RATES, max_channels=2),
        Format("m4a", container="ipod", codec="aac", rates=(*_MPEG_RATES, 64000, 88200, 96000), max_channels=6),
        Format("ogg", max_channels=2),
        Format("opus", container="ogg", codec="libopus", rates=(48000,), max_channels=8),
        Format("wma", container="asf", codec="wmav2", rates=(22050, 32000, 44100, 48000), max_channels=2),
    )
}


# Samples and nothing else, little-endian and interleaved, for programs that are told the rest.
RAW = Format("raw", codecs=(("16", "pcm"), ("24", "pcm"), ("32f", "float")))


def find_format(path: Path) -> Format:
    """Returns the format that the ending of a file's name asks for.

    Raises:
        InvalidOption: when it is none of ours.

    >>> find_format(Path("song.FLAC")).name
    'flac'
    """
    name = path.suffix.lstrip(".").lower()
    for format in FORMATS.values():
        if format.name == name:
            return format
    raise InvalidOption(f"{path.name!r} should end in one of .{', .'.join(FORMATS)}.")


def source_depth(subtype: str) -> BitDepth:
    """Returns the bit depth that keeps what a source of this subtype (libsndfile's or FFmpeg's name) holds.

    Lossy sources have no depth of their own and get 24 bit.

    >>> source_depth("PCM_U8"), source_depth("pcm_s24le"), source_depth("DOUBLE")
    ('16', '24', '32f')
    """
    name = re.sub("(le|be)$", "", subtype).upper()  # FFmpeg's names are in lower case
    if name in ("PCM_S8", "PCM_U8", "PCM_16", "PCM_S16", "ULAW", "ALAW", "PCM_MULAW", "PCM_ALAW"):
        return "16"
    return "32f" if name in ("PCM_32", "PCM_S32", "FLOAT", "DOUBLE", "PCM_F32", "PCM_F64") else "24"
