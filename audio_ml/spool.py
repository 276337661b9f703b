"""A stream of float samples kept on disk for a second pass."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import numpy as np

from audio_ml.audio import Samples
from audio_ml.errors import DiskFull, OutputUnwritable
from audio_ml.streams import show

PRIVATE_AND_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


class Spool:
    """Keeps blocks [*shape, n] of float32 in a file beside the results, never in a shared temporary folder.

    Used as a context manager it removes the file at the end.

    Raises:
        DiskFull: when the disk has no room left.
        OutputUnwritable: when the file cannot be made.
    """

    def __init__(self, path: Path, shape: tuple[int, ...]) -> None:
        self.n_samples = 0
        self._path, self._shape = path, shape
        self._lengths: list[int] = []
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.fdopen(os.open(path, PRIVATE_AND_NEW, 0o600), "wb+")
        except OSError as error:
            raise OutputUnwritable(f"{show(path.parent)} cannot be written to: {error.strerror}.") from error

    def add(self, block: Samples) -> None:
        """Appends a block."""
        assert block.shape[:-1] == self._shape
        try:
            np.ascontiguousarray(block, np.float32).tofile(self._file)
        except OSError as error:
            raise DiskFull(f"The disk of {show(self._path.parent)} has no room for the first pass.") from error
        self._lengths.append(block.shape[-1])
        self.n_samples += block.shape[-1]

    def blocks(self) -> Iterator[Samples]:
        """Yields the blocks again, from the first one on."""
        self._file.seek(0)
        for length in self._lengths:
            size = int(np.prod(self._shape)) * length
            yield np.fromfile(self._file, np.float32, size).reshape(*self._shape, length)

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)
