"""Writes any media file block by block, under its final name only when it is complete."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from audio_ml.audio import Audio, Samples
from audio_ml.errors import (
    DiskFull,
    InvalidOption,
    OutputError,
    OutputExists,
    OutputUnwritable,
    UnreadableAudio,
)
from audio_ml.formats import BYTES_PER_SAMPLE, FORMATS, RIFF_LIMIT_BYTES, BitDepth, Format
from audio_ml.streams import BLOCK_SAMPLES, AudioReader, Resampler, ffmpeg_name, show

if TYPE_CHECKING:
    import soundfile

FREE_BYTES_OF_A_FULL_DISK = 1 << 20


class AudioWriter:
    """Writes a stream [channels, n] to a file that appears under its name only when `commit` is called.

    Used as a context manager it removes its temporary file unless it was committed.

    Raises:
        OutputExists: when the file is there and `overwrite` is off.
        OutputUnwritable: when the folder cannot be made or written to.
        DiskFull: when the disk has no room left.
    """

    def __init__(
        self,
        path: Path,
        format: Format,
        sample_rate: int,
        n_channels: int,
        *,
        bit_depth: BitDepth = "24",
        bitrate_kbps: int = 256,
        n_expected: int | None = None,
        overwrite: bool = False,
    ) -> None:
        check_target(path, overwrite)
        self.path = path
        self.sample_rate = format.rate_for(sample_rate)
        self.n_written = 0
        self.n_clipped = 0
        self._format = format
        self._bit_depth = bit_depth
        self._overwrite = overwrite
        self._resampler = Resampler(sample_rate, self.sample_rate, n_channels)
        self._temporary = path.with_name(f".{secrets.token_hex(8)}.part")
        self._made_folders: list[Path] = []
        try:
            self._made_folders = [folder for folder in (path.parent, *path.parent.parents) if not folder.exists()]
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._explain(error) from error
        try:
            self._file = self._open(n_channels, bitrate_kbps, n_expected)
        except InvalidOption:
            self.discard()
            raise
        except OSError as error:
            self.discard()
            raise self._explain(error) from error

    def write(self, block: Samples) -> Samples:
        """Writes a block and returns it as the file holds it (of lossy formats, as it was before coding)."""
        stored = block if self._format.lossy else self._quantise(block)
        self._put(self._resampler.push(stored))
        return stored

    def close(self) -> None:
        """Ends the file, still under its temporary name, and reads its header back."""
        self._put(self._resampler.finish())
        try:
            self._file.close()
            written = AudioReader(self._temporary).info
        except (OSError, UnreadableAudio) as error:
            raise self._explain(error) from error
        if written.exact and written.n_samples != self.n_written:
            raise OutputError(f"{show(self.path)} holds {written.n_samples} of {self.n_written} samples.")

    def commit(self) -> None:
        """Gives the closed file its name."""
        try:
            if self._overwrite:
                os.replace(self._temporary, self.path)
            else:
                _rename_without_overwriting(self._temporary, self.path)
        except OSError as error:
            raise self._explain(error) from error

    def discard(self) -> None:
        """Removes what was written and not committed, and the folders made for it if nothing else is in them."""
        file = getattr(self, "_file", None)
        if file is not None:
            file.abandon()
        self._temporary.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # something else is in one of them
            for folder in self._made_folders:
                folder.rmdir()

    def __enter__(self) -> AudioWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()

    def _quantise(self, block: Samples) -> Samples:
        if self._bit_depth == "32f":
            return block
        steps = np.float32(1 << (int(self._bit_depth) - 1))
        scaled = np.rint(block * steps)
        self.n_clipped += int(np.count_nonzero((scaled > steps - 1) | (scaled < -steps)))
        stored: Samples = np.clip(scaled, -steps, steps - 1) / steps
        return stored

    def _put(self, block: Samples) -> None:
        if not block.shape[1]:
            return
        try:
            self._file.write(block)
        except OSError as error:
            raise self._explain(error) from error
        self.n_written += block.shape[1]

    def _open(self, n_channels: int, bitrate_kbps: int, n_expected: int | None) -> _SndfileSink | _FFmpegSink:
        if self._format.codec:
            return _FFmpegSink(self._temporary, self._format, self.sample_rate, n_channels, bitrate_kbps)
        n_bytes = (n_expected or 0) * n_channels * BYTES_PER_SAMPLE[self._bit_depth]
        return _SndfileSink(
            self._temporary,
            "RF64" if self._format.name == "wav" and n_bytes > RIFF_LIMIT_BYTES else self._format.sndfile,
            "VORBIS" if self._format.lossy else self._format.subtype(self._bit_depth),
            self.sample_rate,
            n_channels,
            bitrate_kbps,
        )

    def _explain(self, error: Exception) -> OutputError:
        folder = self.path.parent
        with contextlib.suppress(OSError):  # there is no such folder
            if shutil.disk_usage(folder).free < FREE_BYTES_OF_A_FULL_DISK:
                return DiskFull(f"The disk of {show(folder)} is full; {show(self.path)} was not written.")
        if isinstance(error, FileExistsError) and Path(error.filename or "") != folder:
            return OutputExists(f"{show(self.path)} exists already and is kept (--overwrite replaces it).")
        reason = getattr(error, "strerror", None) or str(error) or "it cannot be written to"
        return OutputUnwritable(f"{show(self.path)} was not written: {reason}.")


def check_target(path: Path, overwrite: bool) -> None:
    """Finds out before any work whether a file may be written under this name.

    Raises:
        OutputExists: when it is there and may not be replaced.
        OutputUnwritable: when there can be no such file.
    """
    try:
        exists = path.exists()
    except OSError as error:
        raise OutputUnwritable(f"{show(path)} cannot be written: {error.strerror}.") from error
    if exists and not overwrite:
        raise OutputExists(f"{show(path)} exists already and is kept (--overwrite replaces it).")


def _rename_without_overwriting(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:  # the file system has no hard links
        if target.exists():
            raise FileExistsError(target) from None
        source.rename(target)
    else:
        source.unlink()


class _SndfileSink:
    """Writes through libsndfile."""

    def __init__(
        self, path: Path, format: str, subtype: str, sample_rate: int, n_channels: int, bitrate_kbps: int
    ) -> None:
        import soundfile

        self._error: type[Exception] = soundfile.LibsndfileError
        quality = {"compression_level": _vorbis_compression(bitrate_kbps)} if subtype == "VORBIS" else {}
        try:
            path.touch(exist_ok=False)  # tells why a folder is not writable better than libsndfile does
            self._file: soundfile.SoundFile = soundfile.SoundFile(
                os.fsencode(path), "w", sample_rate, n_channels, subtype, format=format, **quality
            )
        except soundfile.LibsndfileError as error:
            raise InvalidOption(
                f"{format} cannot hold {n_channels} channels at {sample_rate} Hz: {error.error_string}"
            ) from error

    def write(self, block: Samples) -> None:
        try:
            for start in range(0, block.shape[1], BLOCK_SAMPLES):  # a minute at once overflows Vorbis' stack
                self._file.write(block[:, start : start + BLOCK_SAMPLES].T)
        except self._error as error:
            raise OSError(str(error)) from error

    def close(self) -> None:
        try:
            self._file.close()
        except self._error as error:
            raise OSError(str(error)) from error

    def abandon(self) -> None:
        """Lets go of the file, whatever state it is in: it is about to be removed."""
        try:
            self._file.close()
        except self._error:
            return


def _vorbis_compression(bitrate_kbps: int) -> float:
    """Returns libsndfile's compression level (0 best, 1 smallest) for a nominal stereo bit rate of Vorbis."""
    nominal_kbps = (64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 500)  # of qualities 0 to 10
    return 1.0 - float(np.interp(bitrate_kbps, nominal_kbps, np.arange(11))) / 10


class _FFmpegSink:
    """Encodes through FFmpeg's libraries."""

    def __init__(self, path: Path, format: Format, sample_rate: int, n_channels: int, bitrate_kbps: int) -> None:
        import av

        path.touch(exist_ok=False)
        self._av = av
        self._layout = "mono" if n_channels == 1 else "stereo"
        self._sample_rate = sample_rate
        self._position = 0
        self._container = av.open(ffmpeg_name(path), "w", format=format.container)
        stream: Any = self._container.add_stream(format.codec, rate=sample_rate)
        stream.layout = self._layout
        stream.bit_rate = bitrate_kbps * 1000
        self._stream = stream

    def write(self, block: Samples) -> None:
        frame = self._av.AudioFrame.from_ndarray(np.ascontiguousarray(block), "fltp", self._layout)
        frame.sample_rate = self._sample_rate
        frame.pts = self._position
        self._position += block.shape[1]
        self._encode(frame)

    def close(self) -> None:
        self._encode(None)
        try:
            self._container.close()
        except self._av.FFmpegError as error:
            raise OSError(error.errno, error.strerror) from error

    def _encode(self, frame: Any) -> None:
        try:
            self._container.mux(self._stream.encode(frame))
        except self._av.FFmpegError as error:
            raise OSError(error.errno, error.strerror) from error

    def abandon(self) -> None:
        """Lets go of the file, whatever state it is in: it is about to be removed."""
        try:
            self._container.close()
        except self._av.FFmpegError:
            return


def write_audio(
    path: str | os.PathLike[str], audio: Audio, *, bit_depth: BitDepth = "24", overwrite: bool = False
) -> None:
    """Writes sound in memory to a WAV, FLAC, AIFF or lossy file, told by the name's ending.

    Raises:
        InvalidOption: for an ending that is not a format of ours, or a depth it cannot hold.
        OutputError: as `AudioWriter`.
    """
    target = Path(path)
    name = target.suffix.lstrip(".").lower()
    format = next((row for row in FORMATS.values() if row.name == name), None)
    if format is None:
        raise InvalidOption(f"{show(target)} should end in one of .{', .'.join(FORMATS)}.")
    with AudioWriter(
        target,
        format,
        audio.sample_rate,
        audio.n_channels,
        bit_depth=bit_depth,
        n_expected=audio.n_samples,
        overwrite=overwrite,
    ) as writer:
        writer.write(audio.samples)
        writer.close()
        writer.commit()
