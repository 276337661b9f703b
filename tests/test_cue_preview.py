"""A sheet before any work: what is foretold of it is what is done, and columns that were not found can be chosen."""

from __future__ import annotations

from pathlib import Path

import pytest
from cue_sheets import ROWS, sheet_of

from audio_ml.errors import InvalidInput, InvalidOption, UnknownVoice
from audio_ml.loader import ModelLoader
from tts.cues import Casting, Part, Sheet, SheetPreview, TextToSpeech, preview_sheet, render_sheet, suggest_columns

LONG = "12,9,HERO,01:00:09:00,01:00:09:12,This line is by far too long for half a second.,"
BAD = ("12,6,HERO,01:00:08:00,01:00:07:00,Backwards.,", "12,7,HERO,01:00:20:00,,[pause 9 parsecs] What?,")
ODD = "12,8,HERO,01:00:30:00,,Hello ☭,"


def foretold(sheet: Sheet, **arguments: object) -> SheetPreview:
    return preview_sheet(sheet, speaker=TextToSpeech(ModelLoader("cpu")), **arguments)  # type: ignore[arg-type]


def test_it_tells_every_line_and_every_problem(tmp_path: Path) -> None:
    told = foretold(sheet_of(tmp_path, *ROWS, *BAD, ODD, LONG.replace("HERO", "hero ")))
    assert [line.cue for line in told.lines] == ["3", "4", "5", "8", "9"]
    assert [problem.row for problem in told.problems] == [5, 6]
    assert "9 parsecs" in told.problems[1].message and told.problems[1].column == "Line"
    assert told.characters == ("HERO", "Old Man")
    (late,) = [line for line in told.lines if line.cue == "9"]
    assert late.excess_seconds is not None and late.excess_seconds > 1
    (free,) = [line for line in told.lines if line.cue == "8"]
    assert free.slot_seconds is None and free.excess_seconds is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sheet.csv"]


@pytest.mark.weights
def test_what_is_foretold_is_done(tmp_path: Path) -> None:
    sheet = sheet_of(tmp_path, *ROWS, *BAD)
    told, speaker = foretold(sheet), TextToSpeech(ModelLoader("cpu"))
    report = render_sheet(sheet, tmp_path / "cues", speaker=speaker, options={"fit": "none"})
    assert [take.row for take in report.takes] == [line.row for line in told.lines]
    assert report.problems == told.problems
    for take, line in zip(report.takes, told.lines, strict=True):
        assert (take.tc_in, take.voice) == (line.tc_in, line.voice)
        assert line.seconds == pytest.approx(take.seconds, rel=0.35)


def test_the_cast_counts(tmp_path: Path) -> None:
    casting = Casting({"HERO": Part("kokoro/am_michael")}, Part("hibari/heart"))
    told = foretold(sheet_of(tmp_path, *ROWS), casting=casting)
    assert [line.voice for line in told.lines] == ["kokoro/am_michael", "hibari/heart", "kokoro/am_michael"]
    with pytest.raises(UnknownVoice, match="HERO: Unknown voice 'nobody'"):
        foretold(sheet_of(tmp_path, *ROWS), casting=Casting({"HERO": Part("nobody")}, Part("hibari/heart")))


def test_columns_are_suggested(tmp_path: Path) -> None:
    sheet = tmp_path / "adr.csv"
    sheet.write_text("My sheet\nNr,Wer,Von,Bis,Dialog\n1,HERO,01:00:00:00,01:00:01:00,Hello.\n")
    told = suggest_columns(sheet)
    assert told.titles == ("Nr", "Wer", "Von", "Bis", "Dialog")
    assert told.found == {"line": "Dialog"} and told.missing == ("cue", "tc_in")
    told = suggest_columns(sheet, ("cue=Nr", "tc_in=Von", "character=Wer"))
    assert told.missing == () and told.found["character"] == "Wer"
    with pytest.raises(InvalidOption, match="wer"):
        suggest_columns(sheet, ("wer=Wer",))


@pytest.mark.parametrize(("name", "content"), [("a.csv", ""), ("a.xlsx", "no workbook"), ("a.pdf", "%PDF")])
def test_what_is_no_table_is_told(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InvalidInput, match=name):
        suggest_columns(tmp_path / name)


def test_the_column_of_words_is_suggested(tmp_path: Path) -> None:
    sheet = tmp_path / "adr.csv"
    sheet.write_text("Cue,In,Line,Dialogue\n1,01:00:00:00,17,Hello.\n")
    assert suggest_columns(sheet).found["line"] == "Dialogue"


def test_a_broken_lexicon_is_told_once(tmp_path: Path) -> None:
    (words := tmp_path / "words.csv").write_text("word,ipa\nMud,\n")
    with pytest.raises(InvalidInput, match="'Mud'"):
        foretold(sheet_of(tmp_path, *ROWS), voice_options={"lexicon": (str(words),)})
