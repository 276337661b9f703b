"""What a second run does: only what changed, whatever became of the first, and nothing to what is not ours."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from cue_sheets import HEADER, ROWS, FakeSpeaker, render, sheet_of

from audio_ml.errors import DiskFull, InvalidInput, OutputError, OutputExists
from audio_ml.speech import Speech
from tts.cues import Casting, Part, Sheet, state


def test_a_second_run_does_only_the_lines_that_changed(tmp_path: Path) -> None:
    first, again, changed = FakeSpeaker(), FakeSpeaker(), FakeSpeaker()
    out = tmp_path / "out"
    report = render(sheet_of(tmp_path, *ROWS), out, first)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    repeated = render(sheet_of(tmp_path, *ROWS), out, again)
    assert again.said == [] and repeated.takes == report.takes and repeated.n_new == 0
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    rows = ("12,2,HERO,01:00:00:00,01:00:00:10,New.,", ROWS[0], ROWS[1].replace("Gone long ago", "Dead"), ROWS[2])
    report = render(sheet_of(tmp_path, *rows), out, changed)
    assert [line for line, _, _ in changed.said] == ["New.", "Dead."]
    assert [take.row for take in report.takes] == [2, 3, 4, 5]


@pytest.mark.parametrize(
    "change",
    [
        {"fit": "none"},
        {"loudness": "-30"},
        {"voice_options": {"seed": 1}},
        {"casting": Casting(default=Part("fake/one"))},
        {"speaker": FakeSpeaker(weights="2")},
        {"overwrite": True},
    ],
)
def test_whatever_decides_the_sound_makes_all_new(tmp_path: Path, change: dict[str, Any]) -> None:
    sheet = sheet_of(tmp_path, *ROWS)
    render(sheet, tmp_path / "out")
    assert render(sheet, tmp_path / "out", **change).n_new == 3


def test_files_that_are_gone_or_changed_are_done_again_and_no_work_is_lost(tmp_path: Path) -> None:
    sheet, out = sheet_of(tmp_path, *ROWS), tmp_path / "out"
    render(sheet, out)
    gone, edited = out / "S012_Q003_HERO_T01.wav", out / "S012_Q004_OLD-MAN_T01.wav"
    original = edited.read_bytes()
    gone.unlink()
    by_hand = original[:-2000] + bytes(2000)  # of the same size
    edited.write_bytes(by_hand)
    (out / "S012_Q005_HERO_T01.wav").touch()  # another time, the same content
    report = render(sheet, out)
    assert report.n_new == 2 and gone.exists() and edited.read_bytes() == original
    assert (out / "S012_Q004_OLD-MAN_T01.changed-1.wav").read_bytes() == by_hand
    assert any("changed-1" in warning for warning in report.warnings)


def test_files_of_others_are_never_replaced_unasked(tmp_path: Path) -> None:
    sheet, out = sheet_of(tmp_path, *ROWS), tmp_path / "out"
    out.mkdir()
    (out / "S012_Q003_HERO_T01.wav").write_bytes(b"mine")
    report = render(sheet, out)
    assert report.n_done == 2 and "exists already and is kept" in report.problems[0].message
    assert (out / "S012_Q003_HERO_T01.wav").read_bytes() == b"mine"
    assert render(sheet, out, overwrite=True).n_done == 3
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "guide.wav").write_bytes(b"mine")
    with pytest.raises(OutputExists, match=r"guide\.wav exists already"):
        render(sheet, tmp_path / "other")


def named(sheet: Sheet, name: str) -> Sheet:
    return dataclasses.replace(sheet, path=sheet.path.with_name(name))


@pytest.mark.parametrize(
    "rows",
    [
        tuple(row.replace("12,", "13,", 1) for row in ROWS),
        ("R2,12,3,HERO,02:00:00:00,,Elsewhere,", "R2,12,4,Old Man,02:00:09:00,,And no more,"),
        (ROWS[0].replace("Where", "There"), *(f"20,{number},HERO,02:00:{number}:00,,Go!," for number in range(10, 20))),
        tuple(row.replace(",01:", ",02:").replace("Where", "Another film") for row in ROWS),
    ],
    ids=["scene", "reel", "one in common", "same numbers at other times"],
)
def test_the_cues_of_another_sheet_are_not_replaced_unasked(tmp_path: Path, rows: tuple[str, ...]) -> None:
    out = tmp_path / "out"
    render(sheet_of(tmp_path, *ROWS), out)
    header = "Reel,Scene,Cue,Character,TC In,TC Out,Line,Notes" if rows[0].startswith("R") else HEADER
    other = named(sheet_of(tmp_path, *rows, header=header), "reel2.csv")
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    for _ in range(2):  # the refusal itself changes nothing
        with pytest.raises(OutputExists, match=r"has the cues of sheet\.csv"):
            render(other, out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert render(other, out, overwrite=True).n_new == len(rows)
    assert render(other, out).n_new == 0


def test_a_revised_sheet_may_have_another_name(tmp_path: Path) -> None:
    """A line is changed, one moved, one gone, one new; a file of the user lies where the new one would."""
    out, speaker = tmp_path / "out", FakeSpeaker()
    render(sheet_of(tmp_path, *ROWS, "12,6,HERO,01:00:08:00,,Gone tomorrow.,"), out)
    gone = out / "S012_Q006_HERO_T01.wav"
    before = gone.read_bytes()
    (out / "S012_Q007_HERO_T01.wav").write_bytes(b"mine")
    changed, moved = ROWS[1].replace("Gone long ago", "Dead"), ROWS[2].replace("04:01,", "04:02,")
    rows = ("12,2,HERO,01:00:00:00,01:00:00:10,New.,", ROWS[0], changed, moved, "12,7,HERO,01:00:09:00,,Mine.,")
    report = render(named(sheet_of(tmp_path, *rows), "sheet_v2.csv"), out, speaker)
    assert [line for line, _, _ in speaker.said] == ["New.", "Dead.", "I see. Then we have to go there."]
    assert [(take.row, take.cue) for take in report.takes] == [(2, "2"), (3, "3"), (4, "4"), (5, "5")]
    assert [problem.row for problem in report.problems] == [6]
    assert (out / "S012_Q007_HERO_T01.wav").read_bytes() == b"mine"
    assert report.earlier_files == (gone.name,) and gone.read_bytes() == before
    told = json.loads((out / "qc.json").read_text(encoding="utf-8"))
    assert told["earlier_files"] == [gone.name] and told["sheet"] == "sheet_v2.csv"
    assert any("sheet_v2.csv is taken for its new version" in warning for warning in report.warnings)
    again = render(named(sheet_of(tmp_path, *rows[:3]), "final.csv"), out)  # fewer cues, all of them known
    assert again.n_new == 0 and len(again.earlier_files) == 2


def test_a_file_that_a_killed_run_wrote_and_could_not_note_is_ours(tmp_path: Path) -> None:
    sheet, out, name = sheet_of(tmp_path, *ROWS), tmp_path / "out", "S012_Q003_HERO_T01.wav"
    out.mkdir()
    (out / name).write_bytes(b"a take that is not noted")
    (out / ".audio-ml-cues.journal").write_text(json.dumps(["begun", name, {}]) + "\n")
    report = render(sheet, out)
    assert report.n_done == report.n_new == 3 and not list(out.glob("*changed*"))


@pytest.mark.parametrize("changed", ["guide.wav", "S012_Q003_HERO_T01.wav", "qc.csv"])
def test_names_are_journaled_before_their_files_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    from tts.cues.state import CueState

    out = tmp_path / "out"
    seen: list[tuple[str, bool]] = []
    begin = CueState.begin

    def watched(state: CueState, name: str) -> None:
        begin(state, name)
        seen.append((name, (out / name).exists()))

    monkeypatch.setattr(CueState, "begin", watched)
    render(sheet_of(tmp_path, *ROWS), out)
    assert (changed, False) in seen


def test_rows_that_fail_now_are_not_called_strangers(tmp_path: Path) -> None:
    out = tmp_path / "out"
    render(sheet_of(tmp_path, *ROWS), out)
    report = render(sheet_of(tmp_path, ROWS[0].replace("00:12", "00:99"), *ROWS[1:]), out)
    assert report.n_failed == 1 and not any("earlier runs" in warning for warning in report.warnings)
    later = ("12,1,HERO,01:00:00:00,01:00:00:01,First.,", ROWS[0].replace("00:12", "00:99"), *ROWS[2:])
    assert render(sheet_of(tmp_path, *later), out).earlier_files == ("S012_Q004_OLD-MAN_T01.wav",)
    report = render(sheet_of(tmp_path, *ROWS[:2]), out)
    assert report.earlier_files == ("S012_Q001_HERO_T01.wav", "S012_Q005_HERO_T01.wav")
    assert any("S012_Q001_HERO_T01.wav and 1 more (see qc.json)" in warning for warning in report.warnings)


def test_sessions_of_an_earlier_run_are_named_where_no_cue_is_complete(tmp_path: Path) -> None:
    row, out = "1,1,A,01:00:00:00,01:00:00:12,This is far too long for half a second,", tmp_path / "out"
    first = render(sheet_of(tmp_path, row), tmp_path / "new", fit="fail")
    assert first.n_done == 0 and first.warnings == ()
    render(sheet_of(tmp_path, row), out)
    before = (out / "session.rpp").read_bytes()
    report = render(sheet_of(tmp_path, row), out, fit="fail")
    assert report.n_done == 0 and report.files == ("qc.csv", "qc.json")
    assert (out / "session.rpp").read_bytes() == before
    names = "guide.wav, markers.csv, labels.txt, session.rpp, session.otio"
    assert report.warnings == (f"No cue is complete: {names} stay as an earlier run left them.",)
    assert report.warnings[0] in json.loads((out / "qc.json").read_text(encoding="utf-8"))["warnings"]


class _Interrupted(FakeSpeaker):
    """Breaks off at the third line."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self._error = error

    def say(self, line: str, voice: str, options: Mapping[str, Any]) -> Speech:
        if len(self.said) == 2:
            raise self._error
        return super().say(line, voice, options)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), DiskFull("The disk is full.")])
def test_a_run_that_breaks_off_keeps_what_is_complete(tmp_path: Path, error: BaseException) -> None:
    sheet, out, rest = sheet_of(tmp_path, *ROWS), tmp_path / "out", FakeSpeaker()
    with pytest.raises(type(error)):
        render(sheet, out, _Interrupted(error))
    assert sorted(path.name for path in out.glob("*.wav")) == ["S012_Q003_HERO_T01.wav", "S012_Q004_OLD-MAN_T01.wav"]
    assert not list(out.glob("*.part"))
    assert render(sheet, out, rest).n_done == 3 and len(rest.said) == 1


@pytest.mark.parametrize("rows", [(), ROWS[:2]], ids=["new folder", "guide replaced"])
def test_a_file_is_ours_though_the_run_broke_off_before_it_was_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: tuple[str, ...]
) -> None:
    out = tmp_path / "out"
    if rows:
        render(sheet_of(tmp_path, *rows), out)
    sheet, hashed = sheet_of(tmp_path, *ROWS), state.file_sha256
    interrupts = iter([KeyboardInterrupt()])

    def interrupted(path: Path) -> str:
        if path.name == "guide.wav" and (error := next(interrupts, None)):
            raise error
        return hashed(path)

    monkeypatch.setattr(state, "file_sha256", interrupted)
    with pytest.raises(KeyboardInterrupt):
        render(sheet, out)
    assert (out / "guide.wav").exists() and not (out / ".audio-ml-cues.journal").exists()
    again = FakeSpeaker()
    report = render(sheet, out, again)
    assert report.n_done == 3 and not again.said and not list(out.glob("*changed*"))


def test_a_file_of_others_does_not_become_ours_where_overwriting_it_broke_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sheet, out, name = sheet_of(tmp_path, *ROWS), tmp_path / "out", "S012_Q003_HERO_T01.wav"
    out.mkdir()
    (out / name).write_bytes(b"mine")

    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("tts.cues.render.write_take", interrupted)
        render(sheet, out, overwrite=True)
    assert render(sheet, out).n_failed == 1 and (out / name).read_bytes() == b"mine"


def test_a_killed_run_is_remembered_by_its_journal(tmp_path: Path) -> None:
    sheet, out, again = sheet_of(tmp_path, *ROWS), tmp_path / "out", FakeSpeaker()
    render(sheet, out)
    made = json.loads((out / "audio-ml-cues.json").read_text())["files"]
    (out / "audio-ml-cues.json").unlink()  # as if the run had been killed before its end
    lines = [json.dumps(["made", name, facts]) + "\n" for name, facts in made.items()]
    (out / ".audio-ml-cues.journal").write_text("".join(lines) + '["made", "half')
    (out / ".0123456789abcdef.part").write_bytes(b"half a file")
    assert render(sheet, out, again).n_new == 0 and not again.said
    assert not (out / ".0123456789abcdef.part").exists()


class _Killed(FakeSpeaker):
    """Keeps what the folder would hold if the run were killed at the last line."""

    def __init__(self, out: Path, left: Path) -> None:
        super().__init__()
        self._out, self._left = out, left

    def say(self, line: str, voice: str, options: Mapping[str, Any]) -> Speech:
        shutil.copytree(self._out, self._left, dirs_exist_ok=True)
        return super().say(line, voice, options)


@pytest.mark.parametrize("torn", ['["made", "half', '["begun", "", {}]\n["made", "half'], ids=["at once", "later"])
def test_a_journal_cut_short_by_a_full_disk_outlives_a_kill(tmp_path: Path, torn: str) -> None:
    sheet, out, left, again = sheet_of(tmp_path, *ROWS), tmp_path / "out", tmp_path / "left", FakeSpeaker()
    out.mkdir()
    (out / ".audio-ml-cues.journal").write_text(torn)
    render(sheet, out, _Killed(out, left))
    assert len(list(left.glob("*.wav"))) == 2
    assert render(sheet, left, again).n_done == 3 and len(again.said) == 1


def test_a_damaged_record_and_a_second_run_are_refused(tmp_path: Path) -> None:
    from tts.cues.state import CueState

    sheet, out = sheet_of(tmp_path, *ROWS), tmp_path / "out"
    with CueState(out), pytest.raises(OutputError, match="Another run is writing"):
        render(sheet, out)
    assert not out.exists()  # the first run has written nothing
    out.mkdir()
    (out / "audio-ml-cues.json").write_text("{")
    with pytest.raises(InvalidInput, match="is damaged"):
        render(sheet, out)
