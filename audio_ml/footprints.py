"""How much memory each model takes: measured when it is loaded, and remembered for the next process."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from audio_ml import device as devices
from audio_ml.catalogue import ModelSpec
from audio_ml.device import Kind
from audio_ml.onnx_sessions import import_onnxruntime

WORTH_WRITING = 0.05  # a figure that changed by less is not written again


@dataclass(frozen=True)
class Footprint:
    """The memory a model takes on a device; the row's own guess until it was `measured`."""

    n_bytes: int
    measured: bool


class Footprints:
    """The figures of this machine, in one small file a model and device below the weights cache.

    A figure is held by the row's name and the checksums of its weights, so it is never that of other
    weights. A row without files has nothing to hold it by: it is remembered in this process only.
    What cannot be read or written is measured anew; no job fails for it.

    The libraries that a model runs in (torch alone takes 480 MB) stay when it goes, and do not count. Which they are
    shows when the model is loaded for the first time; the second time, they are imported before it is weighed.
    """

    def __init__(self, cache: Path) -> None:
        self._folder = cache / "footprints"
        self._known: dict[tuple[str, Kind], _Noted] = {}

    def of(self, spec: ModelSpec, kind: Kind) -> Footprint:
        """Returns what a model takes, as far as is known."""
        n_bytes = self._noted(spec, kind).n_bytes
        return Footprint(spec.memory_bytes, False) if n_bytes is None else Footprint(n_bytes, True)

    def libraries(self, spec: ModelSpec, kind: Kind) -> tuple[str, ...]:
        """Returns the libraries to import before a model is weighed; none once it was."""
        noted = self._noted(spec, kind)
        return noted.libraries if noted.n_bytes is None else ()

    def note(self, spec: ModelSpec, kind: Kind, scales: Scales) -> Footprint:
        """Remembers what loading a model added, as far as it could be told, and returns what is known now."""
        if spec.is_apart:
            return self.of(spec, kind)
        former, n_bytes = self._noted(spec, kind), scales.added()
        libraries = tuple(dict.fromkeys((*former.libraries, *scales.libraries)))
        if scales.libraries or n_bytes is None:
            n_bytes = former.n_bytes
        noted = self._known[spec.name, kind] = _Noted(n_bytes, libraries)
        if spec.files and noted.is_news_after(former):
            with contextlib.suppress(OSError):
                self._write(self._path(spec, kind), {**dataclasses.asdict(noted), "weights": _weights(spec)})
        return self.of(spec, kind)

    def _noted(self, spec: ModelSpec, kind: Kind) -> _Noted:
        if (spec.name, kind) not in self._known:
            self._known[spec.name, kind] = self._read(spec, kind)
        return self._known[spec.name, kind]

    def _path(self, spec: ModelSpec, kind: Kind) -> Path:
        return self._folder / f"{spec.name}.{kind}.json"

    def _read(self, spec: ModelSpec, kind: Kind) -> _Noted:
        try:
            read = json.loads(self._path(spec, kind).read_text())
            if spec.files and read["weights"] == _weights(spec):
                n_bytes = None if read["n_bytes"] is None else int(read["n_bytes"])
                return _Noted(n_bytes, tuple(name for name in read["libraries"] if name in LIBRARIES))
        except (OSError, ValueError, KeyError, TypeError):
            pass
        return _Noted(None, ())

    @staticmethod
    def _write(path: Path, noted: dict[str, object]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{os.getpid()}.part")
        partial.write_text(json.dumps(noted))
        os.replace(partial, path)


@dataclass(frozen=True)
class _Noted:
    n_bytes: int | None
    libraries: tuple[str, ...]

    def is_news_after(self, former: _Noted) -> bool:
        if self.libraries != former.libraries or None in (self.n_bytes, former.n_bytes):
            return self != former
        assert self.n_bytes is not None and former.n_bytes is not None
        return abs(self.n_bytes - former.n_bytes) > WORTH_WRITING * former.n_bytes


class Scales:
    """Weighs what is loaded between its making and `added`, on a device that nothing else loads to meanwhile."""

    def __init__(self, kind: Kind, libraries: Sequence[str] = ()) -> None:
        for name in libraries:
            with contextlib.suppress(ImportError):  # it was there the last time: the engine will say what it needs
                LIBRARIES[name]()
        self._kind = kind
        self._imported = _imported()
        self._before = devices.held_bytes(kind)

    def added(self) -> int | None:
        """Returns the bytes that were added, or None where that cannot be told."""
        pairs = zip(self._before, devices.held_bytes(self._kind), strict=True)
        grown = [after - before for before, after in pairs if after > before]
        return grown[0] if grown else None  # something else may have given memory back meanwhile

    @property
    def libraries(self) -> tuple[str, ...]:
        """The libraries that were imported meanwhile."""
        return tuple(name for name in LIBRARIES if name in _imported() - self._imported)


def _import_torch() -> object:
    import torch

    return torch


LIBRARIES: dict[str, Callable[[], object]] = {"torch": _import_torch, "onnxruntime": import_onnxruntime}


def _imported() -> set[str]:
    return {name for name in LIBRARIES if sys.modules.get(name) is not None}


def _weights(spec: ModelSpec) -> str:
    return hashlib.sha256("\n".join(file.sha256 for file in spec.files).encode()).hexdigest()[:16]
