"""What a file says beside its sound: read, fitted to an excerpt or another rate, and carried over to stems."""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from audio_ml import bext, markers
from audio_ml.decoding import FFMPEG_OPTIONS, ffmpeg_name
from audio_ml.errors import UnreadableAudio
from audio_ml.excerpt import Excerpt
from audio_ml.formats import BYTES_PER_SAMPLE, BitDepth
from audio_ml.ixml import Ixml, cut_ixml, ixml_of_stem, read_ixml
from audio_ml.provenance import PROVENANCE_CHUNK, PROVENANCE_TAG
from audio_ml.riff import FILLERS, RiffFile, read_chunks
from audio_ml.streams import show
from audio_ml.timecode import take_start_timecode

if TYPE_CHECKING:
    from audio_ml.loudness import Loudness

WAVE_FORMAT_EXTENSIBLE = 0xFFFE
FRAMED_FORMATS = {0x0001, 0x0003, 0x0006, 0x0007}  # PCM, float, A-law, mu-law
SOUND = FILLERS | {b"fmt ", b"fact", b"data", PROVENANCE_CHUNK}  # what a writer makes anew

# What people and their programs wrote about the recording. Left behind is what describes the sound's own bytes, which
# a stem does not share: peak, levl, qlty, umid, dbmd, ubxt, link, and the views and regions of programs (minf, regn).
CARRIED = {
    b"bext",  # EBU Tech 3285
    b"iXML",  # ixml.info
    b"CSET",  # the character set of INFO and adtl
    b"cue ",
    b"plst",
    b"smpl",
    b"inst",
    b"acid",  # tempo and key
    b"cart",  # AES46
    b"DISP",
    b"axml",  # ITU-R BS.2076, with chna: a stem has the source's channels
    b"chna",
    b"_PMX",  # XMP
    b"id3 ",
    b"ID3 ",
}
CARRIED_LISTS = {b"adtl", b"INFO"}

# Chunks with times inside that nothing here can edit, and the words that betray them: a part of the sound goes without.
TIMED = {
    b"axml": (b"rtime", b"start="),
    b"_PMX": (b"xmpDM:startTime", b"xmpDM:altTimecode", b"xmpDM:markers"),
    b"id3 ": (b"CHAP", b"SYLT", b"ETCO"),
    b"ID3 ": (b"CHAP", b"SYLT", b"ETCO"),
    b"acid": (b"",),  # counts the beats of the whole
}

CONTAINER_TAGS = {
    "major_brand",
    "minor_version",
    "compatible_brands",
    "handler_name",
    "vendor_id",
    "encoder",
    "duration",
    PROVENANCE_TAG.lower(),
    "waveformatextensible_channel_mask",
}
SOUND_TAGS = (
    "replaygain_",
    "r128_",
    "itunnorm",
    "itunsmpb",
    "acoustid_fingerprint",
    "coding_history",
    "umid",
    "loudness",
)

# Of tags as FFmpeg names them, for sources that have no chunks; FFmpeg reads them back under the same names.
BEXT_TAGS = {"time_reference", "description", "originator"}
INFO_IDS = {
    "title": b"INAM",
    "artist": b"IART",
    "album": b"IPRD",
    "date": b"ICRD",
    "genre": b"IGNR",
    "track": b"IPRT",
    "comment": b"ICMT",
    "copyright": b"ICOP",
    "language": b"ILNG",
}


@dataclass(frozen=True)
class Metadata:
    """What is carried over from a source.

    `chunks` are RIFF chunks in the order to write them, `tags` those of FLAC, MP3, M4A, Ogg, Opus, WMA and others.
    `track_names` are iXML's, one per channel in the file's order, or (). `left` names what is not carried, `warnings`
    tells damage and contradictions, in half a sentence each. `n_samples` is the source's length, None where unknown.
    """

    chunks: tuple[tuple[bytes, bytes], ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    channel_mask: int | None = None
    track_names: tuple[str, ...] = ()
    is_bw64: bool = False
    left: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    n_samples: int | None = None

    @property
    def time_reference(self) -> int | None:
        """The time of the first sample in samples since midnight, of `bext` or a tag of that name."""
        chunk = self._payload(b"bext")
        if chunk is not None:
            return bext.time_reference(chunk)
        return next((int(text) for key, text in self.tags.items() if _is_time(key, text)), None)

    @property
    def umid(self) -> str | None:
        """The SMPTE 330M identifier of the source's essence in hex."""
        chunk = self._payload(b"bext")
        return None if chunk is None else bext.umid(chunk)

    def cut(self, start_samples: int, n_samples: int, sample_rate: int, new_rate: int) -> Metadata:
        """Returns the metadata of an excerpt of `n_samples` from `start_samples` on, resampled to `new_rate` Hz.

        Times are moved with whole numbers; markers outside are dropped with their labels. The whole at its own rate
        is an equal value.

        >>> Metadata(tags={"time_reference": "48000"}).cut(100, 50, 48000, 96000).tags
        {'time_reference': '96200'}
        """
        is_whole = start_samples == 0 and self.n_samples is not None and n_samples >= self.n_samples
        end = None if is_whole else start_samples + n_samples
        cut = Excerpt(start_samples, end, sample_rate, new_rate)
        if not cut.is_part and sample_rate == new_rate:
            return self
        lost = [id for id, payload in self.chunks if cut.is_part and _holds_times(id, payload)]
        if b"axml" in lost:
            lost.append(b"chna")  # its rows point into axml
        names = tuple(sorted(_name(id) for id, _ in self.chunks if id in lost))
        kept = [(id, payload) for id, payload in self.chunks if id not in lost]
        reasons = (f"{name} is left out: its times are those of the whole file" for name in names)
        length = None if self.n_samples is None else max(0, min(n_samples, self.n_samples - start_samples))
        return replace(
            self,
            chunks=_cut_chunks(kept, cut),
            tags=_cut_tags(self.tags, cut),
            left=self.left + names,
            warnings=(*self.warnings, *reasons),
            n_samples=None if length is None else cut.rescale(length),
        )

    def for_stem(
        self,
        *,
        coding_history: str,
        keep_umid: bool = False,
        loudness: Loudness | None = None,
        bit_depth: BitDepth | None = None,
    ) -> tuple[tuple[bytes, bytes], ...]:
        """Returns the chunks of a stem: `bext` with one more line of history, a zero UMID and the stem's loudness.

        iXML tells the same UMID, and the bit depth where it is given. The sizes do not depend on `loudness`, which is
        known only when the stem was written. No `bext` is invented. The tags of a source that is no WAVE file become a
        LIST INFO, and a bext where they have a time reference.
        """

        n_bits = None if bit_depth is None else 8 * BYTES_PER_SAMPLE[bit_depth]

        def adapted(id: bytes, payload: bytes) -> bytes:
            if id == b"bext":
                payload = bext.with_loudness(bext.with_history_line(payload, coding_history), loudness)
                return payload if keep_umid else bext.without_umid(payload)
            if id == b"iXML":
                return ixml_of_stem(payload, n_bits, keep_umid=keep_umid)
            return payload

        if not self.chunks:
            return self._chunks_of_tags(coding_history)
        return tuple((id, adapted(id, payload)) for id, payload in self.chunks)

    def fate(self, *, in_wave: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Returns the names of what a stem carries, in a WAVE file or another, and of what is left behind.

        >>> Metadata(tags={"title": "Reel", "isrc": "X"}).fate(in_wave=True)
        (('INFO',), ('isrc',))
        """
        chunks = tuple(_name(payload[:4] if id == b"LIST" else id) for id, payload in self.chunks)
        if not in_wave:
            return (("tags",) if self.tags else ()), (*chunks, *self.left)
        if chunks:
            return chunks, self.left
        kept = {*INFO_IDS, *(BEXT_TAGS if self.time_reference is not None else ())}
        lost = tuple(key for key in self.tags if key.lower() not in kept)
        made = self._chunks_of_tags("")
        return tuple(_name(payload[:4] if id == b"LIST" else id) for id, payload in made), (*lost, *self.left)

    def _chunks_of_tags(self, coding_history: str) -> tuple[tuple[bytes, bytes], ...]:
        by_name = {key.lower(): text for key, text in self.tags.items()}
        if self.time_reference is None:
            return _info_of(by_name)
        new = bext.create(by_name.get("description", ""), by_name.get("originator", ""), self.time_reference)
        return ((b"bext", bext.with_history_line(new, coding_history)), *_info_of(by_name))

    def _payload(self, id: bytes) -> bytes | None:
        return next((payload for other, payload in self.chunks if other == id), None)


def read_metadata(path: str | os.PathLike[str], *, tags_of_wave: bool = True) -> Metadata:
    """Reads the metadata of any media file; what is damaged in it becomes a warning.

    A WAVE file's chunks are also given as tags, for stems of another format, unless `tags_of_wave` is off.

    Raises:
        UnreadableAudio: when the file itself cannot be read.

    >>> read_metadata("film.wav").time_reference                                # doctest: +SKIP
    172800000
    """
    try:
        file = read_chunks(path)
        metadata = Metadata() if file is None else _of_wave(file)
    except OSError as error:
        raise UnreadableAudio(f"{show(path)} cannot be read: {error.strerror}.") from error
    if file is not None and not tags_of_wave:
        return metadata
    tags, left = _tags(Path(path))
    return replace(metadata, tags=tags, left=left if file is None else metadata.left)  # of WAVE, chunks hold the same


def _of_wave(file: RiffFile) -> Metadata:
    chunks, left, warnings = [], [], list(file.warnings)
    for chunk in file.chunks:
        if chunk.id in SOUND:
            continue
        is_carried = chunk.id in CARRIED or (chunk.id == b"LIST" and chunk.list_type in CARRIED_LISTS)
        payload = file.payload(chunk) if is_carried else None
        if is_carried and payload is None:
            warnings.append(f"{chunk.name} is left out: {chunk.size} bytes are too many")
        if payload is not None and chunk.id == b"bext":
            payload = _whole_bext(payload, warnings)
        if payload is None:
            left.append(chunk.name)
        else:
            chunks.append((chunk.id, payload))
    format_chunk = file.find(b"fmt ")
    form = _Form.read((format_chunk and file.payload(format_chunk)) or b"")
    payloads = dict(chunks)
    ixml = read_ixml(payloads[b"iXML"]) if b"iXML" in payloads else None
    if ixml is not None:
        warnings += _contradictions(ixml, payloads.get(b"bext"), form)
    return Metadata(
        chunks=tuple(sorted(chunks, key=lambda chunk: chunk[0] != b"bext")),
        channel_mask=form.channel_mask,
        track_names=_track_names(ixml, form),
        is_bw64=file.magic == b"BW64",
        left=tuple(left),
        warnings=tuple(warnings),
        n_samples=_length(file, form),
    )


@dataclass(frozen=True)
class _Form:
    """What the `fmt ` chunk says; `frame_bytes` is zero where frames have no fixed size, as in ADPCM."""

    n_channels: int = 0
    sample_rate: int = 0
    frame_bytes: int = 0
    channel_mask: int | None = None

    @classmethod
    def read(cls, payload: bytes) -> _Form:
        if len(payload) < 16:
            return cls()
        tag, n_channels, sample_rate, _, frame_bytes, _ = struct.unpack_from("<HHIIHH", payload)
        mask = None
        if tag == WAVE_FORMAT_EXTENSIBLE and len(payload) >= 26:
            mask, tag = struct.unpack_from("<IH", payload, 20)
        return cls(n_channels, sample_rate, frame_bytes if tag in FRAMED_FORMATS else 0, mask or None)


def _length(file: RiffFile, form: _Form) -> int | None:
    """Returns the number of samples per channel, of coded sound as `fact` has it."""
    data, fact = file.find(b"data"), file.find(b"fact")
    if data is not None and form.frame_bytes:
        return data.size // form.frame_bytes
    return None if fact is None or fact.size < 4 else int.from_bytes((file.payload(fact) or b"")[:4], "little") or None


def _whole_bext(payload: bytes, warnings: list[str]) -> bytes | None:
    whole = bext.repaired(payload)
    if whole is None:
        warnings.append(f"bext is left out: {len(payload)} bytes are too few")
    elif len(payload) < bext.FIXED_BYTES:
        warnings.append(f"bext has {len(payload)} of {bext.FIXED_BYTES} bytes: the rest is set to zero")
    return whole


def _contradictions(ixml: Ixml, bext_chunk: bytes | None, form: _Form) -> list[str]:
    """Says where iXML and the other chunks disagree; all of them are carried as they are."""
    found = []
    if not ixml.is_xml:
        found.append("iXML is damaged: its track names cannot be read")
    if ixml.sample_rate is not None and ixml.sample_rate != form.sample_rate:
        found.append(f"iXML says {ixml.sample_rate} Hz, the file {form.sample_rate} Hz")
    n_tracks = ixml.track_count if ixml.track_count is not None else len(ixml.track_names) or None
    if n_tracks is not None and n_tracks != form.n_channels:
        found.append(f"iXML says {n_tracks} tracks, the file {form.n_channels} channels")
    if bext_chunk is None:
        return found
    time = bext.time_reference(bext_chunk)
    if ixml.time_reference is not None and ixml.time_reference != time:
        found.append(f"bext begins at sample {time}, iXML's BWF_TIME_REFERENCE at {ixml.time_reference}")
    if ixml.timestamp is not None and ixml.timestamp != time:
        # A timestamp may count at another rate: then the times have to be equal, to the sample.
        rate = ixml.timestamp_rate or form.sample_rate
        if abs(ixml.timestamp * form.sample_rate - time * rate) > max(rate, form.sample_rate):
            found.append(f"bext begins at sample {time}, iXML's timestamp at {ixml.timestamp} of {rate} Hz")
    return found


def _track_names(ixml: Ixml | None, form: _Form) -> tuple[str, ...]:
    """Returns a name for each channel, when iXML names them and knows which is which."""
    if ixml is None or ixml.interleave != tuple(range(1, form.n_channels + 1)) or not any(ixml.track_names):
        return ()
    return ixml.track_names


def _cut_chunks(chunks: list[tuple[bytes, bytes]], cut: Excerpt) -> tuple[tuple[bytes, bytes], ...]:
    cue = next((payload for id, payload in chunks if id == b"cue "), b"")
    places = markers.cue_places(cue)
    cue, dropped = markers.cut_cue(cue, cut)

    def fitted(id: bytes, payload: bytes) -> bytes:
        if id == b"bext":
            return bext.with_time_reference(payload, cut.absolute(bext.time_reference(payload)))
        if id == b"LIST" and payload[:4] == b"adtl":
            return markers.cut_adtl(payload, cut, dropped, places)
        if id == b"plst":
            return markers.cut_plst(payload, cut, dropped, places)
        simple = {b"iXML": cut_ixml, b"smpl": markers.cut_smpl, b"cart": markers.cut_cart}.get(id)
        return payload if simple is None else simple(payload, cut)

    return tuple((id, cue if id == b"cue " else fitted(id, payload)) for id, payload in chunks)


def _cut_tags(tags: Mapping[str, str], cut: Excerpt) -> dict[str, str]:
    return {key: str(cut.absolute(int(text))) if _is_time(key, text) else text for key, text in tags.items()}


def _holds_times(id: bytes, payload: bytes) -> bool:
    return any(word in payload for word in TIMED.get(id, ()))


def _is_time(key: str, text: str) -> bool:
    return key.lower() == "time_reference" and text.isascii() and text.isdecimal() and len(text) <= 20


def _info_of(tags: Mapping[str, str]) -> tuple[tuple[bytes, bytes], ...]:
    """Returns the LIST INFO chunk of the tags that it has an id for, if any."""
    entries = b""
    for name, id in INFO_IDS.items():
        if text := tags.get(name, "").encode():
            entries += struct.pack("<4sI", id, len(text) + 1) + text + bytes(2 - len(text) % 2)
    return ((b"LIST", b"INFO" + entries),) if entries else ()


def _name(id: bytes) -> str:
    return id.decode("latin-1").strip()


def _tags(path: Path) -> tuple[dict[str, str], tuple[str, ...]]:
    """Returns the tags of container and sound track, and the names of those that only fit the source's own sound."""
    import av

    try:
        with av.open(ffmpeg_name(path), options=FFMPEG_OPTIONS) as container:
            streams = container.streams.audio
            found = {**(streams[0].metadata if streams else {}), **container.metadata}
            timecode = take_start_timecode(container, found)
    except UnicodeDecodeError:  # in no encoding that they should be in: some versions of PyAV refuse them all
        return {}, ("tags",)
    except av.FFmpegError:  # libsndfile reads some files that FFmpeg does not, and those have no tags
        return {}, ()
    tags = {key: text for key, text in found.items() if key.lower() not in CONTAINER_TAGS and text != "und"}
    left = tuple(key for key in tags if key.lower().startswith(SOUND_TAGS))
    return {key: text for key, text in tags.items() if key not in left}, (*left, *timecode)
