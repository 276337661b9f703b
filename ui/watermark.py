"""`audio-ml watermark`: looks for the watermark of cloned speech in files."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from audio_ml.errors import AudioMLError, Cancelled, InvalidInput, PartialFailure
from audio_ml.loader import ModelLoader
from audio_ml.streams import show
from audio_ml.watermark import Detection, detect_file
from audio_ml.weights import WeightStore
from ui.commands import new_app
from ui.console import shown_progress

app = new_app(no_args_is_help=True)


@app.callback()
def _root() -> None:
    """Look for the watermark of cloned speech."""


@app.command()
def detect(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Audio or video files.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="Open no socket; use only what is on this machine.")
    ] = False,
) -> None:
    """Tell which files carry the watermark of cloned speech, and where.

    A file that carries it was made by a machine. One that does not may have been made by one all the same: a
    watermark can be removed.
    """
    loader = ModelLoader("cpu", WeightStore(offline=offline or None))
    found: list[dict[str, Any]] = []
    failures: list[tuple[Path, AudioMLError]] = []
    try:
        for path in files:
            try:
                with shown_progress(show(path.name), quiet or as_json) as progress:
                    detection = detect_file(path, loader, progress)
            except InvalidInput as error:  # of this file alone
                failures.append((path, type(error)(str(error))))  # without its traceback, which holds buffers
                print(f"audio-ml: {error}", file=sys.stderr)
                continue
            found.append({"source": os.fspath(path)} | asdict(detection))
            if not as_json:
                print(f"{show(path)}: {_told(detection)}", flush=True)
    except KeyboardInterrupt:
        raise Cancelled("Stopped.") from None
    finally:
        if as_json:
            failed = [{"source": os.fspath(path), "error": str(error)} for path, error in failures]
            print(json.dumps({"files": found, "failures": failed}, indent=2))
    if failures and len(files) == 1:
        raise SystemExit(failures[0][1].exit_code)  # its message was printed
    if failures:
        raise PartialFailure(f"{len(failures)} of {len(files)} files failed.")


def _told(detection: Detection) -> str:
    """Returns what was found as one line."""
    if not detection.found:
        return f"no watermark found (confidence {detection.confidence:.2f})"
    passages = ", ".join(f"{_clock(p.start_seconds)} to {_clock(p.end_seconds)}" for p in detection.passages)
    return f"watermark found (confidence {detection.confidence:.2f}), {passages}"


def _clock(seconds: float) -> str:
    """Returns a time as people read it.

    >>> _clock(754.26)
    '12:34.3'
    """
    tenths = round(10 * seconds)
    return f"{tenths // 600}:{tenths % 600 / 10:04.1f}"
