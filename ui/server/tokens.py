"""Who calls: the tokens of a file, what each of them may do, and the one caller where there are none."""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, Field, StrictStr, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from audio_ml.budget import read_size
from audio_ml.errors import InvalidInput
from audio_ml.options import Options
from audio_ml.streams import show
from ui.server.options import ServerOptions, Size

LOCAL = "local"  # the caller where there are no tokens
SHORTEST_TOKEN = 16  # characters
ADVICE = "make one with: python -c 'import secrets; print(secrets.token_urlsafe(32))'"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CallerLimits:
    """What one caller may take: `max_jobs` work at once and `max_queued` wait, as many as the server can where None."""

    max_upload_bytes: int
    upload_space_bytes: int
    max_jobs: int | None = None
    max_queued: int | None = None


@dataclass(frozen=True)
class Caller:
    """Who sent a request; `name` owns jobs and uploads, files below `roots` may be read by path.

    Who `keeps_voices` may take the machine's cloned voices away, to another machine or for ever.
    """

    name: str
    roots: tuple[Path, ...]
    limits: CallerLimits
    keeps_voices: bool = False


def local_caller(options: ServerOptions) -> Caller:
    """Returns the caller of a server without tokens.

    >>> local_caller(ServerOptions(roots=("/srv/media",))).name
    'local'
    """
    limits = CallerLimits(options.max_upload_bytes, options.upload_space_bytes)
    return Caller(LOCAL, _folders(options.roots), limits, keeps_voices=True)


def _folders(names: Iterable[str]) -> tuple[Path, ...]:
    return tuple(Path(name).expanduser().absolute() for name in names)


class Tokens:
    """The tokens in a file, read again when it changes; one that became unreadable leaves the former ones valid.

    Raises:
        InvalidInput: when the file cannot be read, others can read it, or it is not right.
    """

    def __init__(self, path: Path, options: ServerOptions) -> None:
        self._path, self._options = path, options
        self._stamp = _stamp(path)
        self._callers = read_tokens(path, options)

    def find(self, bearer: str) -> Caller | None:
        """Returns whose token this is, in a time that does not tell how near it came."""
        self._refresh()
        shown = hashlib.sha256(bearer.encode("utf-8", "surrogateescape")).hexdigest()
        found = None
        for digest, caller in self._callers.items():
            if hmac.compare_digest(digest, shown):
                found = caller
        return found

    def _refresh(self) -> None:
        stamp = _stamp(self._path)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._callers = read_tokens(self._path, self._options)
        except InvalidInput as error:
            log.error("The former tokens stay valid. %s", error)
        else:
            log.info("Tokens were read again.", extra={"facts": {"tokens": len(self._callers)}})


def read_tokens(path: Path, options: ServerOptions) -> dict[str, Caller]:
    """Returns the callers of a file by the SHA-256 of their tokens.

    Raises:
        InvalidInput: as `Tokens`.
    """
    try:
        with path.open(encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            if os.name == "posix" and stat.S_IMODE(mode) & (stat.S_IRWXG | stat.S_IRWXO):
                raise InvalidInput(f"Others can read the tokens in {show(path)}: chmod 600 it first.")
            content = yaml.safe_load(file)
    except OSError as error:
        raise InvalidInput(f"The tokens in {show(path)} cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{show(path)} is not YAML or JSON{_place(error)}.") from error
    try:
        entries = _TokenFile.model_validate(content).tokens
    except ValidationError as error:
        raise InvalidInput(f"{show(path)} is not right: {_explain(error)}.") from error
    return {entry.digest: entry.caller(options) for entry in entries}


def _is_long_enough(token: str) -> str:
    if len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise PydanticCustomError(
            "token", "a token has at least {n} plain characters; " + ADVICE, {"n": SHORTEST_TOKEN}
        )
    return token


class _Entry(Options):
    """One caller of the file."""

    name: StrictStr = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$")
    token: Annotated[StrictStr, AfterValidator(_is_long_enough)] | None = None
    sha256: Annotated[StrictStr, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    roots: tuple[StrictStr, ...] | None = None
    max_upload: Size | None = None
    upload_space: Size | None = None
    max_jobs: int | None = Field(None, ge=1)
    max_queued: int | None = Field(None, ge=1)  # whatever runs has waited
    keeps_voices: bool = False

    @model_validator(mode="after")
    def _has_one_secret(self) -> _Entry:
        if (self.token is None) == (self.sha256 is None):
            raise PydanticCustomError("secret", "it needs either token or sha256")
        return self

    @property
    def digest(self) -> str:
        """The SHA-256 of the token."""
        return self.sha256 or hashlib.sha256((self.token or "").encode()).hexdigest()

    def caller(self, options: ServerOptions) -> Caller:
        """Returns the caller; what the entry leaves out is as for everyone. No upload is larger than that."""
        upload, space = options.max_upload_bytes, options.upload_space_bytes
        limits = CallerLimits(
            min(upload, read_size(self.max_upload) if self.max_upload else upload),
            read_size(self.upload_space) if self.upload_space else space,
            self.max_jobs,
            self.max_queued,
        )
        roots = _folders(options.roots if self.roots is None else self.roots)
        return Caller(self.name, roots, limits, self.keeps_voices)


class _TokenFile(Options):
    """The whole file."""

    tokens: tuple[_Entry, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _is_unique(self) -> _TokenFile:
        for what in ("name", "digest"):
            values = [getattr(entry, what) for entry in self.tokens]
            if len(set(values)) < len(values):
                raise PydanticCustomError("unique", "two entries have the same {what}", {"what": what})
        return self


def _explain(error: ValidationError) -> str:
    """Returns what is wrong first, never with the value: it may be a token."""
    problem = error.errors(include_input=False, include_url=False)[0]
    place = ".".join(str(part) for part in problem["loc"])
    return f"{place}: {problem['msg']}" if place else str(problem["msg"])


def _place(error: Any) -> str:
    mark = getattr(error, "problem_mark", None)
    return f" (line {mark.line + 1})" if mark else ""


def _stamp(path: Path) -> tuple[int, ...]:
    try:
        status = path.stat()
    except OSError:
        return ()
    return status.st_mtime_ns, status.st_size, status.st_ino, status.st_mode
