"""Loads each model once and lends it out: `with loader.use(spec) as engine`.

One `ModelLoader` serves every task of a process, and one memory budget holds over all of their models:

- A model stays in memory when it is given back, until it was unused for `idle_minutes`, until others need
  its room (longest unused first), or until `unload`. One that is pinned goes at `unload` only; one that is lent
  out never goes.
- Two threads that ask for one model load it once. Different models load side by side where the budget allows it,
  and nobody who wants a loaded one waits for either.
- What does not fit beside the models that are lent out waits, in the order of asking, until enough are given
  back; its progress says "waiting for memory". What could not fit even then is refused at once with
  `OutOfMemory`, before anything is loaded.
- A request that has a model already never waits, for it might be waiting for itself: what it needs beyond
  the budget is loaded beyond the budget, and its progress says so. The leases of a request are known
  by its progress and by its thread, so pass the progress on to wherever it borrows. Who knows beforehand that
  several are needed asks for them with `use_all`, which waits until all fit together.
- What a model takes is measured when it is loaded alone, and remembered (see `footprints.py`); the row's
  `memory_bytes` is the first guess. The memory that models use while they work is not in it, which is why the budget
  is by default a share of what is free; where it runs out all the same, `ladder.py` has the answer.
"""

from __future__ import annotations

import functools
import threading
import time
import weakref
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pydantic import Field

from audio_ml import device as devices
from audio_ml import shortage
from audio_ml.budget import BUDGET_VARIABLE, find_budget
from audio_ml.catalogue import ModelSpec
from audio_ml.device import Kind
from audio_ml.exhaustion import is_exhaustion
from audio_ml.footprints import Footprints, Scales
from audio_ml.options import Options
from audio_ml.progress import Progress
from audio_ml.residency import Admission, Lease, Residency, Resident, total_bytes
from audio_ml.running import ModelState, StateFile
from audio_ml.watcher import watch
from audio_ml.weights import WeightStore

IDLE_MINUTES = 10.0
POLL_SECONDS = 0.2  # how soon somebody who waits sees that the job was cancelled
LONGEST_PAUSE = 3600.0  # of the watcher, when nothing is due


class LoaderOptions(Options):
    """What a process that goes on keeps in memory."""

    memory_budget: str = Field(
        "",
        description=f"Memory that all loaded models may take together, such as 4GB; otherwise {BUDGET_VARIABLE}, "
        "otherwise 80% of what is free at the start.",
    )
    idle_minutes: float = Field(IDLE_MINUTES, ge=0, description="Unload models that were unused for so long.")
    pinned: tuple[str, ...] = Field((), description="Models that stay loaded.", json_schema_extra={"flag": "--pin"})


class ModelLoader:
    """The models in this process's memory, on one device. Any number of threads may borrow from it.

    `memory_budget` is in bytes, or a size such as "4GB"; without `idle_minutes` (None) models stay until their room
    is needed. `pinned` names rows that stay. `clock` is for tests.

    >>> loader = ModelLoader("cpu", memory_budget="2GB")
    >>> loader.loaded()
    []
    """

    def __init__(
        self,
        device: str = "auto",
        store: WeightStore | None = None,
        *,
        memory_budget: int | str | None = None,
        idle_minutes: float | None = IDLE_MINUTES,
        pinned: Collection[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store = store or WeightStore()
        self.n_evicted = 0  # models that had to go because others needed their room
        self._device_name, self._budget_asked = device, memory_budget
        self._idle_seconds = None if idle_minutes is None else 60 * idle_minutes
        self._pinned = set(pinned)
        self._clock = clock
        self._changed = threading.Condition()  # guards all below
        self._queue: list[Lease] = []  # who needs memory, in the order of asking
        self._n_disturbances = 0  # counts what makes weighing a model pointless
        self._watcher: threading.Thread | None = None
        self._stirred = threading.Event()  # tells the watcher that something changed
        self._footprints = Footprints(self.store.cache)
        self._state_file = StateFile(self.store.cache)
        weakref.finalize(self, _end, self._stirred, self._state_file)  # at the end of the process, too

    @functools.cached_property
    def device(self) -> devices.Device:
        """The device models are loaded to; raises `InvalidInput` when it is not on this machine."""
        return devices.resolve(self._device_name)

    @property
    def memory_budget(self) -> int | None:
        """The bytes that models may take together, found when it is first asked for; None where there is no limit."""
        with self._changed:  # or two who are the first would have a table of models each
            return self._residency.budget

    @functools.cached_property
    def _residency(self) -> Residency:
        return Residency(self.device.kind, find_budget(self.device.kind, self._budget_asked))

    @contextmanager
    def use(self, spec: ModelSpec, progress: Progress | None = None, *, on_cpu: bool = False) -> Iterator[Any]:
        """Lends the engine of a model, loading it first where needed; see `use_all`."""
        with self.use_all([spec], progress, on_cpu=on_cpu) as (engine,):
            yield engine

    @contextmanager
    def use_all(
        self, specs: Sequence[ModelSpec], progress: Progress | None = None, *, on_cpu: bool = False
    ) -> Iterator[list[Any]]:
        """Lends the engines of several models at once: it has all of them or waits for all of them.

        `on_cpu` is for what no longer fits on the device: those models do not count towards its budget.

        Raises:
            OutOfMemory: when they can never fit into the budget, and for whatever error means so in the block.
            WeightsError: as `WeightStore.open`.
            Cancelled: when the progress was cancelled.
        """
        lease = Lease(progress, threading.get_ident())
        admitted = self._borrow(specs, lease, progress or Progress(), "cpu" if on_cpu else self.device.kind)
        try:
            yield [resident.engine for resident in admitted.residents]
        except Exception as error:
            if isinstance(error, shortage.Advised) or not is_exhaustion(error):
                raise
            raise shortage.exhaustion(admitted.residents, error, self.advice(specs[0])) from error
        finally:
            self._give_back(admitted, lease)

    def loaded(self) -> list[str]:
        """Names the models in memory."""
        with self._changed:
            return [resident.spec.name for resident in self._residency if resident.engine is not None]

    def states(self) -> list[ModelState]:
        """Tells of each model in memory what it takes and what it is doing."""
        with self._changed:
            return [self._state(resident) for resident in self._residency]

    def pin(self, name: str) -> None:
        """Keeps a model in memory from when it is loaded on."""
        self._set_pinned(name, True)

    def unpin(self, name: str) -> None:
        """Lets a model go again when it is unused or its room is needed."""
        self._set_pinned(name, False)

    def unload(self, name: str) -> bool:
        """Gives a model's memory back, pinned or not; False when it is not loaded or is lent out just now."""
        return bool(self._unload_where(lambda resident: resident.spec.name == name))

    def unload_idle(self) -> list[str]:
        """Gives the memory of all models back that nobody uses, except pinned ones, and names them."""
        return self._unload_where(lambda resident: resident.may_go)

    def expire(self) -> list[str]:
        """Unloads the models whose time is up, and names them; it is done by itself, too."""
        return self._unload_where(lambda resident: self._seconds_left(resident) == 0)

    def advice(self, spec: ModelSpec) -> str:
        """Returns a sentence on the models that could take the place of one that is too large."""
        return shortage.smaller_models(spec, self.device.kind, self.memory_budget, self._footprints)

    def _borrow(self, specs: Sequence[ModelSpec], lease: Lease, progress: Progress, kind: Kind) -> Admission:
        """Returns with the models of a request, loaded and leased."""
        while True:
            admitted = self._admit(specs, lease, progress, kind)
            try:
                if admitted.beyond_budget:
                    progress.update(f"loading {shortage.names(specs)} beyond the memory budget", 0.0)
                self._evict(admitted.going)
                for resident in admitted.new:
                    self._load(resident, lease, progress)
                if all(self._arrives(resident, progress) for resident in admitted.residents):
                    return admitted
            except BaseException:
                self._give_back(admitted, lease)
                raise
            self._give_back(admitted, lease)  # who was loading one of them failed: it is our turn to try

    def _admit(self, specs: Sequence[ModelSpec], lease: Lease, progress: Progress, kind: Kind) -> Admission:
        """Waits until there is room for all models of a request, and leases them to it."""
        pinned = self._pinned
        wanted = [Resident(s, kind, self._footprints.of(s, kind), pinned=s.name in pinned) for s in specs]
        try:
            while True:
                with self._changed:
                    self._refuse_impossible(wanted)
                    is_next = not self._queue or self._queue[0] is lease
                    admitted = self._residency.admit(wanted, lease, is_next)
                    if admitted is not None:
                        self._n_disturbances += bool(
                            admitted.new or any(r.engine is not None for r in admitted.residents)
                        )
                        break
                    if lease not in self._queue:
                        self._queue.append(lease)
                progress.update("waiting for memory", 0.0)
                with self._changed:
                    self._changed.wait(POLL_SECONDS)
        finally:
            with self._changed:
                if lease in self._queue:
                    self._queue.remove(lease)
                    self._changed.notify_all()
        return admitted

    def _refuse_impossible(self, wanted: Sequence[Resident]) -> None:
        """Raises `OutOfMemory` for models that would not even fit if all others were gone."""
        here = self._residency
        keys = {resident.key for resident in wanted}
        if all(here.get(key) is not None for key in keys):
            return
        is_counted = all(here.counts(resident) for resident in wanted)
        limit = here.budget if is_counted else devices.free_bytes("cpu")
        n_pinned = here.n_bytes_pinned(keys) if is_counted else 0
        if limit is not None and total_bytes(wanted) > limit - n_pinned:
            raise shortage.refusal(wanted, limit, n_pinned, is_counted, self.advice(wanted[0].spec))

    def _load(self, resident: Resident, lease: Lease, progress: Progress) -> None:
        """Makes the engine of a model and weighs it, if nothing else is at work that could be weighed with it."""
        spec, here = resident.spec, self.device
        with self._changed:
            others = [other for r in self._residency if r is not resident for other in r.leases]
            is_alone, n_disturbances = all(other is lease for other in others), self._n_disturbances
        progress.update(f"loading {spec.name}", 0.0)
        files = self.store.open(spec, progress)
        scales = Scales(resident.kind, self._footprints.libraries(spec, resident.kind))
        try:
            engine = spec.engine(files, here if here.kind == resident.kind else devices.resolve(resident.kind))
        except Exception as error:
            if not is_exhaustion(error):
                raise
            raise shortage.exhaustion([resident], error, self.advice(spec)) from error
        devices.release_memory()
        with self._changed:
            is_alone = is_alone and self._n_disturbances == n_disturbances
        found = self._footprints.note(spec, resident.kind, scales) if is_alone else resident.footprint
        with self._changed:
            resident.engine, resident.footprint = engine, found
            going = self._residency.make_room(0) or []  # it was heavier than was thought
            for other in going:
                self._residency.remove(other)
            self._changed.notify_all()
        self._evict(going)
        self._wake_watcher()

    def _arrives(self, resident: Resident, progress: Progress) -> bool:
        """Waits for a model that another thread is loading; False when it could not."""
        while True:
            with self._changed:
                if resident.engine is not None or resident.failed:
                    return not resident.failed
                self._changed.wait(POLL_SECONDS)
            progress.update(f"loading {resident.spec.name}", 0.0)

    def _give_back(self, admitted: Admission, lease: Lease) -> None:
        with self._changed:
            for resident in admitted.residents:
                resident.leases.remove(lease)
                resident.idle_since = self._clock()
            for resident in admitted.new:
                if resident.engine is None:
                    resident.failed = True
                    self._residency.remove(resident)
            going = self._residency.make_room(0) or []  # what was loaded beyond the budget
            for resident in going:
                self._residency.remove(resident)
            self._changed.notify_all()
        self._evict(going)
        self._wake_watcher()

    def _unload_where(self, is_meant: Callable[[Resident], bool]) -> list[str]:
        with self._changed:
            going = [r for r in self._residency if r.engine is not None and not r.leases and is_meant(r)]
            for resident in going:
                self._residency.remove(resident)
            self._changed.notify_all()
        self._drop(going)
        return [resident.spec.name for resident in going]

    def _evict(self, going: Sequence[Resident]) -> None:
        with self._changed:
            self.n_evicted += len(going)
        self._drop(going)

    def _drop(self, going: Sequence[Resident]) -> None:
        """Gives the memory of models back that were removed from the table."""
        if going:
            for resident in going:
                resident.engine = None
            devices.release_memory()
            self._wake_watcher()

    def _set_pinned(self, name: str, pinned: bool) -> None:
        with self._changed:
            (self._pinned.add if pinned else self._pinned.discard)(name)
            for resident in self._residency:
                if resident.spec.name == name:
                    resident.pinned = pinned
            self._changed.notify_all()
        self._wake_watcher()

    def _seconds_left(self, resident: Resident) -> float | None:
        """Returns how long a model will stay if nobody uses it, or None where that has no end."""
        if self._idle_seconds is None or resident.engine is None or not resident.may_go:
            return None
        return max(0.0, resident.idle_since + self._idle_seconds - self._clock())

    def _state(self, resident: Resident) -> ModelState:
        now, left = time.time(), self._seconds_left(resident)
        is_idle = resident.engine is not None and not resident.leases
        return ModelState(
            name=resident.spec.name,
            device=resident.kind,
            n_bytes=resident.footprint.n_bytes,
            measured=resident.footprint.measured,
            loading=resident.engine is None,
            n_leases=len(resident.leases),
            pinned=resident.pinned,
            idle_since=now - (self._clock() - resident.idle_since) if is_idle else None,
            unloads_at=None if left is None else now + left,
            summary=resident.spec.summary,
        )

    def _wake_watcher(self) -> None:
        with self._changed:
            if self._watcher is None and any(True for _ in self._residency):
                self._watcher = watch(self._tend, self._stirred, "model-loader")
        self._stirred.set()

    def _tend(self) -> float | None:
        """Unloads what is due and tells the state file; returns the seconds until there is more to do."""
        self.expire()
        with self._changed:
            states, left = self.states(), [self._seconds_left(resident) for resident in self._residency]
            if not states:
                self._watcher = None
                self._state_file.clear()  # before another watcher can begin
                return None
        self._state_file.write(self.device.kind, self.memory_budget, states)
        return min((seconds for seconds in left if seconds is not None), default=LONGEST_PAUSE)


def _end(stirred: threading.Event, state_file: StateFile) -> None:
    state_file.close()
    stirred.set()


@functools.cache
def default() -> ModelLoader:
    """Returns the loader that the Python verbs share when none is passed."""
    return ModelLoader()
