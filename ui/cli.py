"""The command line: `audio-ml separate | models | ui`."""

from __future__ import annotations

import io
import signal
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

from audio_ml import catalogue
from audio_ml.device import DeviceOptions
from audio_ml.errors import AudioMLError, Cancelled, OutputExists, OutputUnwritable
from audio_ml.options import Options
from audio_ml.streams import show
from audio_ml.weights import FetchOptions
from separation.options import DEFAULT_MODEL, DeliveryOptions, SeparationOptions
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
    from ui.batch import Batch

    _check_report_path(report, overwrite="overwrite" in delivery)
    separation.check_request(model=model, options=options, delivery=delivery)
    batch = Batch(ModelLoader(device.get("device", "auto"), store_for(fetch)), quiet=quiet, as_json=as_json)
    try:
        for path in files:
            batch.separate(path, out_dir, model=model, options=options, delivery=delivery)
    except KeyboardInterrupt:
        raise Cancelled("Stopped; no unfinished file was kept.") from None
    finally:
        if as_json:
            print(batch.as_json())
        if report is not None:
            _write_report(report, batch.as_json())
    batch.raise_failures()


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


def _check_report_path(path: Path | None, overwrite: bool) -> None:
    if path is not None and path.exists() and not overwrite:
        raise OutputExists(f"{show(path)} exists already and is kept (--overwrite replaces it).")
    if path is not None and not path.absolute().parent.is_dir():
        raise OutputUnwritable(f"{show(path)} cannot be written: its folder does not exist.")


def _write_report(path: Path, text: str) -> None:
    try:
        path.write_text(text + "\n", encoding="ascii")
    except OSError as error:
        raise OutputUnwritable(f"{show(path)} was not written: {error.strerror}.") from error


def _end_on_termination(*_: object) -> None:
    sys.exit(128 + signal.SIGTERM)  # as an exception, so that unfinished files are removed


def main() -> None:
    """Runs the command line; an error of ours is one message and its exit code, any other shows its traceback."""
    signal.signal(signal.SIGTERM, _end_on_termination)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name that cannot be printed is no reason to fail
    try:
        app()
    except AudioMLError as error:
        print(f"audio-ml: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
