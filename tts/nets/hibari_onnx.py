"""Cuts hibari's network where it has decided how long each symbol lasts, so that durations can be changed in between.

`build_prosody` keeps the first half, from symbols to durations; `build_acoustics` the second, from durations to the
parts of a spectrum. Run one after the other they compute what the whole network does.
"""

from __future__ import annotations

from pathlib import Path

HIDDEN = "/Transpose_55_output_0"  # what the first half hands on beside the durations
PREDICTED = "/Div_40_output_0"  # durations [symbols] before they are rounded, in units of two frames
ROUNDED = "/Clip_output_0"
PARTS = ("lh", "theta", "ln", "lr", "phi", "f0")


def build_prosody(output: Path, model: Path) -> None:
    """Writes the half that takes `ids` and `speed` and gives `HIDDEN` and `PREDICTED`."""
    _extract(model, output, ["ids", "speed"], [HIDDEN, PREDICTED])


def build_acoustics(output: Path, model: Path) -> None:
    """Writes the half that takes `ids`, `HIDDEN` and `ROUNDED` and gives the `PARTS`."""
    _extract(model, output, ["ids", HIDDEN, ROUNDED], list(PARTS))


def _extract(model: Path, output: Path, inputs: list[str], outputs: list[str]) -> None:
    import onnx
    from onnx.utils import Extractor

    onnx.save(Extractor(onnx.load(str(model))).extract_model(inputs, outputs), str(output))
