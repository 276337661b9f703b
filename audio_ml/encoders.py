"""The files behind `AudioWriter`: one class for each way of encoding, all with write, close and abandon."""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from audio_ml.audio import Samples
from audio_ml.decoding import ffmpeg_name
from audio_ml.errors import InvalidOption
from audio_ml.formats import RAW, BitDepth, Format
from audio_ml.layouts import MASK_TAG, NO_PLACES, layout_of_mask
from audio_ml.provenance import PROVENANCE_CHUNK, PROVENANCE_TAG
from audio_ml.streams import BLOCK_SAMPLES
from audio_ml.wav import Chunks, WavWriter, encode

PROVENANCE_BOX = bytes.fromhex("b2a41f5e0c6c4be2a0f3617564696f6d")  # the uuid of a box in an MP4 file

_LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}


@dataclass(frozen=True)
class Identity:
    """What a file carries beside its sound: RIFF `chunks` (WAV), `tags` (other formats), mask, and its provenance.

    A `channel_mask` of 0 says that the channels belong to no loudspeakers, or stand in another order than a mask has;
    without any, FLAC takes them for its own.
    """

    chunks: Chunks = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    channel_mask: int | None = None
    is_bw64: bool = False
    provenance: str = ""


class Encoder(Protocol):
    """What `AudioWriter` asks of a file that is being written; any failure is an `OSError`."""

    def write(self, block: Samples) -> None:
        """Takes a block [channels, n], rounded to the bit depth."""

    def close(self, chunks: Chunks | None = None) -> None:
        """Completes the file; `chunks` replace those of its identity, where it holds chunks."""

    def abandon(self) -> None:
        """Lets go of the file, whatever state it is in: it is about to be removed."""


def open_encoder(
    path: Path, format: Format, sample_rate: int, n_channels: int, bit_depth: BitDepth, bitrate_kbps: int, its: Identity
) -> Encoder:
    """Begins a file of a format at an empty path.

    Raises:
        InvalidOption: when the format cannot hold it.
        OSError: when it cannot be written.
    """
    if format.name == "wav":
        return _WavEncoder(path, sample_rate, n_channels, bit_depth, its)
    if format is RAW:
        return _RawEncoder(path, bit_depth)
    if format.name == "ogg":
        return _VorbisEncoder(path, sample_rate, n_channels, bitrate_kbps, its)
    return _FFmpegEncoder(path, format, sample_rate, n_channels, bit_depth, bitrate_kbps, its)


class _WavEncoder:
    """WAV, RF64 and BW64, with the provenance in a chunk behind the sound."""

    def __init__(self, path: Path, sample_rate: int, n_channels: int, bit_depth: BitDepth, its: Identity) -> None:
        self._trailer = [(PROVENANCE_CHUNK, its.provenance.encode())] if its.provenance else []
        self._writer = WavWriter(
            path,
            sample_rate,
            n_channels,
            bit_depth,
            channel_mask=its.channel_mask,
            chunks=its.chunks,
            magic=b"BW64" if its.is_bw64 else b"RIFF",
        )

    def write(self, block: Samples) -> None:
        self._writer.write(block)

    def close(self, chunks: Chunks | None = None) -> None:
        self._writer.close(chunks, self._trailer)

    def abandon(self) -> None:
        self._writer.abandon()


class _RawEncoder:
    """The samples as WAV has them, without a header."""

    def __init__(self, path: Path, bit_depth: BitDepth) -> None:
        self._bit_depth = bit_depth
        self._file = path.open("wb")

    def write(self, block: Samples) -> None:
        self._file.write(encode(block, self._bit_depth))

    def close(self, chunks: Chunks | None = None) -> None:
        self._file.close()

    def abandon(self) -> None:
        with contextlib.suppress(OSError):  # the disk may be full
            self._file.close()


class _FFmpegEncoder:
    """All that FFmpeg's libraries encode: FLAC, AIFF and the lossy formats but Ogg Vorbis."""

    def __init__(
        self,
        path: Path,
        format: Format,
        sample_rate: int,
        n_channels: int,
        bit_depth: BitDepth,
        bitrate_kbps: int,
        its: Identity,
    ) -> None:
        import av

        self._av = av
        self._path = path
        self._sample_rate = sample_rate
        self._position = 0
        self._depth = bit_depth
        self._form = "flt" if format.lossy else {"16": "s16", "24": "s32", "32f": "flt"}[bit_depth]
        self._layout = _layout(format, n_channels, its.channel_mask)
        self._box = its.provenance.encode() if format.container == "ipod" else b""
        options = {"write_id3v2": "1"} if format.container == "aiff" else {}
        try:
            self._container = av.open(ffmpeg_name(path), "w", format=format.container, options=options)
            stream: Any = self._container.add_stream(format.codec or dict(format.codecs)[bit_depth], rate=sample_rate)
            stream.layout = self._layout
            if format.lossy:
                stream.bit_rate = bitrate_kbps * 1000
            else:
                stream.format = self._form
            self._container.metadata.update(_with_provenance(its, unless=bool(self._box)))
            if format.name == "flac" and n_channels > 2 and its.channel_mask == 0:
                self._container.metadata[MASK_TAG] = NO_PLACES[0]
            stream.codec_context.open()
        except (av.FFmpegError, ValueError) as error:
            raise InvalidOption(
                f"{format.name} cannot hold {n_channels} channels at {sample_rate} Hz: {error}."
            ) from error
        self._stream = stream
        self._n_channels = n_channels
        self._frame_samples = stream.codec_context.frame_size if format.name in ("m4a", "wma") else 0
        self._drops_ends = format.name == "wma"  # decoders give neither its first frame nor the last
        if self._drops_ends:
            self._put_silence(self._frame_samples)

    def write(self, block: Samples) -> None:
        self._put(block)

    def _put(self, block: Samples) -> None:
        frame = self._av.AudioFrame.from_ndarray(self._codes(block), self._form, self._layout)
        frame.sample_rate = self._sample_rate
        frame.pts = self._position
        self._position += block.shape[1]
        self._encode(frame)

    def _put_silence(self, n_samples: int) -> None:
        if n_samples:
            self._put(np.zeros((self._n_channels, n_samples), np.float32))

    def _codes(self, block: Samples) -> Any:
        """Returns samples as FFmpeg takes them here: interleaved, as floats or as codes of the bit depth."""
        interleaved = np.ascontiguousarray(block.T).reshape(1, -1)
        if self._form == "flt":
            return interleaved
        codes = np.rint(interleaved * np.float32(1 << (int(self._depth) - 1)))
        return codes.astype(np.int16) if self._depth == "16" else codes.astype(np.int32) << 8

    def close(self, chunks: Chunks | None = None) -> None:
        if self._frame_samples:  # decoders may leave out a last frame that is not full
            self._put_silence(-self._position % self._frame_samples + self._frame_samples * self._drops_ends)
        self._encode(None)
        try:
            self._container.close()
        except self._av.FFmpegError as error:
            raise OSError(error.errno, error.strerror) from error
        if self._box:
            with self._path.open("ab") as file:
                size = 8 + len(PROVENANCE_BOX) + len(self._box)
                file.write(struct.pack(">I4s", size, b"uuid") + PROVENANCE_BOX + self._box)

    def _encode(self, frame: Any) -> None:
        try:
            self._container.mux(self._stream.encode(frame))
        except self._av.FFmpegError as error:
            raise OSError(error.errno, error.strerror) from error

    def abandon(self) -> None:
        try:
            self._container.close()
        except self._av.FFmpegError:
            return


class _VorbisEncoder:
    """Ogg Vorbis, which FFmpeg's libraries here cannot encode: libsndfile does, FFmpeg then adds the tags."""

    def __init__(self, path: Path, sample_rate: int, n_channels: int, bitrate_kbps: int, its: Identity) -> None:
        import soundfile

        self._path = path
        self._untagged = path.with_name(path.name + ".ogg")
        self._tags = _with_provenance(its)
        self._error: type[Exception] = soundfile.LibsndfileError
        try:
            self._file = soundfile.SoundFile(
                os.fsencode(self._untagged),
                "w",
                sample_rate,
                n_channels,
                "VORBIS",
                format="OGG",
                compression_level=_vorbis_compression(bitrate_kbps),
            )
        except soundfile.LibsndfileError as error:
            self._untagged.unlink(missing_ok=True)
            raise InvalidOption(
                f"ogg cannot hold {n_channels} channels at {sample_rate} Hz: {error.error_string}"
            ) from error

    def write(self, block: Samples) -> None:
        try:
            for start in range(0, block.shape[1], BLOCK_SAMPLES):  # a minute at once overflows Vorbis' stack
                self._file.write(block[:, start : start + BLOCK_SAMPLES].T)
        except self._error as error:
            raise OSError(str(error)) from error

    def close(self, chunks: Chunks | None = None) -> None:
        try:
            self._file.close()
        except self._error as error:
            raise OSError(str(error)) from error
        _copy_with_tags(self._untagged, self._path, self._tags)
        self._untagged.unlink()

    def abandon(self) -> None:
        try:
            self._file.close()
        except self._error:
            return
        finally:
            self._untagged.unlink(missing_ok=True)


def _layout(format: Format, n_channels: int, mask: int | None) -> str:
    """Returns FFmpeg's name of the channels: FLAC keeps any mask, lossy codecs know few, AIFF has none."""
    if n_channels <= 2:
        return _LAYOUTS[n_channels]
    if format.name == "aiff":
        return f"{n_channels} channels"
    speakers = layout_of_mask(mask or 0, n_channels).speakers
    if format.name == "flac" and all(speakers):
        return "+".join(speakers)
    return _LAYOUTS.get(n_channels, f"{n_channels} channels")


def _with_provenance(its: Identity, unless: bool = False) -> dict[str, str]:
    return dict(its.tags) | ({PROVENANCE_TAG: its.provenance} if its.provenance and not unless else {})


def _copy_with_tags(source: Path, target: Path, tags: Mapping[str, str]) -> None:
    """Copies an Ogg file packet by packet, with other tags."""
    import av

    try:
        with av.open(ffmpeg_name(source)) as untagged, av.open(ffmpeg_name(target), "w", format="ogg") as tagged:
            track = untagged.streams.audio[0]
            copy = tagged.add_stream_from_template(track)
            copy.metadata.update(tags)
            for packet in untagged.demux(track):
                if packet.dts is not None:  # the last one is empty
                    packet.stream = copy
                    tagged.mux(packet)
    except av.FFmpegError as error:
        raise OSError(error.errno, error.strerror) from error


def _vorbis_compression(bitrate_kbps: int) -> float:
    """Returns libsndfile's compression level (0 best, 1 smallest) for a nominal stereo bit rate of Vorbis."""
    nominal_kbps = (64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 500)  # of qualities 0 to 10
    return 1.0 - float(np.interp(bitrate_kbps, nominal_kbps, np.arange(11))) / 10
