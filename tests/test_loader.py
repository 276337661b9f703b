"""A model is loaded once, however many want it, and its memory comes back."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from fake_engine import FAKE, FakeEngine

from audio_ml import loader as loaders
from audio_ml.device import Device, resolve
from audio_ml.errors import InvalidInput, OutOfMemory
from audio_ml.loader import ModelLoader


def test_eight_threads_load_a_model_once() -> None:
    made = []

    class Slow(FakeEngine):
        def __init__(self, files: Mapping[str, Path], device: Device) -> None:
            super().__init__(files, device)
            time.sleep(0.05)
            made.append(self)

    spec, loader, got = dataclasses.replace(FAKE, engine=Slow), ModelLoader("cpu"), []

    def borrow() -> None:
        with loader.use(spec) as engine:
            got.append(engine)

    threads = [threading.Thread(target=borrow) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1 and all(engine is made[0] for engine in got) and len(got) == 8


def test_a_model_that_is_lent_out_is_not_unloaded() -> None:
    loader = ModelLoader("cpu")
    with loader.use(FAKE):
        assert loader.loaded() == ["fake"]
        assert not loader.unload("fake")
    assert loader.unload("fake")
    assert loader.loaded() == [] and not loader.unload("fake")


def test_a_failed_load_leaves_the_loader_usable() -> None:
    def fail(files: Mapping[str, Path], device: Device) -> FakeEngine:
        raise MemoryError

    loader = ModelLoader("cpu")
    with pytest.raises(OutOfMemory, match="fake needs about"), loader.use(dataclasses.replace(FAKE, engine=fail)):
        pass
    with loader.use(FAKE) as engine:
        assert isinstance(engine, FakeEngine)


def test_a_device_that_is_not_here_is_refused() -> None:
    missing = next(name for name in ("mps", "cuda") if resolve("auto").kind != name)
    with pytest.raises(InvalidInput, match=missing):
        _ = ModelLoader(missing).device


def test_the_shared_loader_is_one() -> None:
    assert loaders.default() is loaders.default()


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
