"""A voice is found by its id, a bare name, a blend or a file, in one documented order; a wrong name gets a hint."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import soundfile
from fake_speech import FAKE_SPEECH

from audio_ml import catalogue
from audio_ml.errors import InvalidOption, UnknownModel, UnknownVoice
from audio_ml.weights import WeightStore
from tts.voices import broken_voices, find_speaker, list_voices


@pytest.mark.parametrize(
    ("name", "model", "id"),
    [
        (None, None, "hibari/heart"),
        ("heart", None, "hibari/heart"),
        ("hibari/heart", None, "hibari/heart"),
        ("kokoro/heart", None, "kokoro/af_heart"),
        ("af_heart", None, "kokoro/af_heart"),
        ("bella", None, "kokoro/af_bella"),
        ("Bella", None, "kokoro/af_bella"),
        (None, "kokoro", "kokoro/af_heart"),
        ("heart", "kokoro-int8", "kokoro/af_heart"),
        ("heart+bella", None, "kokoro/af_heart*0.5+af_bella*0.5"),
        ("heart*0.6 + bella*0.2", None, "kokoro/af_heart*0.75+af_bella*0.25"),
        ("kokoro/heart*1+bella*3", None, "kokoro/af_heart*0.25+af_bella*0.75"),
    ],
)
def test_a_name_finds_its_voice(name: str | None, model: str | None, id: str) -> None:
    assert find_speaker(name, model).id == id


def test_the_model_that_was_asked_for_speaks() -> None:
    assert find_speaker("heart", "kokoro-int8").spec.name == "kokoro-int8"
    assert find_speaker("heart", "kokoro").spec.name == "kokoro"
    assert find_speaker(None, FAKE_SPEECH).spec is FAKE_SPEECH


def test_every_id_finds_itself() -> None:
    voices = list_voices()
    assert len({speaker.id for speaker in voices}) == len(voices) > 20
    for speaker in voices:
        assert find_speaker(speaker.id).id == speaker.id


@pytest.mark.parametrize(
    ("name", "model", "error", "words"),
    [
        ("hart", None, UnknownVoice, "Did you mean 'heart'?"),
        ("kokoro/hart", None, UnknownVoice, "Did you mean 'kokoro/heart'?"),
        ("kokro/af_heart", None, UnknownVoice, "Did you mean 'kokoro'?"),
        ("kokoro/heart", "hibari", UnknownVoice, "hibari has no voice 'kokoro/heart': it is one of kokoro."),
        ("hibari/hart", "hibari", UnknownVoice, "Did you mean 'hibari/heart'?"),
        ("heart", "kokorro", UnknownModel, "Did you mean 'kokoro'?"),
        ("low+hgih", FAKE_SPEECH, UnknownVoice, "Did you mean 'high'?"),
        ("hibari/heart*2+hibari/heart", None, InvalidOption, "hibari cannot mix"),
        ("heart*x", None, InvalidOption, "no blend"),
        ("heart*-1", None, InvalidOption, "no blend"),
        ("+heart", None, InvalidOption, "no blend"),
        ("", FAKE_SPEECH, InvalidOption, "no blend"),
        ("none/there.onnx", None, UnknownVoice, "no voice file"),
        ("none/there.onnx", "kokoro", InvalidOption, "--model kokoro"),
        ("none/there.onnx", FAKE_SPEECH, InvalidOption, "--model fake-speech"),
    ],
)
def test_a_wrong_name_is_told(name: str, model: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error) as caught:
        find_speaker(name, model)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_a_family_alone_makes_no_voice_close() -> None:
    with pytest.raises(UnknownVoice) as caught:
        find_speaker("kokoro/zzzzz")
    assert "Did you mean" not in str(caught.value)


def test_a_list_is_of_one_language() -> None:
    assert {speaker.blend.language for speaker in list_voices("en-GB")} == {"en-GB"}
    assert {speaker.blend.language for speaker in list_voices("en")} >= {"en-GB", "en-US"}


Cli = Callable[..., Any]


def test_voices_are_listed(run_cli: Cli) -> None:
    table = run_cli("voices", "list", "--language", "en-US").stdout
    assert "hibari/heart" in table and "Apache-2.0" in table and "en-GB" not in table
    rows = json.loads(run_cli("voices", "list", "--json").stdout)
    assert rows[0]["voice"] == "hibari/heart" and {"language", "licence", "model", "here"} <= rows[0].keys()
    wrong = run_cli("voices", "list", "--language", "tlh")
    assert wrong.returncode == 2 and "No voice speaks 'tlh'" in wrong.stderr


@pytest.fixture
def own_voices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a voice `mine`, of which a list reads the description only, and a damaged one, `torn`."""
    description = {
        "audio": {"sample_rate": 16000},
        "espeak": {"voice": "en-us"},
        "phoneme_id_map": {"_": [0], "^": [1], "$": [2], "a": [3]},
        "language": {"code": "en_US"},
    }
    for name, content in (("mine", json.dumps(description)), ("torn", "{")):
        (tmp_path / f"{name}.onnx").write_bytes(b"")
        (tmp_path / f"{name}.onnx.json").write_text(content)
    monkeypatch.setenv("AUDIO_ML_VOICES", str(tmp_path))
    return tmp_path


def test_a_voice_of_ones_own_is_here(own_voices: Path, run_cli: Cli) -> None:
    ran = run_cli("voices", "list", "--json")
    assert ran.returncode == 0, ran.stderr
    here = {row["voice"]: row["here"] for row in json.loads(ran.stdout)}
    assert here["piper/mine"] == "yes"
    assert find_speaker("mine").id == find_speaker("piper/mine").id == "piper/mine"


def test_a_voice_is_here_with_its_own_file_whatever_others_lack(run_cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "kokoro").mkdir()
    for name in (catalogue.find("tts", "kokoro").files[0].name, "af_heart.bin"):
        (tmp_path / "kokoro" / name).touch()
    ran = run_cli("voices", "list", "--json", AUDIO_ML_MODELS=str(tmp_path), AUDIO_ML_CACHE=str(tmp_path / "cache"))
    here = {row["voice"]: row["here"] for row in json.loads(ran.stdout)}
    assert (here["kokoro/af_heart"], here["kokoro/af_bella"]) == ("yes", "fetched on first use")


def test_a_row_without_files_lies_nowhere(store: WeightStore) -> None:
    assert store.find_folder(FAKE_SPEECH) is None


def test_a_damaged_voice_is_told_where_it_matters(own_voices: Path, run_cli: Cli) -> None:
    (own_voices / "alone.onnx").write_bytes(b"")
    assert list(broken_voices()) == [own_voices / "alone.onnx", own_voices / "torn.onnx"]
    with pytest.raises(UnknownVoice, match=r"alone\.onnx cannot be used: .*\.onnx\.json beside it"):
        find_speaker("alone")
    told = [line for line in run_cli("voices", "list").stderr.splitlines() if "torn.onnx" in line]
    assert len(told) == 1 and told[0].startswith("audio-ml: ")
    assert not run_cli("speak", "--help").stderr
    for name in ("torn", "piper/torn"):
        with pytest.raises(UnknownVoice, match=r"torn\.onnx cannot be used: .*cannot be read"):
            find_speaker(name)


@pytest.mark.weights
def test_a_voice_gives_a_sample(run_cli: Cli, tmp_path: Path) -> None:
    ran = run_cli("voices", "sample", "heart", "-o", tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert soundfile.info(tmp_path / "hibari-heart.wav").duration > 2
    assert run_cli("voices", "sample", "heart", "-o", tmp_path).returncode == 6
