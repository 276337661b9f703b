"""`audio-ml evaluate separation`: stems against the true ones, in numbers."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated

import typer

from separation.evaluation import MEASURES, SeparationScores, evaluate_folders
from ui.commands import new_app
from ui.console import print_table, shown_progress
from ui.report_files import AsJson, Overwrite, Quiet, check_report, write_report

HEADER = ("TRACK", "STEM", "SDR", "SI-SDR", "MEDIAN SDR", "ISR", "SIR", "SAR", "WINDOWS")

app = new_app()


@app.command()
def separation(
    *,
    reference: Annotated[
        Path, typer.Option(metavar="DIR", help="The true stems: TRACK/vocals.wav ..., or those of one track.")
    ],
    estimate: Annotated[Path, typer.Option(metavar="DIR", help="The stems to measure, called alike.")],
    stems: Annotated[
        str, typer.Option(metavar="A,B,...", help="Only these stems; all of the reference's by default.")
    ] = "",
    report_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a JSON report of every track and second here.")
    ] = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Measure stems against the true ones: SDR, SI-SDR, and the medians of BSS Eval version 4, in dB.

    The last five columns are those of museval: every second has its SDR, ISR, SIR and SAR. Accompaniment that has no
    file of its own is the mixture minus the vocals, or the sum of the other stems.
    """
    check_report(report_file, overwrite)
    names = [name.strip() for name in stems.split(",") if name.strip()]
    with shown_progress(estimate.name or "stems", quiet or as_json) as progress:
        found = evaluate_folders(reference, estimate, stems=names, progress=progress)
    tell(found, report_file, as_json=as_json, quiet=quiet)


def tell(found: SeparationScores, report_file: Path | None, *, as_json: bool, quiet: bool) -> None:
    """Writes the report and prints it, or the table."""
    report = json.dumps(found.as_dict(), indent=2, ensure_ascii=False, allow_nan=False)
    write_report(report_file, report)
    if as_json:
        print(report)
    elif not quiet:
        _print(found)


def _print(found: SeparationScores) -> None:
    rows = []
    for track in found.tracks:
        for scores in track.stems:
            windows = f"{scores.windows.n_measured} of {len(scores.windows.sdr)}"
            rows.append([track.track, scores.stem, *_cells(scores.measures), windows])
    if len(found.tracks) > 1:
        rows += [["median", stem, *_cells(measures), ""] for stem, measures in found.medians.items()]
        rows += [["mean", stem, *_cells(measures), ""] for stem, measures in found.means.items()]
    print_table(HEADER, rows)
    lines = found.in_words()
    if lines:
        print()
    for line in lines:
        print(f"{line}.")


def _cells(measures: dict[str, float]) -> list[str]:
    return ["-" if math.isnan(measures[name]) else f"{measures[name]:.2f}" for name in MEASURES]
