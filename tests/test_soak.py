"""Memory does not grow with the number of jobs in one process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from signals import noise

from audio_ml.writer import write_audio

pytestmark = [
    pytest.mark.slow,
    pytest.mark.weights,
    pytest.mark.skipif(sys.platform != "linux", reason="reads memory as Linux counts it"),
]

N_JOBS = 100
FIRST_JOB = 20  # before it, caches and the heap still fill
LARGEST_SLOPE_BYTES = 100_000  # per job

JOBS = """
import json, resource, sys
from pathlib import Path
import separation
from audio_ml.loader import ModelLoader

loader, resident_bytes = ModelLoader("cpu"), []
for _ in range(int(sys.argv[3])):
    separation.separate_file(sys.argv[1], sys.argv[2], delivery={"overwrite": True}, loader=loader)
    n_pages = int(Path("/proc/self/statm").read_text().split()[1])
    resident_bytes.append(n_pages * resource.getpagesize())
print(json.dumps(resident_bytes))
"""


def test_a_hundred_jobs_take_no_more_memory_than_twenty(tmp_path: Path) -> None:
    source = tmp_path / "short.wav"
    write_audio(source, noise(2, 48000))
    command = [sys.executable, "-c", JOBS, str(source), str(tmp_path / "stems"), str(N_JOBS)]
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    resident_bytes = json.loads(finished.stdout)
    jobs = np.arange(FIRST_JOB, N_JOBS + 1)
    slope, _ = np.polyfit(jobs, resident_bytes[FIRST_JOB - 1 :], 1)
    assert slope < LARGEST_SLOPE_BYTES
