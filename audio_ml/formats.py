"""What each output format can hold: sample rates, bit depths, and how it is encoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from audio_ml.errors import InvalidOption

FormatName = Literal["wav", "flac", "aiff", "mp3", "m4a", "ogg", "opus", "wma"]
BitDepth = Literal["16", "24", "32f"]

RIFF_LIMIT_BYTES = 2**32 - 2**20  # a WAV header counts bytes in 32 bits; RF64 does not

PCM_SUBTYPES: dict[BitDepth, str] = {"16": "PCM_16", "24": "PCM_24", "32f": "FLOAT"}
BYTES_PER_SAMPLE: dict[BitDepth, int] = {"16": 2, "24": 3, "32f": 4}


@dataclass(frozen=True)
class Format:
    """An output format: its libsndfile name or FFmpeg codec, and the rates it can hold (any when empty)."""

    name: FormatName
    sndfile: str = ""
    codec: str = ""
    container: str = ""
    bit_depths: tuple[BitDepth, ...] = ()
    rates: tuple[int, ...] = ()

    @property
    def lossy(self) -> bool:
        return not self.bit_depths

    def rate_for(self, sample_rate: int) -> int:
        """Returns the rate a file of this format has for sound of `sample_rate`."""
        if not self.rates or sample_rate in self.rates:
            return sample_rate
        return min((rate for rate in self.rates if rate >= sample_rate), default=max(self.rates))

    def subtype(self, depth: BitDepth) -> str:
        """Returns libsndfile's name of a bit depth.

        Raises:
            InvalidOption: when the format cannot hold it.
        """
        if depth not in self.bit_depths:
            held = " or ".join(self.bit_depths)
            raise InvalidOption(f"{self.name} cannot hold a bit depth of {depth}; choose {held}, or wav.")
        return PCM_SUBTYPES[depth]


_MPEG_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)

FORMATS: dict[FormatName, Format] = {
    row.name: row
    for row in (
        Format("wav", sndfile="WAV", bit_depths=("16", "24", "32f")),
        Format("flac", sndfile="FLAC", bit_depths=("16", "24")),
        Format("aiff", sndfile="AIFF", bit_depths=("16", "24", "32f")),
        Format("mp3", codec="libmp3lame", container="mp3", rates=_MPEG_RATES),
        Format("m4a", codec="aac", container="ipod", rates=(*_MPEG_RATES, 64000, 88200, 96000)),
        Format("ogg", sndfile="OGG"),
        Format("opus", codec="libopus", container="ogg", rates=(48000,)),
        Format("wma", codec="wmav2", container="asf", rates=(22050, 32000, 44100, 48000)),
    )
}


def source_depth(subtype: str) -> BitDepth:
    """Returns the bit depth that keeps what a source of this libsndfile subtype holds.

    Lossy sources have no depth of their own and get 24 bit.

    >>> source_depth("PCM_U8"), source_depth("PCM_24"), source_depth("DOUBLE")
    ('16', '24', '32f')
    """
    depths: dict[str, BitDepth] = {"PCM_S8": "16", "PCM_U8": "16", "PCM_16": "16", "ULAW": "16", "ALAW": "16"}
    depths |= {"PCM_32": "32f", "FLOAT": "32f", "DOUBLE": "32f"}
    return depths.get(subtype, "24")
