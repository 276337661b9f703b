"""The commands of cloned voices: enrolling asks for consent first, and what is kept can be seen, moved and deleted."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_up_voices import made_up_voice
from typer.testing import CliRunner

import voiceclone
from audio_ml.audio import Audio
from audio_ml.cloned_voice import ClonedVoice
from audio_ml.errors import ConsentMissing, InvalidInput, InvalidOption, OutputExists, UnknownVoice
from audio_ml.voice_file import encode, read_voice_file
from audio_ml.voice_library import VoiceLibrary
from audio_ml.writer import write_audio
from ui.voices import app
from ui.voices_enroll import read_consents
from voiceclone import zero_shot

LINE = "Anna Smith, 2025-11-26, temp ADR for reel 3"
Run = Callable[..., str]
Cli = Callable[..., Any]


@pytest.fixture(autouse=True)
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> VoiceLibrary:
    monkeypatch.setenv("AUDIO_ML_VOICES", str(tmp_path / "voices"))
    return VoiceLibrary.default()


@pytest.fixture
def run() -> Run:
    """Runs `audio-ml voices` in this process and returns what it printed; errors are raised."""

    def run(*arguments: object) -> str:
        result = CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False, standalone_mode=False)
        if result.exception is not None:
            raise result.exception
        return result.stdout

    return run


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Takes the place of enrolment; what it was asked for."""
    seen: list[dict[str, Any]] = []

    def enroll(references: Any, name: str, consent: Any, **given: Any) -> ClonedVoice:
        seen.append({"references": references, "name": name, "consent": consent, **given})
        findings = [
            {"severity": "warning", "message": "There are only 5 s."},
            {"severity": "note", "message": "The cleanest 30 s are used."},
        ]
        agreed = voiceclone.consent.parse_consent(consent)
        return made_up_voice(name, consent=agreed, provenance={"findings": findings})

    monkeypatch.setattr(voiceclone, "enroll", enroll)
    return seen


# enroll


def test_recordings_become_a_voice(run: Run, asked: list[dict[str, Any]], library: VoiceLibrary) -> None:
    told = run("enroll", "a.wav", "b.wav", "--name", "anna", "--consent", LINE, "--seconds", "20", "--quick")
    assert "anna is enrolled, from 12.5 s" in told and "--voice cloned/anna" in told
    assert library.load("anna").consent.who == "Anna Smith"
    (request,) = asked
    assert request["references"] == ["a.wav", "b.wav"] and request["options"] == {"quick": True, "seconds": 20.0}
    assert request["consent_recording"] is None and request["denoiser"] is None


def test_findings_are_told_and_quiet_keeps_the_warnings(asked: list[dict[str, Any]], capsys: Any) -> None:
    def told(*flags: str) -> str:
        app(["enroll", "a.wav", "--name", "anna", "--consent", LINE, "--overwrite", *flags], standalone_mode=False)
        return str(capsys.readouterr().err)

    assert "only 5 s" in told() and "cleanest" in told("--json")
    assert "only 5 s" in told("--quiet") and "cleanest" not in told("--quiet")


def test_enrolling_tells_json(run: Run, asked: list[dict[str, Any]]) -> None:
    told = json.loads(run("enroll", "a.wav", "--name", "anna", "--consent", LINE, "--json"))
    assert told["voice"] == "cloned/anna" and told["consent"]["purpose"] == "temp ADR for reel 3"


def test_nothing_is_enrolled_over_another_unasked(run: Run, asked: list[dict[str, Any]], library: VoiceLibrary) -> None:
    library.save(made_up_voice("Anna"))
    with pytest.raises(OutputExists, match="'anna' already"):
        run("enroll", "a.wav", "--name", "anna", "--consent", LINE)
    assert not asked
    run("enroll", "a.wav", "--name", "anna", "--consent", LINE, "--overwrite")
    assert len(library.names()) == 1


def test_a_name_is_checked_before_any_work(run: Run, asked: list[dict[str, Any]], library: VoiceLibrary) -> None:
    library.save(made_up_voice("Zo\u00eb"))
    with pytest.raises(OutputExists, match="already"):
        run("enroll", "a.wav", "--name", "Zoe\u0308", "--consent", LINE)  # the same, as some keyboards have it
    with pytest.raises(InvalidInput, match="no name for a voice"):
        run("enroll", "a.wav", "--name", "an/na", "--consent", LINE)
    assert not asked


def test_a_name_that_means_another_voice_is_told(asked: list[dict[str, Any]], capsys: Any) -> None:
    app(["enroll", "a.wav", "--name", "heart", "--consent", LINE, "--quiet"], standalone_mode=False)
    assert "'heart' alone stays the voice hibari/heart: ask for cloned/heart" in capsys.readouterr().err


def test_the_denoiser_is_passed_in(run: Run, asked: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.denoise.make_denoiser", lambda loader: "what cleans up")
    run("enroll", "a.wav", "--name", "anna", "--consent", LINE, "--denoise")
    assert asked[0]["denoiser"] == "what cleans up"


def test_without_consent_nobody_is_enrolled(run: Run, run_cli: Cli) -> None:
    with pytest.raises(ConsentMissing, match="Anna Smith, 2026-11-26"):
        run("enroll", "a.wav", "--name", "anna", "--consent", "yes")
    ran = run_cli("voices", "enroll", "a.wav", "--name", "anna")
    assert ran.returncode == 2 and ran.stderr.count("\n") == 1 and "Anna Smith, 2026-11-26" in ran.stderr


def test_consent_is_a_text_or_a_file_of_text_and_a_recording_beside_it(tmp_path: Path) -> None:
    text, sound = tmp_path / "consent.txt", tmp_path / "consent.wav"
    text.write_text(LINE, encoding="utf-8-sig")
    write_audio(sound, Audio(np.zeros((1, 8000), np.float32), 8000))
    assert read_consents([]) == ("", None)
    assert read_consents([LINE]) == read_consents([str(text)]) == (LINE, None)
    assert read_consents([str(sound), LINE]) == read_consents([str(text), str(sound)]) == (LINE, str(sound))
    with pytest.raises(ConsentMissing, match=r"I, Anna Smith, agree that my voice is cloned"):
        read_consents([str(sound)])
    with pytest.raises(InvalidInput, match="once"):
        read_consents([LINE, LINE])
    with pytest.raises(InvalidInput, match=r"no file .*missing.txt"):
        read_consents([str(tmp_path / "missing.txt")])
    assert read_consents(["Anna, 2025-01-01, " + "x" * 5000])[0].startswith("Anna")
    (tmp_path / "latin").write_bytes("Žofie".encode("utf-16"))
    assert read_consents([LINE, str(tmp_path / "latin")])[1] is not None


def test_a_consent_that_may_not_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "my consent.txt").write_text(LINE)
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InvalidInput, match="cannot be read: Permission denied"):
        read_consents([str(tmp_path / "my consent.txt")])


def test_a_large_recording_of_a_consent_is_not_read_whole(tmp_path: Path) -> None:
    with (tmp_path / "consent.wav").open("wb") as file:
        file.truncate(50_000_000)
    tracemalloc.start()
    try:
        assert read_consents([LINE, str(tmp_path / "consent.wav")])[1] == str(tmp_path / "consent.wav")
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


# show, export, import, delete


def test_a_voice_is_shown(run: Run, library: VoiceLibrary) -> None:
    path = library.save(made_up_voice(states={"pocket-tts": {"latents": np.zeros((2, 3), np.float32)}}))
    told = run("show", "anna")
    for words in ("cloned/anna", "Anna Smith, 2026-11-26", "temp ADR for reel 3", "48000 Hz", "181 Hz", "pocket-tts"):
        assert words in told
    facts = json.loads(run("show", "cloned/anna", "--json"))
    assert facts["sha256"] == library.load("anna").sha256 and facts["models"] == ["kokoro", "pocket-tts"]
    assert facts["file"] == str(path) and json.loads(run("show", path, "--json")) == facts
    kept = {name: {"x": np.zeros(1, np.float32)} for name in (*zero_shot.models(), "theirs")}
    shown = run("show", library.save(made_up_voice("all", states=kept)))
    for words in ("mel spectrogram", "for f5-tts: its first 12 s as they sound", "theirs: what nobody here knows"):
        assert words in shown
    assert all(f"for {name}: {row.keeps}" in shown and row.keeps for name, row in zero_shot.models().items())
    library.save(made_up_voice("mixed", delta=np.zeros(256, np.float32)))
    assert json.loads(run("show", "mixed", "--json"))["kind"] == "a mix of Kokoro's own voices"
    with pytest.raises(UnknownVoice, match="Did you mean 'anna'"):
        run("show", "ana")


def test_a_voice_is_drawn_among_the_others(run: Run, library: VoiceLibrary, tmp_path: Path) -> None:
    library.save(made_up_voice())
    library.save(made_up_voice("bert", 1))
    picture = tmp_path / "anna.png"
    run("show", "anna", "--picture", picture)
    assert picture.read_bytes().startswith(b"\x89PNG")
    view = json.loads(run("show", "anna", "--json", "--view"))["view"]
    assert {"anna", "bert"} <= {place["name"] for place in view["map"]["places"]}, view["map"].keys()
    with pytest.raises(OutputExists):
        run("show", "anna", "--picture", picture)


def test_a_voice_moves_to_another_machine(
    run: Run, library: VoiceLibrary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.save(made_up_voice())
    run("export", "anna", tmp_path / "anna copy.voice.safetensors")
    run("export", "anna", tmp_path)
    assert (tmp_path / "anna.voice.safetensors").read_bytes() == encode(made_up_voice())
    with pytest.raises(OutputExists):
        run("export", "anna", tmp_path)
    with pytest.raises(InvalidOption, match=r"end in \.voice\.safetensors"):
        run("export", "anna", tmp_path / "anna.zip")
    monkeypatch.setenv("AUDIO_ML_VOICES", str(tmp_path / "there"))
    assert "consent of Anna Smith, 2026-11-26" in run("import", tmp_path / "anna copy.voice.safetensors")
    assert VoiceLibrary.default().load("anna").sha256 == made_up_voice().sha256
    with pytest.raises(OutputExists):
        run("import", tmp_path / "anna.voice.safetensors")
    run("import", tmp_path / "anna.voice.safetensors", "--name", "Anna 2")
    assert VoiceLibrary.default().names() == ["Anna 2", "anna"]
    assert read_voice_file(VoiceLibrary.default().path("anna 2")).name == "Anna 2"


def test_what_is_no_voice_is_not_taken_in(run_cli: Cli, library: VoiceLibrary, tmp_path: Path) -> None:
    (tmp_path / "x.voice.safetensors").write_bytes(b"\x80\x04")
    ran = run_cli("voices", "import", tmp_path / "x.voice.safetensors")
    assert ran.returncode == 2 and ran.stderr.count("\n") == 1 and "no safetensors file" in ran.stderr
    assert not library.names()


@pytest.mark.parametrize("findings", [5, "message", ["message"], [None, {"message": ["x"]}], {"message": "x"}])
def test_findings_of_a_hostile_file_are_no_trouble(run: Run, library: VoiceLibrary, findings: Any) -> None:
    library.save(made_up_voice(provenance={"findings": findings}))
    assert "cloned/anna" in run("show", "anna")


def test_deleting_tells_what_is_gone(run: Run, library: VoiceLibrary) -> None:
    path = library.save(made_up_voice())
    assert run("delete", "cloned/anna").splitlines() == [f"deleted {path}"]
    assert not list(library.folder.iterdir())
    with pytest.raises(UnknownVoice):
        run("delete", "anna")


def test_what_there_is_to_see_of_a_voice(run: Run, library: VoiceLibrary, tmp_path: Path) -> None:
    path = library.save(made_up_voice())
    library.save(made_up_voice("ben", seed=1))
    view = json.loads(run("show", "anna", "--json", "--view"))["view"]
    kinds = {place["name"]: place["kind"] for place in view["map"]["places"]}
    assert (kinds["kokoro/af_heart"], kinds["ben"], kinds["anna"]) == ("built-in", "enrolled", "this voice")
    assert len(view["reference"]["mel"]["levels_db"]) == 80 and len(view["reference"]["embedding"]["values"]) == 16
    assert any("the nearest built-in voice, kokoro/" in what for what in view["likenesses"])
    picture = tmp_path / "anna.png"
    run("show", path, "--picture", picture)
    assert picture.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(OutputExists):
        run("show", "anna", "--picture", picture)
    with pytest.raises(InvalidOption, match="--json"):
        run("show", "anna", "--view")
