"""What the tests share: a loader, an empty store, and the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from audio_ml.loader import ModelLoader
from audio_ml.weights import WeightStore


@pytest.fixture(scope="session")
def loader() -> ModelLoader:
    """One loader on the CPU for all tests, with the user's cache: weights are fetched once."""
    return ModelLoader("cpu")


@pytest.fixture
def store(tmp_path: Path) -> WeightStore:
    """An empty store."""
    return WeightStore(cache=tmp_path / "cache", offline=False)


@pytest.fixture
def run_cli() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the installed command as a user does, in a process of its own."""

    def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        command = Path(sys.executable).with_name("audio-ml")
        return subprocess.run(
            [str(command), *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=120,
            env=os.environ | environment,
            check=False,
        )

    return run
