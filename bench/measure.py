"""Runs a command as a whole process and measures it: wall time, processor time, peak memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ALONE = "-I"  # keeps the launching process small: it imports nothing but the standard library


class CommandFailed(Exception):
    """A measured command ended with an error; its output is the message."""


@dataclass(frozen=True)
class Measurement:
    """One run of a process.

    `cpu_seconds` is user plus system time of the process and the children it waited for. `peak_bytes`
    is the largest resident memory, threads included, of the process or of one of those children,
    whichever is larger: processes that live side by side are not added up.
    """

    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Measurement:
    """Runs a command to its end and measures it.

    The kernel counts the memory of the process that starts a command toward the command's own peak,
    and a bench holds whole songs; so a small process starts it.

    Raises:
        CommandFailed: when the command ends with an error.
    """
    launcher = [sys.executable, ALONE, str(Path(__file__).resolve()), *command]
    finished = subprocess.run(launcher, capture_output=True, text=True, check=False, env=_with(environment))
    if finished.returncode:
        raise CommandFailed(f"{' '.join(command[:2])} ... failed:\n{finished.stderr[-3000:]}")
    return Measurement(**json.loads(finished.stdout))


def medians(runs: Sequence[Measurement]) -> Measurement:
    """Returns the median of each quantity."""
    return Measurement(
        median(run.wall_seconds for run in runs),
        median(run.cpu_seconds for run in runs),
        int(median(run.peak_bytes for run in runs)),
    )


def in_turn(
    first: Callable[[], Measurement], second: Callable[[], Measurement], n_runs: int
) -> tuple[list[Measurement], list[Measurement]]:
    """Measures two things alternately, so that a busy minute of the machine falls on both."""
    pairs = [(first(), second()) for _ in range(n_runs)]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def _with(environment: Mapping[str, str] | None) -> dict[str, str]:
    return {**os.environ, **(environment or {})}


def _launch(command: list[str]) -> int:
    """Runs the command with its output on standard error, and prints the measurement as JSON."""
    began = time.perf_counter()
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss
    measured = {
        "wall_seconds": time.perf_counter() - began,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_bytes": usage.ru_maxrss * unit,
    }
    print(json.dumps(measured))
    return 1 if child.returncode else 0


if __name__ == "__main__":
    sys.exit(_launch(sys.argv[1:]))
