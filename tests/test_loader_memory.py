"""What a model takes is measured and remembered; unused models go by themselves, and their memory comes back."""

from __future__ import annotations

import gc
import importlib
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sized_models import MB, SECONDS_TO_WAIT, Clock, Weight, lent, sized

from audio_ml import device as devices
from audio_ml import footprints
from audio_ml.catalogue import WeightFile
from audio_ml.device import Device
from audio_ml.footprints import Footprints
from audio_ml.loader import ModelLoader
from audio_ml.weights import WeightStore

WEIGHTS = (WeightFile("weights", 1, "ab" * 32, ()),)
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


class Memory:
    """Memory that an engine takes when it is made."""

    def __init__(self, n_mb: int) -> None:
        self.n_mb = n_mb
        self.blocks: list[np.ndarray] = []

    def __call__(self, device: Device) -> None:
        self.blocks.append(np.ones(self.n_mb * MB, np.uint8))


@linux
def test_a_model_is_weighed_and_the_next_process_knows(store: WeightStore) -> None:
    spec = sized("heavy", 5, Memory(100), files=WEIGHTS)
    assert Footprints(store.cache).of(spec, "cpu").n_bytes == 5 * MB
    loader = ModelLoader("cpu", store)
    with loader.use(spec):
        (state,) = loader.states()
    assert state.measured and 95 * MB < state.n_bytes < 130 * MB
    remembered = Footprints(store.cache).of(spec, "cpu")
    assert remembered.measured and remembered.n_bytes == state.n_bytes
    others = sized("heavy", 5, files=(WeightFile("weights", 1, "cd" * 32, ()),))
    assert not Footprints(store.cache).of(others, "cpu").measured, "other weights under the same name"
    assert not Footprints(store.cache).of(spec, "cuda").measured


@linux
def test_the_libraries_it_brings_do_not_count(store: WeightStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """They show at the first load and are there before the model is weighed at the second; then it is known."""
    monkeypatch.setattr(footprints, "LIBRARIES", {"large_library": lambda: importlib.import_module("large_library")})
    (store.cache.parent / "large_library.py").write_text("import numpy\ncode = numpy.ones(200_000_000, numpy.uint8)\n")
    monkeypatch.syspath_prepend(store.cache.parent)

    def load(device: Device) -> None:
        importlib.import_module("large_library")
        memory(device)

    memory = Memory(60)
    spec, found = sized("in a library", 5, load, files=WEIGHTS), []
    for _ in range(3):
        loader = ModelLoader("cpu", store)
        with loader.use(spec):
            (state,) = loader.states()
            found.append((state.measured, round(state.n_bytes / MB / 30)))
        del sys.modules["large_library"]  # as in the next process
    assert found == [(False, 0), (True, 2), (True, 2)]


def test_a_figure_that_cannot_be_kept_or_read_is_no_error(store: WeightStore) -> None:
    spec = sized("heavy", 5, files=WEIGHTS)
    store.cache.mkdir()
    (store.cache / "footprints").write_text("a file where the folder should be")
    assert Footprints(store.cache).note(spec, "cpu", Weight(7 * MB)).n_bytes == 7 * MB
    (store.cache / "footprints").unlink()
    Footprints(store.cache).note(spec, "cpu", Weight(7 * MB))
    (kept,) = (store.cache / "footprints").iterdir()
    kept.write_text("{}")
    assert Footprints(store.cache).of(spec, "cpu").n_bytes == 5 * MB


def test_what_loads_beside_other_work_is_not_weighed_with_it(
    store: WeightStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings = iter(range(0, 1000 * MB, 50 * MB))
    monkeypatch.setattr(devices, "held_bytes", lambda kind: (next(readings),))
    loader = ModelLoader("cpu", store)
    with lent(loader, sized("first", 1)), loader.use(sized("second", 1)):
        measured = {state.name: state.measured for state in loader.states()}
    assert measured == {"first": True, "second": False}


def test_a_model_heavier_than_thought_pushes_others_out(store: WeightStore, monkeypatch: pytest.MonkeyPatch) -> None:
    readings = iter([0, 0, 0, 30 * MB])
    monkeypatch.setattr(devices, "held_bytes", lambda kind: (next(readings),))
    loader = ModelLoader("cpu", store, memory_budget="35MB")
    for name in ("old", "new"):
        with loader.use(sized(name, 10)):
            pass
    assert [(state.name, state.n_bytes) for state in loader.states()] == [("new", 30 * MB)]


def test_unused_models_go_when_their_time_is_up(store: WeightStore) -> None:
    clock = Clock()
    loader = ModelLoader("cpu", store, idle_minutes=2, clock=clock)
    with loader.use(sized("in use", 1)):
        with loader.use(sized("unused", 1)):
            pass
        clock.now += 119
        assert loader.expire() == []
        assert {state.name: state.unloads_at is None for state in loader.states()} == {"in use": True, "unused": False}
        clock.now += 2
        assert loader.expire() == ["unused"]
        clock.now += 1000
        assert loader.expire() == [], "it is lent out"
    assert loader.expire() == []
    clock.now += 120
    assert loader.expire() == ["in use"] and loader.loaded() == []


def test_they_go_by_themselves_on_a_thread_that_ends_with_them(store: WeightStore) -> None:
    before = set(threading.enumerate())
    loader = ModelLoader("cpu", store, idle_minutes=0.2 / 60)
    assert not new_threads(before), "nothing is loaded: there is nothing to watch"
    with loader.use(sized("unused", 1)):
        pass
    wait_until(lambda: not loader.loaded())
    wait_until(lambda: not new_threads(before))
    with loader.use(sized("unused", 1)):
        pass
    wait_until(lambda: not loader.loaded())


def test_without_a_time_limit_they_stay(store: WeightStore) -> None:
    clock = Clock()
    loader = ModelLoader("cpu", store, idle_minutes=None, clock=clock)
    with loader.use(sized("unused", 1)):
        pass
    clock.now += 1e9
    assert loader.expire() == [] and loader.states()[0].unloads_at is None


def test_a_loader_that_is_forgotten_takes_its_models_and_its_thread_along(store: WeightStore) -> None:
    before, loader = set(threading.enumerate()), ModelLoader("cpu", store)
    with loader.use(sized("unused", 1)) as engine:
        alive = weakref.ref(engine)
    del loader, engine
    gc.collect()
    wait_until(lambda: alive() is None and not new_threads(before))
    assert not list((store.cache / "running").glob("*"))


def test_a_process_that_has_models_ends_at_once_and_leaves_no_trace(tmp_path: Path) -> None:
    program = """
import sys, time
sys.path.insert(0, sys.argv[1])
from sized_models import sized
from audio_ml.loader import ModelLoader
from audio_ml.weights import WeightStore
from pathlib import Path
loader = ModelLoader("cpu", WeightStore(cache=Path(sys.argv[2])), pinned=["kept"])
for name in ("kept", "idle"):
    with loader.use(sized(name, 1)):
        pass
while not list(Path(sys.argv[2], "running").glob("*.json")):
    time.sleep(0.01)
print(time.time())
"""
    ran = subprocess.run(
        [sys.executable, "-c", program, str(Path(__file__).parent), str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=240,
    )
    assert time.time() - float(ran.stdout) < SECONDS_TO_WAIT and not ran.stderr
    assert not list((tmp_path / "running").iterdir())


def test_a_container_has_its_own_limit(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("600\n")
    (tmp_path / "memory.stat").write_text("anon 500\ninactive_file 100\n")
    assert devices._container_bytes(tmp_path) is None
    (tmp_path / "memory.max").write_text("1000\n")
    assert devices._container_bytes(tmp_path) == 500
    assert devices._container_bytes(tmp_path / "absent") is None


@linux
def test_free_memory_is_what_the_system_says() -> None:
    free, total = devices.free_bytes("cpu"), 0
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemTotal:"):
            total = int(line.split()[1]) * 1024
    assert free is not None and 0 < free < total


@linux
def test_a_limit_of_the_process_counts() -> None:
    program = "import resource; from audio_ml import device; resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))"
    command = [sys.executable, "-c", f"{program}; print(device.free_bytes('cpu'))"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert 0 < int(ran.stdout) < 2 << 30


def new_threads(before: set[threading.Thread]) -> set[threading.Thread]:
    return set(threading.enumerate()) - before


def wait_until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + SECONDS_TO_WAIT
    while not holds():
        assert time.monotonic() < until, "it never came true"
        time.sleep(0.01)


@pytest.mark.weights
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_load_then_unload_gives_the_memory_back() -> None:
    """In a process of its own, over several rounds, so that what the libraries keep for good does not count."""
    program = """
from audio_ml import catalogue, device
from audio_ml.loader import ModelLoader
loader, spec, after = ModelLoader("cpu"), catalogue.find("separation", "spleeter-2stems"), []
for _ in range(4):
    with loader.use(spec):
        loaded = device.resident_bytes()
    assert loader.unload(spec.name)
    after.append(device.resident_bytes())
print(loaded - after[-1], max(after[1:]) - after[1])
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    freed, grown = map(int, ran.stdout.split())
    assert freed > 60_000_000, "the weights alone are 79 MB"
    assert grown < 20_000_000
