"""How the command line shows progress and tables: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from audio_ml.progress import Progress, ProgressState

PLAIN_LINE_SECONDS = 5.0


@contextmanager
def shown_progress(name: str, quiet: bool) -> Iterator[Progress]:
    """Gives a progress that is drawn on standard error while the block runs."""
    if quiet:
        yield Progress()
    elif sys.stderr.isatty():
        with _bar(name) as progress:
            yield progress
    else:
        yield Progress(_PlainLines(name))


@contextmanager
def _bar(name: str) -> Iterator[Progress]:
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar
    from rich.table import Column

    words = Column(ratio=1, no_wrap=True, overflow="ellipsis")  # the rest keeps its width on a narrow terminal
    columns = (
        TextColumn("{task.description}", table_column=words),
        BarColumn(bar_width=20),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True, expand=True) as bar:
        task = bar.add_task(escape(name), total=1.0)
        stage = ""

        def draw(state: ProgressState) -> None:
            nonlocal stage
            if state.stage != stage:
                stage = state.stage
                bar.reset(task, description=escape(f"{name}: {stage}"))
            bar.update(task, completed=state.fraction)

        yield Progress(draw)


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
        print(f"{self._name}: {state.stage}{done}", file=sys.stderr, flush=True)
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
