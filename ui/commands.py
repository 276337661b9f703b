"""The commands by name; each is imported when it is called, so that one does not wait for the flags of the others."""

from __future__ import annotations

import importlib
from typing import Any, ClassVar

import typer
from typer.core import TyperGroup

COMMANDS = {
    "separate": ("ui.separate", "Take files apart into stems, at their own sample rate and length."),
    "speak": ("ui.speak", "Speak a text, with the times of its words."),
    "voices": ("ui.voices", "List the voices, hear them, and enrol voices of people who agree."),
    "clone": ("ui.clone", "Speak a text with a cloned voice."),
    "convert": ("ui.convert", "Lend a cloned voice to recorded speech: the same words at the same times."),
    "cues": ("ui.cues", "Speak a cue sheet: every line into its slot, ready for the session."),
    "watermark": ("ui.watermark", "Look for the watermark of cloned speech."),
    "loudness": ("ui.loudness", "Measure loudness and true peak (EBU R 128), and bring files to a target."),
    "evaluate": ("ui.evaluate", "Measure what models are worth."),
    "models": ("ui.models", "List, fetch, check and move models."),
    "serve": ("ui.serve", "Offer the models of this machine to clients over HTTP."),
    "ui": ("ui.page", "Open the page: drop a file in a browser, listen to its stems."),
}


def new_app(**settings: Any) -> typer.Typer:
    """Returns the Typer app of a command, set up as all of them are."""
    return typer.Typer(
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
        **settings,
    )


class CommandGroup(TyperGroup):
    """A group whose commands are `known` by module and a line of help: those of `audio-ml` itself, or of a command."""

    known: ClassVar[dict[str, tuple[str, str]]] = COMMANDS

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = dict.fromkeys(self.known, typer.core.TyperCommand("x"))  # their names, for hints

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.known)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in self.known:
            return None
        module, _ = self.known[cmd_name]
        return typer.main.get_command(importlib.import_module(module).app)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, told) for name, (_, told) in self.known.items()])
