"""The command line: `audio-ml separate | models | ui`."""

from __future__ import annotations

import json
import os
import signal
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

from audio_ml import catalogue
from audio_ml.device import DeviceOptions
from audio_ml.errors import AudioMLError, Cancelled, OutputExists, OutputUnwritable, PartialFailure
from audio_ml.options import Options
from audio_ml.streams import show
from audio_ml.weights import FetchOptions
from separation.options import DEFAULT_MODEL, DeliveryOptions, SeparationOptions
from ui.console import megabytes, shown_progress
from ui.flags import takes
from ui.models import app as models_app
from ui.models import store_for

SEPARATION_OPTIONS: list[type[Options]] = [
    SeparationOptions,
    *(spec.options for spec in catalogue.models("separation")),
]

app = typer.Typer(
    help="Takes songs and film sound apart into stems.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(models_app, name="models")


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"audio-ml {version('audio-ml')}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    """Takes songs and film sound apart into stems."""


@app.command()
@takes(
    options=SEPARATION_OPTIONS,
    delivery=[DeliveryOptions],
    device=[DeviceOptions],
    fetch=[FetchOptions],
)
def separate(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Audio or video files.", show_default=False)],
    *,
    model: Annotated[str, typer.Option("-m", "--model", help="See `audio-ml models list`.")] = DEFAULT_MODEL,
    out_dir: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Folder of the stems.")] = Path(
        "stems"
    ),
    report: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a JSON report of every file here.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the reports as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
    options: dict[str, Any],
    delivery: dict[str, Any],
    device: dict[str, Any],
    fetch: dict[str, Any],
) -> None:
    """Take files apart into stems, at their own sample rate and length."""
    import separation
    from audio_ml.loader import ModelLoader

    if report is not None and report.exists() and not delivery.get("overwrite"):
        raise OutputExists(f"{show(report)} exists already and is kept (--overwrite replaces it).")
    if report is not None and not report.absolute().parent.is_dir():
        raise OutputUnwritable(f"{show(report)} cannot be written: its folder does not exist.")
    loader = ModelLoader(device.get("device", "auto"), store_for(fetch))
    reports: list[separation.SeparationReport] = []
    failures: dict[str, AudioMLError] = {}
    for path in files:
        try:
            with shown_progress(show(path), quiet or as_json) as progress:
                done = separation.separate_file(
                    path, out_dir, model=model, options=options, delivery=delivery, loader=loader, progress=progress
                )
        except Cancelled:
            raise
        except AudioMLError as error:
            failures[os.fspath(path)] = error
            if len(files) > 1:
                _complain(error)
            continue
        reports.append(done)
        for warning in done.warnings:
            print(f"audio-ml: {warning}", file=sys.stderr)
        if not (quiet or as_json):
            _print_summary(done)
    outcome = {
        "reports": [done.as_dict() for done in reports],
        "failures": [{"source": path, "error": str(error)} for path, error in failures.items()],
    }
    if as_json:
        print(json.dumps(outcome, indent=2, ensure_ascii=False))
    if report is not None:
        _write_report(report, outcome)
    _raise_for(failures, len(files))


@app.command()
@takes(device=[DeviceOptions], fetch=[FetchOptions])
def ui(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 7860,
    device: dict[str, Any],
    fetch: dict[str, Any],
) -> None:
    """Open the page: drop a file in a browser, listen to its stems."""
    from audio_ml.loader import ModelLoader
    from ui.web.page import launch

    launch(host=host, port=port, loader=ModelLoader(device.get("device", "auto"), store_for(fetch)))


def _print_summary(done: Any) -> None:
    print(f"{show(done.source)}: {done.duration_seconds:.1f} s at {done.times_real_time:.0f} times real time")
    for file in done.files:
        print(f"  {file.stem:<14} {show(file.path)}  ({megabytes(Path(file.path).stat().st_size)})")
    if done.null_depth_db is not None:
        written = f"{done.null_depth_written_db:.1f} as {done.files[0].bit_depth} files"
        print(f"  the stems null against the mixture at {done.null_depth_db:.1f} dBFS ({written})")


def _write_report(path: Path, outcome: dict[str, Any]) -> None:
    try:
        path.write_text(json.dumps(outcome, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputUnwritable(f"{show(path)} was not written: {error.strerror}.") from error


def _raise_for(failures: dict[str, AudioMLError], n_files: int) -> None:
    if n_files == 1 and failures:
        raise next(iter(failures.values()))
    if failures:
        raise PartialFailure(f"{len(failures)} of {n_files} files failed.")


def _complain(error: AudioMLError) -> None:
    print(f"audio-ml: {error}", file=sys.stderr)


def _end_on_termination(*_: object) -> None:
    sys.exit(128 + signal.SIGTERM)  # as an exception, so that unfinished files are removed


def main() -> None:
    """Runs the command line; an error of ours is one message and its exit code, any other shows its traceback."""
    signal.signal(signal.SIGTERM, _end_on_termination)
    try:
        app()
    except AudioMLError as error:
        _complain(error)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
