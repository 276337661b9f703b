"""Memory does not grow with the length of a file. Minutes long; `bench/` has the two-hour file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile
from signals import noise

pytestmark = [
    pytest.mark.slow,
    pytest.mark.weights,
    pytest.mark.skipif(sys.platform != "linux", reason="reads a child's peak memory as Linux counts it"),
]
# A small process starts what is measured: the kernel counts the starter's memory toward the peak, and this one
# may have held a speech model before.
LAUNCHER = Path(__file__).parents[1] / "bench" / "measure.py"


def peak_bytes(minutes: int, folder: Path) -> int:
    """Returns the peak memory of the command separating a file of that length."""
    path = folder / f"{minutes}.wav"
    minute = noise(60).samples.T
    with soundfile.SoundFile(path, "w", 44100, 2, "PCM_16") as file:
        for _ in range(minutes):
            file.write(minute)
    separate = [str(Path(sys.executable).with_name("audio-ml")), "separate", str(path), "-o", str(folder / "out")]
    launched = [sys.executable, "-I", str(LAUNCHER), *separate, "--device", "cpu", "--quiet"]
    measured = subprocess.run(launched, capture_output=True, text=True, check=True)
    assert soundfile.info(folder / "out" / path.stem / "vocals.wav").frames == minutes * 60 * 44100
    return int(json.loads(measured.stdout)["peak_bytes"])


def test_an_hour_takes_as_much_memory_as_ten_minutes(tmp_path: Path) -> None:
    ten, sixty = peak_bytes(10, tmp_path), peak_bytes(60, tmp_path)
    assert sixty <= 1.1 * ten
    assert sixty <= 600_000_000
