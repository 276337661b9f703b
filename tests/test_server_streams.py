"""Streams of speech take turns: few at once, fairly, and whoever goes away or does not read is in nobody's way."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable, Coroutine
from typing import Any, cast

import pytest

from audio_ml.errors import UnknownVoice
from ui.server import streams as module
from ui.server.refusals import QueueFull
from ui.server.streams import MOST_WAITING_STREAMS, PIECES_AT_ONCE, Stream, Streams
from ui.server.tokens import CallerLimits
from ui.server.worker import MOST_UNREAD
from ui.server.worker_process import WorkerGone, WorkerProcess


class Puppet:
    """A worker that notes what it is sent."""

    def __init__(self) -> None:
        self.is_there = self.is_ready = True
        self.sent: list[Any] = []

    def send(self, message: Any) -> bool:
        self.sent.append(message)
        return self.is_there

    def given(self) -> list[str]:
        return [message["request"]["text"] for message in self.sent if message["do"] == "stream"]


@pytest.fixture
def worker() -> Puppet:
    return Puppet()


@pytest.fixture
def streams(worker: Puppet, monkeypatch: pytest.MonkeyPatch) -> Streams:
    """Streams of which two are spoken at once."""
    monkeypatch.setattr(module, "STREAMS_AT_ONCE", 2)
    return Streams(cast(WorkerProcess, worker))


def open_all(streams: Streams, *texts: str, owner: str = "anna") -> list[Stream]:
    return [streams.open({"text": text}, owner) for text in texts]


def end(streams: Streams, stream: Stream) -> None:
    assert streams.hear({"is": "end", "id": stream.id}, None)


def in_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Runs a test as the server's event loop would."""

    @functools.wraps(test)
    def run(**fixtures: Any) -> None:
        asyncio.run(test(**fixtures))

    return run


async def all_of(stream: Stream) -> list[bytes]:
    return [piece async for piece in stream]


@in_a_loop
async def test_pieces_come_in_order_and_then_the_end(streams: Streams, worker: Puppet) -> None:
    (stream,) = open_all(streams, "a")
    for message, content in (("progress", None), ("bytes", b"1"), ("progress", None), ("bytes", b"2"), ("end", None)):
        streams.hear({"is": message, "id": stream.id}, content)
    assert await all_of(stream) == [b"1", b"2"] and await all_of(stream) == []


@in_a_loop
async def test_the_worker_hears_what_was_read_and_may_go_on(streams: Streams, worker: Puppet) -> None:
    (stream,) = open_all(streams, "a")
    for number in range(40):
        streams.hear({"is": "bytes", "id": stream.id}, bytes([number]))
    end(streams, stream)
    assert worker.sent[1:] == []
    assert await all_of(stream) == [bytes([number]) for number in range(40)]
    told = sum(message["n"] for message in worker.sent if message["do"] == "more")
    assert 40 - PIECES_AT_ONCE < told <= 40 and PIECES_AT_ONCE < MOST_UNREAD


@in_a_loop
async def test_so_many_at_once_and_the_next_when_one_was_spoken(streams: Streams, worker: Puppet) -> None:
    first, *_ = open_all(streams, "a", "b", "c", "d")
    assert worker.given() == ["a", "b"]
    assert streams.counts() == {"queued": 2, "running": 2}
    end(streams, first)  # which nobody has read yet
    assert worker.given() == ["a", "b", "c"]


@in_a_loop
async def test_who_asks_for_much_does_not_keep_others_waiting(streams: Streams, worker: Puppet) -> None:
    first, second, *_ = open_all(streams, *"abcdef")
    open_all(streams, "x", owner="ben")
    end(streams, first)
    end(streams, second)
    assert worker.given() == ["a", "b", "x", "c"]


@in_a_loop
async def test_who_goes_away_while_waiting_is_never_spoken(streams: Streams, worker: Puppet) -> None:
    first, _, third, _ = open_all(streams, *"abcd")
    third.close()
    end(streams, first)
    assert worker.given() == ["a", "b", "d"] and await all_of(third) == []


@in_a_loop
async def test_who_goes_away_stops_the_work_and_the_place_is_free_when_it_stopped(
    streams: Streams, worker: Puppet
) -> None:
    first, *_ = open_all(streams, *"abc")
    first.close()
    assert worker.sent[-1] == {"do": "cancel", "id": first.id} and worker.given() == ["a", "b"]
    error = {"type": "Cancelled", "message": "Stopped.", "code": 499}
    streams.hear({"is": "failed", "id": first.id, "error": error}, None)
    assert worker.given() == ["a", "b", "c"]


@in_a_loop
async def test_closing_wakes_who_reads(streams: Streams) -> None:
    (stream,) = open_all(streams, "a")
    reader = asyncio.ensure_future(all_of(stream))
    await asyncio.sleep(0)
    threading.Thread(target=stream.close).start()
    assert await asyncio.wait_for(reader, 60) == []


@in_a_loop
async def test_an_error_of_the_worker_is_raised_as_it_was(streams: Streams) -> None:
    known, unknown = open_all(streams, "a", "b")
    error = {"type": "UnknownVoice", "message": "Unknown voice 'ana'.", "code": 422}
    streams.hear({"is": "failed", "id": known.id, "error": error}, None)
    with pytest.raises(UnknownVoice, match="'ana'"):
        await anext(known)
    streams.hear({"is": "failed", "id": unknown.id, "error": error | {"type": "Odd", "code": 418}}, None)
    with pytest.raises(Exception, match="'ana'") as caught:
        await anext(unknown)
    assert type(caught.value).__name__ == "Odd" and caught.value.http_status == 418  # type: ignore[attr-defined]
    assert await all_of(known) == await all_of(unknown) == []


@in_a_loop
async def test_a_worker_that_breaks_down_is_told_to_those_it_spoke_for(streams: Streams, worker: Puppet) -> None:
    first, second, third = open_all(streams, *"abc")
    streams.hear({"is": "bytes", "id": first.id}, b"1")
    assert not streams.hear({"is": "gone"}, None)  # others want to hear that, too
    assert await anext(first) == b"1"
    for lost in (first, second):
        with pytest.raises(WorkerGone):
            await anext(lost)
    assert not streams.hear({"is": "ready"}, None)
    assert worker.given() == ["a", "b", "c"]
    end(streams, third)
    assert await all_of(third) == []


@in_a_loop
async def test_a_worker_that_is_not_there_is_told_at_once(streams: Streams, worker: Puppet) -> None:
    worker.is_there = False
    (stream,) = open_all(streams, "a")
    with pytest.raises(WorkerGone, match="try again"):
        await anext(stream)
    assert streams.counts() == {"queued": 0, "running": 0}


@in_a_loop
async def test_a_worker_that_begins_is_waited_for(streams: Streams, worker: Puppet) -> None:
    worker.is_ready = False
    (stream,) = open_all(streams, "a")
    assert worker.given() == []
    worker.is_ready = True
    streams.hear({"is": "ready"}, None)
    assert worker.given() == ["a"] and streams.counts() == {"queued": 0, "running": 1}
    stream.close()


@in_a_loop
async def test_too_many_are_sent_away_for_a_while(streams: Streams) -> None:
    waiting = open_all(streams, *map(str, range(2 + MOST_WAITING_STREAMS)))
    with pytest.raises(QueueFull) as refused:
        open_all(streams, "x")
    assert refused.value.headers["Retry-After"] == "1"
    waiting[-1].close()
    open_all(streams, "x")


@in_a_loop
async def test_what_was_spoken_and_nobody_reads_does_not_pile_up(
    streams: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_OPEN_STREAMS", 3)
    spoken = open_all(streams, "a", "b", "c")
    for stream in spoken:
        end(streams, stream)
    with pytest.raises(QueueFull):
        open_all(streams, "d")
    assert await all_of(spoken[0]) == []
    open_all(streams, "d")


@in_a_loop
async def test_long_texts_leave_room_for_short_ones(streams: Streams, worker: Puppet) -> None:
    long, other = "long " * 1000, "other " * 1000
    first, _, third = open_all(streams, long, other, "short")
    assert worker.given() == [long, "short"]
    end(streams, third)
    assert worker.given() == [long, "short"]
    end(streams, first)
    assert worker.given() == [long, "short", other]


@in_a_loop
async def test_a_caller_has_as_many_as_its_limits_say(streams: Streams, worker: Puppet) -> None:
    limits = CallerLimits(1, 1, max_jobs=1, max_queued=1)
    first = streams.open({"text": "a"}, "anna", limits)
    streams.open({"text": "b"}, "anna", limits)
    with pytest.raises(QueueFull, match="of yours"):
        streams.open({"text": "c"}, "anna", limits)
    streams.open({"text": "x"}, "ben", limits)
    assert worker.given() == ["a", "x"]
    end(streams, first)
    assert worker.given() == ["a", "x", "b"]
