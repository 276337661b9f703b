"""One run of `audio-ml separate`: a batch with its state file, its progress and its summary on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

from audio_ml.errors import Cancelled, PartialFailure
from audio_ml.loader import ModelLoader
from audio_ml.streams import show
from ui.batch import Batch, Outcome, Request, SeparateFile
from ui.batch_state import BatchState
from ui.console import ProgressDisplay, print_line
from ui.items import Item, check_watchable, find_items, is_batch
from ui.outcomes import ReportFile, Results, as_json, print_outcome, print_summary
from ui.watch import Watch


def separate_paths(
    paths: Sequence[Path],
    out_dir: Path,
    request: Request,
    loader: ModelLoader | None,
    *,
    separate_file: SeparateFile | None = None,
    jobs: int,
    watch: bool,
    report_file: Path | None,
    json_wanted: bool,
    quiet: bool,
) -> None:
    """Separates files, folders and globs, printing as it goes; a lone file is no batch and has no state file.

    Raises:
        PartialFailure: when items failed; the error of a lone file ends the process with its own code.
        Cancelled: when Ctrl-C stopped an item.
    """
    silent = quiet or json_wanted
    if watch:
        check_watchable(paths)
    expected = find_items(paths, out_dir, empty=watch)  # nothing there: told before a folder is made
    report = None
    if report_file is not None:
        report = ReportFile(report_file, request, _files_of(expected, request))
    with ExitStack() as stack:
        state = stack.enter_context(BatchState(out_dir)) if is_batch(paths) else None
        if report is not None:
            report.go_on_from(state)
        is_output = state.is_output if state else lambda _: False
        look = partial(find_items, paths, out_dir, is_output=is_output, warn=_once(print_line))
        found = None if watch else look()
        display = ProgressDisplay(silent, n_items=len(found) if found else None)
        batch = Batch(
            request,
            loader,
            separate_file=separate_file,
            jobs=jobs,
            state=state,
            progress=lambda item: display.progress(show(item.name)),
        )
        try:
            _run(batch, _watched(look, silent) if found is None else found, display, silent)
        except KeyboardInterrupt:
            if batch.stopped or not watch:  # of a watch that has nothing to do, Ctrl-C is the end
                raise Cancelled("Stopped; no unfinished file was kept.") from None
        finally:
            _tell(
                _results(batch, found or []), report, json_wanted=json_wanted, summary_wanted=bool(state) and not silent
            )
        _raise_failures(batch.outcomes, is_lone=state is None)


def _files_of(items: Iterable[Item], request: Request) -> Iterator[Path]:
    for item in items:
        yield from (item.source, *request.targets(item))


def _results(batch: Batch, found: Iterable[Item]) -> Results:
    begun = {*(outcome.item for outcome in batch.outcomes), *batch.stopped}
    return Results(batch.outcomes, batch.stopped, [item for item in found if item not in begun])


def _tell(results: Results, report: ReportFile | None, *, json_wanted: bool, summary_wanted: bool) -> None:
    if json_wanted:
        print(as_json(results))
    if summary_wanted:
        print_summary(results)
    if report is not None:
        report.write(results)


def _once(say: Callable[[str], None]) -> Callable[[str], None]:
    """Returns a function that says a warning the first time only: a watch comes upon the same again and again."""
    said: set[str] = set()

    def warn(text: str) -> None:
        if text not in said:
            said.add(text)
            say(f"audio-ml: {text}")

    return warn


def _watched(look: Callable[..., list[Item]], silent: bool) -> Watch:
    if not silent:
        print_line("Looking for new files until Ctrl-C.")
    return Watch(partial(look, empty=True), warn=lambda trouble: print_line(f"audio-ml: {trouble}"))


def _run(batch: Batch, items: Iterable[Item | None], display: ProgressDisplay, silent: bool) -> None:
    with display, closing(batch.run(items)) as outcomes:
        for outcome in outcomes:
            with display.paused():
                print_outcome(outcome, quiet=silent)
            display.count_ended()


def _raise_failures(outcomes: Sequence[Outcome], *, is_lone: bool) -> None:
    failed = [outcome.error for outcome in outcomes if outcome.error is not None]
    if failed and is_lone:
        raise SystemExit(failed[0].exit_code)  # its message was printed
    if failed:
        raise PartialFailure(f"{len(failed)} of {len(outcomes)} files failed.")
