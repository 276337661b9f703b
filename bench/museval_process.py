"""museval on the stems of a track, for bench/evaluation.py; run by an interpreter that has it.

    python museval_process.py REFERENCE ESTIMATE RESULT

The folders hold stems NAME.wav of one rate and length; RESULT is written as JSON: ratios [4][stems][windows].
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import soundfile


def load_metrics() -> Any:
    """Returns museval's measures without the rest of it, which wants the ffmpeg program for files of its own."""
    package = importlib.util.find_spec("museval")
    if package is None or package.origin is None:
        sys.exit("museval is not installed here: pip install museval")
    spec = importlib.util.spec_from_file_location("museval_metrics", Path(package.origin).with_name("metrics.py"))
    assert spec is not None and spec.loader is not None
    metrics = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(metrics)
    return metrics


def main(reference: str, estimate: str, result: str) -> None:
    names = sorted(path.name for path in Path(reference).glob("*.wav"))
    sides = [np.stack([soundfile.read(Path(folder) / name)[0] for name in names]) for folder in (reference, estimate)]
    rate = soundfile.info(Path(reference) / names[0]).samplerate
    ratios = load_metrics().bss_eval(*sides, window=rate, hop=rate, compute_permutation=False)[:4]
    Path(result).write_text(json.dumps(np.stack(ratios).tolist()))


if __name__ == "__main__":
    main(*sys.argv[1:])
