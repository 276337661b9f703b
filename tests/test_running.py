"""`audio-ml models ps` knows what other processes have in memory, and believes no file of a dead one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sized_models import SECONDS_TO_WAIT, Weight, sized

from audio_ml import catalogue
from audio_ml.device import resolve
from audio_ml.footprints import Footprints
from audio_ml.loader import ModelLoader
from audio_ml.running import ModelState, StateFile, began, find_running
from audio_ml.weights import WeightStore

STATE = ModelState("fake", "cpu", 5_000_000, False, False, 0, False, time.time(), time.time() + 300)
PROGRAM = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from sized_models import sized
from audio_ml.loader import ModelLoader
from audio_ml.weights import WeightStore
loader = ModelLoader("cpu", WeightStore(cache=Path(sys.argv[2])), pinned=["pinned"], memory_budget="900MB")
with loader.use(sized("pinned", 1)):
    pass
with loader.use(sized("lent", 2)):
    print("ready", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_process(cache: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", PROGRAM, str(Path(__file__).parent), str(cache)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        until = time.monotonic() + SECONDS_TO_WAIT
        while not [m for loader in find_running(cache) for m in loader.models if m.name == "lent" and not m.loading]:
            assert time.monotonic() < until, "it tells nothing"
            time.sleep(0.02)
        yield process


def test_another_process_is_seen_while_it_lives(
    tmp_path: Path, run_cli: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    with another_process(tmp_path) as process:
        (path,) = (tmp_path / "running").glob("*.json")
        assert path.name == f"{process.pid}.json" and path.stat().st_mode & 0o777 == 0o600
        table = run_cli("models", "ps", AUDIO_ML_CACHE=str(tmp_path)).stdout
        told = json.loads(run_cli("models", "ps", "--json", AUDIO_ML_CACHE=str(tmp_path)).stdout)
        process.kill()
        process.wait()
        after = run_cli("models", "ps", AUDIO_ML_CACHE=str(tmp_path))
    assert [line.split()[0] for line in table.splitlines()] == ["MODEL", "pinned", "lent"]
    assert "in use" in table and str(process.pid) in table and "900 MB" in table
    (loader,) = told
    assert loader["pid"] == process.pid and loader["memory_budget"] == 900_000_000
    assert [(m["name"], m["n_leases"], m["pinned"]) for m in loader["models"]] == [
        ("pinned", 0, True),
        ("lent", 1, False),
    ]
    assert after.stdout == "No model is in memory.\n" and not list((tmp_path / "running").glob("*.json")), (
        "it was killed"
    )


def test_it_goes_with_its_process(tmp_path: Path) -> None:
    with another_process(tmp_path) as process:
        assert process.stdin is not None
        process.stdin.close()
        process.wait()
        assert process.returncode == 0 and not list((tmp_path / "running").iterdir())


def test_a_recycled_number_is_not_believed(tmp_path: Path) -> None:
    state_file = StateFile(tmp_path)
    state_file.write("cpu", None, [STATE])
    assert [loader.models for loader in find_running(tmp_path)] == [(STATE,)]
    (path,) = (tmp_path / "running").glob("*.json")
    told = json.loads(path.read_text())
    path.write_text(json.dumps(told | {"began": "another boot 12"}))
    assert find_running(tmp_path) == [] and not path.exists()


def test_what_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    state_file = StateFile(tmp_path)
    state_file.write("cpu", None, [STATE])
    (path,) = (tmp_path / "running").glob("*.json")
    told = json.loads(path.read_text())
    path.with_name("1.json").write_text(json.dumps(told | {"machine": "another one", "pid": 1}))
    path.with_name("2.json").write_text("[]")
    path.with_name("3.json").write_text("{")
    assert [loader.pid for loader in find_running(tmp_path)] == [os.getpid()]
    assert {other.name for other in path.parent.iterdir()} == {path.name, "1.json", "2.json", "3.json"}


def test_a_process_is_known_by_its_beginning() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        first, again, ours = began(process.pid), began(process.pid), began(os.getpid())
        assert first is not None and first == again
        assert ours is not None and ours != first
    assert began(process.pid) is None


def test_two_loaders_of_a_process_do_not_hide_each_other(tmp_path: Path) -> None:
    first, second = StateFile(tmp_path), StateFile(tmp_path)
    first.write("cpu", None, [STATE])
    second.write("cpu", 1, [STATE])
    assert {loader.memory_budget for loader in find_running(tmp_path)} == {None, 1}
    first.clear()
    second.close()
    second.write("cpu", 1, [STATE])
    assert find_running(tmp_path) == []


def test_a_folder_that_cannot_be_written_fails_no_job(tmp_path: Path) -> None:
    (tmp_path / "running").write_text("a file where the folder should be")
    loader = ModelLoader("cpu", WeightStore(cache=tmp_path))
    with loader.use(sized("fake", 1)):
        loader._tend()
    assert loader.loaded() == ["fake"] and find_running(tmp_path) == []


def test_the_list_tells_what_was_measured(
    tmp_path: Path, run_cli: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    spec = catalogue.find("separation", "spleeter-2stems")

    def listed() -> tuple[int, bool]:
        models = json.loads(run_cli("models", "list", "--json", AUDIO_ML_CACHE=str(tmp_path)).stdout)["models"]
        (row,) = (model for model in models if model["name"] == spec.name)
        return row["memory_bytes"], row["memory_measured"]

    assert listed() == (spec.memory_bytes, False)
    Footprints(tmp_path).note(spec, resolve().kind, Weight(81_000_000))
    assert listed() == (81_000_000, True)
    assert "81 MB" in run_cli("models", "list", AUDIO_ML_CACHE=str(tmp_path)).stdout


@pytest.mark.parametrize(
    ("given", "said"),
    [(("--memory-budget", "lots"), "'lots'"), (("--pin", "spleter-2stems"), "Did you mean 'spleeter-2stems'")],
)
def test_the_page_refuses_what_means_nothing(
    given: tuple[str, str], said: str, run_cli: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    ran = run_cli("ui", *given)
    assert ran.returncode == 2 and said in ran.stderr
