"""The next smaller way to separate when memory ran out, for one model or an ensemble."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from audio_ml.catalogue import ModelSpec
from audio_ml.errors import InvalidOption
from separation.ensemble import EnsembleOptions, check_members, member_options
from separation.options import SeparationOptions


def find_lighter(
    spec: ModelSpec, engines: Sequence[Any], options: SeparationOptions
) -> tuple[str, SeparationOptions] | None:
    """Returns the first step that an engine of the row's parts offers, as a phrase and options of the row, or None."""
    for part, engine in zip(spec.parts, engines, strict=True):
        own = member_options(part, options) if isinstance(options, EnsembleOptions) else options
        step = engine.lighter(own) if hasattr(engine, "lighter") else None
        if step is None:
            continue
        phrase, lighter = step
        if lighter is not None and own is not options:
            lighter = _of_ensemble(spec, options, own, lighter)
        if lighter is not None:
            return phrase, lighter
    return None


def _of_ensemble(
    spec: ModelSpec, options: SeparationOptions, own: SeparationOptions, lighter: SeparationOptions
) -> SeparationOptions | None:
    """Returns the ensemble's options with what a member changed in its own; None where another member refuses that."""
    changed = {name: value for name, value in lighter if getattr(own, name) != value}
    candidate = options.model_copy(update=changed)
    try:
        check_members(spec, candidate)
    except InvalidOption:
        return None
    return candidate
