"""What the tests share: a loader, an empty store, and the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import OpenPage, running_browser, visiting
from hypothesis import HealthCheck, settings

from audio_ml.loader import ModelLoader
from audio_ml.weights import WeightStore

# A machine that stands still for seconds says nothing about what is tested.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Gives a test in the browser a second try, which the summary names: Chromium and a server share two cores."""
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(scope="session", autouse=True)
def _settings_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What tests accept is not what the user accepted, and voices of theirs are not in the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUDIO_ML_CONFIG", str(tmp_path_factory.mktemp("settings")))
        patch.setenv("AUDIO_ML_VOICES", str(tmp_path_factory.mktemp("voices")))
        yield


@pytest.fixture(scope="session")
def loader(_settings_of_the_tests: None) -> ModelLoader:
    """One loader on the CPU for all tests, with the user's cache: weights are fetched once."""
    return ModelLoader("cpu", WeightStore(accept_licences=True))


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
            timeout=300,
            env=os.environ | environment,
            check=False,
        )

    return run


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A Chromium for the tests of a module."""
    with running_browser() as browser:
        yield browser


@pytest.fixture
def open_page(browser: Any, request: pytest.FixtureRequest) -> Iterator[OpenPage]:
    """Opens the page of the module's `server`; see `browsing.visiting`."""
    with visiting(browser, request.getfixturevalue("server").url) as open_one:
        yield open_one
