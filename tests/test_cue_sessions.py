"""Sessions as independent readers see them: REAPER projects, OpenTimelineIO, labels, markers, and the guide track."""

from __future__ import annotations

import csv
import tracemalloc
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import opentimelineio as otio
import pytest
import rpp
from cue_sheets import FakeSpeaker, sheet_of
from wavinfo import WavInfoReader

from audio_ml.errors import InvalidOption
from audio_ml.speech import Speech
from audio_ml.streams import AudioReader, read_audio
from tts.cues import CueReport, render_sheet
from tts.cues.guide import guide_blocks
from tts.cues.session import Item, arrange

ROWS = (
    '1,1,HERO,01:00:00:01,01:00:03:00,"Say ""hello"", it\'s time",soft',
    "1,2,VILLAIN,01:00:02:11,01:00:05:00,Over your words,",
    "1,3,HERO,01:00:00:20,01:00:06:00,And over my own,",
    "1,4,Ödön,01:01:59:17,01:02:03:00,Two minutes later,",
    "1,5,HERO,01:00:10:00,01:00:12:00,And again,",
)
RATES = ("23.976", "24", "25", "29.97", "29.97df", "59.94df", "60")


def render(folder: Path, rate: str, *rows: str, **options: Any) -> CueReport:
    sheet = sheet_of(folder, *rows, rate=rate)
    return render_sheet(sheet, folder / "out", speaker=FakeSpeaker(), options={"frame_rate": rate, **options})


def positions(report: CueReport, take: int = 1) -> dict[str, tuple[int, int]]:
    """Returns first sample and length of each file as the file itself tells them."""
    read = {}
    for row in report.takes:
        if row.take == take:
            info = WavInfoReader(str(report.folder / row.file))
            read[row.file] = (info.bext.time_reference, info.data.frame_count)
    return read


@pytest.mark.parametrize("rate", RATES)
def test_reaper_items_lie_on_their_samples(tmp_path: Path, rate: str) -> None:
    report = render(tmp_path, rate, *ROWS, takes=2)
    project = rpp.loads((tmp_path / "out" / "session.rpp").read_text(encoding="utf-8"))
    expected = positions(report)
    offset = Fraction(_value(project, "PROJOFFS")[0])
    assert _value(project, "SAMPLERATE")[:2] == ["48000", "1"]
    found = {}
    for track in project.findall("TRACK")[1:]:
        for item in track.findall("ITEM"):
            files = [source.find("FILE")[1] for source in item.findall("SOURCE")]
            position = (Fraction(_value(item, "POSITION")[0]) + offset) * 48000
            length = Fraction(_value(item, "LENGTH")[0]) * 48000
            assert abs(position - round(position)) < 1e-3 and abs(length - round(length)) < 1e-3
            found[files[0]] = (round(position), round(length))
            assert files[1] == files[0].replace("_T01", "_T02") and (tmp_path / "out" / files[1]).exists()
    assert found == expected
    tracks = [_value(track, "NAME")[0] for track in project.findall("TRACK")]
    assert tracks == ["Guide", "HERO", "VILLAIN", "Ödön"]
    markers = [line for line in project if isinstance(line, list) and line[0] == "MARKER"]
    starts = sorted(start for start, _ in expected.values())
    assert [round((Fraction(marker[2]) + offset) * 48000) for marker in markers] == starts


class _Slowing(FakeSpeaker):
    """Takes longer with every take."""

    def say(self, line: str, voice: str, options: Mapping[str, Any]) -> Speech:
        return super().say(line, voice, {**options, "speed": 1 / options["speed"]})


def test_reaper_items_hold_their_longest_take(tmp_path: Path) -> None:
    sheet = sheet_of(tmp_path, "1,1,A,01:00:00:00,,Where is everybody?,")
    report = render_sheet(sheet, tmp_path / "out", speaker=_Slowing(), options={"takes": 3})
    project = rpp.loads((tmp_path / "out" / "session.rpp").read_text(encoding="utf-8"))
    guide, item = (track.find("ITEM") for track in project.findall("TRACK"))
    first, _, last = (take.n_samples for take in report.takes)
    assert first < last == round(Fraction(_value(item, "LENGTH")[0]) * 48000)
    assert first == round(Fraction(_value(guide, "LENGTH")[0]) * 48000)  # the first take is heard


@pytest.mark.parametrize(
    ("rate", "base", "flag"), [("24", "24", "0"), ("23.976", "24", "2"), ("29.97df", "30", "1"), ("29.97", "30", "2")]
)
def test_reaper_shows_the_frame_rate_of_the_sheet(tmp_path: Path, rate: str, base: str, flag: str) -> None:
    render(tmp_path, rate, *ROWS)
    project = rpp.loads((tmp_path / "out" / "session.rpp").read_text(encoding="utf-8"))
    assert _value(project, "TIMEMODE")[3:5] == [base, flag]


def _value(element: Any, name: str) -> list[str]:
    line = next(line for line in element if isinstance(line, list) and line[0] == name)
    return list(line[1:])


@pytest.mark.parametrize("rate", RATES)
def test_timelines_lie_on_their_samples(tmp_path: Path, rate: str) -> None:
    report = render(tmp_path, rate, *ROWS, takes=2)
    timeline = otio.adapters.read_from_file(str(tmp_path / "out" / "session.otio"))
    assert [track.name for track in timeline.tracks] == ["HERO", "HERO 2", "VILLAIN", "Ödön"]  # one cue overlaps
    start = timeline.global_start_time
    found, others = {}, {}
    for clip in timeline.find_clips():
        place = clip.transformed_time_range(clip.trimmed_range(), timeline.tracks)
        first = _samples(place.start_time.value / place.start_time.rate + start.value / start.rate)
        found[clip.media_reference.target_url] = (first, _samples(place.duration.to_seconds()))
        available = clip.media_reference.available_range
        assert clip.source_range == available
        assert _samples(available.start_time.to_seconds()) == first
        other = clip.media_references()["T02"]
        times = other.available_range
        others[other.target_url] = (_samples(times.start_time.to_seconds()), _samples(times.duration.to_seconds()))
    assert found == positions(report) and others == positions(report, take=2)
    marks = [marker.marked_range.start_time.to_seconds() + start.to_seconds() for marker in timeline.tracks.markers]
    assert [_samples(mark) for mark in marks] == sorted(first for first, _ in found.values())


def test_upper_and_lower_case_are_one_character(tmp_path: Path) -> None:
    render(tmp_path, "24", ROWS[0], "1,2,Hero,01:00:05:00,01:00:07:00,Still me,")
    timeline = otio.adapters.read_from_file(str(tmp_path / "out" / "session.otio"))
    assert [track.name for track in timeline.tracks] == ["HERO"]
    project = rpp.loads((tmp_path / "out" / "session.rpp").read_text(encoding="utf-8"))
    assert [_value(track, "NAME")[0] for track in project.findall("TRACK")] == ["Guide", "HERO"]


def _samples(seconds: float) -> int:
    samples = seconds * 48000
    assert abs(samples - round(samples)) < 1e-3
    return round(samples)


def test_the_guide_track_is_the_sum_of_all_first_takes(tmp_path: Path) -> None:
    rows = (*ROWS[:3], "1,4,HERO,01:00:40:00,01:00:42:00,Later,")
    report = render(tmp_path, "24", *rows, takes=2, guide_start="00:59:58:00")
    out = tmp_path / "out"
    info = WavInfoReader(str(out / "guide.wav"))
    assert info.bext.time_reference == 3598 * 48000
    assert (info.fmt.sample_rate, info.fmt.bits_per_sample) == (48000, 24)
    guide = read_audio(out / "guide.wav").samples[0]
    expected = np.zeros(max(start + n for start, n in positions(report).values()) - 3598 * 48000)
    for file, (start, n_samples) in positions(report).items():
        begin = start - 3598 * 48000
        expected[begin : begin + n_samples] += read_audio(out / file).samples[0]
    assert np.array_equal(guide, np.clip(expected, -1, 1 - 2**-23).astype(np.float32))


def test_the_guide_track_of_an_hour_is_a_stream(tmp_path: Path) -> None:
    report = render(tmp_path, "24", *ROWS, "1,6,HERO,02:00:00:00,02:00:03:00,An hour later,")
    reader = AudioReader(tmp_path / "out" / "guide.wav")
    first = min(start for start, _ in positions(report).values())
    assert reader.info.n_samples == max(start + n for start, n in positions(report).values()) - first
    assert reader.info.n_samples > 3590 * 48000


def test_the_guide_track_takes_the_memory_of_what_is_heard(tmp_path: Path) -> None:
    rows = [f"1,{n},HERO,01:{n:02}:00:00,01:{n:02}:09:00,{'Long speech. ' * 12}," for n in range(10)]
    sheet = sheet_of(tmp_path, *rows)
    report = render_sheet(sheet, tmp_path / "out", speaker=FakeSpeaker())
    session = arrange("film", sheet.rate, None, (Item(sheet.cues[take.row - 2], (take,)) for take in report.takes))
    tracemalloc.start()
    try:
        n_samples = sum(block.shape[1] for block in guide_blocks(session, tmp_path / "out"))
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert n_samples == session.n_samples > 500 * 48000
    assert peak_bytes < 6 * 4 * max(take.n_samples for take in report.takes)


def test_a_guide_cannot_begin_behind_a_cue(tmp_path: Path) -> None:
    with pytest.raises(InvalidOption, match="cue 1 1 begins at 01:00:00:01"):
        render(tmp_path, "24", *ROWS, guide_start="01:00:01:00")


def test_labels_and_markers_say_where_and_what(tmp_path: Path) -> None:
    report = render(tmp_path, "29.97df", *ROWS[:3])
    labels = [line.split("\t") for line in (tmp_path / "out" / "labels.txt").read_text("utf-8").splitlines()]
    expected = sorted(positions(report).values())
    first = expected[0][0]
    assert [(round(float(begin) * 48000), round(float(end) * 48000)) for begin, end, _ in labels] == [
        (start - first, start + n - first) for start, n in expected
    ]
    assert labels[0][2] == 'S001_Q001 HERO: Say "hello", it\'s time'
    with (tmp_path / "out" / "markers.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["sample"]) for row in rows] == [start for start, _ in expected]
    assert [row["tc_in"] for row in rows] == ["01:00:00;01", "01:00:00;20", "01:00:02;11"]
    assert rows[0]["notes"] == "soft" and rows[0]["tc_out"] == "01:00:03;00"


def test_the_same_sheet_gives_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    for folder in ("a", "b"):
        render(tmp_path / folder, "24", *ROWS[:3], takes=2)
    one = {path.name: path.read_bytes() for path in (tmp_path / "a" / "out").iterdir() if "audio-ml" not in path.name}
    two = {path.name: path.read_bytes() for path in (tmp_path / "b" / "out").iterdir() if "audio-ml" not in path.name}
    assert one == two and len(one) == 6 + 7
