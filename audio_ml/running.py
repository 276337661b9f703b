"""What every process of this machine has in memory: each tells it in a small private file, `find_running` reads them.

The file lies in the cache as `running/PID.json` (a second loader of a process adds a number). It is written now and
then, never waited for, and goes when the process ends; that of one that was killed is recognised by the time at which
the process with its number began, and removed by who reads it.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import itertools
import json
import os
import platform
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_numbers = itertools.count()  # of the loaders of this process


@dataclass(frozen=True)
class ModelState:
    """A model in a process's memory: `n_bytes` are the row's guess until `measured`; times are seconds since 1970."""

    name: str
    device: str
    n_bytes: int
    measured: bool
    loading: bool
    n_leases: int
    pinned: bool
    idle_since: float | None
    unloads_at: float | None
    summary: str = ""  # what it is for


@dataclass(frozen=True)
class RunningLoader:
    """A loader of a process, its memory budget in bytes (None: no limit), and its models."""

    pid: int
    command: str
    device: str
    memory_budget: int | None
    models: tuple[ModelState, ...]


class StateFile:
    """The file in which a loader of this process tells what it has in memory. That it cannot be written is no error."""

    def __init__(self, cache: Path) -> None:
        self._folder = cache / "running"
        self._number = next(_numbers)
        self._lock = threading.Lock()
        self._closed = False
        self._path: Path | None = None

    def write(self, device: str, memory_budget: int | None, models: Sequence[ModelState]) -> None:
        """Replaces what was told before."""
        with self._lock, contextlib.suppress(OSError):
            if self._closed:
                return
            pid = os.getpid()
            path = self._folder / (f"{pid}.{self._number}.json" if self._number else f"{pid}.json")
            loader = RunningLoader(pid, _command(), device, memory_budget, tuple(models))
            told = dataclasses.asdict(loader) | {"machine": platform.node(), "began": began(pid)}
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            partial = path.with_suffix(".part")
            with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                json.dump(told, file)
            os.replace(partial, path)
            self._path = path

    def clear(self) -> None:
        """Tells nothing, until the next time."""
        with self._lock, contextlib.suppress(OSError):
            if self._path is not None:
                self._path.unlink(missing_ok=True)
                self._path = None

    def close(self) -> None:
        """Tells nothing any more, now and later."""
        self._closed = True
        self.clear()


def find_running(cache: Path) -> list[RunningLoader]:
    """Returns the loaders of this machine's processes that have models in memory; files of the dead are removed."""
    found = []
    for path in sorted((cache / "running").glob("*.json")):
        try:
            told = json.loads(path.read_text())
            if told.pop("machine") != platform.node():
                continue  # a cache that machines share
            since = began(told["pid"])
            if since is None or since != told.pop("began"):
                path.unlink(missing_ok=True)
                continue
            models = tuple(ModelState(**model) for model in told.pop("models"))
            found.append(RunningLoader(**told, models=models))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue  # it went while it was read, belongs to somebody else, or another version wrote it
    return found


def began(pid: int) -> str | None:
    """Returns when a process began, in words that only that process of this machine has; None when there is none.

    >>> import os
    >>> began(os.getpid()) is not None
    True
    """
    if sys.platform == "linux":
        try:
            fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
            boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        except OSError:
            return None
        return None if fields[0] in (b"Z", b"X") else f"{boot} {int(fields[19])}"  # proc(5): field 22, starttime
    if sys.platform == "win32":
        return _began_on_windows(pid)
    asked = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return asked.stdout.strip() or None


def _began_on_windows(pid: int) -> str | None:
    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009  (mypy knows it on Windows only)
    query_limited_information = 0x1000
    process = kernel.OpenProcess(query_limited_information, False, pid)
    if not process:
        return None
    times = [ctypes.c_ulonglong() for _ in range(4)]
    told = kernel.GetProcessTimes(process, *map(ctypes.byref, times))
    kernel.CloseHandle(process)
    return str(times[0].value) if told else None


def _command() -> str:
    """Returns what was called, without the paths and options that it was given."""
    name = Path(sys.argv[0]).name
    if not name or name.startswith("-"):  # code that was given to Python itself
        return "python"
    return " ".join([name, *(argument for argument in sys.argv[1:2] if argument.isalpha())])
