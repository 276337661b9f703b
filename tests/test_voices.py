"""A voice is found by its id, a bare name, a blend or a file, in one documented order; a wrong name gets a hint."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import soundfile
from fake_speech import FAKE_SPEECH

from audio_ml.errors import InvalidOption, UnknownModel, UnknownVoice
from tts.voices import find_speaker, list_voices


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
        ("kokro/af_heart", None, UnknownVoice, "Did you mean 'kokoro'?"),
        ("heart", "kokorro", UnknownModel, "Did you mean 'kokoro'?"),
        ("low+hgih", FAKE_SPEECH, UnknownVoice, "Did you mean 'high'?"),
        ("hibari/heart*2+hibari/heart", None, InvalidOption, "hibari cannot mix"),
        ("heart*x", None, InvalidOption, "no blend"),
        ("heart*-1", None, InvalidOption, "no blend"),
        ("+heart", None, InvalidOption, "no blend"),
        ("", FAKE_SPEECH, InvalidOption, "no blend"),
        ("none/there.onnx", None, UnknownVoice, "no voice file"),
    ],
)
def test_a_wrong_name_is_told(name: str, model: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error) as caught:
        find_speaker(name, model)
    assert words in str(caught.value) and "\n" not in str(caught.value)


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


@pytest.mark.weights
def test_a_voice_gives_a_sample(run_cli: Cli, tmp_path: Path) -> None:
    ran = run_cli("voices", "sample", "heart", "-o", tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert soundfile.info(tmp_path / "hibari-heart.wav").duration > 2
    assert run_cli("voices", "sample", "heart", "-o", tmp_path).returncode == 6
