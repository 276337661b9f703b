"""Calls of several threads that are computed together, and threads that torch may use."""

from __future__ import annotations

import threading

import pytest
import torch

from audio_ml.batching import Batcher
from audio_ml.torch_threads import use_threads


class TestBatcher:
    def test_waiting_calls_of_a_kind_go_together(self) -> None:
        begun, may_end, batches = threading.Event(), threading.Event(), list[list[int]]()

        def compute(kind: str, given: list[int]) -> list[int]:
            batches.append(given)
            begun.set()
            may_end.wait(60)
            return [-one for one in given]

        batcher = Batcher(compute, workers=1, batch=3)
        answers: dict[int, int] = {}
        calls = [("a", 0), ("a", 1), ("b", 2), ("a", 3), ("a", 4), ("a", 5)]
        threads = [
            threading.Thread(target=lambda kind=kind, one=one: answers.update({one: batcher(kind, one)}))
            for kind, one in calls
        ]
        for number, thread in enumerate(threads):
            thread.start()
            begun.wait(60)
            while number and len(batcher._waiting) < number:
                pass
        may_end.set()
        for thread in threads:
            thread.join()
        assert batches == [[0], [1, 3, 4], [2], [5]]
        assert answers == {one: -one for one in range(6)}

    def test_an_error_reaches_who_called_and_nobody_after(self) -> None:
        def compute(kind: str, given: list[int]) -> list[float]:
            return [1 / one for one in given]

        batcher = Batcher(compute, workers=1, batch=4)
        with pytest.raises(ZeroDivisionError):
            batcher("a", 0)
        assert batcher("a", 2) == 0.5

    def test_nobody_waits_for_an_answer_that_was_forgotten(self) -> None:
        batcher: Batcher[str, int, int] = Batcher(lambda kind, given: [], workers=1, batch=4)
        with pytest.raises(AssertionError, match="an answer"):
            batcher("a", 1)


def test_threads_are_set_for_one_thread_alone() -> None:
    before, seen = torch.get_num_threads(), []

    def work() -> None:
        for n_threads in (1, before, 1):
            use_threads(n_threads)
        seen.append(torch.get_num_threads())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    later = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    later.start()
    later.join()
    assert seen == [1, before] and torch.get_num_threads() == before
