"""What a job reads: uploads, files below the roots of its caller, and what lies at addresses of allowed hosts."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from audio_ml.budget import show_size
from audio_ml.errors import DiskFull, InvalidInput, OutputUnwritable, UnreadableAudio, blaming
from audio_ml.progress import Progress
from ui.server.hosts import HostFailed, Hosts
from ui.server.options import ServerOptions
from ui.server.refusals import TooLarge

if TYPE_CHECKING:
    from audio_ml.streams import AudioReader
    from ui.server.request import InputRef
    from ui.server.tokens import Caller
    from ui.server.upload_store import UploadStore

LOWEST_RATE_HZ, HIGHEST_RATE_HZ = 1000, 768_000
USUAL_RATE_HZ = 48_000  # that the limits on length and channels hold for together
FETCH_SECONDS = 3600.0  # that a host may take to give a file
BLOCK_BYTES = 1 << 20  # at most: what has come is taken as it is
OK = 200


def check_inputs(
    refs: Sequence[InputRef], caller: Caller, uploads: UploadStore, options: ServerOptions
) -> list[dict[str, str]]:
    """Returns where each input is found and how it is called, for `open_input`; opens no socket and no file.

    Raises:
        UnknownUpload: when the caller has no such upload.
        InvalidInput: when an upload is not complete, or a path or an address is not allowed.
    """
    checked = []
    for number, ref in enumerate(refs):
        with blaming(f"inputs.{number}"):
            checked.append(_checked(ref, caller, uploads, options))
    return checked


def _checked(ref: InputRef, caller: Caller, uploads: UploadStore, options: ServerOptions) -> dict[str, str]:
    if ref.upload is not None:
        upload = uploads.find(ref.upload, caller.name)
        if not upload.complete:
            raise InvalidInput(f"The upload {upload.id} is not complete: {upload.n_bytes} of {upload.length} bytes.")
        return {"upload": upload.id, "path": str(upload.path), "name": upload.name}
    if ref.path is not None:
        path, root = resolve_below(ref.path, caller.roots)
        return {"path": str(path), "root": str(root), "name": path.name}
    from ui.server.upload_store import safe_name

    url = ref.url or ""
    Hosts(options.fetch_hosts).check(url)
    return {"url": url, "name": safe_name(unquote(urlsplit(url).path))}


def check_webhook(url: str, options: ServerOptions) -> None:
    """Raises `HostRefused` for an address that may not be told anything."""
    Hosts(options.webhook_hosts).check(url)


def resolve_below(name: str, roots: Sequence[Path]) -> tuple[Path, Path]:
    """Returns the file that a path leads to, through links, too, and the root that it lies below.

    Raises:
        InvalidInput: in the same words whether there is no such file or it is not allowed.
    """
    refused = InvalidInput(f"{name!r} is no file below a folder that you may read by path on the server.")
    if "\0" in name or not Path(name).is_absolute():
        raise refused
    try:
        path = Path(name).resolve(strict=True)
        for root in roots:
            if path.is_relative_to(root.resolve()) and stat.S_ISREG(path.stat().st_mode):
                return path, root
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links is a RuntimeError until Python 3.12
        raise refused from error
    raise refused


def open_input(
    ref: Mapping[str, str], folder: Path, options: ServerOptions, progress: Progress, *, is_sound: bool = True
) -> Path:
    """Returns an input as a file, whose sound is within the limits; called in the worker, as the work begins.

    An upload appears in `folder` under its own name, and stays there if it expires meanwhile; what an address
    leads to is fetched into it; a file below a root is looked for anew, since links may have changed.

    Raises:
        InvalidInput: when it is no longer there, or its sound is over a limit.
        HostFailed: when it cannot be fetched.
    """
    if "url" in ref:
        path = folder / ref["name"]
        fetch(ref["url"], path, options, progress)
    elif "root" in ref:
        path, _ = resolve_below(ref["path"], [Path(ref["root"])])
    else:
        path = folder / ref["name"]
        _link(Path(ref["path"]), path)
    if is_sound:
        check_sound(path, options, progress)
    return path


def fetch(url: str, target: Path, options: ServerOptions, progress: Progress) -> None:
    """Writes what is at an address to a file.

    Raises:
        HostRefused: when it is not allowed, or leads to one that is not.
        HostFailed: when it cannot be had.
        TooLarge: over the limit on uploads.
    """
    limit, began, n_bytes = options.max_upload_bytes, time.monotonic(), 0
    too_large = TooLarge(f"What is at {url} is larger than {show_size(limit)}.")
    with Hosts(options.fetch_hosts).request("GET", url) as reply, _writing(target) as file:
        if reply.status != OK:
            raise HostFailed(f"{url} gives status {reply.status}.")
        declared = reply.headers.get("content-length", "")
        total = int(declared) if declared.isdigit() else None
        if total is not None and total > limit:
            raise too_large
        while block := reply.read1(BLOCK_BYTES, decode_content=False):
            n_bytes += len(block)
            if n_bytes > limit:
                raise too_large
            if time.monotonic() - began > FETCH_SECONDS:
                raise HostFailed(f"{url} takes too long to be fetched.")
            file.write(block)
            progress.update("fetching", n_bytes / total if total else 0.0)


def check_sound(path: Path, options: ServerOptions, progress: Progress | None = None) -> None:
    """Reads what a file says of its sound, and counts it where that could be a lie.

    What libsndfile reads ends where the header says; what FFmpeg reads has no end that is known before, so that
    it is decoded once, until it is over the limit.

    Raises:
        TooLarge: over a limit.
        UnreadableAudio: when it is no sound.
    """
    from audio_ml.streams import AudioReader

    reader = AudioReader(path)
    info, name = reader.info, path.name
    if info.n_channels > options.max_channels:
        raise TooLarge(f"{name} has {info.n_channels} channels, and {options.max_channels} are accepted.")
    if not LOWEST_RATE_HZ <= info.sample_rate <= HIGHEST_RATE_HZ:
        raise UnreadableAudio(f"{name} has a sample rate of {info.sample_rate} Hz, which nobody records at.")
    most = round(options.max_seconds * min(info.sample_rate, options.max_channels * USUAL_RATE_HZ / info.n_channels))
    claimed = info.n_samples or 0
    if info.format != "FFMPEG":
        _check_length(claimed, most, name)
    else:
        _count(reader, most, name, progress or Progress())


def _count(reader: AudioReader, most: int, name: str, progress: Progress) -> None:
    n_samples = 0
    for block in reader.blocks():
        n_samples += block.shape[1]
        _check_length(n_samples, most, name)
        progress.update("checking", min(1.0, n_samples / (reader.n_expected or most)))


def _check_length(n_samples: int, most: int, name: str) -> None:
    if n_samples > most:
        raise TooLarge(f"{name} is longer than the recordings that are accepted; audio-ml serve --max-seconds sets it.")


def _link(source: Path, target: Path) -> None:
    """Makes a file appear in a folder: as a second name of it, or where the file system knows none as a copy."""
    with _explained(target):
        try:
            os.link(source, target)
        except FileNotFoundError as error:
            raise InvalidInput(f"The upload of {target.name} is no longer here.") from error
        except OSError:
            shutil.copyfile(source, target)


@contextmanager
def _writing(path: Path) -> Iterator[Any]:
    with _explained(path), open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        yield file


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    from ui.server.upload_store import NO_ROOM

    try:
        yield
    except OSError as error:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        kind = DiskFull if error.errno in NO_ROOM else OutputUnwritable
        raise kind(f"{path.name} cannot be kept: {error.strerror}.") from error
