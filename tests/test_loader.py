"""A model is loaded once, however many want it; all fit into one budget, and nobody waits for what does not come."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_engine import FAKE, FakeEngine
from sized_models import MB, SECONDS_TO_WAIT, Borrower, Clock, Thread, lent, sized

from audio_ml import catalogue
from audio_ml import device as devices
from audio_ml import loader as loaders
from audio_ml.catalogue import ModelSpec
from audio_ml.device import Device, resolve
from audio_ml.errors import Cancelled, InvalidInput, InvalidOption, OutOfMemory
from audio_ml.footprints import Footprint, Footprints
from audio_ml.loader import ModelLoader
from audio_ml.progress import Progress
from audio_ml.shortage import smaller_models

A, B, C, D = (sized(name, 10) for name in "abcd")


@pytest.fixture(autouse=True)
def not_weighed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a model needs is what its row says, so that it is the same each time."""
    monkeypatch.setattr(devices, "held_bytes", lambda kind: ())


def touch(loader: ModelLoader, *specs: ModelSpec) -> None:
    for spec in specs:
        with loader.use(spec):
            pass


@pytest.mark.parametrize("first", [lambda loader: loader.memory_budget, lambda loader: touch(loader, A)])
def test_the_table_of_models_is_made_while_nobody_else_can_make_one(
    first: Callable[[ModelLoader], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From Python 3.12 on `cached_property` does not see to that."""
    loader, is_free = ModelLoader("cpu"), []

    def find_budget(*_: object) -> int:
        other = threading.Thread(target=lambda: is_free.append(loader._changed.acquire(blocking=False)))
        other.start()
        other.join()
        return 10 * MB

    monkeypatch.setattr(loaders, "find_budget", find_budget)
    first(loader)
    assert is_free == [False]


def test_eight_threads_load_a_model_once() -> None:
    made: list[Device] = []

    def slowly(device: Device) -> None:
        time.sleep(0.05)
        made.append(device)

    loader, spec, got = ModelLoader("cpu"), sized("slow", 1, slowly), []

    def borrow() -> None:
        with loader.use(spec) as engine:
            got.append(engine)

    threads = [threading.Thread(target=borrow) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1 and len(set(map(id, got))) == 1 and len(got) == 8


def test_different_models_load_side_by_side() -> None:
    """Each is loaded only once the other is being loaded, too."""
    both = threading.Barrier(2)

    def together(device: Device) -> None:
        both.wait(SECONDS_TO_WAIT)

    loader = ModelLoader("cpu", memory_budget="2MB")
    borrowers = [Borrower(loader, sized(name, 1, together)) for name in ("one", "other")]
    assert all(borrower.has_models() for borrower in borrowers)
    for borrower in borrowers:
        borrower.give_back()


def test_a_model_that_is_being_loaded_is_in_nobodys_way() -> None:
    may_end = threading.Event()
    loader, slow = ModelLoader("cpu"), sized("slow", 1, lambda device: may_end.wait(SECONDS_TO_WAIT) and None)
    touch(loader, A)
    borrower = Borrower(loader, slow)
    began = time.monotonic()
    while not any(state.loading for state in loader.states()):
        time.sleep(0.001)
    touch(loader, A, B)
    assert time.monotonic() - began < SECONDS_TO_WAIT / 2 and not borrower.has_models(0)
    may_end.set()
    assert borrower.has_models()
    borrower.give_back()


def test_who_waits_for_a_load_that_fails_tries_it() -> None:
    may_fail, tries = threading.Event(), []

    def fail_first(device: Device) -> None:
        tries.append(device)
        if len(tries) == 1:
            may_fail.wait(SECONDS_TO_WAIT)
            raise InvalidInput("no")

    loader, spec = ModelLoader("cpu"), sized("first fails", 1, fail_first)
    first = Borrower(loader, spec)
    while not tries:
        time.sleep(0.001)
    second = Borrower(loader, A, spec)
    while len(loader.loaded()) < 1 and not any(state.n_leases == 2 for state in loader.states()):
        time.sleep(0.001)
    may_fail.set()
    first.ended()
    assert isinstance(first.error, InvalidInput) and second.has_models() and len(tries) == 2
    second.give_back()


def test_a_model_that_is_lent_out_is_not_unloaded() -> None:
    loader = ModelLoader("cpu")
    with loader.use(FAKE):
        assert loader.loaded() == ["fake"]
        assert not loader.unload("fake") and loader.unload_idle() == []
    assert loader.unload("fake")
    assert loader.loaded() == [] and not loader.unload("fake")


def test_a_failed_load_leaves_the_loader_usable() -> None:
    def fail(device: Device) -> None:
        raise MemoryError

    loader = ModelLoader("cpu")
    with pytest.raises(OutOfMemory, match="fake needs about"), loader.use(sized("fake", 1, fail)):
        pass
    assert loader.loaded() == [] and loader.states() == []
    with loader.use(FAKE) as engine:
        assert isinstance(engine, FakeEngine)


def test_of_several_models_none_is_kept_from_others_when_one_fails() -> None:
    def fail(device: Device) -> None:
        raise InvalidInput("broken")

    loader = ModelLoader("cpu", memory_budget="25MB")
    with pytest.raises(InvalidInput, match="broken"), loader.use_all([A, sized("broken", 1, fail), C]):
        pass
    assert [(state.name, state.n_leases) for state in loader.states()] == [("a", 0)]
    touch(loader, B, C)


def test_the_longest_unused_goes_first() -> None:
    loader = ModelLoader("cpu", memory_budget="30MB")
    touch(loader, A, B, C, A)
    touch(loader, D)
    assert loader.loaded() == ["a", "c", "d"]
    touch(loader, sized("large", 20))
    assert loader.loaded() == ["d", "large"], "as many as need be, no more"


def test_no_model_goes_in_vain() -> None:
    loader = ModelLoader("cpu", memory_budget="30MB")
    touch(loader, A)
    with lent(loader, B):
        waiting = Borrower(loader, sized("large", 25))
        assert waiting.is_waiting() and "a" in loader.loaded(), "its going alone would not make room"
    assert waiting.has_models() and loader.loaded() == ["large"]
    waiting.give_back()


def test_a_pinned_model_stays_until_it_is_unloaded() -> None:
    clock = Clock()
    loader = ModelLoader("cpu", memory_budget="20MB", pinned=["a"], idle_minutes=1, clock=clock)
    touch(loader, A, B, C)
    clock.now += 100
    assert loader.expire() == ["c"] and loader.loaded() == ["a"] and loader.unload_idle() == []
    with pytest.raises(OutOfMemory, match="pinned models take 10 MB"):
        touch(loader, sized("large", 15))
    loader.unpin("a")
    loader.pin("b")
    touch(loader, B, C)
    assert loader.loaded() == ["b", "c"]
    assert loader.unload("b") and loader.loaded() == ["c"]


def test_what_does_not_fit_waits_for_what_is_lent_out() -> None:
    loader = ModelLoader("cpu", memory_budget="25MB")
    with lent(loader, A), lent(loader, B):
        waiting = Borrower(loader, C)
        assert waiting.is_waiting() and not waiting.has_models(0.1)
        touch(loader, A)  # what is loaded is lent at once all the same
        assert sorted(loader.loaded()) == ["a", "b"]
    assert waiting.has_models() and "loading c" in waiting.stages
    assert sum(state.n_bytes for state in loader.states()) <= 25 * MB
    waiting.give_back()


def test_who_asked_first_gets_room_first() -> None:
    loader = ModelLoader("cpu", memory_budget="30MB")
    with lent(loader, A):
        large = Borrower(loader, sized("large", 25))
        assert large.is_waiting()
        small = Borrower(loader, B)
        assert small.is_waiting(), "else small ones could keep a large one waiting for ever"
    assert large.has_models() and not small.has_models(0.05)
    large.give_back()
    assert small.has_models()
    small.give_back()


def test_a_cancelled_request_stops_waiting_and_lets_the_next_one_in() -> None:
    loader = ModelLoader("cpu", memory_budget="20MB")
    with lent(loader, A):
        large = Borrower(loader, sized("large", 15))
        assert large.is_waiting()
        small = Borrower(loader, B)
        assert small.is_waiting()
        large.progress.cancel()
        large.ended()
        assert isinstance(large.error, Cancelled) and small.has_models()
        small.give_back()


def test_what_can_never_fit_is_refused_with_the_numbers_and_what_would(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "models", lambda task: (A, sized("tiny", 3), sized("huge", 900)))
    loader = ModelLoader("cpu", memory_budget="40MB")
    with lent(loader, A), pytest.raises(OutOfMemory) as told:
        touch(loader, sized("large", 50))
    assert told.match(r"large needs about 50 MB, but the memory budget is 40 MB\. ")
    assert "would fit: a (about 10 MB), tiny (about 3 MB)." in str(told.value) and "huge" not in str(told.value)
    with (
        pytest.raises(OutOfMemory, match="a and b and large need about 45 MB"),
        loader.use_all([A, B, sized("large", 25)]),
    ):
        pass
    assert loader.loaded() == ["a"], "none of them was loaded"


def test_a_request_that_has_a_model_does_not_wait_for_itself() -> None:
    """It is known by its thread, and on its other threads by its progress."""
    loader, stages = ModelLoader("cpu", memory_budget="15MB"), []
    progress = Progress(lambda state: stages.append(state.stage))

    def request() -> None:
        with loader.use(A, progress):
            touch(loader, B)
            helper = Borrower(loader, C, progress=progress)
            assert helper.has_models()
            helper.give_back()
            assert "loading c beyond the memory budget" in stages and "waiting for memory" not in stages
            strangers.append(Borrower(loader, D))
            assert strangers[0].is_waiting()

    strangers: list[Borrower] = []
    thread = Thread(request)
    thread.join(SECONDS_TO_WAIT)
    assert not thread.is_alive() and thread.error is None, thread.error
    assert strangers[0].has_models()
    strangers[0].give_back()


def test_several_models_are_lent_together_or_not_at_all() -> None:
    loader = ModelLoader("cpu", memory_budget="20MB")
    with lent(loader, A):
        both = Borrower(loader, B, C)
        assert both.is_waiting() and loader.loaded() == ["a"], "it holds nothing while it waits"
    assert both.has_models() and sorted(loader.loaded()) == ["b", "c"]
    both.give_back()


def test_nobody_is_stuck_whoever_wants_what() -> None:
    """Requests of all kinds at once: no model is there twice, and in the end the budget holds."""
    loader, alive, most = ModelLoader("cpu", memory_budget="25MB"), Counter[str](), Counter[str]()
    lock, errors = threading.Lock(), []

    def named(name: str) -> ModelSpec:
        def count(device: Device) -> None:
            with lock:
                alive[name] += 1
            time.sleep(0.001)

        return sized(name, 10, count)

    specs = [named(name) for name in "pqrs"]

    def work(seed: int) -> None:
        draw = random.Random(seed)
        try:
            for _ in range(25):
                wanted = draw.sample(specs, draw.choice([1, 1, 2]))
                with loader.use_all(wanted):
                    if draw.random() < 0.2:
                        with loader.use(draw.choice(specs)):
                            most["nested"] += 1
                    states = loader.states()
                    assert len({state.name for state in states}) == len(states)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(seed,), daemon=True) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    assert not errors and not any(thread.is_alive() for thread in threads), "stuck"
    assert most["nested"] and all(state.n_leases == 0 for state in loader.states())
    touch(loader, A)
    assert sum(state.n_bytes for state in loader.states()) <= 25 * MB


def test_the_budget_is_asked_for_told_by_the_environment_or_a_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "free_bytes", lambda kind: 1000 * MB)
    monkeypatch.delenv("AUDIO_ML_MEMORY_BUDGET", raising=False)
    assert ModelLoader("cpu").memory_budget == 800 * MB
    monkeypatch.setenv("AUDIO_ML_MEMORY_BUDGET", "1.5GB")
    assert ModelLoader("cpu").memory_budget == 1500 * MB
    assert ModelLoader("cpu", memory_budget="2 GiB").memory_budget == 2 << 30
    with pytest.raises(InvalidOption, match="'much'"):
        _ = ModelLoader("cpu", memory_budget="much").memory_budget
    monkeypatch.delenv("AUDIO_ML_MEMORY_BUDGET")
    monkeypatch.setattr(devices, "free_bytes", lambda kind: None)
    unlimited = ModelLoader("cpu")
    touch(unlimited, sized("vast", 10**9))
    assert unlimited.memory_budget is None


def test_a_device_that_is_not_here_is_refused() -> None:
    missing = next(name for name in ("mps", "cuda") if resolve("auto").kind != name)
    with pytest.raises(InvalidInput, match=missing):
        _ = ModelLoader(missing).device


def test_the_shared_loader_is_one() -> None:
    assert loaders.default() is loaders.default()


def test_what_would_fit_is_told_by_what_was_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row's guess beside a budget it is larger than would make no sense."""
    small = sized("small", 30)
    monkeypatch.setattr(catalogue, "models", lambda task: (small,))
    monkeypatch.setattr(Footprints, "of", lambda self, spec, kind: Footprint(7_000_000, spec is small))
    told = smaller_models(sized("large", 50), "cpu", 10_000_000, Footprints(tmp_path))
    assert told == "Smaller models that would fit: small (7 MB)."
