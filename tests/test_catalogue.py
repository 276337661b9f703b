"""Engine packages of other people are found by their entry point, and a broken one takes nothing down."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ENGINE = """
from audio_ml.catalogue import Licence, ModelSpec

MODELS = [ModelSpec("{name}", "{task}", "", Licence("MIT", True), (), engine=lambda files, device: None)]
"""


def install(site: Path, package: str, entry: str, **modules: str) -> None:
    """Puts a distribution with one entry point and a package of engine modules into a folder of packages."""
    folder = site / package
    folder.mkdir(parents=True)
    folder.joinpath("__init__.py").touch()
    for name, code in modules.items():
        folder.joinpath(f"{name}.py").write_text(code)
    metadata = site / f"{package}-1.0.dist-info"
    metadata.mkdir()
    metadata.joinpath("METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    metadata.joinpath("entry_points.txt").write_text(f"[audio_ml.models]\n{entry} = {package}\n")


def ask(site: Path, code: str) -> str:
    """Returns what a fresh process prints that sees the folder of packages."""
    script = f"import sys; sys.path.insert(0, {str(site)!r})\nfrom audio_ml import catalogue\n{code}"
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("entry", ["separation", "separation.ours"])
def test_a_package_offers_models_under_the_name_of_their_task(tmp_path: Path, entry: str) -> None:
    install(tmp_path, "ours", entry, net=ENGINE.format(name="our-net", task="separation"))
    assert ask(tmp_path, "print(catalogue.find('separation', 'our-net').task)") == "separation"
    assert ask(tmp_path, "print('our-net' in [row.name for row in catalogue.rows()])") == "True"


def test_models_of_another_task_are_told(tmp_path: Path) -> None:
    install(tmp_path, "ours", "tts.ours", net=ENGINE.format(name="our-net", task="separation"))
    told = ask(tmp_path, "print(catalogue.unavailable()['ours.net'], 'our-net' in str(catalogue.rows()))")
    assert told == "it has models for separation under the entry 'tts.ours' False"


def test_a_module_that_cannot_be_imported_takes_nothing_down(tmp_path: Path) -> None:
    good = ENGINE.format(name="our-net", task="separation")
    install(tmp_path, "ours", "separation.ours", net=good, broken="import no_such_package", empty="")
    install(tmp_path, "gone", "tts.gone")
    tmp_path.joinpath("gone/__init__.py").write_text("import no_such_package")
    told = ask(tmp_path, "print(sorted(catalogue.unavailable()), catalogue.find('separation', 'our-net').name)")
    assert told == "['gone', 'ours.broken', 'ours.empty'] our-net"


def test_a_task_imports_no_engine_of_another(tmp_path: Path) -> None:
    code = "catalogue.models('tts'); print([name for name in sys.modules if name.startswith('separation')])"
    assert ask(tmp_path, code) == "[]"
