"""What a job made, as files: found, described, read back after a crash, and put where it belongs."""

from __future__ import annotations

import contextlib
import mimetypes
import os
import shutil
from pathlib import Path

from ui.server.request import JobRequest
from ui.server.store import JobFile, Outcome

OUTCOME = "outcome.json"  # beside the files, so that results that got their name tell what they are
MEDIA_TYPES = {".wav": "audio/wav", ".flac": "audio/flac", ".srt": "application/x-subrip", ".vtt": "text/vtt"}


def find_files(folder: Path) -> tuple[JobFile, ...]:
    """Returns the files below a folder, by name."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return tuple(
        JobFile(path.relative_to(folder).as_posix(), path.stat().st_size, media_type(path.name)) for path in paths
    )


def media_type(name: str) -> str:
    """Returns the media type of a file by its name.

    >>> media_type("vocals.wav")
    'audio/wav'
    """
    suffix = Path(name).suffix.lower()
    return MEDIA_TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"


def read_outcome(folder: Path) -> Outcome | None:
    """Returns what the results in a folder are; None where there are none."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        return Outcome.load((folder / OUTCOME).read_text())
    return None


def keep(folder: Path) -> None:
    """Has everything below a folder on the disk before it returns, whatever happens to the machine then."""
    for path in [*folder.rglob("*"), folder]:
        sync(path)


def sync(path: Path) -> None:
    """Has a file, or of a folder the names of what is in it, on the disk before it returns."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_folder(folder: Path) -> None:
    """Removes a folder with all that is in it, if it is there."""
    shutil.rmtree(folder, ignore_errors=True)


def reveal_in_library(request: JobRequest, folder: Path) -> None:
    """Puts a voice that a job made into the library; raises `OutputExists` when another has its name by now."""
    if request.task == "enroll":
        from ui.server.tasks.enroll import reveal

        reveal(folder)
