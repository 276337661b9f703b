"""Every error as JSON in one shape, which is OpenAI's, so that its clients show the message, too."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Match

from audio_ml.errors import AudioMLError, DiskFull
from ui.server.database import is_full
from ui.server.refusals import Refusal

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request

MOST_PROBLEMS = 5  # that one reply explains
BODYLESS = (204, 304)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
UNFORESEEN = "The server made a mistake. Its log says more under this request's id."


def add_error_replies(app: FastAPI) -> None:
    """Makes every error that leaves a route of the application a reply in JSON."""
    for kind in (AudioMLError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, _reply)
    app.add_exception_handler(OperationalError, _reply_of_database)


def error_reply(error: Exception, request_id: str) -> Response:
    """Returns what a client is told of an error; of one that nobody foresaw only that it happened.

    >>> from audio_ml.errors import UnknownVoice
    >>> error_reply(UnknownVoice("Unknown voice 'ana'."), "r1").body.decode()
    '{"error":{"message":"Unknown voice \\'ana\\'.","type":"UnknownVoice","code":422,"param":null,"request_id":"r1"}}'
    """
    if isinstance(error, AudioMLError):
        headers = error.headers if isinstance(error, Refusal) else {}
        return _json(error.http_status, type(error).__name__, str(error), request_id, _param_of(error), headers)
    if isinstance(error, RequestValidationError):
        problems = error.errors()
        message = " ".join(explain_problem(problem) for problem in problems[:MOST_PROBLEMS])
        return _json(422, "InvalidRequest", message, request_id, _name_of(problems[0]) or None)
    if isinstance(error, HTTPException):
        if error.status_code in BODYLESS:
            return Response(status_code=error.status_code, headers=error.headers)
        phrase = next((status.phrase for status in HTTPStatus if status == error.status_code), "Error")
        kind = phrase.title().replace(" ", "").replace("-", "")
        return _json(error.status_code, kind, _sentence(error), request_id, headers=error.headers or {})
    return _json(500, "InternalError", UNFORESEEN, request_id)


def explain_problem(problem: Mapping[str, Any]) -> str:
    """Returns one of pydantic's problems as a sentence.

    >>> explain_problem({"type": "extra_forbidden", "loc": ("body", "options", "wet"), "msg": "", "input": 1})
    "Unknown option 'options.wet'."
    """
    name = _name_of(problem)
    if problem["type"] == "extra_forbidden":
        return f"Unknown option '{name}'."
    if problem["type"] == "missing":
        return f"'{name}' is missing." if name else "The request has no body."
    message = str(problem["msg"]).removeprefix("Value error, ").removesuffix(".")
    if not name:
        return message[:1].upper() + message[1:] + "."
    return f"'{name}' cannot be {reprlib.repr(problem.get('input'))}: {message}."


async def _reply(request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException) and error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        error = HTTPException(error.status_code, headers={"Allow": ", ".join(_methods_at(request))})
    return error_reply(error, getattr(request.state, "request_id", ""))


async def _reply_of_database(request: Request, error: Exception) -> Response:
    if not (isinstance(error, OperationalError) and is_full(error)):
        raise error  # which nobody foresaw, so that the log has its trace
    return await _reply(request, DiskFull("The server's disk is full: try again when there is room."))


def _methods_at(request: Request) -> list[str]:
    """Returns the methods that an address takes; the framework names those of one route, or none."""
    asked = ({**request.scope, "method": method} for method in METHODS)
    routes = request.app.routes
    return [scope["method"] for scope in asked if any(route.matches(scope)[0] is Match.FULL for route in routes)]


def _json(
    status: int,
    kind: str,
    message: str,
    request_id: str,
    param: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    sayable = message.encode("utf-8", "backslashreplace").decode()
    error = {"message": sayable, "type": kind, "code": status, "param": param, "request_id": request_id}
    return JSONResponse({"error": error}, status_code=status, headers=headers)


def _name_of(problem: Mapping[str, Any]) -> str:
    """Returns the name of the field, without saying whether it stood in the body or the address."""
    return ".".join(str(part) for part in problem["loc"][1:])


def _param_of(error: AudioMLError) -> str | None:
    """Returns what was wrong: as the error says, or the option that `audio_ml.options.parse` found to be."""
    if error.param:
        return error.param
    cause = error.__cause__
    while isinstance(cause, AudioMLError):  # which says whose option it is
        cause = cause.__cause__
    if not isinstance(cause, ValidationError):
        return None
    place = cause.errors(include_input=False, include_url=False, include_context=False)[0]["loc"]
    return ".".join(map(str, place)) or None


def _sentence(error: HTTPException) -> str:
    if error.status_code == 404 and error.detail == HTTPStatus.NOT_FOUND.phrase:
        return "There is nothing at this address."
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow")
        return "This address does not take that method" + (f", but {allowed}." if allowed else ".")
    return str(error.detail)
