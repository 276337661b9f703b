"""The voices of the machine over HTTP: listed with their consent, exported and deleted by who may, written down."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from listening import ListeningServer, listening
from made_up_voices import made_up_voice

import voiceclone
from audio_ml.cloned_voice import Consent
from audio_ml.loader import ModelLoader
from audio_ml.progress import Progress
from audio_ml.voice_file import SUFFIX, decode
from audio_ml.voice_library import VoiceLibrary
from ui.server.housekeeping import Housekeeper
from ui.server.options import ServerOptions
from ui.server.request import InputRef, JobRequest
from ui.server.results import find_files
from ui.server.routes.voices import NotAllowed, delete_voice, export_voice
from ui.server.tasks import Work
from ui.server.tasks import enroll as enrolling
from ui.server.tokens import Caller, local_caller, read_tokens

UMLAUT = "Jürgen 2"


def unit(voice: Any) -> Any:
    """Returns a voice whose embeddings are of unit length, as those of real voices."""
    scaled = {name: vector / np.linalg.norm(vector) for name, vector in voice.embeddings.items()}
    return replace(voice, embeddings=scaled)


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> VoiceLibrary:
    monkeypatch.setenv("AUDIO_ML_VOICES", str(tmp_path / "voices"))
    library = VoiceLibrary.default()
    library.save(unit(made_up_voice("anna")))
    library.save(unit(made_up_voice(UMLAUT, 1, consent=Consent("Jürgen", "2026-11-20", "trailer"))))
    return library


@pytest.fixture
def server(tmp_path: Path, library: VoiceLibrary) -> Iterator[ListeningServer]:
    folder = tmp_path / "server"
    folder.mkdir()
    with listening(folder) as on:
        yield on


def audit(server: ListeningServer) -> list[dict[str, Any]]:
    path = Path(server.services.options.data_folder) / "audit.log"
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_voices_are_listed_with_their_consent_and_without_places(
    server: ListeningServer, library: VoiceLibrary
) -> None:
    (library.folder / f"broken{SUFFIX}").write_bytes(b"no voice")
    reply = server.ask("GET", "/v1/voices")
    anna, juergen = reply.json["voices"]
    assert (anna["name"], anna["voice"], juergen["name"]) == ("anna", "cloned/anna", UMLAUT)
    assert anna["consent"]["who"] == "Anna Smith" and juergen["consent"]["purpose"] == "trailer"
    assert [each["name"] for each in reply.json["unavailable"]] == ["broken"] and reply.json["may_keep"] is True
    assert str(library.folder.parent).encode() not in b"".join(
        server.ask("GET", f"/v1/voices{name}").body for name in ("", "/anna")
    ).replace(json.dumps(reply.json["unavailable"][0]["reason"]).encode(), b"")
    assert server.ask("GET", "/v1/voices/ANNA").json == anna


def test_a_view_is_numbers_with_a_place_on_the_map(server: ListeningServer) -> None:
    view = server.ask("GET", "/v1/voices/anna/view").json
    kinds = {place["name"]: place["kind"] for place in view["map"]["places"]}
    assert kinds["anna"] == "this voice" and kinds[UMLAUT] == "enrolled"
    assert sum(kind == "built-in" for kind in kinds.values()) >= 20
    assert len(view["reference"]["embedding"]["values"]) == 16 and view["result"] is None


@pytest.mark.parametrize("name", ["anna", UMLAUT])
def test_what_is_exported_is_the_voice_and_written_down(
    name: str, server: ListeningServer, library: VoiceLibrary
) -> None:
    reply = server.ask("GET", f"/v1/voices/{quote(name)}/file")
    assert decode(reply.body).sha256 == library.load(name).sha256
    assert quote(f"{name}{SUFFIX}") in reply.headers["Content-Disposition"]
    (line,) = audit(server)
    assert (line["what"], line["voice"], line["caller"]) == ("export", name, "local")


def test_what_is_deleted_is_gone_and_written_down(server: ListeningServer, library: VoiceLibrary) -> None:
    assert server.ask("DELETE", "/v1/voices/Anna").status == 204
    assert library.names() == [UMLAUT] and not list(library.folder.glob("anna*"))
    assert [(line["what"], line["voice"]) for line in audit(server)] == [("delete", "anna")]
    for method in ("DELETE", "GET"):
        reply = server.ask(method, "/v1/voices/anna")
        assert reply.status == 404 and "no cloned voice 'anna'" in reply.json["error"]["message"]
    assert len(audit(server)) == 1


def fill(*names: str) -> Any:
    return lambda folder: [(folder / name).write_bytes(b"x") for name in names]


@pytest.mark.parametrize("door", ["server", "command"])
def test_a_deleted_voice_is_shown_by_no_job_any_more(door: str, server: ListeningServer, library: VoiceLibrary) -> None:
    made, other = (
        server.publish(fill("sample.wav", "view.json"), {}, task="enroll", name=name, consent="x")
        for name in ("Anna", UMLAUT)
    )
    said = server.publish(fill("speech.wav", "view.json"), {}, task="clone", voice="cloned/anna", text="Hello.")
    taught = server.publish(fill("voices.json"), {}, task="explain_voices", voice="cloned/anna", text="Hello.")
    built_in = server.publish(fill("voices.json"), {}, task="explain_voices", voice="hibari/heart", text="Hello.")
    services = server.services
    if door == "server":
        assert server.ask("DELETE", "/v1/voices/anna").status == 204
    else:
        library.delete("anna")
        Housekeeper(services.options, services.store, services.scheduler, services.uploads).tidy()
    for id in (made, taught):
        assert server.ask("GET", f"/v1/jobs/{id}").status == 404 and not services.scheduler.folder_of(id).exists()
    files = [file["name"] for file in server.ask("GET", f"/v1/jobs/{said}").json["files"]]
    assert files == ["speech.wav"] and server.ask("GET", f"/v1/jobs/{said}/files/view.json").status == 404
    assert [path.name for path in services.scheduler.folder_of(said).iterdir()] == ["speech.wav"]
    assert server.ask("GET", f"/v1/jobs/{said}/archive").status == 200
    for id, n_files in ((other, 2), (built_in, 1)):
        assert len(server.ask("GET", f"/v1/jobs/{id}").json["files"]) == n_files


def test_a_new_voice_is_no_result_of_its_job_and_comes_into_the_library_alone(
    library: VoiceLibrary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = tmp_path / "job" / "files"
    files.mkdir(parents=True)
    monkeypatch.setattr(voiceclone, "enroll", lambda *_, **__: made_up_voice("ben"))
    request = JobRequest(task="enroll", name="ben", consent="x", inputs=(InputRef(upload="x"),))
    told = enrolling.run(Work(request, (tmp_path / "x.wav",), files, ModelLoader("cpu"), Progress()))
    assert find_files(files) == () and "ben" not in library.names() and "files" not in told
    for _ in range(2):  # a crash may have it done once more
        enrolling.reveal(files)
        assert library.load("ben").sha256 == told["sha256"] and not list((tmp_path / "job").rglob(f"*{SUFFIX}"))


def test_a_damaged_file_can_be_deleted(server: ListeningServer, library: VoiceLibrary) -> None:
    (library.folder / f"bro ken.{SUFFIX}").write_bytes(b"no voice")
    assert server.ask("DELETE", f"/v1/voices/{quote('bro ken.')}").status == 204
    assert library.names() == [UMLAUT, "anna"]


def test_no_name_leads_out_of_the_library(server: ListeningServer, tmp_path: Path) -> None:
    outside = tmp_path / f"outside{SUFFIX}"
    outside.write_bytes(b"x")
    for name in ("../outside", "..%2Foutside", quote(str(tmp_path / "outside"), safe="")):
        assert server.ask("DELETE", f"/v1/voices/{name}").status in (404, 405, 422)
    assert outside.exists()


def test_a_token_alone_takes_no_voice_away(server: ListeningServer, library: VoiceLibrary, tmp_path: Path) -> None:
    path, secret = tmp_path / "tokens.yaml", "token: {}-0123456789abcdef"
    path.write_text(
        f"tokens:\n- name: ben\n  {secret.format('b')}\n- name: eva\n  {secret.format('e')}\n  keeps_voices: true\n"
    )
    path.chmod(0o600)
    callers = {caller.name: caller for caller in read_tokens(path, ServerOptions()).values()}
    assert local_caller(ServerOptions()).keeps_voices and not Caller("any", (), callers["ben"].limits).keeps_voices
    for route in (export_voice, delete_voice):
        with pytest.raises(NotAllowed, match="keeps_voices"):
            route("anna", server.services, callers["ben"])
    assert "anna" in library.names() and audit(server) == []
    assert delete_voice("anna", server.services, callers["eva"]).status_code == 204
