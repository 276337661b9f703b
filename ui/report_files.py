"""The JSON report that a command writes beside what it prints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from audio_ml.errors import OutputUnwritable
from audio_ml.streams import show
from audio_ml.writer import check_target

ReportFile = Annotated[
    Path | None, typer.Option("--report-file", metavar="FILE", help="Write a JSON report of every sentence here.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a report that exists.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]


def check_report(path: Path | None, overwrite: bool) -> None:
    """Finds out before any work whether a report can be written; raises `OutputError` where it cannot."""
    if path is None:
        return
    check_target(path, overwrite)
    if not path.parent.is_dir():
        raise OutputUnwritable(f"{show(path)} cannot be written: its folder does not exist.")


def write_report(path: Path | None, report: str) -> None:
    """Writes a report, if one is wanted; raises `OutputUnwritable`."""
    if path is None:
        return
    try:
        path.write_text(report + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputUnwritable(f"{show(path)} was not written: {error.strerror}.") from error
