"""Draws what there is to see of a cloned voice: its reference beside what it says, as sound, as numbers, on a map."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from voiceclone.mel import RANGE_DB, MelSpectrogram
from voiceclone.view import HeatMap, Kind, Place, VoiceMap, VoiceView

WIDTH_INCHES, MEL_INCHES, MAP_INCHES, DOTS_PER_INCH = 12.0, 2.2, 5.0, 110
TICKS_HZ = {200: "200", 500: "500", 1000: "1k", 2000: "2k", 4000: "4k", 8000: "8k"}
GROUP_COLOURS = {"female": "#d98880", "male": "#7fb3d5", "": "#b2b2b2"}
MARKS: Mapping[Kind, tuple[str, str, float, str]] = {  # marker, colour, size, name in the legend
    "enrolled": ("s", "#7d6608", 42, "enrolled voices"),
    "this voice": ("*", "#1d8348", 260, "this voice"),
    "result": ("X", "#6c3483", 110, "what it said"),
}
NAMED = 14  # built-in voices that are named at the most, the nearest first
MARGIN, MAP_ASPECT = 1.2, 1.7  # times what the voices take; width to height at the least
ROOM = 0.03  # of a map, that a name takes from top to bottom


def draw_voice(view: VoiceView, path: Path) -> None:
    """Writes a PNG file with the mel spectrograms and heat maps of reference and result, and the map of voices."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure  # without pyplot, which keeps figures and settings for the whole process

    sounds = [("reference", view.reference_mel, view.reference_heat)]
    if view.result_mel is not None and view.result_heat is not None:
        sounds.append(("what it said", view.result_mel, view.result_heat))
    above = MEL_INCHES * len(sounds)
    figure = Figure(figsize=(WIDTH_INCHES, above + MAP_INCHES), dpi=DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(figure)
    halves: Any = figure.subfigures(2, 1, height_ratios=(above, MAP_INCHES))
    upper, lower = halves
    rows = upper.subplots(len(sounds), 2, squeeze=False, width_ratios=(4.4, 1))
    longest = max(mel.seconds for _, mel, _ in sounds)
    brightest = max(float(heat.values.max()) for _, _, heat in sounds)
    for (axes, beside), (name, mel, heat) in zip(rows, sounds, strict=True):
        levels = _draw_mel(axes, mel, f"{view.name}: {name}", longest)
        numbers = _draw_heat(beside, heat, "its embedding (GE2E)", brightest)
    rows[-1, 0].set_xlabel("seconds")
    upper.colorbar(levels, ax=rows[:, 0], label="dB below the loudest", pad=0.01)
    upper.colorbar(numbers, ax=rows[:, 1], pad=0.02, shrink=0.9)
    if view.likenesses:
        places, words = lower.subplots(1, 2, width_ratios=(2.4, 1))
        _write_likenesses(words, view.likenesses)
    else:
        places = lower.subplots()
    _draw_map(places, view.map)
    figure.savefig(path, format="png")


def _draw_mel(axes: Any, mel: MelSpectrogram, title: str, longest_seconds: float) -> Any:
    bands = np.arange(len(mel.centres_hz))
    image = axes.imshow(
        mel.levels_db,
        origin="lower",
        aspect="auto",
        cmap="magma",
        vmin=-RANGE_DB,
        vmax=0,
        extent=(0, mel.seconds, -0.5, len(bands) - 0.5),
        interpolation="nearest",
    )
    axes.set(xlim=(0, longest_seconds), ylabel="Hz", facecolor="#f4f4f4")
    axes.set_title(title, loc="left", fontsize=10)
    axes.set_yticks(np.interp(list(TICKS_HZ), mel.centres_hz, bands), list(TICKS_HZ.values()))
    return image


def _draw_heat(axes: Any, heat: HeatMap, title: str, brightest: float) -> Any:
    axes.set_title(title, fontsize=9)
    axes.set(xticks=[], yticks=[])
    return axes.imshow(heat.values, cmap="viridis", vmin=0, vmax=brightest, interpolation="nearest")


def _draw_map(axes: Any, voices: VoiceMap) -> None:
    built_in = [place for place in voices.places if place.kind == "built-in"]
    for group, colour in GROUP_COLOURS.items():
        members = [place for place in built_in if place.group == group]
        if members:
            label = f"built-in voices, {group}" if group else "built-in voices"
            where = [place.x for place in members], [place.y for place in members]
            axes.scatter(*where, s=26, color=colour, label=label, linewidths=0)
    for place in _named(voices):
        axes.annotate(
            _bare(place.name), (place.x, place.y), (3, 3), textcoords="offset points", fontsize=7, color="#555"
        )
    for kind, (marker, colour, size, label) in MARKS.items():
        members = [place for place in voices.places if place.kind == kind]
        if members:
            where = [place.x for place in members], [place.y for place in members]
            axes.scatter(*where, s=size, marker=marker, color=colour, label=label, edgecolors="white", zorder=3)
        if kind == "enrolled":
            for place in members:
                axes.annotate(
                    place.name, (place.x, place.y), (5, 4), textcoords="offset points", fontsize=8, color=colour
                )
    axes.set_title("voices, where they differ most", loc="left", fontsize=10)
    axes.set(xlabel=voices.label(0), ylabel=voices.label(1))
    x, y = (np.array([getattr(place, axis) for place in voices.places]) for axis in "xy")
    half = MARGIN * max(float(np.ptp(y)), float(np.ptp(x)) / MAP_ASPECT, 1e-6) / 2
    axes.set_ylim((y.min() + y.max()) / 2 - half, (y.min() + y.max()) / 2 + half)
    axes.grid(True, color="#eeeeee")
    axes.set_axisbelow(True)
    axes.set_aspect("equal", adjustable="datalim")
    axes.legend(fontsize=8, loc="best", framealpha=0.9)


def _named(voices: VoiceMap) -> list[Place]:
    """Returns the built-in voices that get their names: all of a few, or those nearest to this one, with room."""
    named = [place for place in voices.places if place.kind == "built-in"]
    here = next((place for place in voices.places if place.kind == "this voice"), None)
    if len(named) > NAMED and here is not None:
        named.sort(key=lambda place: math.hypot(place.x - here.x, place.y - here.y))
    room = ROOM * max(float(np.ptp([place.x for place in named])), float(np.ptp([place.y for place in named])), 1e-9)
    taken = [place for place in voices.places if place.kind != "built-in"]
    written: list[Place] = []
    for place in named:
        near = (other for other in [*taken, *written] if abs(place.y - other.y) < room)
        if len(written) < NAMED and all(abs(place.x - other.x) > 5 * room for other in near):
            written.append(place)
    return written


def _bare(name: str) -> str:
    return name.rsplit("/", 1)[-1]


def _write_likenesses(axes: Any, likenesses: Mapping[str, Mapping[str, Any]]) -> None:
    axes.axis("off")
    axes.set_title("how alike", loc="left", fontsize=10)
    lines: list[str] = []
    for name, likeness in likenesses.items():
        score = likeness.get("score")
        lines += textwrap.wrap(name if score is None else f"{name}: {score:.2f}", 36)
        lines += textwrap.wrap(str(likeness.get("meaning", "")), 34, initial_indent="   ", subsequent_indent="   ")
        lines.append("")
    axes.text(0, 0.97, "\n".join(lines), va="top", fontsize=9, transform=axes.transAxes, linespacing=1.4)
