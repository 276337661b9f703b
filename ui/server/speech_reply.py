"""Speech on its way to a client: pieces as they are made, whose making ends when nobody listens any more."""

from __future__ import annotations

import asyncio
import base64
import json
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import IO, Any, TypeVar

import anyio
from fastapi.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from audio_ml.byte_streams import HEAD_BYTES, STREAM_FORMS, StreamFormat, tell_length
from audio_ml.errors import AudioMLError, Cancelled
from ui.server.metrics import Metrics
from ui.server.speech_stream import Piece
from ui.server.streams import Stream

TASK = "speech"  # what streams of speech are called among the tasks of the metrics
SECONDS_TO_TAKE = 120.0  # a block that was sent, or nobody listens
BYTES_IN_MEMORY = 4_000_000  # of a reply that is sent when it is complete
BLOCK_BYTES = 1 << 16
EVENTS = "text/event-stream"
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # nginx would collect what it passes on

Result = TypeVar("Result")


class SpeechPieces:
    """The pieces of one reply. `begin` waits for the first, `contents` yields the bytes of all, `close` ends the work.

    `began` is when the request came, on the clock of `time.monotonic`; `n_words` are those of its text.
    """

    def __init__(self, stream: Stream, metrics: Metrics, *, model: str, n_words: int, began: float) -> None:
        self._stream, self._metrics, self._model, self._began = stream, metrics, model, began
        self.n_words = n_words
        self._first: Piece | None = None
        self._waited = self._worked = 0.0
        self.n_samples, self._rate = 0, 1

    async def begin(self, receive: Receive) -> None:
        """Waits for the first piece.

        Raises:
            AudioMLError: what the worker raises.
            Cancelled: when the client goes away meanwhile.
        """
        try:
            self._first = await while_connected(self._next(), receive)
            if self._first is None:
                raise RuntimeError("A worker ended a stream of speech before it began.")
        except BaseException as error:
            self._end(error)
            raise
        self._waited = max(0.0, time.monotonic() - self._began - self._worked)
        self._metrics.speech_first_byte(time.monotonic() - self._began)

    async def contents(self) -> AsyncIterator[bytes]:
        """Yields the bytes of all pieces; raises what the worker raises."""
        piece = self._first
        try:
            while piece is not None:
                if piece.content:
                    yield piece.content
                piece = await self._next()
        except BaseException as error:
            self._end(error)
            raise
        self._end(None)

    def close(self) -> None:
        """Ends the work, if it is not done."""
        self._stream.close()

    async def _next(self) -> Piece | None:
        sent = await anext(self._stream, None)
        if sent is None:
            return None
        piece = Piece.load(sent)
        self.n_samples, self._rate = self.n_samples + piece.n_samples, piece.sample_rate
        self._worked += piece.work_seconds
        return piece

    def _end(self, error: BaseException | None) -> None:
        """Notes how it ended, once."""
        self.close()
        failure = error if isinstance(error, Exception) and not isinstance(error, Cancelled) else None
        self._metrics.job_ended(
            TASK,
            "done" if error is None else "failed" if failure else "cancelled",
            self._waited,
            self._worked,
            self.n_samples / self._rate,
            model=self._model,
            error=type(failure).__name__ if failure else None,
        )


class SpeechReply(StreamingResponse):
    """A reply whose work ends when it is complete, and when the client goes away."""

    def __init__(self, pieces: SpeechPieces, body: AsyncIterator[bytes], media_type: str) -> None:
        super().__init__(body, media_type=media_type, headers=HEADERS)
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the reply."""

        async def send_soon(message: Message) -> None:
            with anyio.fail_after(SECONDS_TO_TAKE):  # asyncio's wait_for loses a cancellation that comes as it ends
                await send(message)

        try:
            await while_connected(self.stream_response(send_soon), receive, self._pieces.close)
        except (Cancelled, TimeoutError):
            return  # nobody is there to be told
        finally:
            self._pieces.close()


async def while_connected(
    work: Coroutine[Any, Any, Result], receive: Receive, close: Callable[[], None] = lambda: None
) -> Result:
    """Returns what some work returns, or has it closed and stopped when the client goes away.

    Raises:
        Cancelled: when the client went away.
    """
    working, watching = asyncio.ensure_future(work), asyncio.ensure_future(_until_gone(receive))
    try:
        await asyncio.wait((working, watching), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        close()
        raise Cancelled("The client went away.")
    finally:
        for task in (working, watching):
            task.cancel()
        await asyncio.gather(working, watching, return_exceptions=True)


async def _until_gone(receive: Receive) -> None:
    message: Message = {"type": ""}
    while message["type"] != "http.disconnect":
        message = await receive()


def streamed_reply(pieces: SpeechPieces, format: StreamFormat, as_events: bool) -> SpeechReply:
    """Returns a reply that sends the sound as it is made, or events that carry it."""
    if as_events:
        return SpeechReply(pieces, _events(pieces), EVENTS)
    return SpeechReply(pieces, pieces.contents(), STREAM_FORMS[format].media_type)


async def whole_reply(pieces: SpeechPieces, format: StreamFormat, receive: Receive) -> SpeechReply:
    """Returns a reply that sends the sound when it is complete, with its length before it and in it.

    Raises:
        AudioMLError: what the worker raises.
        Cancelled: when the client goes away meanwhile.
    """
    file = tempfile.SpooledTemporaryFile(BYTES_IN_MEMORY)  # noqa: SIM115  (it is closed when it was sent)
    try:
        await while_connected(_collect(pieces, file), receive)
        n_bytes = file.tell()
        file.seek(0)
        head = tell_length(format, file.read(HEAD_BYTES), n_bytes, pieces.n_samples)
    except BaseException:
        file.close()
        raise
    reply = SpeechReply(pieces, _of_file(file, head), STREAM_FORMS[format].media_type)
    reply.headers["Content-Length"] = str(n_bytes)
    return reply


async def _collect(pieces: SpeechPieces, file: IO[bytes]) -> None:
    async for content in pieces.contents():
        await anyio.to_thread.run_sync(file.write, content)


async def _of_file(file: IO[bytes], head: bytes) -> AsyncIterator[bytes]:
    with file:
        yield head
        while block := await anyio.to_thread.run_sync(file.read, BLOCK_BYTES):
            yield block


async def _events(pieces: SpeechPieces) -> AsyncIterator[bytes]:
    """Yields the events of OpenAI's: `speech.audio.delta` with a part of the sound, at last `speech.audio.done`.

    What fails on the way is an event of the type `error`.
    """
    try:
        async for content in pieces.contents():
            yield _event({"type": "speech.audio.delta", "audio": base64.b64encode(content).decode()})
    except AudioMLError as error:
        told = {"message": str(error), "type": type(error).__name__, "code": error.http_status, "param": None}
        yield _event({"type": "error", "error": told})
        return
    usage = {"input_tokens": pieces.n_words, "output_tokens": 0, "total_tokens": pieces.n_words}
    yield _event({"type": "speech.audio.done", "usage": usage})


def _event(told: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(told)}\n\n".encode()
