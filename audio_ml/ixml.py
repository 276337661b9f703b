"""The `iXML` chunk of production recorders (ixml.info): what is read from it, and edits that keep every other byte."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from dataclasses import dataclass
from xml.etree import ElementTree

from audio_ml.excerpt import Excerpt

WORD = 1 << 32
BWF_TIME = "BWF_TIME_REFERENCE_LOW", "BWF_TIME_REFERENCE_HIGH"
TIMESTAMP = "TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_LO", "TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_HI"
SYNC_POINT = "SYNC_POINT_LOW", "SYNC_POINT_HIGH"
# Tempered, so that openings without an end are looked at once and not again from each of them.
SYNC_POINT_ELEMENT = re.compile(r"<SYNC_POINT>(?:(?!<SYNC_POINT>).)*?</SYNC_POINT>\s*", re.DOTALL)
UMID_ELEMENT = re.compile(r"(<BWF_UMID(?:\s[^<>]*)?>)([^<]*)(</BWF_UMID\s*>)")
RELATIVE_POINT = re.compile(r"<SYNC_POINT_TYPE\s*>\s*RELATIVE", re.IGNORECASE)


@dataclass(frozen=True)
class Ixml:
    """What an iXML chunk says of its file's time and tracks; None or () where it says nothing.

    `track_names` are in the order of INTERLEAVE_INDEX, which `interleave` holds; `is_xml` tells whether it is well
    formed: the numbers are found in any case.
    """

    time_reference: int | None
    timestamp: int | None
    timestamp_rate: int | None
    sample_rate: int | None
    track_count: int | None
    track_names: tuple[str, ...]
    interleave: tuple[int, ...]
    is_xml: bool


def read_ixml(payload: bytes) -> Ixml:
    """Reads what a separation has to know.

    >>> read_ixml(b"<BWFXML><SPEED><FILE_SAMPLE_RATE>48000</FILE_SAMPLE_RATE></SPEED></BWFXML>").sample_rate
    48000
    """
    text, _, _ = _decode(payload)
    root = _parsed(payload.strip(b"\0 \r\n\t"))
    if root is None:  # not in the encoding that it names, or with padding behind UTF-16
        root = _parsed(text.strip("\ufeff\0 \r\n\t"))
    tracks = [] if root is None else _tracks(root)
    return Ixml(
        time_reference=_pair(text, *BWF_TIME),
        timestamp=_pair(text, *TIMESTAMP),
        timestamp_rate=_number(text, "TIMESTAMP_SAMPLE_RATE"),
        sample_rate=_number(text, "FILE_SAMPLE_RATE"),
        track_count=_number(text, "TRACK_COUNT"),
        track_names=tuple(name for _, name in tracks),
        interleave=tuple(index for index, _ in tracks),
        is_xml=root is not None,
    )


def cut_ixml(payload: bytes, cut: Excerpt) -> bytes:
    """Returns the chunk of an excerpt: time references, rates and sync points are edited, every other byte is kept."""
    text, encoding, rest = _decode(payload)
    text = _with_pair(text, *BWF_TIME, cut.absolute)
    text = _cut_timestamp(text, cut)
    text = _with_number(text, "FILE_SAMPLE_RATE", cut.rescale)
    text = _with_number(text, "PRE_RECORD_SAMPLECOUNT", lambda count: cut.rescale(max(0, count - cut.start)))
    text = _cut_sync_points(text, cut)
    return text.encode(encoding, "surrogatepass") + rest


def ixml_of_stem(payload: bytes, n_bits: int | None, *, keep_umid: bool = False) -> bytes:
    """Returns the chunk of a stem: its UMID is zero, as that of `bext`, and it tells the bits of its own samples.

    >>> ixml_of_stem(b"<BEXT><BWF_UMID>0x060A2B34</BWF_UMID></BEXT>", None)
    b'<BEXT><BWF_UMID>0x00000000</BWF_UMID></BEXT>'
    """
    text, encoding, rest = _decode(payload)
    if not keep_umid:
        text = UMID_ELEMENT.sub(lambda match: match[1] + re.sub("[0-9A-Fa-f]", "0", match[2]) + match[3], text)
    if n_bits is not None:
        text = _with_number(text, "AUDIO_BIT_DEPTH", lambda _: n_bits)
    return text.encode(encoding, "surrogatepass") + rest


def _cut_timestamp(text: str, cut: Excerpt) -> str:
    """Moves the timestamp of the SPEED group, which counts at a rate of its own, such as 48048 Hz in a pulled-up file.

    It keeps that rate where the new one would not be a whole number: its time is exact either way.
    """
    rate = _number(text, "TIMESTAMP_SAMPLE_RATE") or cut.from_rate
    if rate * cut.to_rate % cut.from_rate:
        return _with_pair(text, *TIMESTAMP, lambda time: time + cut.start)
    text = _with_pair(text, *TIMESTAMP, cut.absolute)
    return _with_number(text, "TIMESTAMP_SAMPLE_RATE", cut.rescale)


def _cut_sync_points(text: str, cut: Excerpt) -> str:
    """Moves the sync points; of those that count from the file's beginning, the ones outside are dropped."""
    dropped = 0

    def moved(match: re.Match[str]) -> str:
        nonlocal dropped
        point = _with_number(match[0], "SYNC_POINT_EVENT_DURATION", cut.rescale)
        if not RELATIVE_POINT.search(point):
            return _with_pair(point, *SYNC_POINT, cut.rescale)
        sample = _pair(point, *SYNC_POINT)
        position = None if sample is None else cut.position(sample)
        if sample is not None and position is None:
            dropped += 1
            return ""
        return _with_pair(point, *SYNC_POINT, lambda _: position or 0)

    text = SYNC_POINT_ELEMENT.sub(moved, text)
    return _with_number(text, "SYNC_POINT_COUNT", lambda count: max(0, count - dropped))


def _decode(payload: bytes) -> tuple[str, str, bytes]:
    """Returns text, the encoding that gives back the same bytes, and an odd byte at the end that is in neither.

    Tags are ASCII in every encoding but UTF-16, so Latin-1 serves for the others: nothing else is looked at.
    """
    n_bytes = len(payload) // 2 * 2
    for encoding, marks in (("utf-16-le", (codecs.BOM_UTF16_LE, b"<\0")), ("utf-16-be", (codecs.BOM_UTF16_BE, b"\0<"))):
        if payload.startswith(marks):
            try:
                return payload[:n_bytes].decode(encoding, "surrogatepass"), encoding, payload[n_bytes:]
            except UnicodeDecodeError:  # half a character at the end
                break
    return payload.decode("latin-1"), "latin-1", b""


def _parsed(source: bytes | str) -> ElementTree.Element | None:
    try:
        return ElementTree.fromstring(source)
    except (ElementTree.ParseError, ValueError, LookupError):  # broken, or in an encoding that the parser lacks
        return None


def _tracks(root: ElementTree.Element) -> list[tuple[int, str]]:
    tracks = []
    for position, track in enumerate(root.iterfind("./TRACK_LIST/TRACK"), start=1):
        index = (track.findtext("INTERLEAVE_INDEX") or str(position)).strip()
        tracks.append((int(index) if re.fullmatch("[0-9]{1,9}", index) else 0, (track.findtext("NAME") or "").strip()))
    return sorted(tracks, key=lambda track: track[0])


def _element(tag: str) -> re.Pattern[str]:
    """Matches an element that holds a number: its opening tag, the digits, its closing tag."""
    return re.compile(rf"(<{tag}(?:\s[^<>]*)?>\s*)([0-9]{{1,20}})(\s*</{tag}\s*>)")


def _number(text: str, tag: str) -> int | None:
    match = _element(tag).search(text)
    return int(match[2]) if match else None


def _pair(text: str, low_tag: str, high_tag: str) -> int | None:
    """Returns the number that a low and a high word of 32 bits make."""
    low, high = _number(text, low_tag), _number(text, high_tag)
    return None if low is None else low + (high or 0) * WORD


def _with_number(text: str, tag: str, change: Callable[[int], int]) -> str:
    def changed(match: re.Match[str]) -> str:
        old, new = int(match[2]), change(int(match[2]))
        return match[0] if new == old else f"{match[1]}{new}{match[3]}"

    return _element(tag).sub(changed, text, count=1)


def _with_pair(text: str, low_tag: str, high_tag: str, change: Callable[[int], int]) -> str:
    old = _pair(text, low_tag, high_tag)
    if old is None or (new := change(old)) == old:
        return text
    high, low = divmod(new, WORD)
    if high and _number(text, high_tag) is None:  # it was zero and left out
        text = _element(low_tag).sub(rf"\g<0><{high_tag}>0</{high_tag}>", text, count=1)
    text = _with_number(text, high_tag, lambda _: high)
    return _with_number(text, low_tag, lambda _: low)
