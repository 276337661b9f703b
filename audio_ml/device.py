"""Where a model runs: the only place that asks for devices, cores and memory. It never imports torch."""

from __future__ import annotations

import ctypes
import functools
import gc
import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from audio_ml.errors import InvalidInput
from audio_ml.options import Options

Kind = Literal["cpu", "cuda", "mps"]


class DeviceOptions(Options):
    """Which device a command uses."""

    device: Literal["auto", "cpu", "cuda", "mps"] = Field(
        "auto", description="Where the model runs; auto takes a GPU when there is one."
    )


@dataclass(frozen=True)
class Device:
    """A place to run a model: its `kind` and the number of CPU `cores` that may be used."""

    kind: Kind
    cores: int


def resolve(name: str = "auto") -> Device:
    """Returns the device of that name, or the best one for "auto".

    Raises:
        InvalidInput: when the device is not on this machine.

    >>> resolve("cpu").kind
    'cpu'
    """
    here: dict[str, bool] = {"cuda": _has_cuda(), "mps": _has_mps(), "cpu": True}
    if name == "auto":
        name = "cuda" if here["cuda"] else "cpu"  # mps has not been measured to be faster: ask for it
    if name not in here:
        raise InvalidInput(f"Unknown device '{name}'; choose auto, cpu, cuda or mps.")
    if not here[name]:
        raise InvalidInput(f"This machine has no {name} device; use --device cpu or auto.")
    kind: Kind = "cuda" if name == "cuda" else "mps" if name == "mps" else "cpu"
    return Device(kind, cpu_cores())


def cpu_cores() -> int:
    """Counts the cores this process may use, limits of its container included."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
    except (OSError, ValueError):
        return cores
    return cores if quota == "max" else max(1, min(cores, int(quota) // int(period)))


@functools.cache
def cpu_flags() -> frozenset[str]:
    """Returns what the CPU can do beyond its basic instructions, by Linux's names; empty where nobody tells.

    >>> "no_such_instruction" in cpu_flags()
    False
    """
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return frozenset()
    flags = (line.partition(":")[2] for line in lines if line.startswith(("flags", "Features")))
    return frozenset(next(flags, "").split())


def resident_bytes() -> int | None:
    """Returns the memory this process holds now, or None where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def release_memory() -> None:
    """Gives memory that is free inside the process back to the system.

    Loading a model leaves large holes in the C heap that the GNU allocator keeps for itself.
    """
    gc.collect()
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def _has_cuda() -> bool:
    """Asks the driver itself, since importing torch would cost seconds."""
    library = "nvcuda.dll" if platform.system() == "Windows" else "libcuda.so.1"
    try:
        driver = ctypes.CDLL(library)
    except OSError:
        return False
    count = ctypes.c_int(0)
    return bool(driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value)


def _has_mps() -> bool:
    return platform.system() == "Darwin" and platform.machine() == "arm64"
