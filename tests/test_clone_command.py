"""`audio-ml clone`: the door of cloned voices writes, streams and tells as `speak` does, and marks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import soundfile
from fake_speech import FAKE_SPEECH, RATE
from made_up_voices import made_up_voice
from typer.testing import CliRunner

import tts
from audio_ml.audio import Audio
from audio_ml.errors import InvalidOption, OutputExists, UnknownVoice
from audio_ml.voice_library import VoiceLibrary
from audio_ml.watermark import WATERMARK
from ui.clone import app

Run = Callable[..., str]
Cli = Callable[..., Any]


@pytest.fixture(autouse=True)
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> VoiceLibrary:
    """A library with anna, an engine of tones, and a watermark that doubles the sound."""
    monkeypatch.setenv("AUDIO_ML_VOICES", str(tmp_path / "voices"))
    monkeypatch.setenv("AUDIO_ML_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(tts, "VoiceSpeaker", lambda loader, model: tts.cloned_speech.VoiceSpeaker(loader, FAKE_SPEECH))
    monkeypatch.setattr("audio_ml.watermark.mark", lambda audio, *_: Audio(audio.samples * 1.5, audio.sample_rate))
    monkeypatch.chdir(tmp_path)
    library = VoiceLibrary.default()
    library.save(made_up_voice())
    return library


def run(*arguments: object) -> Any:
    result = CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False, standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result


def test_a_text_is_spoken_into_a_file(library: VoiceLibrary) -> None:
    told = run("Good morning.", "--voice", "anna", "-o", "out.wav", "--captions", "srt").stdout
    assert "in the voice cloned/anna" in told and "out.srt" in told
    assert soundfile.info("out.wav").samplerate == RATE and Path("out.srt").exists()
    content = Path("out.wav").read_bytes()
    record = json.JSONDecoder().raw_decode(content[content.index(b"prov") + 8 :].decode("utf-8", "replace"))[0]
    (cloned,) = record["cloned_voices"]
    assert (cloned["voice"], cloned["watermark"]) == ("anna", WATERMARK) and record["options"]["voice"] == "cloned/anna"
    with pytest.raises(OutputExists):
        run("Good morning.", "--voice", "anna", "-o", "out.wav")


def test_a_report_is_json_and_the_mark_can_be_left_out() -> None:
    told = json.loads(run("Good morning.", "-v", "cloned/anna", "--json", "--likeness", "0.5", "--no-watermark").stdout)
    assert told["voice"] == "cloned/anna" and told["provenance"]["options"]["likeness"] == 0.5
    assert told["provenance"]["cloned_voices"][0]["watermark"] == "none"


def test_sound_goes_to_standard_output() -> None:
    marked = run("Good morning.", "--voice", "anna", "-o", "-").stdout_bytes
    plain = run("Good morning.", "--voice", "anna", "-o", "-", "--no-watermark").stdout_bytes
    assert len(marked) == len(plain) > RATE // 2 and marked != plain


def test_a_file_of_a_voice_speaks_and_is_not_overwritten(library: VoiceLibrary, tmp_path: Path) -> None:
    path = library.path("anna")
    run("Good morning.", "--voice", path, "-o", "out.wav", "-q")
    with pytest.raises(InvalidOption, match="would be replaced"):
        run("Good morning.", "--voice", path, "-o", path, "--format", "wav", "--overwrite")


def test_errors_are_one_line(run_cli: Cli) -> None:
    for arguments, words in (
        (["Hello.", "--voice", "ana"], "Did you mean 'anna'"),
        (["Hello.", "--voice", "anna", "--model", "hibari"], "hibari cannot speak with a cloned voice"),
        (["", "--voice", "anna", "-o", "x.wav"], "nothing to speak"),
        (["Hello.", "--voice", "anna", "-o", "x.zip"], "x.zip"),
    ):
        ran = run_cli("clone", *arguments)
        assert ran.returncode == 2 and ran.stderr.count("\n") == 1 and words in ran.stderr, ran.stderr
    with pytest.raises(UnknownVoice):
        run("Hello.", "--voice", "nobody")
