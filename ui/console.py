"""How the command line shows progress and tables: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING

from audio_ml.progress import Progress, ProgressState

if TYPE_CHECKING:
    from rich.progress import Progress as Bars

PLAIN_LINE_SECONDS = 5.0


@contextmanager
def shown_progress(name: str, quiet: bool) -> Iterator[Progress]:
    """Gives a progress that is drawn on standard error while the block runs."""
    with ProgressDisplay(quiet) as display, display.progress(name) as progress:
        yield progress


class ProgressDisplay:
    """Draws whatever is under way on standard error, and how many of `n_items` have ended."""

    def __init__(self, quiet: bool = False, n_items: int | None = None) -> None:
        self._quiet = quiet
        self._n_items = n_items if n_items and n_items > 1 else None
        self._n_ended = 0
        self._bars = _bars() if sys.stderr.isatty() and not quiet else None
        if self._bars and self._n_items:
            self._total = self._bars.add_task(f"0 of {self._n_items} files", total=self._n_items)

    def __enter__(self) -> ProgressDisplay:
        if self._bars:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars:
            self._bars.stop()

    @contextmanager
    def progress(self, name: str) -> Iterator[Progress]:
        """Gives a progress that is drawn while the block runs; any number of threads may have one."""
        if self._quiet:
            yield Progress()
        elif self._bars:
            with _bar(self._bars, name) as progress:
                yield progress
        else:
            yield Progress(_PlainLines(name))

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Makes room for other lines while the block runs."""
        if self._bars:
            self._bars.stop()
        try:
            yield
        finally:
            if self._bars:
                self._bars.start()

    def count_ended(self) -> None:
        """Counts one more item of the total."""
        self._n_ended += 1
        if self._quiet or self._n_items is None:
            return
        total = f"{self._n_ended} of {self._n_items} files"
        if self._bars:
            self._bars.update(self._total, completed=self._n_ended, description=total)
        else:
            print_line(total)


def print_line(text: str) -> None:
    """Prints a line to standard error in one piece, whichever thread comes between."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def _bars() -> Bars:
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars
    from rich.table import Column

    words = Column(ratio=1, no_wrap=True, overflow="ellipsis")  # the rest keeps its width on a narrow terminal
    columns = (
        TextColumn("{task.description}", table_column=words),
        BarColumn(bar_width=20),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    return Bars(*columns, console=Console(stderr=True), transient=True, expand=True, redirect_stdout=False)


@contextmanager
def _bar(bars: Bars, name: str) -> Iterator[Progress]:
    from rich.markup import escape

    task = bars.add_task(escape(name), total=1.0)
    stage = ""

    def draw(state: ProgressState) -> None:
        nonlocal stage
        if state.stage != stage:
            stage = state.stage
            bars.reset(task, description=escape(f"{name}: {stage}"))
        bars.update(task, completed=state.fraction)

    try:
        yield Progress(draw)
    finally:
        bars.remove_task(task)


class _PlainLines:
    """Prints a line when a stage begins and then every few seconds."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._stage = ""
        self._printed = 0.0

    def __call__(self, state: ProgressState) -> None:
        now = time.monotonic()
        if state.stage == self._stage and now - self._printed < PLAIN_LINE_SECONDS:
            return
        left = f", {state.eta_seconds:.0f} s left" if state.eta_seconds and state.fraction > 0 else ""
        done = f" {state.fraction:.0%}{left}" if state.stage == self._stage else ""
        print_line(f"{self._name}: {state.stage}{done}")
        self._stage, self._printed = state.stage, now


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints a table to standard output; only a terminal narrows it."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console() if sys.stdout.isatty() else Console(width=250)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in header:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)


def megabytes(n_bytes: int) -> str:
    """Returns a size as people read it.

    >>> megabytes(78_614_080)
    '79 MB'
    """
    return f"{n_bytes / 1e6:.0f} MB" if n_bytes >= 500_000 else f"{n_bytes / 1e6:.1f} MB"
