"""Several files in one call: one that fails does not stop the rest, and none overwrites another's stems."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import separation
from audio_ml.errors import AudioMLError, Cancelled, OutputExists, PartialFailure, WeightsError
from audio_ml.formats import FORMATS
from audio_ml.loader import ModelLoader
from audio_ml.streams import show
from separation import SeparationReport
from ui.console import megabytes, shown_progress


class Batch:
    """Separates file after file with one loader, prints as it goes, and remembers what came of each."""

    def __init__(self, loader: ModelLoader, *, quiet: bool = False, as_json: bool = False) -> None:
        self._loader = loader
        self._silent = quiet or as_json
        self._reports: list[SeparationReport] = []
        self._failures: list[tuple[str, str]] = []
        self._single_error: AudioMLError | None = None

    def separate(
        self, path: Path, out_dir: Path, *, model: str, options: Mapping[str, Any], delivery: Mapping[str, Any]
    ) -> None:
        """Separates one file; raises only what would fail every other file, too."""
        try:
            self._refuse_same_names(path, out_dir, model, options, delivery)
            with shown_progress(show(path.name), self._silent) as progress:
                done = separation.separate_file(
                    path,
                    out_dir,
                    model=model,
                    options=options,
                    delivery=delivery,
                    loader=self._loader,
                    progress=progress,
                )
        except (Cancelled, WeightsError):
            raise
        except AudioMLError as error:
            self._failures.append((os.fspath(path), str(error)))
            self._single_error = type(error)(str(error))  # without its traceback, which holds buffers
            print(f"audio-ml: {error}", file=sys.stderr)
            return
        self._reports.append(done)
        for warning in done.warnings:
            print(f"audio-ml: {warning}", file=sys.stderr)
        if not self._silent:
            _print_summary(done)

    def as_json(self) -> str:
        """Returns every report and failure."""
        outcome = {
            "reports": [done.as_dict() for done in self._reports],
            "failures": [{"source": path, "error": reason} for path, reason in self._failures],
        }
        return json.dumps(outcome, indent=2)

    def raise_failures(self) -> None:
        """Raises the error of a lone file, or `PartialFailure` for some of several."""
        n_files = len(self._reports) + len(self._failures)
        if self._single_error is not None and n_files == 1:
            raise SystemExit(self._single_error.exit_code)  # its message was printed
        if self._failures:
            raise PartialFailure(f"{len(self._failures)} of {n_files} files failed.")

    def _refuse_same_names(
        self, path: Path, out_dir: Path, model: str, options: Mapping[str, Any], delivery: Mapping[str, Any]
    ) -> None:
        """Raises `OutputExists` where an earlier file of this call has written what this one would write."""
        written = {file.path for done in self._reports for file in done.files}
        targets = separation.output_paths(path, out_dir, model=model, options=options, delivery=delivery)
        for target in targets.values():
            if os.fspath(target) in written:
                raise OutputExists(
                    f"{show(target)} was written for an earlier file of this call: separate {show(path)} into "
                    "another folder, or rename it."
                )


def _print_summary(done: SeparationReport) -> None:
    print(f"{show(done.source)}: {done.duration_seconds:.1f} s at {done.times_real_time:.0f} times real time")
    for file in done.files:
        print(f"  {file.stem:<14} {show(file.path)}  ({megabytes(Path(file.path).stat().st_size)})")
    if done.null_depth_db is not None:
        lossy = FORMATS[done.files[0].format].lossy
        written = "before coding" if lossy else f"{done.null_depth_written_db:.1f} as {done.files[0].bit_depth} files"
        print(f"  the stems null against the mixture at {done.null_depth_db:.1f} dBFS ({written})")
