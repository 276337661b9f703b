"""Makes a derived file in a process of its own, so that what it imports never reaches the caller's.

Run as `python -m audio_ml.derivation MODULE:FUNCTION OUTPUT INPUT...`.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path


def main(builder: str, output: str, *inputs: str) -> None:
    module, function = builder.split(":")
    getattr(importlib.import_module(module), function)(Path(output), *map(Path, inputs))


if __name__ == "__main__":
    main(*sys.argv[1:])
