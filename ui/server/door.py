"""What of Gradio's own interface is open: what the page needs, files that its visitors sent, and room for those."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from audio_ml.budget import show_size
from audio_ml.errors import InvalidInput
from ui.server.refusals import NotFound, TooLarge

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

NEEDED = re.compile(
    r"/|/theme\.css|/config|/favicon\.ico|/(assets|static|elements|player)/.*"
    r"|/gradio_api/(upload|upload_progress|startup-events|app_id|info|run/predict|heartbeat/\w+|file=.*)"
)
SENDING = "/gradio_api/upload"
CALLING = "/gradio_api/run/predict"
FILE = "/gradio_api/file="
MOST_BYTES = 4 << 20  # of the values of a form
UNNAMED = "tmp*"  # what Gradio calls a file while it comes


class Door:
    """Wraps the page: Gradio by itself copies any file that a value names, and fetches any URL, for whoever asks."""

    def __init__(self, page: ASGIApp, folder: Path, most_bytes: int) -> None:
        self._page, self._folder, self._most = page, folder.resolve(), most_bytes
        self._coming: dict[object, int] = {}  # the bytes of what is being sent

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"] if scope["type"] == "http" else "/"
        if not NEEDED.fullmatch(path) or (path.startswith(FILE) and not self._is_ours(unquote(path[len(FILE) :]))):
            raise NotFound(f"There is nothing at {path.partition('=')[0]}.")
        if path == SENDING:
            await self._receive_file(scope, receive, send)
        elif path == CALLING:
            await self._page(scope, await self._checked(receive), send)
        else:
            await self._page(scope, receive, send)

    async def _receive_file(self, scope: Scope, receive: Receive, send: Send) -> None:
        length = dict(scope["headers"]).get(b"content-length")
        if length is None:
            raise InvalidInput("A file that is sent has to say how large it is (Content-Length).")
        here = await asyncio.to_thread(_bytes_in, self._folder)
        if here + sum(self._coming.values()) + int(length) > self._most:
            raise TooLarge(f"Files on their way may have {show_size(self._most)} together: try again later.")
        ticket = object()
        self._coming[ticket] = int(length)
        try:
            await self._page(scope, receive, send)
        finally:
            del self._coming[ticket]
            for path in self._folder.glob(UNNAMED) if not self._coming else ():
                path.unlink(missing_ok=True)  # what was broken off

    async def _checked(self, receive: Receive) -> Receive:
        """Returns a form's values, read and looked at.

        Raises:
            InvalidInput: when one names a file that no visitor sent.
        """
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if len(body) > MOST_BYTES:
                raise TooLarge(f"What a form holds may have {show_size(MOST_BYTES)}.")
            if not message.get("more_body"):
                break
        try:
            values = json.loads(body)
        except ValueError as error:
            raise InvalidInput("The values of a form are JSON.") from error
        self._check(values)
        messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def again() -> Message:
            return messages.pop() if messages else await receive()

        return again

    def _check(self, value: Any) -> None:
        if isinstance(value, dict):
            named = value.get("path")
            if named is not None and not (isinstance(named, str) and self._is_of_the_folder(named)):
                raise InvalidInput("A form may name files that were sent to this page, and no others.")
        for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            self._check(part)

    def _is_ours(self, path: str) -> bool:
        return self._is_of_the_folder(path) and Path(path).is_file()

    def _is_of_the_folder(self, path: str) -> bool:
        """Tells whether a file was sent, though it may be gone by now; who reads it says so at the place."""
        try:
            found = Path(path).resolve()
            return self._folder in found.parents and not found.is_dir()
        except (OSError, ValueError, RuntimeError):
            return False


def _bytes_in(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue  # it went just now
    return total
