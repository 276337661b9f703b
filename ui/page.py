"""`audio-ml ui`: opens the page, which is a server for its reader alone."""

from __future__ import annotations

import logging
import os
from typing import Annotated, Any

import typer

from audio_ml.device import DeviceOptions
from audio_ml.loader import LoaderOptions
from audio_ml.options import parse
from audio_ml.weights import FetchOptions
from ui.commands import new_app
from ui.flags import takes
from ui.serve import check_memory, check_safety
from ui.server.options import FOLDER_VARIABLE, ServerOptions

app = new_app()
FOLDER = "page"  # beside that of `audio-ml serve`, which may run at the same time


@app.command()
@takes(device=[DeviceOptions], fetch=[FetchOptions], memory=[LoaderOptions])
def ui(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 7860,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Let whoever can reach it use the page, from other machines too.")
    ] = False,
    commercial_only: Annotated[
        bool, typer.Option("--commercial-only", help="Offer only models that may be used commercially.")
    ] = False,
    device: dict[str, Any],
    fetch: dict[str, Any],
    memory: dict[str, Any],
) -> None:
    """Open the page: drop a file in a browser, listen to its stems."""
    folder = "" if os.environ.get(FOLDER_VARIABLE) else str(parse(ServerOptions, None).data_folder.parent / FOLDER)
    options = parse(ServerOptions, {"folder": folder, "insecure": insecure, "log_format": "text"})
    check_safety(host, options)
    check_memory(memory)

    from ui.server.launch import launch

    launch(
        host,
        port,
        options,
        device=device.get("device", "auto"),
        fetch=fetch,
        memory=memory,
        commercial_only=commercial_only,
        log_level=logging.WARNING,
    )
