"""Writes what real Spleeter makes of its other models, and of models of one's own, for the tests to compare with.

    python -m bench.spleeter_variants [CASE...]

The cases are those of `tests/made_up_spleeter.py`, whose weights are made up, and "2stems-16kHz" with Spleeter's
own weights; all of them when none is named. `tests/test_spleeter_variants.py` reads the result.
"""

from __future__ import annotations

import argparse
import os
import runpy
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from audio_ml.errors import AudioMLError
from bench.reference import Reference, ReferenceUnavailable, default_work_folder, reference

TESTS = Path(__file__).resolve().parents[1] / "tests"
STORED = TESTS / "data" / "spleeter_variants.npz"
PROCESS = Path(__file__).resolve().with_name("spleeter_variants_process.py")
PUBLISHED = "2stems-16kHz"


def main() -> None:
    """Runs real Spleeter, and replaces the cases in the stored file."""
    known = [*runpy.run_path(str(TESTS / "made_up_spleeter.py"))["CASES"], PUBLISHED]
    parser = argparse.ArgumentParser(prog="python -m bench.spleeter_variants", description="Runs real Spleeter.")
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"some of {', '.join(known)}")
    parser.add_argument("--reference-python", type=Path, metavar="PATH", help="an interpreter that has Spleeter")
    parser.add_argument("--work", type=Path, default=default_work_folder(), metavar="DIR", help="for its environment")
    arguments = parser.parse_args()
    try:
        with reference(arguments.work, arguments.reference_python) as spleeter:
            _write(spleeter, arguments.cases or known)
    except (ReferenceUnavailable, AudioMLError) as error:
        sys.exit(str(error))


def _write(spleeter: Reference, cases: list[str]) -> None:
    stored = dict(np.load(STORED)) if STORED.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "made.npz"
        inputs = [TESTS / "made_up_spleeter.py", TESTS / "reference_signal.py", made]
        environment = {**os.environ, **spleeter.environment}
        subprocess.run([spleeter.python, PROCESS, *inputs, *cases], check=True, env=environment)
        fresh = dict(np.load(made))
    kept = {key: value for key, value in stored.items() if key.split("/")[0] not in cases}
    versions = ", ".join(f"{name} {number}" for name, number in spleeter.versions().items())
    np.savez_compressed(STORED, **(kept | fresh | {"versions": np.array(versions)}))


if __name__ == "__main__":
    main()
