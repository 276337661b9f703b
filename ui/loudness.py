"""`audio-ml loudness`: measures files, and writes copies at the loudness of a target."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from audio_ml.errors import AudioMLError, Cancelled, InvalidOption, OutputExists, PartialFailure
from audio_ml.formats import FORMATS
from audio_ml.loudness import TARGETS, Gain, Loudness, Target, find_target, gain_to, measure, normalise_file
from audio_ml.streams import show
from ui.commands import new_app
from ui.console import print_table, shown_progress

TARGET_HELP = "A number of LUFS, or " + ", ".join(
    f"{row.name} ({row.lufs:g} LUFS, {row.true_peak_dbtp:g} dBTP: {row.description})" for row in TARGETS.values()
)


app = new_app()


@dataclass(frozen=True)
class _Row:
    """What came of a file: its loudness, the gain to the target, and the copy, where asked for."""

    source: Path
    loudness: Loudness
    gain: Gain | None = None
    copy: Path | None = None
    warnings: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        described: dict[str, Any] = {"source": os.fspath(self.source), "loudness": asdict(self.loudness)}
        described["warnings"] = self.warnings
        if self.gain is not None:
            described["gain"] = asdict(self.gain)
        if self.copy is not None:
            described["copy"] = os.fspath(self.copy)
        return described


@app.command()
def loudness(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Audio or video files.", show_default=False)],
    target: Annotated[str | None, typer.Option(metavar="TARGET", help=f"{TARGET_HELP}.")] = None,
    out_dir: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="DIR", help="Write copies at the target's loudness here.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but warnings and errors.")] = False,
) -> None:
    """Measure loudness and true peak (EBU R 128), and bring files to a target."""
    if out_dir is not None and target is None:
        raise InvalidOption("Option 'output' needs --target: there is nothing to write without one.")
    wanted = None if target is None else find_target(target)
    rows: list[_Row] = []
    failures: list[tuple[Path, AudioMLError]] = []
    try:
        for path in files:
            try:
                rows.append(_handle(path, wanted, out_dir, overwrite, rows, quiet or as_json))
                for warning in rows[-1].warnings:
                    print(f"audio-ml: {warning}", file=sys.stderr)
            except Cancelled:
                raise
            except AudioMLError as error:
                failures.append((path, type(error)(str(error))))  # without its traceback, which holds buffers
                print(f"audio-ml: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        raise Cancelled("Stopped; no unfinished file was kept.") from None
    finally:
        if as_json:
            print(_as_json(rows, failures, wanted))
        elif rows and not quiet:
            _print_rows(rows, wanted)
    _raise_failures(failures, len(files))


def _handle(
    path: Path, target: Target | None, out_dir: Path | None, overwrite: bool, done: list[_Row], silent: bool
) -> _Row:
    """Measures a file, and writes its copy if there is a folder for it."""
    with shown_progress(show(path.name), silent) as progress:
        if target is None or out_dir is None:
            found = measure(path, progress=progress)
            gain = None if target is None else gain_to(target, found.loudness)
            return _Row(path, found.loudness, gain, None, found.warnings)
        copy = out_dir / (path.name if path.suffix.lstrip(".").lower() in FORMATS else f"{path.stem}.wav")
        if copy in [row.copy for row in done]:
            raise OutputExists(f"{show(copy)} was written for an earlier file of this call: rename {show(path)}.")
        written = normalise_file(path, copy, target, overwrite=overwrite, progress=progress)
        return _Row(path, written.source_loudness, written.gain, written.path, written.warnings)


def _raise_failures(failures: list[tuple[Path, AudioMLError]], n_files: int) -> None:
    """Ends with the exit code of a lone file's error, or raises `PartialFailure` for some of several."""
    if failures and n_files == 1:
        raise SystemExit(failures[0][1].exit_code)  # its message was printed
    if failures:
        raise PartialFailure(f"{len(failures)} of {n_files} files failed.")


def _as_json(rows: list[_Row], failures: list[tuple[Path, AudioMLError]], target: Target | None) -> str:
    outcome = {
        "target": None if target is None else asdict(target),
        "files": [row.as_dict() for row in rows],
        "failures": [{"source": os.fspath(path), "error": str(error)} for path, error in failures],
    }
    return json.dumps(outcome, indent=2)


def _print_rows(rows: list[_Row], target: Target | None) -> None:
    header = ["FILE", "LUFS", "SHORT MAX", "MOMENTARY MAX", "RANGE LU", "dBTP"]
    print_table(header if target is None else [*header, "GAIN dB", "LUFS AFTER"], [_cells(row) for row in rows])
    if target is None:
        return
    print(f"Target: {target.lufs:g} LUFS, true peak below {target.true_peak_dbtp:g} dBTP ({target.description})")
    for row in rows:
        if row.gain is not None and row.gain.held_back_db > 0:
            print(f"{show(row.source)}: {row.gain.held_back_db:.1f} dB less than asked for, to keep its peaks below.")
        if row.copy is not None:
            print(f"{show(row.copy)} written")


def _cells(row: _Row) -> list[str]:
    measured = row.loudness
    levels = (measured.integrated_lufs, measured.short_term_lufs, measured.momentary_lufs)
    cells = [show(row.source), *map(_cell, (*levels, measured.range_lu, measured.true_peak_dbtp))]
    if row.gain is not None:
        cells += [f"{row.gain.gain_db:+.1f}", _cell(measured.after(row.gain.gain_db).integrated_lufs)]
    return cells


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
