"""`audio-ml evaluate`: what models are worth, in numbers; each command is imported when it is called."""

from __future__ import annotations

from typing import ClassVar

from ui.commands import CommandGroup, new_app


class Evaluations(CommandGroup):
    """The group of the commands that measure."""

    known: ClassVar[dict[str, tuple[str, str]]] = {
        "speech": (
            "ui.evaluate_speech",
            "Let a voice speak a set of sentences, and count what a judge hears otherwise.",
        ),
        "clone": ("ui.evaluate_clone", "Clone people, and judge how alike, how well understood and clean it is."),
        "separation": ("ui.evaluate_separation", "Measure stems against the true ones: SDR, SI-SDR, SIR, SAR."),
        "model": ("ui.evaluate_model", "Separate songs whose true stems are known, and measure what comes."),
    }


app = new_app(cls=Evaluations, help="Measure what models are worth.", no_args_is_help=True)


@app.callback()
def _root() -> None:
    """Measure what models are worth."""
