"""Audacity's script against a pipe that only remembers: stems lie where the selection was, words where they are."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from signals import noise
from stand_in_audacity import StandInAudacity
from stand_in_server import StandIn, stand_in

import audio_ml_client
from audio_ml.writer import write_audio

SCRIPT = Path(__file__).parents[1] / "clients/audacity/audio_ml_audacity.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audio_ml_audacity", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["audio_ml_audacity"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def server(tmp_path: Path) -> Iterator[StandIn]:
    write_audio(tmp_path / "stem.wav", noise(1.5))
    with stand_in() as running:
        content = (tmp_path / "stem.wav").read_bytes()
        running.files = {"vocals.wav": content, "rest.wav": content}
        running.report = {"duration_seconds": 1.5}
        properties = {"overlap": {"type": "number", "minimum": 0, "maximum": 1}, "mwf": {"type": "boolean"}}
        running.models = [{"id": "htdemucs", "options": {"properties": properties}}]
        yield running


def asked(**values: Any) -> argparse.Namespace:
    defaults = {"model": "htdemucs", "option": [], "mute": False, "voice": None, "at": None, "no_labels": False}
    return argparse.Namespace(**(defaults | values))


def project(**values: Any) -> StandInAudacity:
    audacity = StandInAudacity(selection=(2.0, 3.5), **values)
    audacity.add_track("Song", 0.0, 10.0)
    audacity.add_track("Other", 0.0, 4.0, selected=False, channels=1)
    return audacity


def run(script: ModuleType, audacity: StandInAudacity, server: StandIn, verb: str, **values: Any) -> None:
    client = audio_ml_client.Client(server.url)
    getattr(script, verb)(script.Audacity(audacity.send, audacity.receive), client, asked(**values))


@pytest.mark.parametrize("version", [(3, 7), (3, 2)])
@pytest.mark.parametrize("opens_at", [0.0, 2.0, 7.5])
def test_stems_lie_where_the_selection_was(
    script: ModuleType, server: StandIn, version: tuple[int, int], opens_at: float
) -> None:
    audacity = project(version=version, opens_at=opens_at)
    run(script, audacity, server, "separate")
    assert [(track["name"], track["start"], track["end"]) for track in audacity.tracks] == [
        ("Song", 0.0, 10.0),
        ("Other", 0.0, 4.0),
        ("Song - vocals", 2.0, 3.5),
        ("Song - rest", 2.0, 3.5),
    ]
    assert audacity.selection == (2.0, 3.5) and not audacity.labels()
    (command,) = (line for line in audacity.commands if line.startswith("Export2"))
    assert command.endswith("NumChannels=2")


def test_the_originals_are_muted_if_that_is_asked(script: ModuleType, server: StandIn) -> None:
    audacity = project()
    run(script, audacity, server, "separate", mute=True)
    assert [track.get("mute", 0) for track in audacity.tracks] == [1, 0, 0, 0]


def test_options_are_read_by_the_models_schema(script: ModuleType, server: StandIn) -> None:
    run(script, project(), server, "separate", option=["overlap=0.5", "mwf=yes"])
    assert server.bodies[0]["options"] == {"overlap": 0.5, "mwf": True}


@pytest.mark.parametrize(("option", "told"), [("overlap=2", "range"), ("overlap=x", "'x'"), ("gain=1", "overlap, mwf")])
def test_options_that_cannot_be_are_named(script: ModuleType, server: StandIn, option: str, told: str) -> None:
    with pytest.raises(script.AudacityError, match=told):
        run(script, project(), server, "separate", option=[option])
    assert not server.jobs


def test_an_export_of_something_else_brings_nothing_in(script: ModuleType, server: StandIn) -> None:
    server.report = {"duration_seconds": 10.0}
    audacity = project(export_seconds=10.0)
    with pytest.raises(script.AudacityError, match=r"10\.00 s where 1\.50 s are selected"):
        run(script, audacity, server, "separate")
    assert len(audacity.tracks) == 2


def test_a_failure_of_the_server_brings_nothing_in(script: ModuleType, server: StandIn) -> None:
    server.faults.fail_with = {"type": "OutOfMemory", "message": "Too little memory.", "code": 507}
    audacity = project()
    with pytest.raises(audio_ml_client.ServerError, match="Too little memory"):
        run(script, audacity, server, "separate")
    assert len(audacity.tracks) == 2


def test_nothing_selected_is_told(script: ModuleType, server: StandIn) -> None:
    audacity = project()
    audacity.tracks[0]["selected"] = 0
    with pytest.raises(script.AudacityError, match="Select a part"):
        run(script, audacity, server, "separate")


def test_a_command_that_fails_is_told(script: ModuleType) -> None:
    audacity = StandInAudacity()
    with pytest.raises(script.AudacityError, match="did not do Polka"):
        script.Audacity(audacity.send, audacity.receive).do("Polka")


def test_words_are_labels_where_they_are_said(script: ModuleType, server: StandIn) -> None:
    words = [
        {"text": 'say "no"', "start_seconds": 0.1, "end_seconds": 0.4},
        {"text": "morning.", "start_seconds": 0.5, "end_seconds": 1.2},
    ]
    server.files, server.report = {"speech.wav": server.files["vocals.wav"]}, {"files": [{"words": words}]}
    audacity = project()
    audacity.tracks.append(
        {"name": "Marks", "kind": "label", "selected": 0, "labels": [[0.0, 0.0, ""], [9.0, 9.0, ""]]}
    )
    run(script, audacity, server, "speak", text="Good morning.", model=None)
    assert [(track["name"], track["start"]) for track in audacity.tracks if track["kind"] == "wave"][-1] == (
        *("Good morning.", 2.0),
    )
    assert audacity.tracks[-1]["labels"] == [[2.1, 2.4, "say 'no'"], [2.5, 3.2, "morning."]]
    assert audacity.tracks[2]["labels"] == [[0.0, 0.0, ""], [9.0, 9.0, ""]]


def test_without_a_running_audacity_it_says_what_to_switch_on(
    script: ModuleType, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.path.exists", lambda path: False)
    assert script.main(["separate"]) == 1
    assert "mod-script-pipe" in capsys.readouterr().err


def test_options_of_a_model_are_listed(script: ModuleType, server: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    assert script.main(["--server", server.url, "options", "htdemucs"]) == 0
    assert "overlap=" in capsys.readouterr().out
