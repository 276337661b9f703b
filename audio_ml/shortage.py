"""What to tell a user whose memory does not hold a model: the numbers, and what would fit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from audio_ml import catalogue
from audio_ml import device as devices
from audio_ml.budget import BUDGET_VARIABLE, show_size
from audio_ml.catalogue import ModelSpec
from audio_ml.device import Kind
from audio_ml.errors import OutOfMemory
from audio_ml.footprints import Footprint, Footprints
from audio_ml.residency import Resident, total_bytes


class Advised(OutOfMemory):
    """An `OutOfMemory` that tells the numbers and what would fit."""


def names(specs: Iterable[ModelSpec]) -> str:
    """Returns the names of models as a part of a sentence, each once."""
    return " and ".join(dict.fromkeys(spec.name for spec in specs))


def smaller_models(spec: ModelSpec, kind: Kind, most: int | None, footprints: Footprints) -> str:
    """Returns a sentence on the models with the same outputs that need less memory, and not more than `most`.

    Which is the smaller one is a matter of their rows: these figures hold what the work takes, too.
    """
    fit = [
        other
        for other in catalogue.models(spec.task)
        if other.memory_bytes < spec.memory_bytes
        and (most is None or footprints.of(other, kind).n_bytes <= most)
        and set(other.outputs) >= set(spec.outputs)
    ]
    largest = sorted(fit, key=lambda other: -other.memory_bytes)[:3]
    named = ", ".join(f"{other.name} ({_told(footprints.of(other, kind))})" for other in largest)
    return f"Smaller models that would fit: {named}." if named else "There is no smaller model that would fit."


def refusal(wanted: Sequence[Resident], limit: int, n_pinned: int, is_budget: bool, advice: str) -> Advised:
    """Returns the error for models that can never be in memory together."""
    place = f"the memory budget is {show_size(limit)}" if is_budget else f"only {show_size(limit)} are free"
    pinned = f", and pinned models take {show_size(n_pinned)} of it" if n_pinned else ""
    raising = f" {BUDGET_VARIABLE} sets the budget." if is_budget else ""
    return Advised(f"{_need(wanted)}, but {place}{pinned}. {advice}{raising}")


def exhaustion(residents: Sequence[Resident], error: Exception, advice: str) -> Advised:
    """Returns the error for models that were loaded, or nearly so, when `error` told that memory ran out."""
    kind = residents[0].kind
    free = devices.free_bytes(kind)
    left = "" if free is None else f" ({show_size(free)} are free now)"
    said = f"{error} " if isinstance(error, OutOfMemory) else ""  # of an engine, that knows what was too large
    place = f"the {devices.IN_WORDS[kind]} ran out of memory{left}"
    return Advised(f"{said}{_need(residents)} and room to work in, and {place}. {advice}")


def _told(footprint: Footprint) -> str:
    return f"{'' if footprint.measured else 'about '}{show_size(footprint.n_bytes)}"


def _need(residents: Sequence[Resident]) -> str:
    told = "" if all(resident.footprint.measured for resident in residents) else "about "
    verb = "needs" if len({resident.key for resident in residents}) == 1 else "need"
    return f"{names(resident.spec for resident in residents)} {verb} {told}{show_size(total_bytes(residents))}"
