"""`audio-ml serve`: offers the models of this machine to clients."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from audio_ml import catalogue
from audio_ml.budget import read_size
from audio_ml.device import DeviceOptions
from audio_ml.errors import InvalidInput
from audio_ml.loader import LoaderOptions
from audio_ml.options import parse
from audio_ml.streams import show
from audio_ml.weights import FetchOptions
from ui.commands import new_app
from ui.console import print_line
from ui.flags import takes
from ui.server.options import ServerOptions

app = new_app()


@app.command()
@takes(server=[ServerOptions], device=[DeviceOptions], fetch=[FetchOptions], memory=[LoaderOptions])
def serve(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8600,
    server: dict[str, Any],
    device: dict[str, Any],
    fetch: dict[str, Any],
    memory: dict[str, Any],
) -> None:
    """Offer the models of this machine to clients: jobs, voices, and speech as OpenAI's clients ask for it."""
    options = parse(ServerOptions, server)
    check_safety(host, options)
    check_memory(memory)

    from ui.server.launch import launch

    launch(host, port, options, device=device.get("device", "auto"), fetch=fetch, memory=memory)


def check_memory(memory: dict[str, Any]) -> None:
    """Raises `InvalidInput` for options of loaders that no loader could follow."""
    options = parse(LoaderOptions, memory)
    for name in options.pinned:
        catalogue.find_row(name)
    if options.memory_budget:
        read_size(options.memory_budget)


def check_safety(host: str, options: ServerOptions) -> None:
    """Checks, before anything is loaded, that a server could be let loose.

    Raises:
        InvalidInput: when others could use it without a token, or a file, folder or host that is named is not right.
    """
    from ui.server.connections import check_certificate
    from ui.server.hosts import Hosts
    from ui.server.origins import is_loopback
    from ui.server.tokens import Tokens

    if not is_loopback(host):
        if not options.tokens and not options.insecure:
            raise InvalidInput(
                f"Other machines can reach a server on {show(host)}: name a file of --tokens, or let all of them use "
                "it with --insecure."
            )
        if not options.certificate:
            print_line(
                f"audio-ml: what goes to {show(host)} can be read on its way, tokens too, without --certificate."
            )
    if options.tokens:
        Tokens(Path(options.tokens), options)
    check_certificate(options)
    Hosts([*options.fetch_hosts, *options.webhook_hosts])
    for root in options.roots:
        if not Path(root).expanduser().is_dir():
            raise InvalidInput(f"The --root {show(root)} is no folder.")
