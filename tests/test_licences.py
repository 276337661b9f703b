"""Terms that have to be accepted are asked once, remembered, and asked again when they change."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fake_engine import FAKE

from audio_ml import catalogue
from audio_ml.catalogue import Licence, Row
from audio_ml.errors import LicenceNotAccepted, OutputUnwritable
from audio_ml.licences import Licences
from audio_ml.loader import ModelLoader
from audio_ml.weights import WeightStore

RESEARCH = Licence("research only", commercial=False, note="Not for films.", must_accept=True)
CLOSED = dataclasses.replace(FAKE, name="closed", licence=RESEARCH)

Cli = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def unasked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AUDIO_ML_CONFIG", str(tmp_path / "settings"))
    return tmp_path / "settings"


def test_nothing_is_loaded_before_the_terms_are_accepted(unasked: Path) -> None:
    loader = ModelLoader("cpu", WeightStore(accept_licences=False))
    with (
        pytest.raises(LicenceNotAccepted, match=r"Not for films\..*models accept closed.*tab Models\.$"),
        loader.use(CLOSED),
    ):
        pass
    assert loader.loaded() == []
    Licences().accept(CLOSED)
    with loader.use(CLOSED):
        assert loader.loaded() == ["closed"]


def test_an_acceptance_is_remembered_until_the_terms_change(unasked: Path) -> None:
    WeightStore(accept_licences=True).open(CLOSED)
    assert Licences().accepted(CLOSED)
    changed = dataclasses.replace(CLOSED, licence=dataclasses.replace(RESEARCH, note="Not for anything."))
    assert not Licences().accepted(changed)
    other = dataclasses.replace(CLOSED, name="other")
    assert not Licences().accepted(other)
    Licences().accept(other)
    assert Licences().accepted(CLOSED) and Licences().accepted(other)


def test_rows_that_ask_for_nothing_write_nothing(unasked: Path) -> None:
    WeightStore(accept_licences=True).open(FAKE)
    assert not unasked.exists()


def test_settings_that_cannot_be_read_are_no_acceptance(unasked: Path) -> None:
    unasked.mkdir()
    (unasked / "licences.json").write_text("{")
    with pytest.raises(OutputUnwritable, match="accept again"):
        Licences().check(CLOSED)


def _closed_rows() -> list[Row]:
    return [row for row in catalogue.rows() if row.licence.must_accept]


def test_closed_rows_say_why_they_are() -> None:
    """Research models, and those whose owner forbids uses that a licence cannot."""
    for row in _closed_rows():
        assert row.licence.note
        assert row.licence.commercial is not True or "consent" in row.licence.note


def test_the_command_line_asks_accepts_and_filters(run_cli: Cli, tmp_path: Path) -> None:
    settings = {"AUDIO_ML_CONFIG": str(tmp_path), "AUDIO_ML_CACHE": str(tmp_path / "cache")}
    refused = run_cli("models", "pull", "htdemucs", "--offline", **settings)
    assert refused.returncode == 2 and "models accept htdemucs" in refused.stderr
    accepted = run_cli("models", "accept", "htdemucs", **settings)
    assert accepted.returncode == 0 and "research" in accepted.stdout.lower()
    assert run_cli("models", "pull", "htdemucs", "--offline", **settings).returncode == 3
    listed = {row["name"]: row for row in json.loads(run_cli("models", "list", "--json", **settings).stdout)["models"]}
    assert listed["htdemucs"]["accepted"] and listed["htdemucs"]["commercial_use"] is False
    free = run_cli("models", "list", "--commercial-only", "--json", **settings).stdout
    names = {row["name"] for row in json.loads(free)["models"]}
    assert "htdemucs" not in names and "spleeter-2stems" in names


def test_what_was_accepted_can_be_withdrawn(unasked: Path) -> None:
    other = dataclasses.replace(CLOSED, name="other")
    licences = Licences()
    licences.withdraw(CLOSED)  # nothing to take back
    assert not (unasked / "licences.json").exists()
    licences.accept(CLOSED)
    licences.accept(other)
    Licences().withdraw(CLOSED)
    assert not licences.accepted(CLOSED) and licences.accepted(other)
    with pytest.raises(LicenceNotAccepted):
        licences.check(CLOSED)


def test_terms_that_are_accepted_at_the_same_time_are_all_remembered(unasked: Path) -> None:
    rows = [dataclasses.replace(CLOSED, name=f"closed {number}") for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda row: Licences().accept(row), rows))
    assert all(Licences().accepted(row) for row in rows)
    assert not list(unasked.glob("*.part"))
