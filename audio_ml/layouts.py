"""Which loudspeaker each channel of a file feeds: names, WAVE masks, pairs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from audio_ml.errors import InvalidOption, did_you_mean

# In the order of the bits of WAVE_FORMAT_EXTENSIBLE's dwChannelMask, which FFmpeg shares.
SPEAKERS = (
    *("FL", "FR", "FC", "LFE", "BL", "BR", "FLC", "FRC", "BC"),
    *("SL", "SR", "TC", "TFL", "TFC", "TFR", "TBL", "TBC", "TBR"),
)
MASK_TAG = "WAVEFORMATEXTENSIBLE_CHANNEL_MASK"  # of a FLAC whose channels are not those it takes for granted
NO_PLACES = ("0x0", "0")  # its value where no channel belongs to a loudspeaker (RFC 9639, section 8.6.2)
PAIRS = (("FL", "FR"), ("BL", "BR"), ("SL", "SR"), ("FLC", "FRC"), ("TFL", "TFR"), ("TBL", "TBR"))

# What film people say. With eight channels, Ls and Rs are the pair after the LFE and Lss and Rss the last.
_ALIASES = {"L": "FL", "R": "FR", "C": "FC", "SUB": "LFE", "CS": "BC", "S": "BC", "LC": "FLC", "RC": "FRC"}
_ALIASES |= {"LS": "BL", "RS": "BR", "LB": "BL", "RB": "BR", "LRS": "BL", "RRS": "BR", "LSR": "BL", "RSR": "BR"}
_ALIASES |= {"LSS": "SL", "RSS": "SR"}

NAMED = {
    "mono": "C",
    "stereo": "L,R",
    "lcr": "L,R,C",
    "quad": "L,R,Ls,Rs",
    "5.0": "L,R,C,Ls,Rs",
    "5.1": "L,R,C,LFE,Ls,Rs",
    "5.1-film": "L,C,R,Ls,Rs,LFE",
    "7.1": "L,R,C,LFE,Ls,Rs,Lss,Rss",
}
_BY_COUNT = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}


@dataclass(frozen=True)
class Layout:
    """The loudspeaker of each channel, in the file's order; "" for a track that has none."""

    speakers: tuple[str, ...]

    @property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """The channels that belong together, left and right."""
        here = self.speakers
        return tuple((here.index(left), here.index(right)) for left, right in PAIRS if {left, right} <= set(here))

    def where(self, speaker: str) -> int | None:
        """Returns the channel that feeds a loudspeaker."""
        return self.speakers.index(speaker) if speaker in self.speakers else None


def layout_of_mask(mask: int, n_channels: int) -> Layout:
    """Returns the layout of a WAVE channel mask; channels without a bit are tracks on their own.

    >>> layout_of_mask(0x3F, 6).speakers
    ('FL', 'FR', 'FC', 'LFE', 'BL', 'BR')
    """
    named = [speaker for bit, speaker in enumerate(SPEAKERS) if mask >> bit & 1][:n_channels]
    return Layout((*named, *[""] * (n_channels - len(named))))


def mask_of_speakers(speakers: Sequence[str]) -> int | None:
    """Returns the WAVE channel mask of loudspeakers that stand in the mask's own order, else None.

    >>> hex(mask_of_speakers(("FL", "FR", "FC", "LFE")) or 0), mask_of_speakers(("FR", "FL"))
    ('0xf', None)
    """
    if not set(speakers) <= set(SPEAKERS):
        return None
    bits = [SPEAKERS.index(speaker) for speaker in speakers]
    return sum(1 << bit for bit in bits) if bits == sorted(set(bits)) else None


def parse_layout(text: str) -> Layout:
    """Returns the layout of a name ("5.1", "7.1", ...) or of loudspeakers in order ("L,C,R,Ls,Rs,LFE").

    Raises:
        InvalidOption: for an unknown name or loudspeaker, or one that comes twice.

    >>> parse_layout("5.1-film").where("FC")
    1
    """
    names = NAMED.get(text.strip().lower(), text).split(",")
    speakers = tuple(_speaker(name) for name in names)
    for name, speaker in zip(names, speakers, strict=True):
        if not speaker:
            hint = did_you_mean(name.strip(), [*NAMED, "L", "R", "C", "LFE", "Ls", "Rs", "Lss", "Rss", *SPEAKERS])
            raise InvalidOption(f"Option 'layout' cannot be {text!r}: there is no loudspeaker '{name.strip()}'.{hint}")
        if speakers.count(speaker) > 1:
            raise InvalidOption(f"Option 'layout' cannot be {text!r}: '{name.strip()}' comes more than once.")
    return Layout(speakers)


def find_layout(n_channels: int, mask: int | None, track_names: Sequence[str] = ()) -> Layout:
    """Returns the layout of a file by its mask, the names of its tracks, or the number of its channels.

    Six or eight channels without either are 5.1 or 7.1; a mask of 0 says that they are not. Tracks of a
    production recorder (names that are no loudspeakers, and no left and right) and other numbers of
    channels stand alone, each on its own.
    """
    if n_channels == 2 and len(track_names) == 2 and not _is_pair(*track_names):
        return Layout(("", ""))
    if n_channels <= 2:
        return parse_layout(_BY_COUNT[n_channels])
    if mask:
        return layout_of_mask(mask, n_channels)
    if track_names:
        speakers = tuple(_speaker(name) for name in track_names)
        surround = len(speakers) == n_channels == len(set(speakers)) and all(speakers)
        return Layout(speakers if surround else ("",) * n_channels)
    return (
        parse_layout(_BY_COUNT[n_channels]) if n_channels in _BY_COUNT and mask is None else Layout(("",) * n_channels)
    )


def _is_pair(left: str, right: str) -> bool:
    """Tells two sides of one sound from two tracks.

    >>> _is_pair("Mix L", "Mix R"), _is_pair("Boom", "Lav 1")
    (True, False)
    """
    first, second = left.strip().upper(), right.strip().upper()
    return (
        first == second
        or (first[:-1], first[-1:], second[-1:]) == (second[:-1], "L", "R")
        or {
            first,
            second,
        }
        == {"LEFT", "RIGHT"}
    )


def _speaker(name: str) -> str:
    plain = re.sub(r"[\s._-]", "", name).upper()
    return plain if plain in SPEAKERS else _ALIASES.get(plain, "")
