"""Runs real Spleeter's Python interface; started by `bench.reference` with the interpreter that has Spleeter.

    python reference_process.py versions
    python reference_process.py separate IN.npy OUT.npz [IN.npy OUT.npz ...]

IN holds float32 samples [time, 2] at 44.1 kHz, OUT receives one such array per stem.
"""

from __future__ import annotations

import json
import platform
import sys
from importlib.metadata import version


def main() -> None:
    """Does what the first argument says."""
    if sys.argv[1] == "versions":
        packages = {name: version(name) for name in ("spleeter", "tensorflow", "numpy")}
        print(json.dumps({"Python": platform.python_version(), **packages}))
        return
    import numpy as np
    from spleeter.separator import Separator

    separator = Separator("spleeter:2stems", multiprocess=False)
    for source, target in zip(sys.argv[2::2], sys.argv[3::2]):  # noqa: B905
        stems = separator.separate(np.load(source))
        np.savez(target, **{name: stem.astype(np.float32) for name, stem in stems.items()})


if __name__ == "__main__":
    main()
