"""Bytes out of the network and out of archives, for `sources.py`."""

from __future__ import annotations

import gzip
import os
import shutil
import tarfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from audio_ml.errors import AudioMLError

CONNECT_SECONDS = 3
READ_SECONDS = 30

Report = Callable[[int], None]  # takes the number of bytes that have arrived


class SourceFailed(AudioMLError):
    """One source could not give its file; the store goes on to the next. `cause` is what only experts want to know."""

    def __init__(self, reason: str, cause: str = "") -> None:
        super().__init__(f"{reason} ({cause})" if cause else reason)
        self.reason, self.cause = reason, cause


def reasons_of(failures: Mapping[str, AudioMLError], remedy: str) -> str:
    """Returns why the last of some sources failed, as the end of a sentence, what to do, and below it why each did.

    >>> failures = {"here": SourceFailed("there is no such file"), "there": SourceFailed("no way", "code 7")}
    >>> print(reasons_of(failures, "Try again."))
    no way. Try again.
      - here: there is no such file
      - there: no way (code 7)
    """
    last = [SourceFailed("it has no source"), *failures.values()][-1]
    reason = last.reason if isinstance(last, SourceFailed) else str(last)
    below = "".join(f"\n  - {source}: {error}" for source, error in failures.items())
    return f"{reason.rstrip('.')}. {remedy}{below}"


def download(url: str, target: Path, report: Report, headers: Mapping[str, str] | None = None) -> None:
    """Writes what is at a URL to `target`; raises `SourceFailed`."""
    import pooch
    import requests

    downloader = pooch.HTTPDownloader(
        progressbar=_PoochProgress(report), timeout=(CONNECT_SECONDS, READ_SECONDS), headers=headers
    )
    partial = target.with_name(target.name + ".part")
    try:
        with partial.open("wb") as file:
            downloader(url, file, None)
    except requests.ConnectionError as error:
        raise SourceFailed(f"{urlsplit(url).netloc} cannot be reached", _cause(error)) from error
    except (requests.RequestException, ValueError) as error:  # an OSError is ours: the disk is full
        raise SourceFailed(_first_line(error)) from error
    os.replace(partial, target)


class _PoochProgress:
    """Turns pooch's progress-bar protocol into our report."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._received = 0
        self.total = 0

    def update(self, n_bytes: int) -> None:
        self._received += n_bytes
        self._report(self._received)

    def reset(self) -> None:
        self._received = 0

    def close(self) -> None:
        """Nothing is held."""


def extract_from_tar(archive: Path, member: str, target: Path) -> None:
    """Writes a member of a tar archive to `target`; raises `SourceFailed`."""
    try:
        with tarfile.open(archive) as tar:
            source = tar.extractfile(member)
            if source is None:
                raise SourceFailed(f"{member} in {archive.name} is not a file")
            with source:
                copy_to(source, target)
    except (KeyError, tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise SourceFailed(f"{archive.name} has no readable {member}") from error


def copy_to(source: IO[bytes], target: Path) -> None:
    """Writes what is left of an open file to `target`."""
    with target.open("wb") as file:
        shutil.copyfileobj(source, file)


def _first_line(error: Any) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__


def _cause(error: BaseException) -> str:
    """Returns what the innermost error says, without the ones that libraries wrapped around it.

    >>> _cause(OSError(OSError("Network is unreachable")))
    'Network is unreachable'
    """
    inner = [getattr(error, "reason", None), error.__cause__, error.__context__, *error.args]
    found = next((one for one in inner if isinstance(one, BaseException)), None)
    return _first_line(error) if found is None else _cause(found)
