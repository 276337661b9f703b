"""How much memory each model takes: measured when it is loaded, and remembered for the next process."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from audio_ml import device as devices
from audio_ml.catalogue import ModelSpec
from audio_ml.device import Kind

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
    """

    def __init__(self, cache: Path) -> None:
        self._folder = cache / "footprints"
        self._measured: dict[tuple[str, Kind], int | None] = {}

    def of(self, spec: ModelSpec, kind: Kind) -> Footprint:
        """Returns what a model takes, as far as is known."""
        key = spec.name, kind
        if key not in self._measured:
            self._measured[key] = self._read(spec, kind)
        measured = self._measured[key]
        return Footprint(spec.memory_bytes, False) if measured is None else Footprint(measured, True)

    def note(self, spec: ModelSpec, kind: Kind, n_bytes: int) -> Footprint:
        """Remembers what loading a model added, and returns it."""
        former = self.of(spec, kind)
        self._measured[spec.name, kind] = n_bytes
        news = not former.measured or abs(n_bytes - former.n_bytes) > WORTH_WRITING * former.n_bytes
        if spec.files and news:
            with contextlib.suppress(OSError):
                self._write(self._path(spec, kind), {"bytes": n_bytes, "weights": _weights(spec)})
        return Footprint(n_bytes, True)

    def _path(self, spec: ModelSpec, kind: Kind) -> Path:
        return self._folder / f"{spec.name}.{kind}.json"

    def _read(self, spec: ModelSpec, kind: Kind) -> int | None:
        try:
            noted = json.loads(self._path(spec, kind).read_text())
            return int(noted["bytes"]) if spec.files and noted["weights"] == _weights(spec) else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    @staticmethod
    def _write(path: Path, noted: dict[str, int | str]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{os.getpid()}.part")
        partial.write_text(json.dumps(noted))
        os.replace(partial, path)


class Scales:
    """Weighs what is loaded between its making and `added`, on a device that nothing else loads to meanwhile."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._before = devices.held_bytes(kind)

    def added(self) -> int | None:
        """Returns the bytes that were added, or None where that cannot be told."""
        pairs = zip(self._before, devices.held_bytes(self._kind), strict=True)
        grown = [after - before for before, after in pairs if after > before]
        return grown[0] if grown else None  # something else may have given memory back meanwhile


def _weights(spec: ModelSpec) -> str:
    return hashlib.sha256("\n".join(file.sha256 for file in spec.files).encode()).hexdigest()[:16]
