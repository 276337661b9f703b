"""Streams of speech from a worker: some at once, the others wait for their turn; who goes away is in nobody's way."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import threading
import time
from collections.abc import Mapping
from typing import Any

from ui.server.lanes import SHORT_TEXT
from ui.server.refusals import QueueFull
from ui.server.tokens import CallerLimits
from ui.server.wire import Message
from ui.server.worker_process import WorkerGone, WorkerProcess, as_error

LOG = logging.getLogger(__name__)
STREAMS_AT_ONCE = 3
LONG_AT_ONCE = 1  # among them: their readers may take hours, and nobody else waits for those
MOST_WAITING_STREAMS = 32
PIECES_AT_ONCE = 16  # that a worker is told were read
MOST_OPEN_STREAMS = 96  # those among them that are spoken and not read yet


class Streams:
    """The streams of one worker. Any thread may use it; nothing here waits but who reads a stream."""

    def __init__(self, worker: WorkerProcess) -> None:
        self._worker = worker
        self._lock = threading.RLock()
        self._waiting: list[Stream] = []
        self._running: dict[str, Stream] = {}
        self._open: set[Stream] = set()
        self._served: dict[str, float] = {}  # when an owner's last stream began

    def open(self, request: Mapping[str, Any], owner: str, limits: CallerLimits | None = None) -> Stream:
        """Returns a stream for the event loop that calls, which begins when its turn has come.

        Raises:
            QueueFull: when as many wait already as may, of all or of this owner.
        """
        most = None if limits is None else limits.max_queued
        with self._lock:
            if most is not None and sum(each.owner == owner for each in self._waiting) >= most:
                raise QueueFull("Texts of yours wait already, as many as may; try again later.", {"Retry-After": "1"})
            if len(self._waiting) >= MOST_WAITING_STREAMS or len(self._open) >= MOST_OPEN_STREAMS:
                raise QueueFull("Too many texts wait to be spoken; try again in a moment.", {"Retry-After": "1"})
            stream = Stream(self, self._worker, request, owner, None if limits is None else limits.max_jobs)
            self._waiting.append(stream)
            self._open.add(stream)
            self._admit()
        return stream

    def hear(self, message: Message, content: bytes | None) -> bool:
        """Takes what the worker says; False when it is no word of a stream."""
        with self._lock:
            stream = self._running.get(message.get("id", ""))
            if stream is not None and message["is"] in ("end", "failed"):
                del self._running[stream.id]  # what was made may be read at leisure: the next one's turn has come
                self._admit()
            elif message["is"] == "gone":
                for lost in self._running.values():
                    lost.fail(WorkerGone("The worker for speech broke down."))
                self._running.clear()
                if not message.get("was_ready", True):  # nor will the next one be, it seems
                    for lost in self._waiting:
                        lost.fail(WorkerGone("The worker for speech cannot be begun."))
                    self._waiting.clear()
            elif message["is"] == "ready":
                self._admit()
        if stream is not None:
            stream.hear(message, content)
        return stream is not None

    def leave(self, stream: Stream) -> None:
        """Gives up the place of a stream that nobody reads any more."""
        with self._lock:
            self._open.discard(stream)
            if stream in self._waiting:
                self._waiting.remove(stream)
            elif stream.id in self._running:
                self._worker.send({"do": "cancel", "id": stream.id})  # the place is free when it says that it stopped

    @property
    def n_open(self) -> int:
        """How many streams wait, are spoken, or are not read to their end yet."""
        return len(self._open)

    def counts(self) -> dict[str, int]:
        """Counts the streams that wait and those that are spoken."""
        with self._lock:
            return {"queued": len(self._waiting), "running": len(self._running)}

    def _admit(self) -> None:
        while (
            self._worker.is_ready
            and len(self._running) < STREAMS_AT_ONCE
            and (ready := [each for each in self._waiting if self._fits(each)])
        ):
            stream = min(ready, key=lambda each: self._served.get(each.owner, 0.0))  # the first of equals
            self._waiting.remove(stream)
            self._served[stream.owner] = time.monotonic()
            self._running[stream.id] = stream
            if not self._worker.send({"do": "stream", "id": stream.id, "request": stream.request}):
                del self._running[stream.id]
                stream.fail(WorkerGone("The worker for speech is not there just now; try again in a moment."))

    def _fits(self, stream: Stream) -> bool:
        """Whether a stream may begin beside those that are spoken."""
        running = self._running.values()
        of_owner = sum(each.owner == stream.owner for each in running)
        if stream.at_once is not None and of_owner >= stream.at_once:
            return False
        return not stream.is_long or sum(each.is_long for each in running) < LONG_AT_ONCE


class Stream:
    """The pieces of one request as they come, for the event loop that opened it. Any thread may close it.

    Reading raises what the worker raises; before the first piece, if the request is at fault.
    """

    def __init__(
        self, streams: Streams, worker: WorkerProcess, request: Mapping[str, Any], owner: str, at_once: int | None
    ) -> None:
        self.id, self.request, self.owner, self.at_once = secrets.token_hex(8), request, owner, at_once
        self.is_long = len(request["text"]) > SHORT_TEXT
        self._streams, self._worker = streams, worker
        self._loop = asyncio.get_running_loop()
        self._n_read = 0
        self._heard: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()  # None: the end

    def __aiter__(self) -> Stream:
        return self

    async def __anext__(self) -> bytes:
        heard = await self._heard.get()
        if isinstance(heard, bytes):
            self._n_read += 1
            if self._n_read % PIECES_AT_ONCE == 0:
                self._worker.send({"do": "more", "id": self.id, "n": PIECES_AT_ONCE})
            return heard
        self.close()  # whoever reads on finds the end again
        if heard is None:
            raise StopAsyncIteration
        raise heard

    def close(self) -> None:
        """Stops the work, if it is not done; whoever reads finds the end."""
        self._streams.leave(self)
        self._tell(None)

    def hear(self, message: Message, content: bytes | None) -> None:
        """Takes what the worker says of this stream."""
        if message["is"] == "bytes":
            self._tell(content or b"")
        elif message["is"] == "end":
            self._tell(None)
        elif message["is"] == "failed":
            if trace := message["error"].get("trace"):
                LOG.error("Speech failed.\n%s", trace)
            self.fail(as_error(message["error"]))

    def fail(self, error: Exception) -> None:
        """Has whoever reads find an error."""
        self._tell(error)

    def _tell(self, heard: bytes | Exception | None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody reads
            self._loop.call_soon_threadsafe(self._heard.put_nowait, heard)
