"""What is delivered: stems as they are, sums of them, louder or quieter, as one matrix over the model's stems."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from audio_ml.audio import Samples
from audio_ml.catalogue import ModelSpec
from audio_ml.errors import InvalidOption, did_you_mean
from separation.options import RESIDUAL, SeparationOptions

MAX_GAIN_DB = 24.0


@dataclass(frozen=True, eq=False)
class Recipe:
    """The `outputs` as sums of `sources` (stems of the model, and the residual), by `weights` [outputs, sources].

    `complete` says that the outputs hold every stem once. Then `remainder` is the output that may be
    computed as the mixture minus the others, if the residual policy has one.
    """

    outputs: tuple[str, ...]
    sources: tuple[str, ...]
    weights: Samples
    complete: bool
    remainder: int | None

    def apply(self, stems: Samples) -> Samples:
        """Returns the outputs [outputs, channels, n] of stems [sources, channels, n]."""
        if np.array_equal(self.weights, np.eye(len(self.sources))):
            return stems
        mixed: Samples = np.tensordot(self.weights, stems, axes=1)
        return mixed


def remainder_stem(spec: ModelSpec, options: SeparationOptions) -> str | None:
    """Returns the stem that is the mixture minus all others under the options' policy, if one is.

    Raises:
        InvalidOption: when the policy names a stem that the model has not.
    """
    policy = options.residual_policy
    if policy.kind == "into":
        _check_stem(policy.stem, spec.outputs, spec.name)
        return policy.stem
    if policy.kind == "file":
        return RESIDUAL
    return spec.outputs[-1] if policy.kind == "project" and len(spec.outputs) > 1 else None


def find_recipe(spec: ModelSpec, options: SeparationOptions) -> Recipe:
    """Returns what the options ask for.

    Raises:
        InvalidOption: for a stem that the model has not, a malformed mix or gain, or a name that comes twice.
    """
    target = remainder_stem(spec, options)
    columns = (*spec.outputs, RESIDUAL) if target == RESIDUAL else spec.outputs
    rows = {name: weights * _gains(options.gain, columns, spec.name) for name, weights in _rows(spec, columns, options)}
    weights = np.stack(list(rows.values()))
    used = np.atleast_1d(weights.any(axis=0))
    complete = bool(np.all(weights.sum(axis=0) == 1))
    holder = [index for index, row in enumerate(weights) if complete and target and row[columns.index(target)] == 1]
    return Recipe(
        outputs=tuple(rows),
        sources=tuple(name for name, is_used in zip(columns, used, strict=True) if is_used) or columns[:1],
        weights=weights[:, used] if used.any() else weights[:, :1],
        complete=complete,
        remainder=holder[0] if holder else None,
    )


def _rows(spec: ModelSpec, columns: Sequence[str], options: SeparationOptions) -> list[tuple[str, Samples]]:
    """Returns the name and the weights [columns] of each output, without gains."""
    alone = {
        name: np.array([name == column for column in columns], np.float32) for column in columns for name in (column,)
    }
    for stem in (*options.stems, *([options.two_stems] if options.two_stems else [])):
        _check_stem(stem, columns, spec.name)
    if options.two_stems:
        rest = sum(weights for name, weights in alone.items() if name not in (options.two_stems, RESIDUAL))
        rows = [
            (options.two_stems, alone[options.two_stems]),
            (f"no_{options.two_stems}", np.asarray(rest, np.float32)),
        ]
        return rows + [(name, alone[name]) for name in columns if name == RESIDUAL != options.two_stems]
    chosen = tuple(dict.fromkeys(options.stems)) or (() if options.mix else tuple(columns))
    rows = [(name, alone[name]) for name in chosen]
    for text in options.mix:
        name, parts = _parse_mix(text, columns, spec.name)
        if name in dict(rows) or name in columns:
            raise InvalidOption(f"Option 'mix' cannot be {text!r}: there is a '{name}' already.")
        rows.append((name, np.asarray(sum(alone[part] for part in parts), np.float32)))
    return rows


def _parse_mix(text: str, columns: Sequence[str], model: str) -> tuple[str, list[str]]:
    name, equals, stems = (part.strip() for part in text.partition("="))
    parts = [part.strip() for part in stems.split("+")]
    if not equals or not re.fullmatch(r"\w[\w -]*", name):
        raise InvalidOption(f"Option 'mix' cannot be {text!r}: write NAME=STEM+STEM.")
    for part in parts:
        _check_stem(part, columns, model)
    return name, list(dict.fromkeys(parts))


def _gains(texts: Sequence[str], columns: Sequence[str], model: str) -> Samples:
    """Returns the factor [columns] of each stem."""
    factors = np.ones(len(columns), np.float32)
    for text in texts:
        stem, _, level = (part.strip() for part in text.partition("="))
        _check_stem(stem, columns, model)
        try:
            decibels = float(level.lower().removesuffix("db"))
        except ValueError:
            decibels = float("nan")
        if not decibels <= MAX_GAIN_DB:
            raise InvalidOption(f"Option 'gain' cannot be {text!r}: write STEM=DB, at most {MAX_GAIN_DB:.0f} dB.")
        factors[columns.index(stem)] = 10 ** (decibels / 20)
    return factors


def _check_stem(stem: str, known: Sequence[str], model: str) -> None:
    if stem not in known:
        hint = did_you_mean(stem, known)
        raise InvalidOption(f"{model} has no stem '{stem}'.{hint} It has {', '.join(known)}.")
