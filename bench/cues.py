"""A cue sheet of 500 rows, 5 of them bad, spoken by hibari; its files are read back by readers that are not ours.

    python -m bench.cues [--rows 500] [--keep DIR]

Writes a report, and JSON beside. Positions are compared in samples: those of the sheet's timecodes (as the package
`timecode` counts them) with those of BWF (wavinfo), REAPER (rpp) and OpenTimelineIO (opentimelineio).
"""

from __future__ import annotations

import argparse
import csv
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path

from audio_ml.errors import AudioMLError
from audio_ml.loader import ModelLoader
from audio_ml.timecode import find_frame_rate
from bench import machine, results
from bench.markdown import megabytes, seconds, table
from tts.cues import Casting, CueReport, Part, TextToSpeech, read_sheet, render_sheet

RATE, FPS, SAMPLE_RATE = "23.976", Fraction(24000, 1001), 48000
CHARACTERS = ("HERO", "NARRATOR", "VILLAIN")
READERS = ("wavinfo", "rpp", "opentimelineio", "timecode")
SECONDS_PER_CHARACTER = 0.062  # of speech, more or less; slots are between tight and roomy
BAD_ROWS = {  # by the row of the sheet: what is wrong with it
    61: "timecode out before in",
    142: "a frame that the rate does not have",
    250: "no line",
    333: "a number that is taken",
    471: "nothing that can be spoken",
}


@dataclass(frozen=True)
class Findings:
    """What came of the sheet, how long it took, and the largest error of a position that each reader saw."""

    rows: int
    done: int
    failed: int
    explained: tuple[str, ...]
    fitted: dict[str, int]
    over: int
    seconds_first: float
    seconds_again: float
    new_again: int
    seconds_of_speech: float
    seconds_of_guide: float
    peak_bytes: int
    errors: dict[str, int]


def main() -> None:
    """Makes the sheet, speaks it twice, reads everything back, and writes the report."""
    arguments = _arguments()
    try:
        with tempfile.TemporaryDirectory() as folder:
            findings = _measure(arguments.keep or Path(folder), arguments.rows)
    except AudioMLError as error:
        sys.exit(str(error))
    head = machine.describe("bench.cues", sys.argv[1:], None)
    head += f"\n| readers | {', '.join(f'{name} {version(name)}' for name in READERS)} |"
    results.write(arguments.output, _report(head, findings), findings)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.cues", description="Speaks a long cue sheet.")
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave sheet and files here")
    parser.add_argument("--output", type=Path, default=results.REPOSITORY / "docs" / "bench-cues.md", metavar="FILE")
    return parser.parse_args()


def _measure(folder: Path, n_rows: int) -> Findings:
    folder.mkdir(parents=True, exist_ok=True)
    starts = write_sheet(folder / "film.csv", n_rows)
    out = folder / "cues"
    results.say(f"speaking {n_rows} rows")
    report, seconds_first = _render(folder / "film.csv", out)
    results.say("running the same again")
    again, seconds_again = _render(folder / "film.csv", out)
    results.say("reading back")
    expected = {take.file: starts[take.row] for take in report.takes}
    return Findings(
        rows=report.n_rows,
        done=report.n_done,
        failed=report.n_failed,
        explained=tuple(map(str, report.problems)),
        fitted=dict(Counter(take.fit or "as it comes" for take in report.takes if take.status == "ok")),
        over=len(report.over),
        seconds_first=seconds_first,
        seconds_again=seconds_again,
        new_again=again.n_new,
        seconds_of_speech=sum(take.seconds for take in report.takes),
        seconds_of_guide=_guide_seconds(out),
        peak_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        errors={
            "BWF TimeReference (wavinfo)": _largest(expected, dict(_bwf(out, expected))),
            "REAPER items (rpp)": _largest(expected, dict(_rpp(out))),
            "OpenTimelineIO clips (opentimelineio)": _largest(expected, dict(_otio(out))),
        },
    )


def _render(sheet: Path, out: Path) -> tuple[CueReport, float]:
    began = time.perf_counter()
    casting = Casting({"NARRATOR": Part("hibari/heart", {"speed": 0.95})}, Part("hibari/heart"))
    report = render_sheet(
        read_sheet(sheet, find_frame_rate(RATE)),
        out,
        speaker=TextToSpeech(ModelLoader("cpu")),
        casting=casting,
        options={"frame_rate": RATE, "loudness": "-24"},
    )
    return report, time.perf_counter() - began


def write_sheet(path: Path, n_rows: int) -> dict[int, int]:
    """Writes a sheet of so many rows and returns the sample at which each one's timecode lies."""
    chance = random.Random(0)
    frame, starts = 3600 * 24, {}
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(("Scene", "Cue", "Character", "TC In", "TC Out", "Line", "Notes"))
        for number in range(1, n_rows + 1):
            line = _line(chance, number)
            slot = round(len(line) * SECONDS_PER_CHARACTER * chance.uniform(0.7, 1.4) * 24)
            cells = [
                1 + number // 40,
                number,
                chance.choice(CHARACTERS),
                _timecode(frame),
                _timecode(frame + slot),
                line,
                "",
            ]
            table.writerow(_spoiled(cells, BAD_ROWS.get(number + 1, "")))
            starts[number + 1] = int(Fraction(frame) / FPS * SAMPLE_RATE + Fraction(1, 2))
            frame += slot + chance.randrange(1, 60)
    return starts


def _timecode(frame: int) -> str:
    from timecode import Timecode

    return str(Timecode("23.976", frames=frame + 1))  # it counts from one


def _spoiled(cells: list[object], how: str) -> list[object]:
    spoiled = {
        "timecode out before in": {4: "00:59:00:00"},
        "a frame that the rate does not have": {3: "01:10:00:24"},
        "no line": {5: ""},
        "a number that is taken": {0: 1, 1: 1, 2: "NARRATOR"},
        "nothing that can be spoken": {5: "?!..."},
    }.get(how, {})
    return [spoiled.get(place, cell) for place, cell in enumerate(cells)]


def _line(chance: random.Random, number: int) -> str:
    who = chance.choice(("The captain", "My sister", "Nobody here", "Doctor Smith", "That old machine", "Your brother"))
    does = chance.choice(("has seen", "will never forget", "is looking for", "left behind", "wants", "talks about"))
    what = chance.choice(("the harbour", "what you did in Berlin", "a way out", "the last train", "forty-two dollars"))
    ending = chance.choice((".", "!", ", and you know it.", ", at half past nine.", "?", " before the war began."))
    return f"{who} {does} {what}{ending}" if number % 9 else "Wait for me!"


def _bwf(out: Path, files: dict[str, int]) -> Iterator[tuple[str, int]]:
    from wavinfo import WavInfoReader

    for file in files:
        yield file, WavInfoReader(str(out / file)).bext.time_reference


def _rpp(out: Path) -> Iterator[tuple[str, int]]:
    import rpp

    project = rpp.loads((out / "session.rpp").read_text(encoding="utf-8"))
    offset = Fraction(next(line[1] for line in project if line[0] == "PROJOFFS"))
    for item in (item for track in project.findall("TRACK")[1:] for item in track.findall("ITEM")):
        position = Fraction(next(line[1] for line in item if line[0] == "POSITION"))
        yield item.find("SOURCE").find("FILE")[1], round((position + offset) * SAMPLE_RATE)


def _otio(out: Path) -> Iterator[tuple[str, int]]:
    import opentimelineio

    timeline = opentimelineio.adapters.read_from_file(str(out / "session.otio"))
    offset = timeline.global_start_time.to_seconds()
    for clip in timeline.find_clips():
        start = clip.transformed_time(clip.trimmed_range().start_time, timeline.tracks).to_seconds()
        yield clip.media_reference.target_url, round((start + offset) * SAMPLE_RATE)


def _largest(expected: dict[str, int], found: dict[str, int]) -> int:
    """Returns the largest error in samples; what is missing is as wrong as can be."""
    if expected.keys() != found.keys():
        return sys.maxsize
    return max(abs(found[file] - start) for file, start in expected.items())


def _guide_seconds(out: Path) -> float:
    from wavinfo import WavInfoReader

    return float(WavInfoReader(str(out / "guide.wav")).data.frame_count / SAMPLE_RATE)


def _report(head: str, found: Findings) -> str:
    fitted = ", ".join(f"{count} {how}" for how, count in sorted(found.fitted.items(), key=lambda pair: -pair[1]))
    rows = [
        ["rows of the sheet", str(found.rows)],
        ["cues done", str(found.done)],
        ["rows explained", str(found.failed)],
        ["in their slot", fitted],
        ["longer than their slot, reported", str(found.over)],
        ["first run", f"{seconds(found.seconds_first)} for {seconds(found.seconds_of_speech)} of speech"],
        ["same again", f"{seconds(found.seconds_again)}, {found.new_again} files new"],
        ["guide track", seconds(found.seconds_of_guide)],
        ["peak memory, model and all", megabytes(found.peak_bytes)],
        *([f"error of positions: {reader}", f"{error} samples"] for reader, error in found.errors.items()),
    ]
    explained = "\n".join(f"- {text}" for text in found.explained)
    return f"# Cue sheets\n\n{head}\n\n{table(['', ''], rows)}\n\nThe rows that failed:\n\n{explained}\n"


if __name__ == "__main__":
    main()
