"""Which models are in memory and which of them may go: the policy of the loader, without locks, clocks or loading."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from audio_ml.catalogue import ModelSpec
from audio_ml.device import Kind
from audio_ml.footprints import Footprint
from audio_ml.progress import Progress

Key = tuple[str, Kind]


@dataclass(frozen=True, eq=False)
class Lease:
    """That a request has a model: requests are told apart by their progress and by their thread."""

    progress: Progress | None
    thread: int

    def is_of_one_request_with(self, other: Lease) -> bool:
        return self.thread == other.thread or (self.progress is not None and self.progress is other.progress)


@dataclass(eq=False)
class Resident:
    """A model in memory, or on its way there while `engine` is None; `failed` when it never arrived."""

    spec: ModelSpec
    kind: Kind
    footprint: Footprint
    pinned: bool = False
    engine: Any = None
    failed: bool = False
    idle_since: float = 0.0
    leases: list[Lease] = field(default_factory=list)

    @property
    def key(self) -> Key:
        return self.spec.name, self.kind

    @property
    def may_go(self) -> bool:
        return not self.leases and not self.pinned


@dataclass(frozen=True)
class Admission:
    """A request that may go on: its models, all leased, the `new` ones of them that it loads, and what has to go."""

    residents: Sequence[Resident]
    new: Sequence[Resident]
    going: Sequence[Resident]
    beyond_budget: bool


class Residency:
    """The models in memory by name and device, under one budget of bytes (None: no limit).

    The budget is that of the device `kind`. Models that had to go to another one, the CPU beside a
    GPU, do not count.
    """

    def __init__(self, kind: Kind, budget: int | None) -> None:
        self.kind = kind
        self.budget = budget
        self._residents: dict[Key, Resident] = {}

    def __iter__(self) -> Iterator[Resident]:
        return iter(self._residents.values())

    def get(self, key: Key) -> Resident | None:
        return self._residents.get(key)

    def remove(self, resident: Resident) -> None:
        if self._residents.get(resident.key) is resident:
            del self._residents[resident.key]

    def admit(self, wanted: Sequence[Resident], lease: Lease, is_next: bool) -> Admission | None:
        """Leases all the models `wanted` to a request, or none: None when it has to wait for room.

        `wanted` are new; of those that are here already, the ones that are here are leased. Only who `is_next` in
        the queue gets room, and who has a model gets it at once, be it beyond the budget.
        """
        new = {resident.key: resident for resident in wanted if resident.key not in self._residents}
        keys = {resident.key for resident in wanted}
        counted = [resident for resident in new.values() if self.counts(resident)]
        room = self.make_room(total_bytes(counted), keys) if counted else []
        if new and (room is None or not is_next) and not self.holds_any(lease):
            return None
        going = self.idle(keys) if room is None else room
        for resident in going:
            self.remove(resident)
        self._residents |= new
        residents = [self._residents[resident.key] for resident in wanted]
        for resident in residents:
            resident.leases.append(lease)
        return Admission(residents, list(new.values()), going, beyond_budget=room is None)

    def counts(self, resident: Resident) -> bool:
        """Tells whether a model counts towards the budget."""
        return resident.kind == self.kind

    @property
    def n_bytes(self) -> int:
        """The memory that is taken or promised."""
        return total_bytes(filter(self.counts, self))

    def n_bytes_pinned(self, beside: Collection[Key] = ()) -> int:
        """The memory of pinned models that are not among those."""
        return total_bytes(r for r in self if r.pinned and self.counts(r) and r.key not in beside)

    def idle(self, wanted: Collection[Key] = ()) -> list[Resident]:
        """Returns the models that may go, longest unused first: not `wanted`, not lent out and not pinned."""
        found = [r for r in self if r.may_go and self.counts(r) and r.key not in wanted]
        return sorted(found, key=lambda resident: resident.idle_since)

    def make_room(self, n_bytes: int, wanted: Collection[Key] = ()) -> list[Resident] | None:
        """Returns the first of `idle` that have to go for `n_bytes` more, or None when all of them are not enough."""
        if self.budget is None:
            return []
        excess, going = self.n_bytes + n_bytes - self.budget, []
        for resident in self.idle(wanted):
            if excess <= 0:
                break
            going.append(resident)
            excess -= resident.footprint.n_bytes
        return going if excess <= 0 else None

    def holds_any(self, lease: Lease) -> bool:
        """Tells whether the request of a lease has a model already."""
        return any(lease.is_of_one_request_with(other) for resident in self for other in resident.leases)


def total_bytes(residents: Iterable[Resident]) -> int:
    """Returns what models take together; one that is named twice is in memory once."""
    return sum({resident.key: resident.footprint.n_bytes for resident in residents}.values())
