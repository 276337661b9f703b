"""Writes any media file block by block, under its final name only when it is complete."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from audio_ml.audio import Audio, Samples
from audio_ml.encoders import Encoder, Identity, open_encoder
from audio_ml.errors import (
    DiskFull,
    InvalidOption,
    OutputError,
    OutputExists,
    OutputUnwritable,
    UnreadableAudio,
)
from audio_ml.formats import BYTES_PER_SAMPLE, RAW, BitDepth, Format, find_format
from audio_ml.quantise import Quantiser
from audio_ml.streams import AudioReader, Resampler, show
from audio_ml.wav import Chunks

FREE_BYTES_OF_A_FULL_DISK = 1 << 20


class AudioWriter:
    """Writes a stream [channels, n] to a file that appears under its name only when `commit` is called.

    Used as a context manager it removes its temporary file unless it was committed. With a `dither_seed`,
    rounding to an integer bit depth is dithered (see `Quantiser`). `n_written` counts the samples per
    channel that went in, `n_held` those of the closed file: a lossy one may end in some silence.

    Raises:
        InvalidOption: when the format cannot hold such a stream.
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
        identity: Identity | None = None,
        dither_seed: Sequence[int] | None = None,
        overwrite: bool = False,
    ) -> None:
        check_target(path, overwrite)
        format.check(bit_depth, n_channels)
        if format.max_bytes and (n_expected or 0) * n_channels * BYTES_PER_SAMPLE[bit_depth] > format.max_bytes:
            raise InvalidOption(f"{format.name} holds 4 GB at most, and {show(path)} would be larger; choose wav.")
        self.path = path
        self.sample_rate = sample_rate
        self.bit_depth = bit_depth
        self.n_written = 0
        self.n_held: int | None = None
        self._format = format
        self._overwrite = overwrite
        self._quantiser = Quantiser("32f" if format.lossy else bit_depth, dither_seed)
        self._temporary = path.with_name(f".{secrets.token_hex(8)}.part")
        self._replaced = path.with_name(f".{secrets.token_hex(8)}.part")
        self._is_committed = False
        self._made_folders: list[Path] = []
        self._encoder: Encoder | None = None
        try:
            self._made_folders = [folder for folder in (path.parent, *path.parent.parents) if not folder.exists()]
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._explain(error) from error
        try:
            self._temporary.touch(exist_ok=False)  # tells why a folder is not writable better than a codec does
            self._encoder = open_encoder(
                self._temporary, format, sample_rate, n_channels, bit_depth, bitrate_kbps, identity or Identity()
            )
        except InvalidOption:
            self.discard()
            raise
        except OSError as error:
            self.discard()
            raise self._explain(error) from error

    @property
    def n_clipped(self) -> int:
        """How many samples lay beyond full scale: an integer depth has cut them off, float holds them."""
        return self._quantiser.n_clipped

    @property
    def temporary(self) -> Path:
        """Where the file is until it is committed."""
        return self._temporary

    def write(self, block: Samples) -> Samples:
        """Writes a block and returns it as the file holds it (of lossy formats, as it was before coding)."""
        stored = self._quantiser(block)
        if block.shape[1]:
            assert self._encoder is not None
            try:
                self._encoder.write(stored)
            except OSError as error:
                raise self._explain(error) from error
            self.n_written += block.shape[1]
        return stored

    def close(self, chunks: Chunks | None = None) -> None:
        """Ends the file, still under its temporary name, and reads its header back.

        `chunks` replace those of the identity in a WAV file: same ids, same sizes, newer content.
        """
        assert self._encoder is not None
        try:
            self._encoder.close(chunks)
            if self._format is RAW:  # nothing in it tells how it is to be read
                self.n_held = self.n_written
                return
            written = AudioReader(self._temporary).info
            self.n_held = written.n_samples if self._format.lossy else self.n_written
        except (OSError, UnreadableAudio) as error:
            raise self._explain(error) from error
        if written.exact and written.n_samples != self.n_written:
            raise OutputError(f"{show(self.path)} holds {written.n_samples} of {self.n_written} samples.")

    def commit(self) -> None:
        """Gives the closed file its name; one that it replaces is kept aside until `discard`."""
        try:
            if self._overwrite:
                with contextlib.suppress(FileNotFoundError):
                    os.replace(self.path, self._replaced)
                os.replace(self._temporary, self.path)
            else:
                _rename_without_overwriting(self._temporary, self.path)
        except OSError as error:
            raise self._explain(error) from error
        self._is_committed = True

    def take_back(self) -> None:
        """Undoes `commit`, so that a failure of another file leaves everything as it was."""
        if self._is_committed:
            self._is_committed = False
            self.path.unlink(missing_ok=True)
        with contextlib.suppress(FileNotFoundError):  # nothing was replaced
            os.replace(self._replaced, self.path)

    def discard(self) -> None:
        """Removes what was written and not committed, and the folders made for it if nothing else is in them."""
        if self._encoder is not None:
            self._encoder.abandon()
        self._temporary.unlink(missing_ok=True)
        if self._is_committed:
            self._replaced.unlink(missing_ok=True)
        else:
            with contextlib.suppress(OSError):  # nothing was replaced, or it stays aside, which is not lost
                os.replace(self._replaced, self.path)
        with contextlib.suppress(OSError):  # something else is in one of them
            for folder in self._made_folders:
                folder.rmdir()

    def __enter__(self) -> AudioWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()

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
    if exists and path.is_dir():
        raise OutputUnwritable(f"{show(path)} cannot be written: there is a folder of that name.")
    if exists and not overwrite:
        raise OutputExists(f"{show(path)} exists already and is kept (--overwrite replaces it).")


def commit_all(writers: Sequence[AudioWriter]) -> None:
    """Gives all closed files their names, or none of them."""
    begun: list[AudioWriter] = []
    try:
        for writer in writers:
            begun.append(writer)
            writer.commit()
    except BaseException:
        for writer in begun:
            with contextlib.suppress(OSError):  # the others are taken back all the same, and the first error is told
                writer.take_back()
        raise


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


def write_audio(
    path: str | os.PathLike[str], audio: Audio, *, bit_depth: BitDepth = "24", overwrite: bool = False
) -> None:
    """Writes sound in memory to a WAV, FLAC, AIFF or lossy file, told by the name's ending.

    Raises:
        InvalidOption: for an ending that is not a format of ours, or a depth it cannot hold.
        OutputError: as `AudioWriter`.
    """
    target = Path(path)
    format = find_format(target)
    rate = format.rate_for(audio.sample_rate)
    resampler = Resampler(audio.sample_rate, rate, audio.n_channels)
    with AudioWriter(
        target,
        format,
        rate,
        audio.n_channels,
        bit_depth=bit_depth,
        n_expected=audio.n_samples,
        overwrite=overwrite,
    ) as writer:
        for block in resampler.stream([audio.samples]):
            writer.write(block)
        writer.close()
        writer.commit()
