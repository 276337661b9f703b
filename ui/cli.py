"""The command line `audio-ml`: its commands are in `commands.py`, one file each."""

from __future__ import annotations

import io
import os
import signal
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from audio_ml.errors import AudioMLError, InvalidOption
from ui import remote
from ui.commands import CommandGroup, new_app

app = new_app(cls=CommandGroup, no_args_is_help=True)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"audio-ml {version('audio-ml')}")
        raise typer.Exit


@app.callback()
def _root(
    ctx: typer.Context,
    server: Annotated[
        str | None,
        typer.Option(
            envvar=remote.SERVER_VARIABLE,
            metavar="URL",
            help="Have a server do the work of separate, speak, clone and convert; models list and ps ask it.",
        ),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help=f"A file with the token for that server; otherwise {remote.TOKEN_VARIABLE} has it."
        ),
    ] = None,
    shared: Annotated[
        bool, typer.Option("--shared", help="The server sees these files at the same places: upload nothing.")
    ] = False,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    """Takes songs and film sound apart into stems, and speaks texts and cue sheets."""
    if server is None and (token_file or shared):
        raise InvalidOption("--token-file and --shared are for a server: name it with --server URL.")
    source = ctx.get_parameter_source("server")
    remote.choose(server, token_file, shared, is_named=source is not None and source.name == "COMMANDLINE")
    if ctx.invoked_subcommand not in remote.COMMANDS:
        remote.refuse_command(str(ctx.invoked_subcommand))


def _end_on_termination(*_: object) -> None:
    sys.exit(128 + signal.SIGTERM)  # as an exception, so that unfinished files are removed


def main() -> None:
    """Runs the command line; an error of ours is one message and its exit code, any other shows its traceback."""
    signal.signal(signal.SIGTERM, _end_on_termination)
    if sys.stderr is None:  # it was closed
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
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
