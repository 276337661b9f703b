"""What the command line says of a batch: lines per item, a table at the end, and the reports as JSON."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audio_ml.errors import InvalidInput, OutputExists, OutputUnwritable
from audio_ml.journal import replace_text
from audio_ml.streams import show
from audio_ml.writer import check_target
from separation import SeparationReport
from ui.batch import Outcome, Request
from ui.batch_state import JOURNAL_NAME, LOCK_NAME, STATE_NAME, BatchState, Stamp
from ui.console import megabytes, print_line, print_table
from ui.items import Item


@dataclass(frozen=True)
class Results:
    """What came of a run: outcomes, the items that were stopped, and those that it did not come to."""

    outcomes: Sequence[Outcome]
    stopped: Sequence[Item] = ()
    not_begun: Sequence[Item] = ()


def print_outcome(outcome: Outcome, *, quiet: bool) -> None:
    """Prints what came of an item: warnings and errors always, results unless `quiet`."""
    if outcome.trace is not None:
        print_line(outcome.trace.rstrip())
    if outcome.error is not None:
        print_line(f"audio-ml: {outcome.error}")
    if outcome.report is None:
        return
    for warning in outcome.report.warnings:
        print_line(f"audio-ml: {warning}")
    if not quiet:
        _print_report(outcome.report)


def _print_report(done: SeparationReport) -> None:
    print(f"{show(done.source)}: {done.duration_seconds:.1f} s at {_pace(done.times_real_time)}")
    for file in done.files:
        stamp = Stamp.of(file.path)  # None, when it was fetched already
        print(f"  {file.stem:<14} {show(file.path)}" + (f"  ({megabytes(stamp.size)})" if stamp else ""))
    for sentence in done.summary():
        print(f"  {sentence}")
    sys.stdout.flush()


def _pace(times: float) -> str:
    """Returns how fast the work was, with a decimal where it matters.

    >>> _pace(28.4), _pace(0.81)
    ('28 times real time', '0.8 times real time')
    """
    return f"{times:.0f} times real time" if times >= 10 else f"{times:.1f} times real time"


def print_summary(results: Results) -> None:
    """Prints how many items were done, skipped, failed, stopped and not begun, and why those failed."""
    statuses = [outcome.status for outcome in results.outcomes]
    counts = {"DONE": statuses.count("done"), "SKIPPED": statuses.count("skipped"), "FAILED": statuses.count("failed")}
    others = {"STOPPED": len(results.stopped), "NOT BEGUN": len(results.not_begun)}
    counts |= {title: count for title, count in others.items() if count}
    print()
    print_table(list(counts), [[str(count) for count in counts.values()]])
    failed = [(show(outcome.item.source), str(outcome.error)) for outcome in results.outcomes if outcome.error]
    if failed:
        print()
        print_table(("FAILED", "REASON"), failed)


def as_json(results: Results, earlier: Mapping[str, Any] | None = None) -> str:
    """Returns every report and every failure, and the sources that were skipped, stopped and not begun.

    Of the `earlier` reports those stay whose sources were not done anew, and of the earlier failures those
    whose sources were not tried. Paths are absolute, so that runs from different folders can be told together.
    """
    outcomes, earlier = results.outcomes, earlier or {}
    done = {_real(outcome.item.source) for outcome in outcomes if outcome.report}
    tried = {_real(outcome.item.source) for outcome in outcomes}
    content = {
        "reports": [
            *(report for report in earlier.get("reports", []) if _real(report["source"]) not in done),
            *(_absolute(outcome.report) for outcome in outcomes if outcome.report),
        ],
        "skipped": [_full(outcome.item.source) for outcome in outcomes if outcome.status == "skipped"],
        "failures": [
            *(failure for failure in earlier.get("failures", []) if _real(failure["source"]) not in tried),
            *(
                {"source": _full(outcome.item.source), "error": str(outcome.error)}
                for outcome in outcomes
                if outcome.error
            ),
        ],
        "stopped": [_full(item.source) for item in results.stopped],
        "not_begun": [_full(item.source) for item in results.not_begun],
    }
    return json.dumps(content, indent=2)


class ReportFile:
    """The JSON file of all reports; a second run of a batch adds to that of the first, if nobody has changed it.

    Raises:
        OutputExists: when it would replace a file that is `taken`: a source or a stem of the call, or a batch's state.
        OutputUnwritable: when there can be no such file.
    """

    def __init__(self, path: Path, request: Request, taken: Iterable[Path]) -> None:
        self._path = Path(os.path.realpath(path))  # a link stays one
        self._request = request
        self._state: BatchState | None = None
        self._earlier: dict[str, Any] = {}
        check_target(self._path, overwrite=True)
        self._check_free(taken)
        if not self._path.parent.is_dir():
            raise OutputUnwritable(f"{show(path)} cannot be written: its folder does not exist.")
        if self._path.exists() and not self._path.is_file():
            raise OutputUnwritable(f"{show(path)} cannot be written: it is there and is no file.")

    def go_on_from(self, state: BatchState | None) -> None:
        """Takes up what the file tells of earlier runs.

        Raises:
            OutputExists: when the file is not that of an earlier run and the request does not overwrite.
            InvalidInput: when it is damaged.
        """
        self._state = state
        is_own = state is not None and state.owns_report(self._path, self._request.described)
        if self._path.exists() and not (self._request.overwrites or is_own):
            raise OutputExists(f"{show(self._path)} exists already and is kept (--overwrite replaces it).")
        if state is not None and state.is_output(self._path):
            raise OutputExists(f"{show(self._path)} is a stem: give the report another name.")
        if is_own:
            try:
                self._earlier = json.loads(self._path.read_text(encoding="ascii"))
            except ValueError as error:
                raise InvalidInput(f"{show(self._path)} is damaged: remove it, or name another report.") from error

    def write(self, results: Results) -> None:
        """Writes what came of every item.

        Raises:
            OutputError: when it cannot be written, or a source or a stem has come under its name.
        """
        for outcome in results.outcomes:
            self._check_free([outcome.item.source, *self._request.targets(outcome.item)])
        replace_text(self._path, as_json(results, self._earlier) + "\n")
        if self._state is not None:
            self._state.note_report(self._path, self._request.described)

    def _check_free(self, taken: Iterable[Path]) -> None:
        is_of_a_batch = self._path.name in (STATE_NAME, LOCK_NAME, JOURNAL_NAME)
        if is_of_a_batch or any(self._is_same(path) for path in taken):
            raise OutputExists(f"{show(self._path)} is a file of this very call: give the report another name.")

    def _is_same(self, path: Path) -> bool:
        if path.name.lower() == self._path.name.lower() and _real(path) == _real(self._path):
            return True
        try:
            return self._path.samefile(path)  # by a link, or in other letters
        except OSError:  # one of them is not there
            return False


def _absolute(report: SeparationReport) -> dict[str, Any]:
    files = [file | {"path": _full(file["path"])} for file in report.as_dict()["files"]]
    return report.as_dict() | {"source": _full(report.source), "files": files}


def _full(path: str | os.PathLike[str]) -> str:
    return os.path.normpath(Path(path).absolute())


def _real(path: str | os.PathLike[str]) -> str:
    return os.path.normcase(os.path.realpath(path))
