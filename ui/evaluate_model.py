"""`audio-ml evaluate model`: a model's stems of songs whose true stems are known, in numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from audio_ml.device import DeviceOptions
from audio_ml.weights import FetchOptions
from separation.options import DEFAULT_MODEL
from ui.commands import new_app
from ui.console import shown_progress
from ui.evaluate_separation import tell
from ui.flags import takes
from ui.models import store_for
from ui.report_files import AsJson, Overwrite, Quiet, check_report
from ui.separate import SEPARATION_OPTIONS

app = new_app()


@app.command()
@takes(options=SEPARATION_OPTIONS, device=[DeviceOptions], fetch=[FetchOptions])
def model(
    *,
    model: Annotated[str, typer.Option("-m", "--model", help="See `audio-ml models list`.")] = DEFAULT_MODEL,
    dataset: Annotated[
        Path,
        typer.Option(metavar="DIR", help="Songs with their true stems: TRACK/mixture.wav, TRACK/vocals.wav and so on."),
    ],
    report_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a JSON report of every track and second here.")
    ] = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    options: dict[str, Any],
    device: dict[str, Any],
    fetch: dict[str, Any],
) -> None:
    """Separate songs whose true stems are known, and measure what comes, as `audio-ml evaluate separation` does.

    Measured are the stems that a song and the model have in common, and the accompaniment: the mixture minus the
    vocals, on either side, where there is no such stem. What the model takes out of the song's "other", such as a
    bass, is counted to it.
    """
    from audio_ml.loader import ModelLoader
    from separation.evaluation import evaluate_model

    check_report(report_file, overwrite)
    loader = ModelLoader(device.get("device", "auto"), store_for(fetch))
    with shown_progress(model, quiet or as_json) as progress:
        found = evaluate_model(dataset, model=model, options=options, loader=loader, progress=progress)
    tell(found, report_file, as_json=as_json, quiet=quiet)
