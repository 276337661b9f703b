"""The verbs: stems against their references, folders of them, and a model on a data set."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from audio_ml import loader as loaders
from audio_ml.audio import Audio
from audio_ml.catalogue import ModelSpec
from audio_ml.errors import InvalidInput, did_you_mean
from audio_ml.loader import ModelLoader
from audio_ml.options import parse
from audio_ml.progress import Progress
from audio_ml.streams import show
from separation.api import OptionValues, Separation, separate
from separation.ensemble import REST, find_model
from separation.evaluation.folders import find_tracks, is_mixture, pair_tracks, sounds_of
from separation.evaluation.measure import measure
from separation.evaluation.scores import SeparationScores, TrackScores
from separation.evaluation.sounds import MIXTURE, Reading, Side, Sound, Sum, check_alike, find_sum, other_than
from separation.options import DEFAULT_MODEL, RESIDUAL, SeparationOptions
from separation.recipe import find_recipe

OTHER = "other"  # the stem of all that has no stem of its own

Stems = Mapping[str, Audio] | Separation | str | os.PathLike[str]


def evaluate(
    reference: Stems,
    estimate: Stems,
    *,
    stems: Sequence[str] = (),
    track: str = "track",
    progress: Progress | None = None,
) -> TrackScores:
    """Measures the stems of a track against the true ones: sounds by name, a `Separation`, or a folder of files.

    Every stem of the reference is measured, or those asked for. A `mixture` among the sounds is no stem; without a
    stem of its own, an accompaniment is the mixture minus the vocals, or the sum of the other stems.

    Raises:
        InvalidInput: when a stem is missing, or sounds differ in sample rate, channels or length.

    >>> import numpy as np
    >>> true = Audio(np.random.default_rng(0).normal(0, 0.1, (2, 44100)).astype(np.float32), 44100)
    >>> scores = evaluate({"vocals": true}, {"vocals": Audio(true.samples * np.float32(0.9), 44100)})
    >>> round(scores["vocals"].sdr, 2)
    20.0
    """
    found = _compare(_sounds(reference), _sounds(estimate), stems)
    return found.measured(track, progress or Progress())


def evaluate_folders(
    reference: str | os.PathLike[str],
    estimate: str | os.PathLike[str],
    *,
    stems: Sequence[str] = (),
    progress: Progress | None = None,
) -> SeparationScores:
    """Measures a folder of tracks (or of the stems of one) against another; all is checked before any work.

    Raises:
        InvalidInput: as `evaluate`, or when a track has no estimate.
    """
    pairs, extra = pair_tracks(Path(reference), Path(estimate))
    found = {track: _compare(sounds_of(true), sounds_of(made), stems) for track, (true, made) in pairs.items()}
    for each in found.values():
        check_alike(each.reference, each.estimate)
    tracks = tuple(each.measured(track, progress or Progress()) for track, each in found.items())
    return SeparationScores(show(estimate), tracks, tuple(extra))


def evaluate_model(
    dataset: str | os.PathLike[str],
    *,
    model: str | ModelSpec | None = None,
    options: OptionValues = None,
    loader: ModelLoader | None = None,
    progress: Progress | None = None,
) -> SeparationScores:
    """Separates the mixture of every track of a folder, in memory, and measures the stems against the true ones.

    Without a file `mixture` it is the sum of the stems. Measured are the stems that both have (of them the options'
    `stems`), and the accompaniment, which is the mixture minus the vocals on either side unless there is such a
    stem. What the model takes out of what the reference calls `other` (a bass, where there is none among the true
    stems) is counted to it.

    Raises:
        InvalidInput: when the model makes no stem of a track, or not those asked for.
        WeightsError: when the model's files cannot be had.
    """
    spec = model if isinstance(model, ModelSpec) else find_model(model or DEFAULT_MODEL)
    chosen = parse(spec.options, options)
    assert isinstance(chosen, SeparationOptions)
    whole = chosen.model_copy(update={"stems": ()})
    made = find_recipe(spec, whole).outputs
    data = {track: sounds_of(folder) for track, folder in find_tracks(Path(dataset)).items()}
    for sounds in data.values():
        _of_model(spec.name, made, sounds, chosen.stems)
    loader, progress = loader or loaders.default(), progress or Progress()
    tracks = []
    for track, sounds in data.items():
        plan = _of_model(spec.name, made, sounds, chosen.stems)
        mixture = _mixture(sounds)
        found = separate(mixture, model=spec, options=whole, loader=loader, progress=progress).stems
        heard = {
            name: Sound.of(f"{name} of {spec.name}", audio) for name, audio in (found | {MIXTURE: mixture}).items()
        }
        tracks.append(plan.with_estimates(heard).measured(track, progress))
    return SeparationScores(spec.name, tuple(tracks))


@dataclass(frozen=True)
class _Comparison:
    """What is measured of a track, and what is not: stems by name on either side."""

    reference: Side
    estimate: Side
    extra: tuple[str, ...]
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def with_estimates(self, sounds: Mapping[str, Sound]) -> _Comparison:
        return replace(self, estimate=Side(sounds, self.estimate.sums))

    def measured(self, track: str, progress: Progress) -> TrackScores:
        reading = Reading(self.reference, self.estimate)
        scores = measure(tuple(self.reference.sums), reading, progress, track)
        seconds = reading.n_samples / reading.sample_rate
        return TrackScores(track, seconds, scores, self.extra, self.missing, (*self.notes, *reading.notes))


def _compare(reference: Mapping[str, Sound], estimate: Mapping[str, Sound], stems: Sequence[str]) -> _Comparison:
    """Matches stems by name."""
    derived = [name for name in estimate if other_than(name) and name not in reference and find_sum(name, [*reference])]
    wanted = [*dict.fromkeys(stems)] or [*_stems(reference), *derived]
    if not wanted:
        raise InvalidInput("The reference has no stems.")
    true = _sums(wanted, reference, "the reference")
    found = {stem: find_sum(stem, [*estimate]) for stem in wanted}
    missing = [stem for stem, each in found.items() if each is None]
    if missing:
        raise InvalidInput(_missing_words(missing, reference, estimate))
    made = {stem: each for stem, each in found.items() if each is not None}
    heard = {name for each in made.values() for name in each}
    extra = [name for name in _stems(estimate) if name not in heard]
    left = [name for name in _stems(reference) if name not in wanted]
    return _Comparison(Side(reference, true), Side(estimate, made), tuple(extra), tuple(left))


def _missing_words(missing: Sequence[str], reference: Mapping[str, Sound], estimate: Mapping[str, Sound]) -> str:
    there, both = _stems(estimate), [name for name in _stems(reference) if find_sum(name, [*estimate])]
    derived = [name for name in there if name not in both and find_sum(name, [*reference])]
    hint = f" Measure only what both have with stems {','.join([*both, *derived])}." if both or derived else ""
    return (
        f"There is no estimate of {', '.join(missing)}, but of {', '.join(there) or 'nothing'}."
        f"{did_you_mean(missing[0], there)}{hint}"
    )


def _of_model(model: str, made: Sequence[str], reference: Mapping[str, Sound], stems: Sequence[str]) -> _Comparison:
    """Matches what a model makes with the stems of a track; the estimates themselves come later."""
    true, names = _stems(reference), [*made, MIXTURE]
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
    missing = [name for name in true if name not in wanted]
    return _Comparison(
        Side(reference, _sums(wanted, reference, "the track")), Side({}, sums), tuple(loose), tuple(missing), notes
    )


def _sums(wanted: Sequence[str], sounds: Mapping[str, Sound], whose: str) -> dict[str, Sum]:
    sums: dict[str, Sum] = {}
    for stem in wanted:
        found = find_sum(stem, [*sounds])
        if found is None:
            names = _stems(sounds)
            raise InvalidInput(
                f"There is no stem '{stem}' in {whose}.{did_you_mean(stem, names)} It has {', '.join(names)}."
            )
        sums[stem] = found
    return sums


def _stems(sounds: Mapping[str, Sound]) -> list[str]:
    return [name for name in sounds if not is_mixture(name)]


def _sounds(stems: Stems) -> dict[str, Sound]:
    if isinstance(stems, Separation):
        stems = stems.stems
    if isinstance(stems, Mapping):
        return {name: Sound.of(name, audio) for name, audio in stems.items()}
    sounds = sounds_of(Path(stems))
    if not _stems(sounds):
        raise InvalidInput(f"{show(stems)} holds no stems, which are sound files such as vocals.wav.")
    return sounds


def _mixture(sounds: Mapping[str, Sound]) -> Audio:
    """Reads the mixture of a track into memory: its own, or the sum of its stems."""
    parts: Sum = {MIXTURE: 1.0} if MIXTURE in sounds else dict.fromkeys(_own_stems(sounds), 1.0)
    side = Side(sounds, {MIXTURE: parts})
    joined = np.concatenate([true for true, _ in Reading(side, side)], axis=-1)
    return Audio(joined[0], side.used[0].sample_rate)


def _own_stems(sounds: Mapping[str, Sound]) -> list[str]:
    return [name for name in _stems(sounds) if other_than(name) is None] or _stems(sounds)
