"""Models of a size that is said, not weighed, and requests on threads of their own, for tests of the loader."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fake_engine import FAKE, FakeEngine

from audio_ml.catalogue import ModelSpec
from audio_ml.device import Device
from audio_ml.footprints import Scales
from audio_ml.loader import ModelLoader
from audio_ml.progress import Progress, ProgressState

SECONDS_TO_WAIT = 60.0  # for what comes at once, unless it never comes
MB = 1_000_000


def sized(name: str, n_mb: int, made: Callable[[Device], None] = lambda device: None, **changes: Any) -> ModelSpec:
    """Returns a row that is said to need so much memory; `made` is called whenever it is loaded."""

    class Engine(FakeEngine):
        def __init__(self, files: Mapping[str, Path], device: Device) -> None:
            super().__init__(files, device)
            made(device)

    return dataclasses.replace(FAKE, name=name, memory_bytes=n_mb * MB, engine=Engine, **changes)


class Thread(threading.Thread):
    """Work on a thread that keeps its error and does not outlive the tests."""

    def __init__(self, work: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self.error: BaseException | None = None
        self._work = work
        self.start()

    def run(self) -> None:
        try:
            self._work()
        except BaseException as error:
            self.error = error


class Borrower:
    """A request on a thread of its own that has models from when it gets them until `give_back`."""

    def __init__(self, loader: ModelLoader, *specs: ModelSpec, progress: Progress | None = None) -> None:
        self.stages: list[str] = []
        self.progress = progress or Progress(self._note)
        self._has, self._is_waiting, self._may_end = threading.Event(), threading.Event(), threading.Event()
        self._loader, self._specs = loader, specs
        self._thread = Thread(self._run)

    @property
    def error(self) -> BaseException | None:
        return self._thread.error

    def has_models(self, within_seconds: float = SECONDS_TO_WAIT) -> bool:
        return self._has.wait(within_seconds)

    def is_waiting(self) -> bool:
        return self._is_waiting.wait(SECONDS_TO_WAIT)

    def give_back(self) -> None:
        self._may_end.set()
        self.ended()

    def ended(self) -> None:
        self._thread.join(SECONDS_TO_WAIT)
        assert not self._thread.is_alive(), "the request is stuck"

    def _note(self, state: ProgressState) -> None:
        self.stages.append(state.stage)
        if state.stage == "waiting for memory":
            self._is_waiting.set()

    def _run(self) -> None:
        with self._loader.use_all(self._specs, self.progress):
            self._has.set()
            self._may_end.wait(300)


@contextmanager
def lent(loader: ModelLoader, *specs: ModelSpec) -> Iterator[Borrower]:
    """Has models lent out to another request while the block runs."""
    borrower = Borrower(loader, *specs)
    assert borrower.has_models()
    try:
        yield borrower
    finally:
        borrower.give_back()


class Weight(Scales):
    """Scales that show what they are told to."""

    def __init__(self, n_bytes: int) -> None:
        super().__init__("cpu")
        self._n_bytes = n_bytes

    def added(self) -> int:
        return self._n_bytes


class Clock:
    """A clock that stands still unless it is told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now
