"""Runs many jobs in one process, with Python's -I: separation.py here would stand in the way of the package."""

from __future__ import annotations

import json
import resource
import sys
import tempfile
from pathlib import Path

import separation
from audio_ml.loader import ModelLoader

STATM = Path("/proc/self/statm")


def main(path: Path, n_jobs: int) -> list[int]:
    """Separates a file again and again; returns the resident memory, as Linux counts it, after each job."""
    loader, resident_bytes = ModelLoader("cpu"), []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(n_jobs):
            separation.separate_file(path, folder, delivery={"overwrite": True}, loader=loader)
            resident_bytes.append(int(STATM.read_text().split()[1]) * resource.getpagesize())
    return resident_bytes


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]))))
