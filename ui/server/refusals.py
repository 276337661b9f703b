"""Why the server turns a request away: errors with an HTTP status that only a server has."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from audio_ml.errors import AudioMLError


class Refusal(AudioMLError):
    """The root of them; `headers` go with the reply."""

    http_status = 400
    headers: Mapping[str, str] = MappingProxyType({})

    def __init__(self, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        if headers is not None:
            self.headers = headers


class NotAuthorised(Refusal):
    """No token was shown, or one that nobody has."""

    http_status = 401


class ForeignRequest(Refusal):
    """A page of another origin, or a name that is not the server's, stands behind the request."""

    http_status = 403


class NotAllowed(Refusal):
    """The caller is known, and may not do that."""

    http_status = 403


class NotFound(Refusal):
    """Nothing is there, or it is another caller's."""

    http_status = 404


class UnknownJob(NotFound):
    """The caller has no job of that id."""


class UnknownUpload(NotFound):
    """The caller has no upload of that id."""


class TooSlow(Refusal):
    """The body came so slowly that it would have held the connection for ever."""

    http_status = 408


class Conflict(Refusal):
    """What is there now does not fit the request."""

    http_status = 409


class WrongVersion(Refusal):
    """The client speaks another version of the upload protocol."""

    http_status = 412


class TooLarge(Refusal):
    """A body, an upload or a recording is over a limit."""

    http_status = 413


class WrongMediaType(Refusal):
    """The content type is not the one that is read here."""

    http_status = 415


class Busy(Refusal):
    """Another request is writing to the same upload."""

    http_status = 423


class QueueFull(Refusal):
    """So many jobs wait that no more are taken; `Retry-After` says when to try again."""

    http_status = 429


class WrongChecksum(Refusal):
    """What arrived is not what was sent."""

    http_status = 460  # the status that tus gives it
