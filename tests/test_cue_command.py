"""The command `cues` and the voices of this package as its speaker, with hibari, whose weights are installed."""

from __future__ import annotations

import json
import typing
from pathlib import Path

import openpyxl
import pytest
import typer
from typer.testing import CliRunner

from audio_ml.errors import InvalidInput, InvalidOption, PartialFailure, UnknownVoice
from audio_ml.loader import ModelLoader
from audio_ml.timecode import FRAME_RATES
from tts.cues import TextToSpeech
from tts.cues.options import FrameRateName
from ui.cues import cues

ROWS = (
    ("Cue", "Character", "TC In", "TC Out", "Line"),
    (1, "HERO", "10:00:00:00", "10:00:03:00", "Where is everybody?"),
    (2, "NARRATOR", "10:00:04:00", "10:00:04:20", "Nobody knows where they have gone."),
    (3, "HERO", "10:00:06:00", "10:00:05:00", "Out before in."),
)


def run(*arguments: object) -> tuple[str, str, BaseException | None]:
    app = typer.Typer()
    app.command()(cues)
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.stdout, result.stderr, result.exception


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    book = openpyxl.Workbook()
    for row in ROWS:
        book.active.append(row)
    book.save(tmp_path / "film.xlsx")
    return tmp_path / "film.xlsx"


def test_a_workbook_becomes_voiceover_and_the_bad_row_is_explained(tmp_path: Path, sheet: Path) -> None:
    casting = tmp_path / "cast.yaml"
    casting.write_text("voices: {NARRATOR: {voice: heart, speed: 0.9}}\ndefault: hibari/heart\n", encoding="utf-8")
    out = tmp_path / "out"
    said, warned, error = run(sheet, "-o", out, "--casting", casting, "--frame-rate", "25", "--loudness", "ebu-r128")
    assert isinstance(error, PartialFailure) and str(error) == "1 of 3 cues failed."
    assert "2 of 3 cues are done, 2 files new" in said
    assert "Q002_NARRATOR_T01.wav is" in said and "longer than its slot (speed+stretch)" in said
    assert "Row 4, TC Out: 10:00:05:00 is not after 10:00:06:00" in warned and "--frame-rate" not in warned
    names = {path.name for path in out.iterdir()}
    assert names >= {"Q001_HERO_T01.wav", "guide.wav", "session.rpp", "session.otio", "qc.csv", "labels.txt"}
    again, _, _ = run(sheet, "-o", out, "--casting", casting, "--frame-rate", "25", "--loudness", "ebu-r128")
    assert "2 of 3 cues are done, 0 files new" in again


def test_the_report_can_be_json_and_takes_differ(tmp_path: Path, sheet: Path) -> None:
    said, _, _ = run(sheet, "-o", tmp_path / "out", "--json", "--takes", 3, "--frame-rate", "24", "--seed", 5)
    report = json.loads(said)
    assert (report["done"], report["failed"], len(report["takes"])) == (2, 1, 6)
    assert len({take["natural_samples"] for take in report["takes"] if take["row"] == 2}) == 3


def test_requests_that_cannot_be_are_one_error_and_leave_nothing(tmp_path: Path, sheet: Path) -> None:
    for arguments, kind in (
        (("--voice", "hart"), UnknownVoice),
        (("--columns", "line=Satz"), InvalidInput),
        (("--loudness", "loud"), InvalidOption),
        (("--guide-start", "23:00:00:00"), InvalidOption),
    ):
        _, _, error = run(sheet, "-o", tmp_path / "out", *arguments)
        assert type(error) is kind and "\n" not in str(error)
    assert not (tmp_path / "out").exists()


def test_the_voice_of_the_command_line_is_checked_and_counts(tmp_path: Path, sheet: Path) -> None:
    casting = tmp_path / "cast.yaml"
    casting.write_text("voices: {HERO: heart, NARRATOR: heart}\n", encoding="utf-8")
    _, _, error = run(sheet, "-o", tmp_path / "out", "--casting", casting, "--voice", "hart")
    assert isinstance(error, UnknownVoice) and not (tmp_path / "out").exists()


def test_frame_rates_that_can_be_chosen_are_those_there_are() -> None:
    assert typing.get_args(FrameRateName) == tuple(FRAME_RATES)


def test_text_to_speech_varies_takes_and_knows_its_lexicons(tmp_path: Path) -> None:
    speaker, lexicon = TextToSpeech(ModelLoader("cpu")), tmp_path / "names.csv"
    lexicon.write_text("word,pronunciation\n", encoding="utf-8")
    first, second = (speaker.options("heart", {"seed": 3}, take) for take in (0, 1))
    assert first["speed"] == 1 and second["speed"] != 1 and speaker.device == "cpu"
    before = speaker.fingerprint("heart", {"lexicon": (str(lexicon),)})
    assert before == speaker.fingerprint("hibari/heart", {"lexicon": (str(lexicon),)})
    lexicon.write_text("word,pronunciation\nAna,a\n", encoding="utf-8")
    assert before != speaker.fingerprint("heart", {"lexicon": (str(lexicon),)})
    with pytest.raises(InvalidOption, match="Unknown option 'pace'"):
        speaker.options("heart", {"pace": 1}, 0)


def test_a_voice_file_speaks_beside_the_model_that_is_asked_for(tmp_path: Path, sheet: Path) -> None:
    speaker = TextToSpeech(ModelLoader("cpu"), "hibari")
    assert speaker.model("heart").family == "hibari"
    with pytest.raises(UnknownVoice, match=r"There is no voice file gone\.onnx"):
        speaker.model("gone.onnx")
    _, _, error = run(sheet, "-o", tmp_path / "out", "--voice", "gone.onnx", "--model", "hibari")
    assert isinstance(error, InvalidOption) and "leave out --model hibari" in str(error)
