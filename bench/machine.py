"""Says on what something was measured, without naming the machine."""

from __future__ import annotations

import os
import platform
import shlex
from collections.abc import Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path

from audio_ml.device import cpu_cores
from bench.markdown import table

OUR_PACKAGES = ("audio-ml", "onnxruntime", "numpy")


def describe(module: str, arguments: Sequence[str], reference_versions: dict[str, str] | None) -> str:
    """Returns the table that heads a report: date, command, machine and versions of both sides."""
    ours = {"Python": platform.python_version()} | {name: version(name) for name in OUR_PACKAGES}
    rows = [
        ["date", date.today().isoformat()],
        ["command", f"`{_command(module, arguments)}`"],
        ["processor", f"{_processor()}, {cpu_cores()} cores"],
        ["memory", f"{_memory_bytes() / 2**30:.0f} GiB"],
        ["system", _system()],
        ["ours", _joined(ours)],
    ]
    if reference_versions is not None:
        rows.append(["real Spleeter", _joined(reference_versions)])
    if hasattr(os, "getloadavg"):
        rows.append(["load before", f"{os.getloadavg()[0]:.2f} processes, mean of a minute"])
    return table(["", ""], rows)


def _command(module: str, arguments: Sequence[str]) -> str:
    """Writes the command with absolute paths cut to their last part, which says nothing of this machine."""
    shown = [Path(argument).name if Path(argument).is_absolute() else argument for argument in arguments]
    return shlex.join(["python", "-m", module, *shown])


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _system() -> str:
    if platform.system() == "Linux":
        return f"{platform.freedesktop_os_release()['PRETTY_NAME']}, {platform.machine()}"
    return f"{platform.system()} {platform.release()}, {platform.machine()}"


def _joined(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in versions.items())
