"""`audio-ml separate`: files into stems, one or a whole folder of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from audio_ml import catalogue
from audio_ml import device as devices
from audio_ml.device import DeviceOptions
from audio_ml.options import Options
from audio_ml.weights import FetchOptions
from separation.ensemble import EnsembleOptions
from separation.options import DEFAULT_MODEL, DeliveryOptions, SeparationOptions, SharedOptions
from ui import remote
from ui.commands import new_app
from ui.flags import takes
from ui.models import store_for

if TYPE_CHECKING:
    from audio_ml.loader import ModelLoader
    from ui.batch import SeparateFile

SEPARATION_OPTIONS: list[type[Options]] = [
    SeparationOptions,
    EnsembleOptions,
    SharedOptions,
    *(spec.options for spec in catalogue.models("separation")),
]

app = new_app()


@app.command()
@takes(
    options=SEPARATION_OPTIONS,
    delivery=[DeliveryOptions],
    device=[DeviceOptions],
    fetch=[FetchOptions],
)
def separate(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH...", help="Audio or video files, folders, and globs in quotes.", show_default=False
        ),
    ],
    *,
    model: Annotated[
        str, typer.Option("-m", "--model", help='See `audio-ml models list`; "A + B" hears several together.')
    ] = DEFAULT_MODEL,
    out_dir: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Folder of the stems.")] = Path(
        "stems"
    ),
    jobs: Annotated[int, typer.Option("-j", "--jobs", min=1, max=64, help="How many files at once.")] = 1,
    watch: Annotated[bool, typer.Option("--watch", help="Go on with new files of the folders until Ctrl-C.")] = False,
    report_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a JSON report of every file here.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the reports as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but warnings and errors.")] = False,
    options: dict[str, Any],
    delivery: dict[str, Any],
    device: dict[str, Any],
    fetch: dict[str, Any],
) -> None:
    """Take files apart into stems, at their own sample rate and length.

    Folders are searched for audio and video files, and mirrored in the output folder. Stems that
    batches wrote are no sources, in whatever output folder they lie, unless that folder itself is named.
    Of several files, audio-ml-batch.json in the output folder remembers which are done: run the same
    command again and it does what is missing, changed or failed. With --overwrite it does everything again.
    """
    import separation
    from ui.batch import Request
    from ui.run import separate_paths

    separation.check_request(model=model, options=options, delivery=delivery)
    loader, separate_file = _where(model, device, fetch)
    separate_paths(
        paths,
        out_dir,
        Request(model, options, delivery),
        loader,
        separate_file=separate_file,
        jobs=jobs,
        watch=watch,
        report_file=report_file,
        json_wanted=as_json,
        quiet=quiet,
    )


def _where(model: str, device: dict[str, Any], fetch: dict[str, Any]) -> tuple[ModelLoader | None, SeparateFile | None]:
    """Returns the loader of this machine, or what has a server separate; the other one is None."""
    server = remote.chosen()
    if server is not None:
        from ui.remote_separation import RemoteSeparation, check_model

        remote.refuse_flags((device, DeviceOptions), (fetch, FetchOptions))
        check_model(model)
        return None, RemoteSeparation(server)
    from audio_ml.loader import ModelLoader

    device_name = device.get("device", "auto")
    devices.resolve(device_name)  # a device that is not here would fail every file
    return ModelLoader(device_name, store_for(fetch)), None
