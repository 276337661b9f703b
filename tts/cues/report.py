"""What came of a cue sheet: one row for each take, every row that failed, and the tables people check them by."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from audio_ml.loudness import Loudness
from audio_ml.timecode import to_seconds
from tts.cues.fit import Fitted
from tts.cues.options import SAMPLE_RATE
from tts.cues.sheet import Cue, Identity, Problem, Sheet, identity_of
from tts.cues.table import as_csv

Status = Literal["ok", "over"]


@dataclass(frozen=True)
class TakeFile:
    """The file of a take: where it lies, how long it and its slot are in samples, and what was done to it.

    `start` is the first sample since midnight; `excess_ms` and `excess_frames` tell by how much the line
    is longer than its slot (negative: shorter; None: there is no slot).
    """

    row: int
    reel: str
    scene: str
    cue: str
    character: str
    take: int
    file: str
    voice: str
    tc_in: str
    start: int
    target_samples: int | None
    n_samples: int
    natural_samples: int
    excess_ms: float | None
    excess_frames: float | None
    fit: str
    speed: float
    stretch: float
    gain_db: float
    lufs: float | None
    true_peak_dbtp: float | None
    status: Status
    warnings: tuple[str, ...] = ()

    @property
    def target_seconds(self) -> float | None:
        return None if self.target_samples is None else self.target_samples / SAMPLE_RATE

    @property
    def seconds(self) -> float:
        return self.n_samples / SAMPLE_RATE


@dataclass(frozen=True)
class Placement:
    """Where a cue lies in samples: its first one since midnight, and its slot."""

    start: int
    slot: int | None


def describe_take(
    sheet: Sheet,
    cue: Cue,
    take: int,
    file: str,
    voice: str,
    place: Placement,
    fitted: Fitted,
    gain_db: float,
    loudness: Loudness,
    warnings: tuple[str, ...],
) -> TakeFile:
    """Returns the row of a take; `loudness` is that of the file."""
    excess = None if place.slot is None else to_seconds(fitted.excess_samples(place.slot), SAMPLE_RATE)
    return TakeFile(
        row=cue.row,
        reel=cue.reel,
        scene=cue.scene,
        cue=cue.number,
        character=cue.character,
        take=take + 1,
        file=file,
        voice=voice,
        tc_in=sheet.rate.label_at(cue.start),
        start=place.start,
        target_samples=place.slot,
        n_samples=fitted.audio.n_samples,
        natural_samples=fitted.natural_samples,
        excess_ms=_rounded(excess, 1000),
        excess_frames=_rounded(excess, sheet.rate.fps),
        fit=fitted.means,
        speed=round(fitted.speed, 4),
        stretch=round(fitted.stretch, 4),
        gain_db=round(gain_db, 2),
        lufs=_measured(loudness.integrated_lufs),
        true_peak_dbtp=_measured(loudness.true_peak_dbtp),
        status="over" if excess is not None and excess > 0 else "ok",
        warnings=warnings,
    )


@dataclass(frozen=True)
class CueReport:
    """What became of a sheet: its takes, in order of rows; how many files are new; what failed, and what is odd."""

    folder: Path
    n_rows: int
    takes: tuple[TakeFile, ...]
    n_new: int
    problems: tuple[Problem, ...]
    warnings: tuple[str, ...]
    files: tuple[str, ...] = ()  # tables, guide track and sessions
    earlier_files: tuple[str, ...] = ()  # of cues that are not in the sheet any more

    @property
    def n_done(self) -> int:
        """The cues of which every take is there."""
        return len({take.row for take in self.takes})

    @property
    def n_failed(self) -> int:
        return len({problem.row for problem in self.problems})

    @property
    def over(self) -> tuple[TakeFile, ...]:
        """The takes that are longer than their slot."""
        return tuple(take for take in self.takes if take.status == "over")

    def as_dict(self) -> dict[str, Any]:
        return {
            "rows": self.n_rows,
            "done": self.n_done,
            "failed": self.n_failed,
            "takes": [asdict(take) for take in self.takes],
            "problems": [asdict(problem) for problem in self.problems],
            "warnings": list(self.warnings),
            "files": list(self.files),
            "earlier_files": list(self.earlier_files),
        }


QC_COLUMNS = (
    *("row", "scene", "cue", "character", "take", "file", "voice", "tc_in", "target_seconds", "seconds"),
    *("excess_ms", "excess_frames", "fit", "speed", "stretch", "gain_db", "lufs", "true_peak_dbtp", "status"),
    "message",
)


def qc_csv(report: CueReport) -> str:
    """Returns the table for quality control: a line for each take, and one for each problem with status "failed"."""
    rows: list[dict[str, Any]] = []
    for take in report.takes:
        row = {name: getattr(take, name) for name in QC_COLUMNS if hasattr(take, name)}
        row["seconds"] = f"{take.seconds:.6f}"
        row["target_seconds"] = "" if take.target_seconds is None else f"{take.target_seconds:.6f}"
        rows.append(row | {"message": " ".join(take.warnings)})
    rows += [
        {"row": problem.row, "status": "failed", "message": f"{problem.column}: {problem.message}"}
        for problem in report.problems
    ]
    rows.sort(key=lambda row: int(row["row"]))
    return as_csv(QC_COLUMNS, ([row.get(name, "") for name in QC_COLUMNS] for row in rows))


def qc_json(sheet: Sheet, report: CueReport) -> str:
    """Returns the same as JSON, with everything that is known."""
    content = {"sheet": sheet.path.name, "frame_rate": sheet.rate.name, "sample_rate": SAMPLE_RATE}
    told = ("takes", "problems", "warnings", "earlier_files")
    content |= {name: value for name, value in report.as_dict().items() if name in told}
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def take_from(facts: dict[str, Any]) -> TakeFile | None:
    """Returns a take as `asdict` wrote it, None when another version did."""
    if facts.keys() != {field.name for field in fields(TakeFile)}:
        return None
    return TakeFile(**facts | {"warnings": tuple(facts["warnings"])})


def identity_from(facts: Mapping[str, Any]) -> Identity | None:
    """Returns which cue a file is of by what was noted of it, None when it is of none."""
    if "cue" not in facts:
        return None
    return identity_of(facts.get("reel", ""), facts["scene"], facts["cue"], facts["character"])


def _rounded(excess: Fraction | None, per_second: Fraction | int) -> float | None:
    return None if excess is None else round(float(excess * per_second), 3)


def _measured(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
