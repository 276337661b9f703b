"""Cue sheets as people keep them: encodings, separators, workbooks, column names, and rows that are not in order."""

from __future__ import annotations

import datetime
import zipfile
from fractions import Fraction
from pathlib import Path

import openpyxl
import pytest
from cue_sheets import HEADER, sheet_of

from audio_ml.errors import InvalidInput, InvalidOption
from audio_ml.timecode import find_frame_rate
from tts.cues import read_casting, read_sheet
from tts.cues.columns import ALIASES

RATE = find_frame_rate("24")
ROW = "12,3,HERO,01:00:00:12,01:00:02:00,Où est-il – là?,calm"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_any_encoding_and_separator_gives_the_same_cue(tmp_path: Path, encoding: str, separator: str) -> None:
    path = tmp_path / "sheet.csv"
    path.write_bytes(f"{HEADER}\r\n{ROW}\r\n".replace(",", separator).encode(encoding))
    sheet = read_sheet(path, RATE)
    (cue,) = sheet.cues
    assert (cue.scene, cue.number, cue.character, cue.line, cue.notes) == ("12", "3", "HERO", "Où est-il – là?", "calm")
    assert (cue.start, cue.slot, cue.row) == (Fraction(7201, 2), Fraction(3, 2), 2)
    assert bool(sheet.notes) == (encoding == "cp1252")


def test_commas_and_line_breaks_in_quotes_stay_in_their_cell(tmp_path: Path) -> None:
    sheet = sheet_of(tmp_path, '1,1,A,01:00:00:00,01:00:01:00,"Well, yes; I\n""think"" so",', ROW)
    assert [(cue.row, cue.line) for cue in sheet.cues] == [(2, 'Well, yes; I "think" so'), (3, "Où est-il – là?")]


@pytest.mark.parametrize("line", ["Ready?\n3, 2, 1, go", "Say:\n\n5, 4, 3, 2, 1"])
def test_a_countdown_in_quotes_is_one_line(tmp_path: Path, line: str) -> None:
    for start in ("01:00:00:00", "0"):
        sheet = sheet_of(tmp_path, f'1,{start},"{line}"', f"2,{start},Go", header="Cue,In,Line")
        assert [cue.line for cue in sheet.cues] == [" ".join(line.split()), "Go"]


@pytest.mark.parametrize("rest", ["Well, yes", "Well, yes,", '"Well", yes'])
def test_cells_beyond_the_header_are_a_problem_of_their_row(tmp_path: Path, rest: str) -> None:
    sheet = sheet_of(tmp_path, f"1,0,{rest}", '2,5,"Well, yes"', header="Cue,In,Line")
    assert [cue.line for cue in sheet.cues] == ["Well, yes"]
    (problem,) = sheet.problems
    assert (problem.row, problem.column) == (2, "Line") and "3 columns, but" in problem.message


@pytest.mark.parametrize("ends", [("", ","), (",", ","), (",,", "")])
def test_a_separator_that_ends_a_row_is_no_problem(tmp_path: Path, ends: tuple[str, str]) -> None:
    sheet = sheet_of(tmp_path, "1,0,One" + ends[0], "2,5,Two" + ends[1], header="Cue,In,Line")
    assert [cue.line for cue in sheet.cues] == ["One", "Two"] and not sheet.problems


@pytest.mark.parametrize(
    ("rows", "bad"),
    [
        (('1,0,"Go!', "2,5,Two", "3,9,Three"), 2),
        (("1,0,One", '2,5,"Go!'), 3),
        (('1,0,"Go!', "2,5,Two", '3,9,stop"'), 2),
        (('1,0,"Go!', '2,5,stop"'), 2),
        (('1,0,"Go!', '2,5,"Two; too"'), 2),
    ],
)
def test_a_quotation_mark_never_swallows_rows(tmp_path: Path, rows: tuple[str, ...], bad: int) -> None:
    with pytest.raises(InvalidInput, match=f"row {bad}: a quotation mark"):
        sheet_of(tmp_path, *rows, header="Cue,In,Line")
    path = tmp_path / "sheet.tsv"
    path.write_text("\n".join(["Cue,In,Line", *rows]).replace(",", "\t"), encoding="utf-8")
    assert len(read_sheet(path, RATE).cues) == len(rows)


def test_figures_behind_a_line_of_two_lines_are_cells(tmp_path: Path) -> None:
    sheet = sheet_of(tmp_path, '1,0,"Hello\nthere",5.2,,', header="Cue,In,Line,Duration,Notes,Reel")
    assert [(cue.line, cue.slot) for cue in sheet.cues] == [("Hello there", Fraction(26, 5))]


def test_a_quoted_word_at_the_start_of_a_line_is_text(tmp_path: Path) -> None:
    sheet = sheet_of(tmp_path, '1,0,"No" he said', '2,5,"Go" they said', header="Cue,In,Line")
    assert [cue.row for cue in sheet.cues] == [2, 3]


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_commas_in_lines_are_not_taken_for_the_separator(tmp_path: Path, separator: str) -> None:
    rows = ["Cue,In,Line".replace(",", separator), separator.join(("1", "0", "One, two, three, four, five, six"))]
    (tmp_path / "sheet.csv").write_text("\n".join(rows), encoding="utf-8")
    (cue,) = read_sheet(tmp_path / "sheet.csv", RATE).cues
    assert cue.line == "One, two, three, four, five, six"


def test_a_tsv_file_is_parted_by_tabs(tmp_path: Path) -> None:
    path = tmp_path / "sheet.tsv"
    path.write_text("Cue,In,Line\n1,0,Go\n", encoding="utf-8")
    with pytest.raises(InvalidInput, match="lacks"):
        read_sheet(path, RATE)


def test_columns_that_may_be_one_field_are_told(tmp_path: Path) -> None:
    sheet = sheet_of(tmp_path, "1,0,5,Fine", header="Cue,In,Timecode,Line")
    assert [(warning.row, warning.column) for warning in sheet.warnings] == [(1, "In")]
    assert "'Timecode'" in sheet.warnings[0].message
    (cue,) = sheet_of(tmp_path, "1,0,17,Go!", header="Cue,In,Line,Dialogue").cues
    assert cue.line == "Go!"
    (cue,) = sheet_of(tmp_path, "1,0,Go!,17", header="Cue,In,Line,Dialogue").cues
    assert cue.line == "Go!"


def test_two_digits_behind_the_seconds_are_told(tmp_path: Path) -> None:
    sheet = sheet_of(tmp_path, "1,01:00:05.12,Frames?", "2,01:00:08.120,Clock", header="Cue,In,Line")
    assert [(warning.row, warning.column) for warning in sheet.warnings] == [(2, "In")]
    assert "01:00:05:12" in sheet.warnings[0].message and sheet.cues[0].start == Fraction(360512, 100)


def test_values_of_formulas_and_times_beyond_a_day_are_problems(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    rows = [("Cue", "In", "Line"), (1, 0, "#REF!"), (2, 0, "#N/A"), (3, datetime.timedelta(days=1, hours=2), "Late")]
    for row in rows:
        book.active.append(row)
    book.save(tmp_path / "sheet.xlsx")
    sheet = read_sheet(tmp_path / "sheet.xlsx", RATE)
    assert [(problem.row, problem.column) for problem in sheet.problems] == [(2, "Line"), (3, "Line"), (4, "In")]
    assert "26:00:00" in sheet.problems[2].message and not sheet.cues


def test_a_cue_that_ends_as_it_begins_is_a_problem(tmp_path: Path) -> None:
    sheet = sheet_of(tmp_path, "1,5,5,Now", "2,5,5.001,Now", header="Cue,In,Out,Line")
    assert [problem.row for problem in sheet.problems] == [2] and len(sheet.cues) == 1


def test_workbooks_give_values_whatever_kind_their_cells_are(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["Project: Film", None])
    book.active.append(["#", "Role", "In", "Out", "Dialogue", "Scene"])
    book.active.append([3, "HERO", "01:00:00:12", "01:00:02:00", "Go!", 12])
    book.active.append([4.0, "HERO", datetime.time(1, 0, 5), datetime.time(1, 0, 6, 500000), 2001, "12A"])
    book.active.append([5, "HERO", datetime.timedelta(hours=2), 7201.5, "=1+1", None])
    book.save(tmp_path / "sheet.xlsx")
    sheet = read_sheet(tmp_path / "sheet.xlsx", RATE)
    assert [(cue.number, cue.line, cue.scene) for cue in sheet.cues] == [("3", "Go!", "12"), ("4", "2001", "12A")]
    assert [(cue.start, cue.slot) for cue in sheet.cues] == [
        (Fraction(7201, 2), Fraction(3, 2)),
        (3605, Fraction(3, 2)),
    ]
    assert [str(problem) for problem in sheet.problems] == ["Row 5, Dialogue: There is no line to say."]  # no value yet


def test_a_date_that_a_workbook_made_of_a_line_is_read_as_it(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in [("Cue", "In", "Line"), (1, datetime.datetime(2026, 5, 6, 10), datetime.date(2026, 5, 6))]:
        book.active.append(row)
    book.save(tmp_path / "sheet.xlsx")
    (cue,) = read_sheet(tmp_path / "sheet.xlsx", RATE).cues
    assert (cue.line, cue.start) == ("2026-05-06", 36000)


def test_a_number_that_two_characters_have_is_told_and_both_are_spoken(tmp_path: Path) -> None:
    rows = ("1,ANNA,5,Yes", "1,Ben,9,No", "2,Ben,12,No")
    sheet = sheet_of(tmp_path, *rows, header="Cue,Character,In,Line")
    assert len(sheet.cues) == 3 and not sheet.problems
    assert [str(warning) for warning in sheet.warnings] == ["Row 3, Cue: Cue 1 is that of ANNA in row 2 too."]


def test_columns_are_found_by_any_of_their_names(tmp_path: Path) -> None:
    for number, title in enumerate(ALIASES["line"]):
        header = f"Q,TC_In:,{title.upper()}"
        (cue,) = sheet_of(tmp_path, f"{number},01:00:00:00,Hello", header=header).cues
        assert (cue.number, cue.line, cue.end, cue.character) == (str(number), "Hello", None, "VO")


def test_columns_can_be_named_by_the_user(tmp_path: Path) -> None:
    path = tmp_path / "sheet.csv"
    path.write_text("Nr,Rolle,Von,Länge,Satz\n7,Held,10.5,2,Los!\n", encoding="utf-8")
    with pytest.raises(InvalidInput, match="lacks cue and tc_in and line") as refused:
        read_sheet(path, RATE)
    assert "'Rolle'" in str(refused.value) and '--columns "cue=TITLE,tc_in=TITLE,line=TITLE"' in str(refused.value)
    columns = ["cue=Nr", "character=Rolle", "tc in=Von", "duration=länge", "line=Satz"]
    (cue,) = read_sheet(path, RATE, columns).cues
    assert (cue.number, cue.character, cue.start, cue.end) == ("7", "Held", Fraction(21, 2), Fraction(25, 2))
    with pytest.raises(InvalidInput, match=r"no column 'Saz'.* Did you mean 'Satz'"):
        read_sheet(path, RATE, [*columns[:4], "line=Saz"])
    path.write_text("Cue,In,Text,Said\n7,10.5,Softly,Go!\n", encoding="utf-8")
    (cue,) = read_sheet(path, RATE, ["notes=Text", "line=Said"]).cues
    assert (cue.line, cue.notes) == ("Go!", "Softly")
    with pytest.raises(InvalidInput, match=r"lacks line\b"):
        read_sheet(path, RATE, ["notes=Text"])  # a column is one field
    with pytest.raises(InvalidOption, match="Did you mean 'line'"):
        read_sheet(path, RATE, ["lines=Satz"])


def test_every_bad_row_is_explained_by_row_and_column(tmp_path: Path) -> None:
    sheet = sheet_of(
        tmp_path,
        "1,1,A,01:00:00:00,01:00:01:00,Fine,",
        "1,2,A,01:00:02:24,01:00:03:00,Bad timecode,",
        "1,3,A,01:00:05:00,01:00:04:00,Out before in,",
        "1,4,A,01:00:06:00,01:00:07:00,,",
        "1,1,a,01:00:08:00,01:00:09:00,Number taken,",
        "1,,A,01:00:10:00,01:00:11:00,No number,",
        ",,,,,,",
        "1,6,A,,01:00:13:00,No start,",
        f"1,7,A,01:00:14:00,01:00:15:00,{'long ' * 500},",
        "1,1,B,01:00:16:00,01:00:17:00,Another one's number is free,",
    )
    assert [cue.row for cue in sheet.cues] == [2, 11]
    assert [(problem.row, problem.column) for problem in sheet.problems] == [
        (3, "TC In"),
        (4, "TC Out"),
        (5, "Line"),
        (6, "Cue"),
        (7, "Cue"),
        (9, "TC In"),
        (10, "Line"),
    ]
    assert sheet.n_rows == 9
    assert "no frame 24" in sheet.problems[0].message
    assert "in row 2 already" in sheet.problems[3].message


def test_a_character_that_overlaps_itself_is_a_warning_and_two_are_not(tmp_path: Path) -> None:
    sheet = sheet_of(
        tmp_path,
        "1,1,A,01:00:00:00,01:00:05:00,Long,",
        "1,2,B,01:00:01:00,01:00:02:00,Fine,",
        "1,3,A,01:00:04:23,01:00:06:00,Too early,",
        "1,4,A,01:00:06:00,01:00:07:00,Fine,",
    )
    assert [(warning.row, warning.column) for warning in sheet.warnings] == [(4, "TC In")]
    assert len(sheet.cues) == 4


def test_a_duration_that_contradicts_the_end_is_told(tmp_path: Path) -> None:
    header = "Cue,In,Out,Duration,Line"
    rows = ("1,01:00:00:00,01:00:02:00,00:00:02:00,Fine", "2,01:00:03:00,01:00:05:00,3.5,Odd")
    sheet = sheet_of(tmp_path, *rows, header=header)
    assert [(warning.row, warning.column) for warning in sheet.warnings] == [(3, "Duration")]
    assert [cue.slot for cue in sheet.cues] == [2, 2]


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.csv", b"", "has no rows"),
        ("a.csv", HEADER.encode(), "no cues"),
        ("a.csv", b"\xff\xd8\xff\xe0\x00\x10JFIF\x81\x8d", "is not a table of text|lacks"),
        ("a.xlsx", b"PK\x03\x04 no zip", "is not an Excel workbook"),
        ("a.xls", b"\xd0\xcf\x11\xe0", "save the sheet as .xlsx"),
    ],
)
def test_files_that_are_no_sheets_are_refused_in_a_line(tmp_path: Path, name: str, content: bytes, why: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidInput, match=why) as refused:
        read_sheet(tmp_path / name, RATE)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("part", ["xl/worksheets/sheet1.xml", "xl/workbook.xml", "[Content_Types].xml"])
@pytest.mark.parametrize("content", [b"<a", b"", b'<!DOCTYPE x [<!ENTITY y SYSTEM "file:///etc/passwd">]><x>&y;</x>'])
def test_damaged_and_hostile_workbooks_are_refused_in_a_line(tmp_path: Path, part: str, content: bytes) -> None:
    book = openpyxl.Workbook()
    book.active.append(["Cue", "In", "Line"])
    book.save(tmp_path / "good.xlsx")
    with zipfile.ZipFile(tmp_path / "good.xlsx") as good, zipfile.ZipFile(tmp_path / "bad.xlsx", "w") as bad:
        for name in good.namelist():
            bad.writestr(name, content if name == part else good.read(name))
    with pytest.raises(InvalidInput) as refused:
        read_sheet(tmp_path / "bad.xlsx", RATE)
    assert "\n" not in str(refused.value) and "root:" not in str(refused.value)


def test_a_missing_sheet_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="No such file"):
        read_sheet(tmp_path / "none.csv", RATE)


def test_a_casting_gives_parts_and_knows_nobody_else(tmp_path: Path) -> None:
    path = tmp_path / "cast.yaml"
    path.write_text(
        "voices:\n  HERO: kokoro/am_michael\n  'NO': {voice: hibari/heart, speed: 1.05}\n", encoding="utf-8"
    )
    casting = read_casting(path)
    assert casting.part("Hero (V.O.)").voice == "kokoro/am_michael"
    assert casting.part("no").options == {"speed": "1.05"}
    with pytest.raises(InvalidInput, match=r"No voice is cast for 'HERRO'\. Did you mean 'HERO'"):
        casting.part("HERRO")
    assert read_casting(path, voice="x/y").part("HERRO").voice == "x/y"


def test_the_closest_part_counts_and_the_command_line_before_the_default(tmp_path: Path) -> None:
    path = tmp_path / "cast.yaml"
    path.write_text("default: a/default\nvoices: {HERO: a/hero, HERO (V.O.): a/over}\n", encoding="utf-8")
    casting = read_casting(path)
    said = [casting.part(name).voice for name in ("Hero", "hero (v.o.)", "Hero (O.S.)", "Other")]
    assert said == ["a/hero", "a/over", "a/hero", "a/default"]
    given = read_casting(path, voice="a/given")
    assert (given.part("Hero").voice, given.part("Other").voice) == ("a/hero", "a/given")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("- a", "it wants `voices:`"),
        ("voice: {A: b}", "'voice' is none of its keys"),
        ("voices: [A]", "is not a list"),
        ("voices: {A: {speed: 1}}", "A has no voice"),
        ("voices: {A: x, A: y}", "'A' twice"),
        ("voices: {A: x, a: y}", "are one character"),
        ("voices: {A: !!python/object/apply:os.system [true]}", "no casting"),
        ("voices: {A: x", "no casting"),
        ("voices: {A: &a {voice: x}, B: *a}", "aliases"),
        ("a: &a {voice: *a}", "aliases"),
        ("voices: " + 3000 * "[", "no casting"),
        ("voices: {A: {voice: x, speed: {a: 1}}}", "speed of A is neither"),
        ("voices: {A: {voice: x, lexicon: [[a]]}}", "lexicon of A is neither"),
        ("", "it wants"),
    ],
)
def test_a_broken_casting_is_one_line(tmp_path: Path, content: str, why: str) -> None:
    path = tmp_path / "cast.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InvalidInput, match=why) as refused:
        read_casting(path)
    assert "\n" not in str(refused.value)
