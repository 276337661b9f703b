"""Where a model runs: the only place that asks for devices, cores and memory. It never imports torch."""

from __future__ import annotations

import ctypes
import functools
import gc
import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from audio_ml.errors import InvalidInput
from audio_ml.options import Options

Kind = Literal["cpu", "cuda", "mps"]
IN_WORDS: dict[Kind, str] = {"cpu": "CPU", "cuda": "GPU", "mps": "GPU"}


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
    """Gives memory that is free inside the process back to the system, and a GPU's back to its other users.

    Loading a model leaves large holes in the C heap that the GNU allocator keeps for itself, and torch
    keeps what it frees on a GPU.
    """
    gc.collect()
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    torch = torch_if_imported()
    if torch is None:
        return
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    if _has_mps() and torch.backends.mps.is_available():
        torch.mps.empty_cache()


def torch_if_imported() -> Any:
    """Returns torch where something has imported it, else None: to ask it a question is no reason to load it."""
    if sys.modules.get("torch") is None:
        return None
    import torch  # waits for another thread that is importing it just now

    return torch


def free_bytes(kind: Kind) -> int | None:
    """Returns the memory of a device that could be taken now, or None where the system does not tell.

    On a CPU that is what the system has to spare, within the limits of this process and its container; a GPU
    of Apple shares it. CUDA means the first GPU that this process may see.
    """
    if kind == "cuda":
        memory = _cuda_memory()
        return memory and memory[0]
    known = [n_bytes for n_bytes in (_spare_bytes(), _container_bytes(), _allowed_bytes()) if n_bytes is not None]
    return min(known, default=None)


def held_bytes(kind: Kind) -> tuple[int, ...]:
    """Returns what is in use now of a device's memory, each way it can be told, the most exact first.

    By this process on a CPU; on CUDA by torch in this process (to which ONNX Runtime is invisible), then by
    everyone. Only the differences mean something: what a model added.
    """
    if kind != "cuda":
        resident = resident_bytes()
        return () if resident is None else (resident,)
    torch, memory = torch_if_imported(), _cuda_memory()
    of_torch = torch.cuda.memory_reserved() if torch is not None and torch.cuda.is_initialized() else 0
    return (of_torch,) if memory is None else (of_torch, memory[1])


def _spare_bytes() -> int | None:
    """Asks the system what it has to spare without swapping; where only the size is told, that."""
    try:
        lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        return int(lines["MemAvailable"].split()[0]) << 10
    except (OSError, KeyError, ValueError):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows
        return None


def _container_bytes(group: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Returns what is left of the limit of this process's container; cached files give way and do not count."""
    try:
        limit, used = (group / "memory.max").read_text().strip(), int((group / "memory.current").read_text())
        cached = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())["inactive_file"]
    except (OSError, KeyError, ValueError):
        return None
    return None if limit == "max" else max(0, int(limit) - used + int(cached))


def _allowed_bytes() -> int | None:
    """Returns what is left of the address space that this process may use (`ulimit -v`)."""
    try:
        import resource  # not on Windows

        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    except (ImportError, OSError, ValueError):
        return None
    return None if limit == resource.RLIM_INFINITY else max(0, limit - used)


def _cuda_memory() -> tuple[int, int] | None:
    """Returns the free and the used bytes of the first GPU, from the driver's management library."""

    class Memory(ctypes.Structure):  # nvmlMemory_t
        _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))

    driver = _cuda_driver()
    if driver is None:
        return None
    bus, handle, memory = ctypes.create_string_buffer(32), ctypes.c_void_p(), Memory()
    try:
        nvml = ctypes.CDLL("nvml.dll" if platform.system() == "Windows" else "libnvidia-ml.so.1")
        failed = (
            driver.cuDeviceGetPCIBusId(bus, len(bus), 0)  # the order of CUDA_VISIBLE_DEVICES is the driver's alone
            or nvml.nvmlInit_v2()
            or nvml.nvmlDeviceGetHandleByPciBusId_v2(bus, ctypes.byref(handle))
            or nvml.nvmlDeviceGetMemoryInfo(handle, ctypes.byref(memory))
        )
    except (OSError, AttributeError):
        return None
    return None if failed else (memory.free, memory.used)


def _has_cuda() -> bool:
    return _cuda_driver() is not None


def _cuda_driver() -> ctypes.CDLL | None:
    """Returns the driver's own library where it has a GPU, since importing torch to ask would cost seconds."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if platform.system() == "Windows" else "libcuda.so.1")
    except OSError:
        return None
    count = ctypes.c_int(0)
    here = driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value
    return driver if here else None


def _has_mps() -> bool:
    return platform.system() == "Darwin" and platform.machine() == "arm64"
