"""Writes the numbers of real Spleeter that `tests/test_spleeter_reference.py` compares with."""

from __future__ import annotations

import hashlib
import runpy
from pathlib import Path
from typing import Any

import numpy as np

from audio_ml.audio import Audio
from bench.reference import Reference

TESTS = Path(__file__).resolve().parents[1] / "tests"
STORED = TESTS / "data" / "spleeter_reference.npz"
WINDOW = 2048
PATCH_BORDER = 512 * 1024 - 4096  # in samples of the song: Spleeter puts 4096 zeros before it


def write(reference: Reference) -> Path:
    """Separates the song that is made of arithmetic with real Spleeter, and keeps excerpts and energies."""
    song = runpy.run_path(str(TESTS / "reference_signal.py"))
    audio = Audio(song["samples"](), song["SAMPLE_RATE"])
    (stems,) = reference.separate([audio])
    starts = _starts(audio.n_samples)
    kept: dict[str, Any] = {
        "starts": starts,
        "signal_sha256": np.array(hashlib.sha256(song["rounded"]().tobytes()).hexdigest()),
    }
    for name, stem in stems.items():
        kept[f"{name}_windows"] = np.stack([stem[:, start : start + WINDOW] for start in starts])
        whole_seconds = stem.astype(np.float64).reshape(2, -1, audio.sample_rate)
        kept[f"{name}_energies"] = np.sum(whole_seconds**2, axis=(0, 2))
    kept["versions"] = np.array(", ".join(f"{name} {number}" for name, number in reference.versions().items()))
    STORED.parent.mkdir(exist_ok=True)
    np.savez_compressed(STORED, **kept)
    return STORED


def _starts(n_samples: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Returns where the windows begin: the file's first and last samples, the border of two patches, and between."""
    between = np.linspace(0, PATCH_BORDER - WINDOW // 2, 6).astype(np.int64)
    return np.array([*between, PATCH_BORDER + WINDOW, n_samples - WINDOW])
