"""Many items, one loaded model: each is separated on its own, and one that fails does not stop the rest."""

from __future__ import annotations

import os
import threading
import traceback
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import separation
from audio_ml.catalogue import ModelSpec
from audio_ml.errors import (
    AudioMLError,
    Cancelled,
    DiskFull,
    LicenceNotAccepted,
    MissingDependency,
    OutputExists,
    ServerUnreachable,
    WeightsError,
)
from audio_ml.loader import ModelLoader
from audio_ml.options import parse
from audio_ml.progress import Progress
from audio_ml.provenance import weights_of
from audio_ml.streams import show
from separation import SeparationReport
from separation.options import DEFAULT_MODEL, DeliveryOptions
from ui.batch_state import BatchState, Stamp
from ui.items import Item

FAILS_EVERY_ITEM = (WeightsError, LicenceNotAccepted, MissingDependency, DiskFull, ServerUnreachable)
POLL_SECONDS = 0.5  # on Windows, a wait without an end does not hear Ctrl-C

SeparateFile = Callable[..., SeparationReport]  # called as `separation.separate_file`


@dataclass(frozen=True)
class Request:
    """What is asked for every item: the arguments of `separation.separate_file`."""

    model: str | ModelSpec = DEFAULT_MODEL
    options: Mapping[str, Any] = field(default_factory=dict)
    delivery: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def spec(self) -> ModelSpec:
        return self.model if isinstance(self.model, ModelSpec) else separation.find_model(self.model)

    @cached_property
    def described(self) -> dict[str, Any]:
        """All that the stems depend on besides their source; patch releases do not change the sound."""
        return {
            "software": version("audio-ml").rpartition(".")[0],
            "model": self.spec.name,
            "weights": weights_of(self.spec),
            "derived": {file.name: file.version for part in self.spec.parts for file in part.derived},
            "options": parse(self.spec.options, self.options).model_dump(mode="json"),
            "delivery": parse(DeliveryOptions, self.delivery).model_dump(mode="json", exclude={"overwrite"}),
        }

    @property
    def overwrites(self) -> bool:
        return bool(self.delivery.get("overwrite"))

    def targets(self, item: Item) -> list[Path]:
        """Returns the paths that the item's stems will have."""
        named = separation.output_paths(
            item.source, item.folder, model=self.spec, options=self.options, delivery=self.delivery
        )
        return list(named.values())


@dataclass(frozen=True)
class Outcome:
    """What came of an item: the `report` of one that is done, the `error` of one that failed.

    An error that nobody foresaw has its `trace`.
    """

    item: Item
    status: Literal["done", "skipped", "failed"]
    report: SeparationReport | None = None
    error: AudioMLError | None = None
    trace: str | None = None


class Batch:
    """Separates items, `jobs` at once, with one loader; a `state` lets it skip what an earlier run has done.

    A batch runs once. `separate_file` is what separates: by default here, with the loader. `stopped` has the items
    that `cancel` ended. `progress` opens the progress of an item for as long as the item is worked on.

    >>> batch = Batch(Request(), ModelLoader("cpu"), jobs=2)
    >>> list(batch.run([])), batch.stopped
    ([], [])
    """

    def __init__(
        self,
        request: Request,
        loader: ModelLoader | None,
        *,
        separate_file: SeparateFile | None = None,
        jobs: int = 1,
        state: BatchState | None = None,
        progress: Callable[[Item], AbstractContextManager[Progress]] = lambda _: nullcontext(Progress()),
    ) -> None:
        self.stopped: list[Item] = []
        self._request = request
        self._loader = loader
        self._separate_file = separate_file or separation.separate_file
        self._jobs = jobs
        self._state = state
        self._progress = progress
        self._lock = threading.Lock()
        self._running: list[Progress] = []
        self._is_cancelled = threading.Event()
        self._claims: dict[str, Path] = {}
        self._outcomes: dict[Path, Outcome] = {}

    @property
    def outcomes(self) -> list[Outcome]:
        """What came of every item so far, that which ended the batch included; of one tried again, the newest."""
        return list(self._outcomes.values())

    def run(self, items: Iterable[Item | None]) -> Generator[Outcome, None, None]:
        """Yields the outcome of every item as it ends; a None among the items means that none is ready yet.

        Closing the generator, or an error in it, stops the items under way and waits for their end. An error
        that nobody foresaw fails its item only.

        Raises:
            AudioMLError: what would fail every item (no weights, a full disk), or a state that cannot be written.
            Cancelled: when `cancel` was called.
        """
        running: set[Future[Outcome]] = set()
        with ThreadPoolExecutor(self._jobs, thread_name_prefix="item") as pool:
            try:
                for item in items:
                    self._check()
                    if item is not None:
                        running.add(self._start(pool, item))
                    yield from _ended(running, n_left=self._jobs - 1)
                yield from _ended(running, n_left=0)
            finally:
                self.cancel()
                _settle(running)

    def cancel(self) -> None:
        """Stops the items under way, each within a segment; from any thread."""
        self._is_cancelled.set()
        with self._lock:
            for progress in self._running:
                progress.cancel()

    def _check(self) -> None:
        if self._is_cancelled.is_set():
            raise Cancelled("Stopped; what was done is kept.")

    def _start(self, pool: ThreadPoolExecutor, item: Item) -> Future[Outcome]:
        """Hands an item to a thread; of two sources with the same stems, the first has the names."""
        targets = self._request.targets(item)
        names = [os.path.normcase(os.path.normpath(target.absolute())) for target in targets]
        rivals = [self._claims.setdefault(name, item.source) for name in names]
        rival = next((source for source in rivals if source != item.source), None)
        return pool.submit(self._separate, item, targets, rival)

    def _separate(self, item: Item, targets: Collection[Path], rival: Path | None) -> Outcome:
        """Separates an item and notes what came of it."""
        stamp = Stamp.of(item.source)  # of before it is read, so that the next run sees what changes meanwhile
        try:
            outcome = self._attempt(item, targets, rival)
        except Cancelled:
            self.stopped.append(item)
            raise
        except FAILS_EVERY_ITEM as error:
            self._outcomes[item.source] = _failed(item, error)
            raise
        except AudioMLError as error:
            outcome = _failed(item, error)
        except Exception as error:  # one file that finds a mistake of ours is no reason to leave the others undone
            told = " ".join(f"{show(item.source)}: unexpected {type(error).__name__}: {error}".split())
            outcome = _failed(item, AudioMLError(told), traceback.format_exc())
        self._outcomes[item.source] = outcome
        self._note(outcome, stamp)
        return outcome

    def _attempt(self, item: Item, targets: Collection[Path], rival: Path | None) -> Outcome:
        if rival is not None:
            raise OutputExists(
                f"{show(item.source)} would have the stems of {show(rival)}, an earlier file of this call: separate "
                "it into another folder, or rename it."
            )
        self._check()
        may_replace = self._request.overwrites
        if self._state is not None and not may_replace:
            if self._state.is_done(item.source, self._request.described, targets):
                return Outcome(item, "skipped")
            may_replace = self._state.may_replace(item.source, targets)
        begun = self._state.begun(item.source, targets) if self._state is not None else nullcontext()
        with begun, self._cancellable(item) as progress:
            report = self._separate_file(
                item.source,
                item.folder,
                model=self._request.spec,
                options=self._request.options,
                delivery=dict(self._request.delivery) | {"overwrite": may_replace},
                loader=self._loader,
                progress=progress,
            )
        return Outcome(item, "done", report)

    @contextmanager
    def _cancellable(self, item: Item) -> Iterator[Progress]:
        with self._progress(item) as progress:
            with self._lock:
                self._running.append(progress)
                if self._is_cancelled.is_set():
                    progress.cancel()
            try:
                yield progress
            finally:
                with self._lock:
                    self._running.remove(progress)

    def _note(self, outcome: Outcome, stamp: Stamp | None) -> None:
        if self._state is None or outcome.status == "skipped":
            return
        source, report = outcome.item.source, outcome.report
        if report is None or stamp is None:
            self._state.note_failed(source, str(outcome.error))
            return
        outputs = [Path(file.path) for file in report.files]
        self._state.note_done(source, stamp, report.provenance.source_sha256, self._request.described, outputs)


def _failed(item: Item, error: AudioMLError, trace: str | None = None) -> Outcome:
    return Outcome(item, "failed", error=type(error)(str(error)), trace=trace)  # the error's own trace holds buffers


def _settle(running: set[Future[Outcome]]) -> None:
    """Waits for the end of all items: what came of them is not known before, however often Ctrl-C is pressed."""
    while True:
        try:
            wait(running)
        except KeyboardInterrupt:
            continue
        return


def _ended(running: set[Future[Outcome]], n_left: int) -> Iterator[Outcome]:
    """Yields the outcomes that are there, waiting until at most `n_left` are under way."""
    while running:
        enough = len(running) <= n_left
        done, _ = wait(running, timeout=0 if enough else POLL_SECONDS, return_when=FIRST_COMPLETED)
        running -= done
        for future in done:
            yield future.result()
        if enough and not done:
            return
