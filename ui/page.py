"""`audio-ml ui`: opens the page."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from audio_ml import catalogue
from audio_ml.catalogue import ModelSpec
from audio_ml.device import DeviceOptions
from audio_ml.loader import LoaderOptions, ModelLoader
from audio_ml.weights import FetchOptions
from ui.commands import new_app
from ui.flags import takes
from ui.models import store_for

app = new_app()


@app.command()
@takes(device=[DeviceOptions], fetch=[FetchOptions], memory=[LoaderOptions])
def ui(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 7860,
    commercial_only: Annotated[
        bool, typer.Option("--commercial-only", help="Offer only models that may be used commercially.")
    ] = False,
    device: dict[str, Any],
    fetch: dict[str, Any],
    memory: dict[str, Any],
) -> None:
    """Open the page: drop a file in a browser, listen to its stems."""
    rows = [catalogue.find_row(name) for name in memory.pop("pinned", ())]
    pinned = [part.name for row in rows for part in (row.parts if isinstance(row, ModelSpec) else (row,))]
    loader = ModelLoader(device.get("device", "auto"), store_for(fetch), pinned=pinned, **memory)
    _ = loader.memory_budget  # one that is no size is told before the page is built

    from ui.web.page import launch

    launch(host=host, port=port, loader=loader, commercial_only=commercial_only)
