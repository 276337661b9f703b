"""From a sheet to files: what is written, and rows that fail alone."""

from __future__ import annotations

import csv
import dataclasses
import json
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cue_sheets import ROWS, FakeSpeaker, render, sheet_of
from wavinfo import WavInfoReader

from audio_ml.errors import InvalidOption, UnknownVoice
from audio_ml.loudness import measure
from audio_ml.speech import Speech
from audio_ml.streams import read_audio
from tts.cues import Casting, Part


def test_files_have_names_timecode_and_form(tmp_path: Path) -> None:
    report = render(sheet_of(tmp_path, *ROWS), tmp_path / "out")
    assert [take.file for take in report.takes] == [
        "S012_Q003_HERO_T01.wav",
        "S012_Q004_OLD-MAN_T01.wav",
        "S012_Q005_HERO_T01.wav",
    ]
    for take, start in zip(report.takes, (3600.5, 3602, 3604 + 1 / 24), strict=True):
        info = WavInfoReader(str(tmp_path / "out" / take.file))
        assert info.bext.time_reference == start * 48000 == take.start
        assert (info.fmt.sample_rate, info.fmt.bits_per_sample, info.fmt.channel_count) == (48000, 24, 1)
        assert info.data.frame_count == take.n_samples
        assert info.bext.description.startswith(f"{take.character}: ")
    assert (report.n_done, report.n_rows, report.n_new, report.problems) == (3, 3, 3, ())


def test_what_made_a_file_is_in_it(tmp_path: Path) -> None:
    render(sheet_of(tmp_path, *ROWS), tmp_path / "out", voice_options={"seed": 7}, takes=2)
    content = (tmp_path / "out" / "S012_Q003_HERO_T02.wav").read_bytes()
    made_by = json.loads(content[content.index(b"prov") + 8 :].rstrip(b"\0"))
    assert made_by["model"] == "fake-voice" and made_by["source"] == "sheet.csv"
    assert made_by["options"] | {"take": 2, "seed": 8, "speed": 1.02, "voice": "hibari/heart"} == made_by["options"]


def test_takes_differ_and_a_voice_with_one_way_refuses_them_by_name(tmp_path: Path) -> None:
    sheet = sheet_of(tmp_path, *ROWS)
    report = render(sheet, tmp_path / "out", takes=3)
    lengths = {take.natural_samples for take in report.takes if take.row == 2}
    assert len(report.takes) == 9 and len(lengths) == 3 and report.n_done == 3
    with pytest.raises(InvalidOption, match=r"HERO: .*fake/two says a line in one way"):
        render(sheet, tmp_path / "other", takes=2, casting=Casting(default=Part("fake/two")))
    assert not (tmp_path / "other").exists()


def test_voices_and_their_options_are_those_of_the_casting(tmp_path: Path) -> None:
    speaker = FakeSpeaker()
    casting = Casting({"hero": Part("fake/one", {"speed": "1.5"})}, Part("fake/two"))
    render(sheet_of(tmp_path, *ROWS), tmp_path / "out", speaker, casting=casting, voice_options={"speed": 1.1})
    said = [(voice, options["speed"]) for _, voice, options in speaker.said]
    assert said == [("fake/one", 1.5), ("fake/two", 1.1), ("fake/one", 1.5)]


def test_unknown_voices_and_options_stop_before_any_work(tmp_path: Path) -> None:
    sheet, speaker = sheet_of(tmp_path, *ROWS), FakeSpeaker()
    with pytest.raises(UnknownVoice, match="Old Man: Unknown voice 'nobody'"):
        render(sheet, tmp_path / "out", speaker, casting=Casting({"Old Man": Part("nobody")}, Part("fake/one")))
    with pytest.raises(InvalidOption, match="HERO: Unknown option 'spede'"):
        render(
            sheet,
            tmp_path / "out",
            speaker,
            casting=Casting({"HERO": Part("fake/one", {"spede": 1})}, Part("fake/one")),
        )
    with pytest.raises(InvalidOption, match="knows the option 'noise'"):
        render(sheet, tmp_path / "out", speaker, voice_options={"noise": 1})
    assert not speaker.said and not (tmp_path / "out").exists()


def test_rows_that_fail_leave_the_others_alone(tmp_path: Path) -> None:
    sheet = sheet_of(
        tmp_path,
        *ROWS,
        "12,6,HERO,01:00:10:99,01:00:11:00,Bad timecode.,",
        "12,7,NOBODY,01:00:12:00,01:00:13:00,Uncast.,",
        "12,8,HERO,01:00:14:00,01:00:15:00,...,",
        "12,3,HERO,01:00:16:00,01:00:17:00,Twice.,",
        "12,Q003,HERO,01:00:18:00,01:00:19:00,The same file.,",
    )
    casting = Casting({"HERO": Part("fake/one"), "Old Man": Part("fake/one")})
    report = render(sheet, tmp_path / "out", casting=casting)
    assert (report.n_done, report.n_failed, report.n_rows) == (3, 5, 8)
    assert [(problem.row, problem.column) for problem in report.problems] == [
        (5, "TC In"),
        (6, "Character"),
        (7, "Line"),
        (8, "Cue"),
        (9, "Cue"),
    ]
    table = (tmp_path / "out" / "qc.csv").read_text(encoding="utf-8-sig").splitlines()
    assert len(table) == 1 + 8 and sum(",failed," in line for line in table) == 5


def test_what_is_too_long_is_said_in_the_table(tmp_path: Path) -> None:
    sheet = sheet_of(tmp_path, "1,1,A,01:00:00:00,01:00:00:12,This is far too long for half a second,")
    report = render(sheet, tmp_path / "out")
    (take,) = report.takes
    assert take.status == "over" and take.excess_ms is not None and take.excess_frames is not None
    assert take.n_samples == 24000 + round(take.excess_ms * 48) and take.fit == "speed+stretch"
    assert take.excess_frames == pytest.approx(take.excess_ms * 24 / 1000, abs=0.001)
    written = json.loads((tmp_path / "out" / "qc.json").read_text(encoding="utf-8"))
    assert written["takes"][0]["status"] == "over" and written["frame_rate"] == "24"
    refused = render(sheet, tmp_path / "other", fit="fail")
    assert refused.n_done == 0 and "longer than its slot" in refused.problems[0].message


def test_every_cue_comes_to_the_loudness_asked_for(tmp_path: Path) -> None:
    rows = (*ROWS, "12,6,HERO,01:00:08:00,01:00:09:00,Oh!,")  # 150 ms: too short to measure
    report = render(sheet_of(tmp_path, *rows), tmp_path / "out", loudness="-24")
    for take in report.takes[:3]:
        measured = measure(tmp_path / "out" / take.file).loudness
        assert measured.integrated_lufs == pytest.approx(-24, abs=0.05)
        assert take.lufs == pytest.approx(measured.integrated_lufs, abs=0.05)
        assert take.true_peak_dbtp == pytest.approx(measured.true_peak_dbtp, abs=0.05)
    short = report.takes[3]
    assert short.lufs is None and "gain of HERO's other lines" in short.warnings[0]
    gains = sorted(take.gain_db for take in report.takes if take.row in (2, 4))
    assert gains[0] <= short.gain_db <= gains[1]


def test_upper_and_lower_case_are_one_character_to_short_lines(tmp_path: Path) -> None:
    rows = ("1,1,Hero,0,9,Where is everybody?,", "1,2,HERO,10,11,Oh!,")
    long, short = render(sheet_of(tmp_path, *rows), tmp_path / "out", loudness="-24").takes
    assert short.gain_db == long.gain_db != 0 and "gain of HERO's other lines" in short.warnings[0]


class _Shouting(FakeSpeaker):
    """Says all but short lines softly."""

    def say(self, line: str, voice: str, options: Mapping[str, Any]) -> Speech:
        said = super().say(line, voice, options)
        factor = np.float32(1 if len(line) < 5 else 0.02)
        return dataclasses.replace(said, audio=dataclasses.replace(said.audio, samples=said.audio.samples * factor))


def test_lines_too_short_to_measure_stay_below_the_ceiling(tmp_path: Path) -> None:
    rows = (*ROWS, "12,6,HERO,01:00:08:00,01:00:09:00,Hey!,", "12,7,VILLAIN,01:00:10:00,01:00:11:00,Ho!,")
    report = render(sheet_of(tmp_path, *rows), tmp_path / "out", _Shouting(), loudness="ebu-r128")
    hero, alone = report.takes[3:]
    measured = measure(tmp_path / "out" / hero.file).loudness
    assert hero.lufs is None and measured.true_peak_dbtp == pytest.approx(-1, abs=0.05)
    held_back = statistics.median(take.gain_db for take in report.takes if take.row in (2, 4)) - hero.gain_db
    assert held_back > 5 and f"{held_back:.1f} dB lower to keep its peaks below" in hero.warnings[0]
    assert alone.gain_db == 0 and alone.warnings == ("It is too short to have a loudness: it is as it comes.",)


def test_what_the_voice_could_not_say_is_told(tmp_path: Path) -> None:
    report = render(sheet_of(tmp_path, "1,1,A,0,9,An odd line,"), tmp_path / "out")
    assert report.takes[0].warnings == ("An odd word.",)


def test_a_moved_cue_is_written_anew_and_its_timecode_with_it(tmp_path: Path) -> None:
    render(sheet_of(tmp_path, *ROWS), tmp_path / "out")
    report = render(sheet_of(tmp_path, ROWS[0].replace("00:12,", "00:13,"), *ROWS[1:]), tmp_path / "out")
    info = WavInfoReader(str(tmp_path / "out" / "S012_Q003_HERO_T01.wav"))
    assert report.n_new == 1 and info.bext.time_reference == 3600 * 48000 + 26000


def test_names_of_the_folder_itself_are_not_for_cues(tmp_path: Path) -> None:
    sheet = sheet_of(tmp_path, ",Guide,A,0,1,One,", ",Other,A,2,3,Two,")
    report = render(sheet, tmp_path / "out", filename="{cue}.wav")
    assert [(problem.row, problem.column) for problem in report.problems] == [(2, "Cue")]
    assert "Guide.wav, which is the folder's own" in report.problems[0].message
    assert [take.file for take in report.takes] == ["Other.wav"]


def test_the_pace_that_is_told_is_the_one_that_was_said(tmp_path: Path) -> None:
    speaker, sheet = FakeSpeaker(), sheet_of(tmp_path, "1,1,A,0,0.5,This is far too long for half a second,")
    report = render(sheet, tmp_path / "out", speaker, fit="speed", voice_options={"speed": 1.9})
    assert report.takes[0].speed == pytest.approx(2 / 1.9, abs=1e-4)
    assert max(options["speed"] for _, _, options in speaker.said) == pytest.approx(2)


@pytest.mark.parametrize("fit", ["none", "trim", "fail"])
def test_nothing_fills_a_slot_without_means(tmp_path: Path, fit: str) -> None:
    with pytest.raises(InvalidOption, match="fill"):
        render(sheet_of(tmp_path, *ROWS), tmp_path / "out", fit=fit, fill=True)


def test_cells_that_excel_takes_for_formulas_are_text(tmp_path: Path) -> None:
    row = "1,1,@A,0,1,=HYPERLINK(1),-note"
    render(sheet_of(tmp_path, row, "1,2,+B,0.1,x,y,"), tmp_path / "out", filename="{cue}.wav")
    with (tmp_path / "out" / "markers.csv").open(encoding="utf-8-sig", newline="") as file:
        (marker,) = csv.DictReader(file)
    assert (marker["character"], marker["line"], marker["notes"]) == ("'@A", "'=HYPERLINK(1)", "'-note")
    with (tmp_path / "out" / "qc.csv").open(encoding="utf-8-sig", newline="") as file:
        take = next(csv.DictReader(file))
    assert take["character"] == "'@A" and float(take["excess_ms"]) < 0


def test_a_take_is_made_anew_for_whom_it_names(tmp_path: Path) -> None:
    render(sheet_of(tmp_path, "1,1,Hero,0,9,Go!,"), tmp_path / "out")
    report = render(sheet_of(tmp_path, "1,1,HERO,0,9,Go!,"), tmp_path / "out")
    info = WavInfoReader(str(tmp_path / "out" / report.takes[0].file))
    assert report.n_new == 1 and info.bext.description == "HERO: Go!"


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{cue}.flac", "has to end in .wav"),
        ("{actor}.wav", "it may have"),
        ("{cue!r}.wav", "it may have"),
        ("../{cue}.wav", "leaves the output folder"),
        ("/{cue}.wav", "leaves the output folder"),
        ("{cue.wav", "cannot be"),
        ("{cue}.wav", r"with 2 takes: add \{take\}"),
    ],
)
def test_templates_that_cannot_name_files_are_refused(tmp_path: Path, template: str, why: str) -> None:
    with pytest.raises(InvalidOption, match=why):
        render(sheet_of(tmp_path, *ROWS), tmp_path / "out", filename=template, takes=2)


def test_names_are_made_safe_for_any_file_system(tmp_path: Path) -> None:
    rows = (
        "A/1,../..,Ä: <b>,0,1,One,",
        ",con,,2,3,Two,",
        f"1,{'x' * 300},C,4,5,Three,",
        f"{'語' * 200},{'ж' * 200},{'é' * 200},6,7,Four,",
        f"1,{'7' * 300},C,8,9,Five,",
    )
    report = render(sheet_of(tmp_path, *rows), tmp_path / "out", filename="{character}/{scene}_{cue}.wav")
    assert [take.file for take in report.takes][:2] == ["Ä-B/A-1.wav", "VO/_con.wav"]
    assert len(report.takes) == 5 and not report.problems
    assert all(len(part.encode()) < 150 for take in report.takes for part in take.file.split("/"))
    assert all((tmp_path / "out" / take.file).exists() for take in report.takes)


def test_what_is_written_is_what_was_said(tmp_path: Path) -> None:
    report = render(sheet_of(tmp_path, "1,1,A,0,9,Hello there,"), tmp_path / "out", fit="none")
    speech = FakeSpeaker().say("Hello there", "hibari/heart", {"speed": 1.0, "seed": 0})
    written = read_audio(tmp_path / "out" / report.takes[0].file, sample_rate=24000)
    said = speech.audio.samples
    assert written.n_samples == said.shape[1]
    assert np.corrcoef(written.samples[0], said[0])[0, 1] > 0.97  # the fake's noise reaches the band's edge
