"""Loads each model once and lends it out: `with loader.use(spec) as engine`."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from audio_ml import device as devices
from audio_ml.catalogue import ModelSpec
from audio_ml.errors import OutOfMemory
from audio_ml.progress import Progress
from audio_ml.weights import WeightStore


@dataclass
class _Loaded:
    engine: Any
    leases: int = 0


class ModelLoader:
    """The models in this process's memory, on one device. Any number of threads may borrow from it.

    >>> loader = ModelLoader("cpu")
    >>> loader.loaded()
    []
    """

    def __init__(self, device: str = "auto", store: WeightStore | None = None) -> None:
        self.store = store or WeightStore()
        self._device_name = device
        self._loaded: dict[str, _Loaded] = {}
        self._lock = threading.Lock()  # guards the table of models
        self._loading = threading.Lock()  # held while a model is read, so that none is read twice

    @functools.cached_property
    def device(self) -> devices.Device:
        """The device models are loaded to; raises `InvalidInput` when it is not on this machine."""
        return devices.resolve(self._device_name)

    @contextmanager
    def use(self, spec: ModelSpec, progress: Progress | None = None) -> Iterator[Any]:
        """Lends the engine of a model, loading it first where needed; raises as `WeightStore.open`."""
        loaded = self._lease(spec, progress or Progress())
        try:
            yield loaded.engine
        finally:
            with self._lock:
                loaded.leases -= 1

    def loaded(self) -> list[str]:
        """Names the models in memory."""
        with self._lock:
            return list(self._loaded)

    def unload(self, name: str) -> bool:
        """Gives a model's memory back; False when it is not loaded or is lent out just now."""
        with self._lock:
            loaded = self._loaded.get(name)
            if loaded is None or loaded.leases:
                return False
            del self._loaded[name]
        del loaded
        devices.release_memory()
        return True

    def _lease(self, spec: ModelSpec, progress: Progress) -> _Loaded:
        loaded = self._borrow(spec.name)
        if loaded is not None:
            return loaded
        with self._loading:
            loaded = self._borrow(spec.name)
            if loaded is not None:
                return loaded
            files = self.store.open(spec, progress)
            progress.update(f"loading {spec.name}", 0.0)
            try:
                engine = spec.engine(files, self.device)
            except MemoryError as error:
                raise OutOfMemory(
                    f"{spec.name} needs about {spec.memory_bytes >> 20} MB and does not fit into memory."
                ) from error
            devices.release_memory()
            loaded = _Loaded(engine, leases=1)
            with self._lock:
                self._loaded[spec.name] = loaded
            return loaded

    def _borrow(self, name: str) -> _Loaded | None:
        with self._lock:
            loaded = self._loaded.get(name)
            if loaded is not None:
                loaded.leases += 1
            return loaded


@functools.cache
def default() -> ModelLoader:
    """Returns the loader that the Python verbs share when none is passed."""
    return ModelLoader()
