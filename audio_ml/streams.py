"""Reads and resamples any media file block by block: with `decoding.py` and `writer.py` the only place that does."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from audio_ml.audio import Audio, Samples
from audio_ml.decoding import FFMPEG_OPTIONS, Decoding, ffmpeg_name
from audio_ml.errors import InvalidInput, UnreadableAudio
from audio_ml.excerpt import Excerpt
from audio_ml.layouts import MASK_TAG, NO_PLACES, mask_of_speakers

BLOCK_SAMPLES = 1 << 16
UNKNOWN_RIFF_SIZE = 0xFFFFFFFF - (1 << 16)  # what programs write that do not know the size yet
UNKNOWN_FRAMES = 2**63 - 1  # what libsndfile takes FLAC for that was streamed
PLAYLISTS = (b"#EXTM3U", b"ffconcat", b"<MPD", b"<?xml")
EXACT_SEEK = {"WAV", "WAVEX", "RF64", "W64", "AIFF", "FLAC", "CAF", "AU"}


@dataclass(frozen=True)
class AudioInfo:
    """What a file says of itself; `n_samples` per channel is an estimate where `exact` is False.

    `channel_mask` (see `audio_ml/layouts.py`) is None where the format or the file has none, and 0 where a FLAC
    says that its channels belong to no loudspeakers; that of a WAV file is part of its metadata.
    """

    sample_rate: int
    n_channels: int
    n_samples: int | None
    exact: bool
    format: str
    subtype: str
    channel_mask: int | None = None


@dataclass
class AudioReader:
    """Reads the sound of a media file (audio, or the first sound track of a video) in blocks.

    `start_seconds` and `duration_seconds` choose an excerpt, right to the sample. After reading,
    `n_read` is the length and `warnings` says what was odd.

    Raises:
        UnreadableAudio: when the file is missing, no audio, or holds NaN or infinite samples.

    >>> reader = AudioReader("song.flac")                                       # doctest: +SKIP
    >>> sum(block.shape[1] for block in reader.blocks()) == reader.n_read       # doctest: +SKIP
    True
    """

    path: str | os.PathLike[str]
    start_seconds: float = 0.0
    duration_seconds: float | None = None
    info: AudioInfo = field(init=False)
    n_read: int = field(init=False, default=0)
    warnings: list[str] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        path = Path(self.path)
        try:
            with path.open("rb") as file:
                beginning = file.read(64)
            if not beginning:
                raise UnreadableAudio(f"{show(path)} is empty.")
            if beginning.lstrip().startswith(PLAYLISTS):
                raise UnreadableAudio(f"{show(path)} is a list of other files, not an audio or video file.")
            self._stamp = _stamp(path)
            self.info = _sndfile_info(path) or _ffmpeg_info(path)
        except IsADirectoryError:
            raise UnreadableAudio(f"{show(path)} is a folder, not an audio file.") from None
        except FileNotFoundError:
            raise UnreadableAudio(f"{show(path)} does not exist.") from None
        except OSError as error:
            raise UnreadableAudio(f"{show(path)} cannot be read: {error.strerror}.") from error
        rate, total = self.info.sample_rate, self.info.n_samples
        self._skip = round(self.start_seconds * rate)
        self._limit = None if self.duration_seconds is None else round(self.duration_seconds * rate)
        if self.info.exact and total is not None and self._skip >= max(total, 1):
            raise self._begins_too_late(total)
        if self._limit == 0:
            raise InvalidInput(f"{show(path)} has {rate} Hz: {self.duration_seconds} s of it are not one sample.")

    @property
    def n_expected(self) -> int | None:
        """The number of samples this reader will give, as far as the file's own word goes."""
        if self.info.n_samples is None:
            return self._limit
        available = max(0, self.info.n_samples - self._skip)
        return available if self._limit is None else min(available, self._limit)

    def blocks(self) -> Iterator[Samples]:
        """Yields float32 blocks [channels, n], from the beginning each time; at least one sample, every one finite."""
        path = Path(self.path)
        self.n_read = 0
        self.warnings.clear()
        decoded = _sndfile_blocks(path, self._skip) if self.info.exact else self._decoded_after_skip(path)
        for block in _limited(decoded, self._limit):
            if not np.isfinite(block).all():
                position = self.n_read + int(np.argmin(np.isfinite(block).all(axis=0)))
                raise UnreadableAudio(f"{show(path)} holds NaN or infinite samples, the first at {position}.")
            self.n_read += block.shape[1]
            yield block
        if self.n_read == 0:
            raise UnreadableAudio(f"{show(path)} holds no samples to read.")
        try:
            self._check_end(path)
        except OSError as error:
            raise UnreadableAudio(f"{show(path)} went away while it was read: {error.strerror}.") from error

    def __iter__(self) -> Iterator[Samples]:
        return self.blocks()

    def _check_end(self, path: Path) -> None:
        if self._stamp != _stamp(path):
            raise UnreadableAudio(f"{show(path)} changed while it was read; try again when nothing writes to it.")
        if self._is_cut_short():
            seconds = self.n_read / self.info.sample_rate
            self.warnings.append(f"{show(path)} is cut short or damaged: {seconds:.2f} s of sound are left of it.")

    def _is_cut_short(self) -> bool:
        """Tells whether the file holds less than it promises: in its header, or as its RIFF or AIFF size."""
        expected = self.n_expected
        promise_is_a_guess = self.info.format == "FFMPEG"
        if (
            expected is not None
            and not promise_is_a_guess
            and self.n_read < (1 if self.info.exact else 0.98) * expected
        ):
            return True
        path = Path(self.path)
        with path.open("rb") as file:
            header = file.read(8)
        byte_order = {b"RIFF": "<", b"FORM": ">"}.get(header[:4])
        if byte_order is None:
            return False
        (promised,) = struct.unpack(byte_order + "I", header[4:])
        return bool(promised < UNKNOWN_RIFF_SIZE and promised + 8 > path.stat().st_size + 1)

    def _decoded_after_skip(self, path: Path) -> Iterator[Samples]:
        """Decodes from the beginning and drops what was to be skipped: seeking is not exact in lossy files."""
        missing = self._skip
        sndfile = self.info.format != "FFMPEG"
        for block in _sndfile_blocks(path, 0) if sndfile else self._ffmpeg_blocks(path):
            dropped = min(missing, block.shape[1])
            missing -= dropped
            if dropped < block.shape[1]:
                yield block[:, dropped:]
        if self._skip > missing and self.n_read == 0:
            raise self._begins_too_late(self._skip - missing)

    def _begins_too_late(self, n_samples: int) -> InvalidInput:
        end = n_samples / self.info.sample_rate
        return InvalidInput(f"{show(self.path)} ends at {end:.3f} s: it cannot start at {self.start_seconds} s.")

    def _ffmpeg_blocks(self, path: Path) -> Iterator[Samples]:
        import av

        def note(text: str) -> None:
            self.warnings.append(f"{show(path)} {text}")

        try:
            yield from Decoding(path, self.info.sample_rate, self.info.n_channels, note).blocks()
        except av.FFmpegError as error:
            position = self.n_read / self.info.sample_rate
            raise UnreadableAudio(f"{show(path)} is damaged near {position:.2f} s: {error.strerror}.") from error


def _stamp(path: Path) -> tuple[int, int]:
    """Returns what changes when somebody writes to a file."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _limited(blocks: Iterable[Samples], limit: int | None) -> Iterator[Samples]:
    for block in blocks:
        wanted = block if limit is None else block[:, :limit]
        if wanted.shape[1]:
            yield wanted
        if limit is not None:
            limit -= wanted.shape[1]
            if limit == 0:
                return


def _sndfile_info(path: Path) -> AudioInfo | None:
    import soundfile

    try:
        info = soundfile.info(os.fsencode(path))
    except soundfile.LibsndfileError:
        return None
    if info.frames in (0, UNKNOWN_FRAMES):  # the header of an unfinished recording or a stream: FFmpeg reads on
        return None
    if info.format == "OGG" and info.channels > 2:  # in an order of its own, which FFmpeg brings into WAVE's
        return None
    exact = info.format in EXACT_SEEK
    mask = _ffmpeg_info(path).channel_mask if info.format == "FLAC" and info.channels > 2 else None
    return AudioInfo(info.samplerate, info.channels, info.frames, exact, info.format, info.subtype, mask)


def _sndfile_blocks(path: Path, skip: int) -> Iterator[Samples]:
    import soundfile

    try:
        with soundfile.SoundFile(os.fsencode(path)) as file:
            file.seek(skip)
            while True:
                block = file.read(BLOCK_SAMPLES, dtype="float32", always_2d=True)
                if not len(block):
                    return
                yield np.ascontiguousarray(block.T)
    except soundfile.LibsndfileError as error:
        raise UnreadableAudio(f"{show(path)} is damaged: {error.error_string}") from error


def _ffmpeg_info(path: Path) -> AudioInfo:
    import av

    try:
        with av.open(ffmpeg_name(path), options=FFMPEG_OPTIONS, metadata_errors="replace") as container:
            if not container.streams.audio:
                raise UnreadableAudio(f"{show(path)} has no sound track.")
            stream = container.streams.audio[0]
            if stream.codec_context is None:
                raise UnreadableAudio(f"{show(path)} has sound in a form that nobody here knows.")
            if not stream.rate or not stream.codec_context.channels:
                raise UnreadableAudio(f"{show(path)} says that its sound has no channels, or no sample rate.")
            seconds = (container.duration or 0) / 1_000_000
            n_samples = round(seconds * stream.rate) or None
            context = stream.codec_context
            speakers = [channel.name for channel in context.layout.channels]
            mask = mask_of_speakers(speakers) if len(speakers) > 2 else None
            if len(speakers) > 2 and container.metadata.get(MASK_TAG) in NO_PLACES:
                mask = 0
            return AudioInfo(stream.rate, context.channels, n_samples, False, "FFMPEG", context.name, mask)
    except av.FFmpegError as error:
        raise UnreadableAudio(f"{show(path)} is not an audio or video file that can be read.") from error


class Resampler:
    """Changes the sample rate of a stream [channels, n], without delay.

    After `finish`, an input of n samples has given n * to_rate / from_rate samples, rounded half up.
    """

    def __init__(self, from_rate: int, to_rate: int, n_channels: int) -> None:
        self._stream: Any = None
        if from_rate != to_rate:
            import soxr

            self._stream = soxr.ResampleStream(from_rate, to_rate, n_channels, dtype="float32", quality="HQ")
        self._n_channels = n_channels
        self._length = Excerpt(0, None, from_rate, to_rate)
        self._n_taken = self._n_given = 0

    def push(self, block: Samples) -> Samples:
        """Takes the next block and returns what is ready, which may be nothing."""
        return self._feed(block, last=False)

    def finish(self) -> Samples:
        """Returns the rest."""
        rest = self._feed(np.zeros((self._n_channels, 0), np.float32), last=True)
        missing = self._length.rescale(self._n_taken) - self._n_given
        # Where the length ends in one half, soxr gives now the lower, now the upper whole number.
        return rest[:, :missing] if missing < 0 else np.pad(rest, ((0, 0), (0, missing)))

    def stream(self, blocks: Iterable[Samples]) -> Iterator[Samples]:
        """Resamples a whole stream."""
        for block in blocks:
            yield self.push(block)
        yield self.finish()

    def _feed(self, block: Samples, last: bool) -> Samples:
        self._n_taken += block.shape[1]
        if self._stream is not None:
            block = np.ascontiguousarray(self._stream.resample_chunk(np.ascontiguousarray(block.T), last=last).T)
        self._n_given += block.shape[1]
        return block


def read_audio(path: str | os.PathLike[str], sample_rate: int | None = None) -> Audio:
    """Reads a whole file into memory, resampled to `sample_rate` Hz when one is given.

    Raises:
        UnreadableAudio: as `AudioReader`.
    """
    reader = AudioReader(path)
    rate = sample_rate or reader.info.sample_rate
    resampler = Resampler(reader.info.sample_rate, rate, reader.info.n_channels)
    return Audio(np.concatenate(list(resampler.stream(reader.blocks())), axis=1), rate)


def show(path: str | os.PathLike[str]) -> str:
    """Returns a path as one printable line, whatever characters it has."""
    text = os.fspath(path)
    return text if text.isprintable() else repr(text)
