"""The policy of the loader, whatever is asked of it in whatever order."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule
from sized_models import sized

from audio_ml.footprints import Footprint
from audio_ml.residency import Admission, Lease, Residency, Resident, total_bytes

BUDGET = 10
SIZES = {"a": 1, "b": 2, "c": 3, "d": 5, "e": 8}
SPECS = {name: sized(name, 0) for name in SIZES}


class Requests(RuleBasedStateMachine):
    """Requests come, are let in or told to wait, and give back; models are pinned and set free."""

    admissions = Bundle("admissions")

    def __init__(self) -> None:
        super().__init__()
        self.residency = Residency("cpu", BUDGET)
        self.now, self.n_requests, self.went_beyond = 0.0, 0, False

    @rule(
        target=admissions,
        names=st.lists(st.sampled_from(sorted(SIZES)), min_size=1, max_size=3),
        is_next=st.booleans(),
        is_counted=st.booleans(),
    )
    def ask(self, names: list[str], is_next: bool, is_counted: bool) -> object:
        """A request of its own, with its own thread."""
        self.n_requests += 1
        lease = Lease(None, self.n_requests)
        return self._ask(names, lease, is_next, may_wait=True, kind="cpu" if is_counted else "cuda")

    @rule(target=admissions, former=admissions, name=st.sampled_from(sorted(SIZES)))
    def ask_for_more(self, former: tuple[Lease, Admission], name: str) -> object:
        lease = Lease(None, former[0].thread)
        return self._ask([name], lease, is_next=False, may_wait=not self.residency.holds_any(lease), kind="cpu")

    def _ask(self, names: list[str], lease: Lease, is_next: bool, *, may_wait: bool, kind: str) -> object:
        wanted = [Resident(SPECS[name], kind, Footprint(SIZES[name], True)) for name in names]  # type: ignore[arg-type]
        before = {resident.key: resident for resident in self.residency}
        n_bytes = self.residency.n_bytes
        admission = self.residency.admit(wanted, lease, is_next)
        missing = [resident for resident in wanted if resident.key not in before]
        if admission is None:
            assert may_wait and missing
            assert {resident.key: resident for resident in self.residency} == before, "nothing changed"
            kept = [
                r for r in before.values() if r.kind == "cpu" and (not r.may_go or r.key in {w.key for w in wanted})
            ]
            assert not is_next or total_bytes(kept) + total_bytes(r for r in missing if r.kind == "cpu") > BUDGET
            return multiple()
        assert [resident.key for resident in admission.residents] == [resident.key for resident in wanted]
        assert {resident.key for resident in admission.new} == {resident.key for resident in missing}
        assert all(lease in resident.leases for resident in admission.residents)
        self._check_going(admission, before, n_bytes)
        self.went_beyond |= admission.beyond_budget
        return lease, admission

    def _check_going(self, admission: Admission, before: dict[object, Resident], n_bytes: int) -> None:
        going = list(admission.going)
        assert not any(resident.leases or resident.pinned for resident in going)
        stayed = [r for r in before.values() if r.kind == "cpu" and r not in going]
        idle = [r for r in stayed if r.may_go]
        if going:
            assert all(r.idle_since >= going[-1].idle_since for r in idle), "longest unused first"
            fewer = n_bytes + total_bytes(r for r in admission.new if r.kind == "cpu") - total_bytes(going[:-1])
            assert fewer > BUDGET, "no more than need be"

    @rule(lent=consumes(admissions))
    def give_back(self, lent: tuple[Lease, Admission]) -> None:
        lease, admission = lent
        self.now += 1
        for resident in admission.residents:
            resident.leases.remove(lease)
            resident.idle_since = self.now

    @rule(name=st.sampled_from(sorted(SIZES)), pinned=st.booleans())
    def pin(self, name: str, pinned: bool) -> None:
        for resident in self.residency:
            if resident.spec.name == name:
                resident.pinned = pinned

    @invariant()
    def the_budget_holds(self) -> None:
        self.went_beyond &= self.residency.n_bytes > BUDGET
        assert self.went_beyond or self.residency.n_bytes <= BUDGET

    @invariant()
    def what_is_lent_out_is_here(self) -> None:
        assert len({resident.key for resident in self.residency}) == len(list(self.residency))


TestRequests = Requests.TestCase
TestRequests.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
