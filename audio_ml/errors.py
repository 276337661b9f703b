"""Every error the suite raises on purpose, each with its exit code and its HTTP status.

A message says what was wrong, with which value, and what to do; what a second line and more tell is for those who want
to know all. Anything that is not an
`AudioMLError` is a bug and shows its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class AudioMLError(Exception):
    """The root of the tree; faces catch this one and print its message."""

    exit_code = 1
    http_status = 500
    param: str | None = None  # the argument that is at fault, where that is known: "name", "references.2"


class InvalidInput(AudioMLError):
    """The request cannot be carried out as it was put."""

    exit_code = 2
    http_status = 422


class UnknownModel(InvalidInput):
    """No row of the catalogue has this name."""


class UnknownVoice(InvalidInput):
    """No voice has this name, or no one model has all the voices of a blend."""


class InvalidOption(InvalidInput):
    """An option is not known to this model, or its value is out of range."""


class LicenceNotAccepted(InvalidInput):
    """A model's terms have to be accepted before it is fetched or run."""


class ConsentMissing(InvalidInput):
    """Nobody is on record as having agreed that their voice is cloned."""


class UnreadableAudio(InvalidInput):
    """A file is missing, is not audio, is damaged, or holds numbers that are not sound."""


class ReferenceTooShort(InvalidInput):
    """A reference for a voice holds too little speech, or none."""


class ReferenceUnfit(InvalidInput):
    """A reference for a voice is noisy, clipped or muffled beyond use, or of more than one person."""


class WeightsError(AudioMLError):
    """A model's files could not be had."""

    exit_code = 3
    http_status = 503


class WeightsMissing(WeightsError):
    """The files are not on this machine and fetching is switched off."""


class WeightsCorrupt(WeightsError):
    """A file's content is not what its row promises."""


class DownloadFailed(WeightsError):
    """Every source was tried; the message gives the reason of each."""


class MissingDependency(AudioMLError):
    """Something has to be installed first; the message says what."""

    exit_code = 4
    http_status = 501


class OutOfMemory(AudioMLError):
    """The device's memory does not hold the job."""

    exit_code = 5
    http_status = 507


class EngineFailed(AudioMLError):
    """An engine that runs in an environment of its own broke down; the message has its last words."""

    exit_code = 8
    http_status = 502


class ServerFailed(AudioMLError):
    """A server broke down, or turned a request away for reasons of its own; the message has its words."""

    exit_code = 9
    http_status = 502


class ServerUnreachable(ServerFailed):
    """No server answers there, or it lets nobody in without the right token."""


class OutputError(AudioMLError):
    """A result could not be written."""

    exit_code = 6
    http_status = 507


class OutputExists(OutputError):
    """A file of that name is there already and may not be overwritten."""


class OutputUnwritable(OutputError):
    """The folder cannot be made or written to."""


class DiskFull(OutputError):
    """The disk has no room for the result."""


class PartialFailure(AudioMLError):
    """Some items of a batch failed; the report names them."""

    exit_code = 7
    http_status = 207


class Cancelled(AudioMLError):
    """The user stopped the job."""

    exit_code = 130
    http_status = 499


@contextmanager
def blaming(param: str) -> Iterator[None]:
    """Has errors of ours that a block raises say which argument is at fault, for forms that show them at its field.

    >>> try:
    ...     with blaming("name"):
    ...         raise InvalidInput("'?' is no name.")
    ... except AudioMLError as error:
    ...     print(error.param)
    name
    """
    try:
        yield
    except AudioMLError as error:
        error.param = error.param or param
        raise


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Returns " Did you mean 'x'?" with the closest known name, or "" when none is close.

    >>> did_you_mean("vocal", ["vocals", "drums"])
    " Did you mean 'vocals'?"
    """
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean '{close[0]}'?" if close else ""
