"""A server in place of this machine: `audio-ml --server URL COMMAND`, and what its refusals mean here."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from audio_ml import errors
from audio_ml.errors import (
    AudioMLError,
    DiskFull,
    InvalidInput,
    InvalidOption,
    OutputExists,
    OutputUnwritable,
    ServerFailed,
    ServerUnreachable,
    UnreadableAudio,
)
from audio_ml.options import Options, describe
from audio_ml.progress import Progress
from audio_ml.streams import show

if TYPE_CHECKING:
    from audio_ml_client import Client, ServerError

SERVER_VARIABLE, TOKEN_VARIABLE = "AUDIO_ML_SERVER", "AUDIO_ML_TOKEN"
COMMANDS = ("separate", "speak", "clone", "convert", "models")  # that a server can do
LONGEST_TOKEN = 10_000  # bytes
WAITS_FOR_QUEUE_SECONDS = 24 * 3600.0  # a batch goes on when there is room
_OF_ACCESS = (401, 403)

Report = TypeVar("Report")


@dataclass(frozen=True)
class Remote:
    """A server, the token for it, and whether it sees this machine's files at the same places (`shared`)."""

    url: str
    token: str | None = None
    shared: bool = False
    is_named: bool = True  # on the command line, and not by the environment alone

    def client(self, progress: Progress) -> Client:
        """Returns a client whose waiting ends when the progress is cancelled; raises `InvalidOption`."""
        from audio_ml_client import Client

        try:
            return Client(self.url, self.token, queue_patience=WAITS_FOR_QUEUE_SECONDS, check=progress.check)
        except ValueError as error:
            raise InvalidOption(f"--server: {error}") from error

    def run(self, task: str, progress: Progress, **request: Any) -> Mapping[str, Any]:
        """Has a job done, its files put where `place` says, and returns its report; what goes wrong is one of ours.

        However it ends, nothing is left of it on the server.
        """
        client = self.client(progress)
        with errors_of_ours():
            done = client.run(
                task,
                shared=self.shared,
                on_progress=lambda step: progress.update(step.stage, step.fraction),
                **request,
            )
        if done.job.report is None:
            raise ServerFailed(f"The server at {self.url} says nothing of what it did: is it of another version?")
        return done.job.report


_chosen: ContextVar[Remote | None] = ContextVar("remote", default=None)


def choose(server: str | None, token_file: Path | None, shared: bool, *, is_named: bool = True) -> None:
    """Settles for the rest of this command line which server works, if one does.

    Raises:
        InvalidInput: when the file of the token cannot be read.
    """
    if server is None:
        _chosen.set(None)
        return
    token = os.environ.get(TOKEN_VARIABLE) or None
    if token_file is not None:
        token = _read_token(token_file)
    _chosen.set(Remote(server, token, shared, is_named))


def chosen() -> Remote | None:
    """Returns the server that is to work, or None where this machine does."""
    return _chosen.get()


def refuse_command(name: str) -> None:
    """Has this machine do a command that no server can; raises `InvalidOption` where one was named for it."""
    server = chosen()
    if server is not None and server.is_named:
        raise InvalidOption(f"`audio-ml {name}` works on this machine alone: leave out --server.")
    _chosen.set(None)  # the environment's is for the commands that a server can do


def refuse_flags(*groups: tuple[Mapping[str, Any], type[Options]]) -> None:
    """Raises `InvalidOption` that names every given flag of options which only mean something on this machine."""
    given = [field.flag for values, model in groups for field in describe(model) if values.get(field.name) is not None]
    refuse(*given)


def refuse(*flags: str, why: str = "it runs with its own settings") -> None:
    """Raises `InvalidOption` if there are flags that a server cannot follow."""
    if flags:
        raise InvalidOption(f"With a server, leave out {', '.join(flags)}: {why}.")


def refuse_voice_files(*voices: str | None) -> None:
    """Raises `InvalidOption` for a voice that is a file of this machine, of which a server knows nothing."""
    for voice in voices:
        if voice is not None and (Path(voice).suffix or os.sep in voice) and Path(voice).expanduser().is_file():
            raise InvalidOption(
                f"The voice {show(voice)} is a file of this machine: name one of the server's, or leave out --server."
            )


def check_readable(path: str | os.PathLike[str]) -> None:
    """Finds out before any work whether a file can be uploaded; raises `UnreadableAudio`."""
    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        raise UnreadableAudio(f"{show(path)} cannot be read: {error.strerror}.") from error


def read_report(kind: type[Report], told: Mapping[str, Any], **changes: Any) -> Report:
    """Returns a report as the value that the verb returns here, with what is known better here changed.

    Raises:
        ServerFailed: when it is no such report.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(kind).validate_python({**told, **changes})
    except ValidationError as error:
        at = ".".join(map(str, error.errors()[0]["loc"]))
        raise ServerFailed(f"The server's report cannot be read ({at}): is it of another version?") from error


@contextmanager
def errors_of_ours() -> Iterator[None]:
    """Raises what a server or the disk refuses as the error that the same work raises here."""
    from audio_ml_client import ServerError

    try:
        yield
    except ServerError as error:
        raise _as_ours(error) from error
    except FileExistsError as error:
        raise OutputExists(str(error)) from error
    except OSError as error:
        kind = DiskFull if error.errno == errno.ENOSPC else OutputUnwritable
        raise kind(f"{show(error.filename or 'A file')} cannot be written: {error.strerror}.") from error


def _as_ours(error: ServerError) -> AudioMLError:
    kind = getattr(errors, error.type, None)
    if isinstance(kind, type) and issubclass(kind, AudioMLError):
        return kind(error.message)
    if error.type == "Unreachable" or error.status in _OF_ACCESS:
        return ServerUnreachable(error.message)
    return ServerFailed(error.message)


def _read_token(path: Path) -> str:
    try:
        with path.expanduser().open("rb") as file:
            token = file.read(LONGEST_TOKEN).decode("ascii").strip()
    except OSError as error:
        raise InvalidInput(f"The token file {show(path)} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"The token file {show(path)} is no plain text, as a token is.") from error
    if not token or len(token.split()) != 1:
        raise InvalidInput(f"The token file {show(path)} holds no token: it is to have one line of plain text.")
    return token


def plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """Returns options as JSON has them."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in options.items()}
