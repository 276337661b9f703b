"""Calls from several threads, computed together: the same way for every engine that is faster on several at once."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")
Kind = TypeVar("Kind", bound=Hashable)


@dataclass(eq=False)
class _Call(Generic[Kind, Given, Made]):
    kind: Kind
    given: Given
    answer: Future[Made] = field(default_factory=Future)


class Batcher(Generic[Kind, Given, Made]):
    """Answers calls on `workers` threads of its own; each takes up to `batch` waiting calls of one kind at once.

    Nobody waits for a batch to fill: while one is computed, the next gathers. `prepare` runs once in each thread.
    """

    def __init__(
        self,
        compute: Callable[[Kind, list[Given]], Sequence[Made]],
        workers: int,
        batch: int,
        prepare: Callable[[], Any] | None = None,
    ) -> None:
        self._compute, self._batch = compute, batch
        self._waiting: deque[_Call[Kind, Given, Made]] = deque()
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="batch", initializer=prepare)

    def __call__(self, kind: Kind, given: Given) -> Made:
        """Returns what is computed of one, together with others of its kind; raises what computing it raises."""
        call: _Call[Kind, Given, Made] = _Call(kind, given)
        with self._lock:
            self._waiting.append(call)
        self._pool.submit(self._work)
        return call.answer.result()

    def _work(self) -> None:
        calls = self._take()
        if not calls:
            return  # they went with an earlier batch
        try:
            made = self._compute(calls[0].kind, [call.given for call in calls])
            assert len(made) == len(calls), "every call has an answer"
        except BaseException as error:
            for call in calls:
                call.answer.set_exception(error)
        else:
            for call, one in zip(calls, made, strict=True):
                call.answer.set_result(one)

    def _take(self) -> list[_Call[Kind, Given, Made]]:
        """Takes the call that waits longest, and others of its kind."""
        with self._lock:
            if not self._waiting:
                return []
            kind = self._waiting[0].kind
            taken = [call for call in self._waiting if call.kind == kind][: self._batch]
            for call in taken:
                self._waiting.remove(call)
            return taken
