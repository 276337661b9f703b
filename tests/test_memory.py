"""Memory does not grow with the length of a file. Minutes long; `bench/` has the two-hour file."""

from __future__ import annotations

import os
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


def peak_bytes(minutes: int, folder: Path) -> int:
    """Returns the peak memory of the command separating a file of that length."""
    path = folder / f"{minutes}.wav"
    minute = noise(60).samples.T
    with soundfile.SoundFile(path, "w", 44100, 2, "PCM_16") as file:
        for _ in range(minutes):
            file.write(minute)
    command = [str(Path(sys.executable).with_name("audio-ml")), "separate", str(path), "-o", str(folder / "out")]
    running = subprocess.Popen([*command, "--device", "cpu", "--quiet"])
    _, status, usage = os.wait4(running.pid, 0)
    running.returncode = os.waitstatus_to_exitcode(status)
    assert running.returncode == 0
    assert soundfile.info(folder / "out" / path.stem / "vocals.wav").frames == minutes * 60 * 44100
    return usage.ru_maxrss * 1024


def test_an_hour_takes_as_much_memory_as_ten_minutes(tmp_path: Path) -> None:
    ten, sixty = peak_bytes(10, tmp_path), peak_bytes(60, tmp_path)
    assert sixty <= 1.1 * ten
    assert sixty <= 600_000_000
