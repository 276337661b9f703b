"""Messages between the server and its workers: JSON, sometimes followed by bytes; nothing is unpickled."""

from __future__ import annotations

import json
import logging
import queue
import threading
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import Any

Message = dict[str, Any]
log = logging.getLogger(__name__)


class Wire:
    """One end of a connection; any thread may send, one receives.

    >>> from multiprocessing import Pipe
    >>> here, there = map(Wire, Pipe())
    >>> here.send({"do": "stop"}, b"now")
    True
    >>> there.receive()
    ({'do': 'stop'}, b'now')
    """

    def __init__(self, connection: Connection[Any, Any]) -> None:
        self._connection = connection
        self._sending = threading.Lock()

    def send(self, message: Mapping[str, Any], content: bytes | None = None) -> bool:
        """Sends a message; False when nobody is there any more."""
        told = json.dumps({**message, "has_content": True} if content is not None else message)
        try:
            with self._sending:
                self._connection.send_bytes(told.encode())
                if content is not None:
                    self._connection.send_bytes(content)
        except (OSError, ValueError):  # ValueError: closed by this side
            return False
        return True

    def receive(self) -> tuple[Message, bytes | None] | None:
        """Waits for a message; None when the other end is gone."""
        try:
            message = json.loads(self._connection.recv_bytes())
            return message, self._connection.recv_bytes() if message.pop("has_content", False) else None
        except (EOFError, OSError):
            return None

    def close(self) -> None:
        """Ends the connection."""
        self._connection.close()


class Outbox:
    """Sends messages from a thread of its own, so that nobody waits for an end that does not read."""

    def __init__(self, wire: Wire, name: str) -> None:
        self._wire = wire
        self._messages: queue.SimpleQueue[Mapping[str, Any] | None] = queue.SimpleQueue()
        threading.Thread(target=self._send, name=f"outbox-{name}", daemon=True).start()

    def put(self, message: Mapping[str, Any]) -> None:
        """Has a message sent after all that were put before."""
        self._messages.put(message)

    def close(self) -> None:
        """Ends the thread when everything is sent, or nobody is there any more."""
        self._messages.put(None)

    def _send(self) -> None:
        while (message := self._messages.get()) is not None:
            try:
                if not self._wire.send(message):
                    return
            except Exception:  # the connection ends in the middle of a message, or it is no JSON
                log.exception("A message could not be sent.")
                self._wire.close()  # so that the worker ends, and begins anew
                return
