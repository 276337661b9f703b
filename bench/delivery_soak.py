"""Resident memory over many jobs in one process."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.measure import ALONE, CommandFailed

N_JOBS = 100
FIRST_JOB = 20  # before it, caches and the heap still fill
LARGEST_SLOPE_BYTES = 100_000  # per job, of the issue on delivery
PROCESS = Path(__file__).resolve().with_name("delivery_soak_process.py")


@dataclass(frozen=True)
class Soak:
    """Resident memory in bytes after each job."""

    seconds_of_sound: float
    resident_bytes: list[int]

    @property
    def slope_bytes_per_job(self) -> float:
        """The slope of the least-squares line over the jobs from `FIRST_JOB` on."""
        jobs = np.arange(FIRST_JOB, len(self.resident_bytes) + 1)
        return float(np.polyfit(jobs, self.resident_bytes[FIRST_JOB - 1 :], 1)[0])


def measure(path: Path, seconds_of_sound: float) -> Soak:
    """Separates a file `N_JOBS` times in a process of its own.

    Raises:
        CommandFailed: when a job fails.
    """
    command = [sys.executable, ALONE, str(PROCESS), str(path), str(N_JOBS)]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode:
        raise CommandFailed(f"a hundred jobs failed:\n{finished.stderr[-3000:]}")
    return Soak(seconds_of_sound, json.loads(finished.stdout))
