"""Which stems of a track are compared with which, and what is left out on either side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from audio_ml.errors import InvalidInput, did_you_mean
from audio_ml.progress import Progress
from separation.ensemble import REST
from separation.evaluation.folders import is_mixture
from separation.evaluation.measure import measure
from separation.evaluation.scores import TrackScores
from separation.evaluation.sounds import MIXTURE, Reading, Side, Sound, Sum, find_sum, other_than
from separation.options import RESIDUAL

OTHER = "other"  # the stem of all that has no stem of its own


@dataclass(frozen=True)
class Comparison:
    """What is measured of a track, and what is not: stems by name on either side."""

    reference: Side
    estimate: Side
    extra: tuple[str, ...]
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def with_estimates(self, sounds: Mapping[str, Sound]) -> Comparison:
        """Returns the comparison of a model's stems, which are there at last."""
        return replace(self, estimate=Side(sounds, self.estimate.sums))

    def measured(self, track: str, progress: Progress) -> TrackScores:
        """Measures it all; raises `InvalidInput` as `Reading`."""
        reading = Reading(self.reference, self.estimate)
        scores = measure(tuple(self.reference.sums), reading, progress, track)
        seconds = reading.n_samples / reading.sample_rate
        return TrackScores(track, seconds, scores, self.extra, self.missing, (*self.notes, *reading.notes))


def compare(reference: Mapping[str, Sound], estimate: Mapping[str, Sound], stems: Sequence[str]) -> Comparison:
    """Matches stems by name.

    Raises:
        InvalidInput: when a stem that is asked for, or one of the reference's if none is, has no counterpart.
    """
    derived = [name for name in estimate if other_than(name) and name not in reference and find_sum(name, [*reference])]
    wanted = [*dict.fromkeys(stems)] or [*stem_names(reference), *derived]
    if not wanted:
        raise InvalidInput("The reference has no stems.")
    true = _sums(wanted, reference, "the reference")
    found = {stem: find_sum(stem, [*estimate]) for stem in wanted}
    missing = [stem for stem, each in found.items() if each is None]
    if missing:
        raise InvalidInput(_missing_words(missing, reference, estimate))
    made = {stem: each for stem, each in found.items() if each is not None}
    heard = {name for each in made.values() for name in each}
    extra = [name for name in stem_names(estimate) if name not in heard and not find_sum(name, [*reference])]
    left = [name for name in stem_names(reference) if name not in wanted and not find_sum(name, [*estimate])]
    return Comparison(Side(reference, true), Side(estimate, made), tuple(extra), tuple(left))


def _missing_words(missing: Sequence[str], reference: Mapping[str, Sound], estimate: Mapping[str, Sound]) -> str:
    there, both = stem_names(estimate), [name for name in stem_names(reference) if find_sum(name, [*estimate])]
    derived = [name for name in there if name not in both and find_sum(name, [*reference])]
    hint = f" Measure only what both have with stems {','.join([*both, *derived])}." if both or derived else ""
    return (
        f"There is no estimate of {', '.join(missing)}, but of {', '.join(there) or 'nothing'}."
        f"{did_you_mean(missing[0], there)}{hint}"
    )


def compare_model(model: str, made: Sequence[str], reference: Mapping[str, Sound], stems: Sequence[str]) -> Comparison:
    """Matches what a model makes with the stems of a track; the estimates themselves come later.

    Raises:
        InvalidInput: when they have no stem in common, or not those asked for.
    """
    true, names = stem_names(reference), [*made, MIXTURE]
    wanted = [*dict.fromkeys(stems)]
    if not wanted:
        wanted = [name for name in true if name in made]
        rests = [name for name in made if other_than(name)] or [REST]
        wanted += [
            name for name in rests if name not in true and find_sum(name, [*reference]) and find_sum(name, names)
        ]
    unmade = [stem for stem in wanted if find_sum(stem, names) is None]
    if unmade or not wanted:
        raise InvalidInput(
            f"{model} makes {', '.join(made)}, and not {', '.join(unmade or true) or 'any stem of the track'}."
        )
    sums = {stem: dict(find_sum(stem, names) or {}) for stem in wanted}
    known = {*true, *wanted}
    loose = [name for name in made if name not in known and name != RESIDUAL and other_than(name) is None]
    notes: tuple[str, ...] = ()
    if loose and OTHER in sums and OTHER in true:
        sums[OTHER] |= dict.fromkeys(loose, 1.0)
        notes, loose = (f"counted to {OTHER}, which it is part of in the reference: {', '.join(loose)}",), []
    missing = [name for name in true if name not in wanted and not find_sum(name, names)]
    return Comparison(
        Side(reference, _sums(wanted, reference, "the track")), Side({}, sums), tuple(loose), tuple(missing), notes
    )


def _sums(wanted: Sequence[str], sounds: Mapping[str, Sound], whose: str) -> dict[str, Sum]:
    sums: dict[str, Sum] = {}
    for stem in wanted:
        found = None if is_mixture(stem) else find_sum(stem, [*sounds])
        if found is None:
            names = stem_names(sounds)
            raise InvalidInput(
                f"There is no stem '{stem}' in {whose}.{did_you_mean(stem, names)} It has {', '.join(names)}."
            )
        sums[stem] = found
    return sums


def stem_names(sounds: Mapping[str, Sound]) -> list[str]:
    """Returns the names of stems among sounds, mixtures left out."""
    return [name for name in sounds if not is_mixture(name)]
