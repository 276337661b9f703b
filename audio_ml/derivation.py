"""Makes a derived file in a process of its own, so that what it imports never reaches the caller's.

Run as `python -m audio_ml.derivation MODULE:FUNCTION OUTPUT INPUT...`.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from audio_ml.catalogue import DerivedFile
    from audio_ml.progress import Progress

LOOK_SECONDS = 0.2  # between two looks at whether the user has stopped it


def derive_apart(file: DerivedFile, inputs: list[Path], path: Path, progress: Progress) -> None:
    """Makes a derived file at a path, with its checksum beside it; both are there when they are whole.

    Raises:
        WeightsError: when it could not be made, with the reason.
        Cancelled: when the user has stopped it.
    """
    from audio_ml.errors import WeightsError
    from audio_ml.hashing import file_sha256

    progress.update(f"preparing {file.name}, once", 0.0)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.part")
    command = [sys.executable, "-m", "audio_ml.derivation", file.builder, str(partial), *map(str, inputs)]
    try:
        code, said = _run(command, path.parent, progress)
        if code:
            reason = (said.strip().splitlines() or [f"it ended with code {code}"])[-1]
            raise WeightsError(f"{file.name} could not be made from its weights: {reason}")
        path.with_name(path.name + ".sha256").write_text(file_sha256(partial))
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
        if not path.exists():
            shutil.rmtree(path.parent, ignore_errors=True)


def _run(command: list[str], folder: Path, progress: Progress) -> tuple[int, str]:
    """Runs a command in a folder until it ends or is stopped; returns its exit code and what it said of errors."""
    from audio_ml.sources import isolated_environment

    nothing, environment = subprocess.DEVNULL, isolated_environment()
    with subprocess.Popen(
        command, stdin=nothing, stdout=nothing, stderr=subprocess.PIPE, text=True, cwd=folder, env=environment
    ) as process:
        try:
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    _, said = process.communicate(timeout=LOOK_SECONDS)
                    return process.returncode, said
                progress.check()
        finally:
            process.kill()


def main(builder: str, output: str, *inputs: str) -> None:
    module, function = builder.split(":")
    getattr(importlib.import_module(module), function)(Path(output), *map(Path, inputs))


if __name__ == "__main__":
    main(*sys.argv[1:])
