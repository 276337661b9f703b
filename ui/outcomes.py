"""What the command line says of a batch: lines per item, a table at the end, and the reports as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from audio_ml.errors import OutputExists, OutputUnwritable
from audio_ml.streams import show
from separation import SeparationReport
from ui.batch import Outcome, Request
from ui.batch_state import BatchState
from ui.console import megabytes, print_line, print_table


def print_outcome(outcome: Outcome, *, quiet: bool) -> None:
    """Prints what came of an item: warnings and errors always, results unless `quiet`."""
    if outcome.error is not None:
        print_line(f"audio-ml: {outcome.error}")
    if outcome.report is None:
        return
    for warning in outcome.report.warnings:
        print_line(f"audio-ml: {warning}")
    if not quiet:
        _print_report(outcome.report)


def _print_report(done: SeparationReport) -> None:
    print(f"{show(done.source)}: {done.duration_seconds:.1f} s at {done.times_real_time:.0f} times real time")
    for file in done.files:
        print(f"  {file.stem:<14} {show(file.path)}  ({megabytes(Path(file.path).stat().st_size)})")
    for sentence in done.summary():
        print(f"  {sentence}")
    sys.stdout.flush()


def print_summary(outcomes: Sequence[Outcome], n_stopped: int) -> None:
    """Prints how many items were done, skipped, failed and stopped, and why those failed."""
    counts = {status: sum(outcome.status == status for outcome in outcomes) for status in ("done", "skipped", "failed")}
    counts |= {"stopped": n_stopped} if n_stopped else {}
    print()
    print_table([status.upper() for status in counts], [[str(count) for count in counts.values()]])
    failed = [(show(outcome.item.source), str(outcome.error)) for outcome in outcomes if outcome.error]
    if failed:
        print()
        print_table(("FAILED", "REASON"), failed)


def as_json(outcomes: Iterable[Outcome], earlier: Mapping[str, Any] | None = None) -> str:
    """Returns every report, the sources that were skipped (with their `earlier` reports), and every failure."""
    outcomes = list(outcomes)
    skipped = [str(outcome.item.source) for outcome in outcomes if outcome.status == "skipped"]
    kept = [report for report in (earlier or {}).get("reports", []) if report["source"] in skipped]
    content = {
        "reports": [*kept, *(outcome.report.as_dict() for outcome in outcomes if outcome.report)],
        "skipped": skipped,
        "failures": [
            {"source": str(outcome.item.source), "error": str(outcome.error)} for outcome in outcomes if outcome.error
        ],
    }
    return json.dumps(content, indent=2)


class ReportFile:
    """The JSON file of all reports; a second run of a batch adds to that of the first, if nobody has changed it.

    Raises:
        OutputExists: when another file of that name is there and the request does not overwrite.
        OutputUnwritable: when there can be no such file.
    """

    def __init__(self, path: Path, *, request: Request, state: BatchState | None) -> None:
        self._path = path
        self._request = request
        self._state = state
        self._earlier: dict[str, Any] = {}
        is_own = state is not None and state.owns_report(path, request.described)
        if path.exists() and not (request.overwrites or is_own):
            raise OutputExists(f"{show(path)} exists already and is kept (--overwrite replaces it).")
        if not path.absolute().parent.is_dir():
            raise OutputUnwritable(f"{show(path)} cannot be written: its folder does not exist.")
        if is_own:
            self._earlier = json.loads(path.read_text(encoding="ascii"))

    def write(self, outcomes: Iterable[Outcome]) -> None:
        """Writes what came of every item."""
        try:
            self._path.write_text(as_json(outcomes, self._earlier) + "\n", encoding="ascii")
        except OSError as error:
            raise OutputUnwritable(f"{show(self._path)} was not written: {error.strerror}.") from error
        if self._state is not None:
            self._state.note_report(self._path, self._request.described)
