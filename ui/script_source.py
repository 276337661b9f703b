"""The text that a command speaks: given as it is, read from a file, or from standard input."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from audio_ml.errors import InvalidInput
from audio_ml.streams import show

LARGEST_FILE = 64 << 20  # bytes: more than the longest text in any encoding

Text = Annotated[str | None, typer.Argument(metavar="[TEXT]", show_default=False, help="What to say.")]
Source = Annotated[
    str | None, typer.Option("-f", "--file", metavar="FILE", help="Read the text from a file, - for standard input.")
]


def read_script(text: str | None, file: str | None) -> str:
    """Returns the text from the argument, a file, or standard input."""
    if (text is None) == (file is None):
        if text is None and sys.stdin is not None and not sys.stdin.isatty():
            return _standard_input()
        raise InvalidInput(
            "Give a text, or --file FILE (- for standard input)."
            if text is None
            else "Give a text or --file, not both."
        )
    if text is not None:
        return text
    assert file is not None
    if file == "-":
        return _standard_input()
    try:
        with Path(file).open("rb") as source:
            return _decoded(source.read(LARGEST_FILE + 1), file)
    except OSError as error:
        raise InvalidInput(f"{show(file)} cannot be read: {error.strerror}.") from error


def _standard_input() -> str:
    if sys.stdin is None:  # closed by whoever called
        raise InvalidInput("Standard input is closed. Give a text, or --file FILE.")
    return _decoded(sys.stdin.buffer.read(LARGEST_FILE + 1), "standard input")


def _decoded(content: bytes, name: str) -> str:
    if len(content) > LARGEST_FILE:
        raise InvalidInput(f"{show(name)} is larger than {LARGEST_FILE >> 20} MB: too much to be a text.")
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"{show(name)} is no text in {encoding.removesuffix('-sig').upper()}: byte {error.start} cannot be read. "
            "Save it as UTF-8."
        ) from error


def script_files(text: str | None, file: str | None) -> list[str]:
    """Returns the file that the text is read from, if it is."""
    if text is not None:
        return []
    return ["/dev/stdin" if file in (None, "-") else file]
