"""The verbs: stems against their references, folders of them, and a model on a data set."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from audio_ml import loader as loaders
from audio_ml.audio import Audio
from audio_ml.catalogue import ModelSpec
from audio_ml.errors import InvalidInput
from audio_ml.loader import ModelLoader
from audio_ml.options import parse
from audio_ml.progress import Progress
from audio_ml.streams import show
from separation.api import OptionValues, Separation, separate
from separation.ensemble import find_model
from separation.evaluation.comparison import compare, compare_model, stem_names
from separation.evaluation.folders import find_tracks, pair_tracks, sounds_of
from separation.evaluation.scores import SeparationScores, TrackScores
from separation.evaluation.sounds import MIXTURE, Reading, Side, Sound, Sum, check_alike, other_than
from separation.options import DEFAULT_MODEL, SeparationOptions
from separation.recipe import find_recipe

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
    found = compare(_sounds(reference), _sounds(estimate), stems)
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
    found = {track: compare(sounds_of(true), sounds_of(made), stems) for track, (true, made) in pairs.items()}
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
    plans = {track: compare_model(spec.name, made, sounds, chosen.stems) for track, sounds in data.items()}
    for sounds in data.values():
        whole_track = Side(sounds, {name: {name: 1.0} for name in sounds})
        check_alike(whole_track, whole_track)
    loader, progress = loader or loaders.default(), progress or Progress()
    tracks = []
    for track, plan in plans.items():
        mixture = _mixture(data[track])
        found = separate(mixture, model=spec, options=whole, loader=loader, progress=progress).stems
        heard = {
            name: Sound.of(f"{name} of {spec.name}", audio) for name, audio in (found | {MIXTURE: mixture}).items()
        }
        tracks.append(plan.with_estimates(heard).measured(track, progress))
    return SeparationScores(spec.name, tuple(tracks))


def _sounds(stems: Stems) -> dict[str, Sound]:
    if isinstance(stems, Separation):
        stems = stems.stems
    if isinstance(stems, Mapping):
        return {name: Sound.of(name, audio) for name, audio in stems.items()}
    sounds = sounds_of(Path(stems))
    if not stem_names(sounds):
        raise InvalidInput(f"{show(stems)} holds no stems, which are sound files such as vocals.wav.")
    return sounds


def _mixture(sounds: Mapping[str, Sound]) -> Audio:
    """Reads the mixture of a track into memory: its own, or the sum of its stems."""
    parts: Sum = {MIXTURE: 1.0} if MIXTURE in sounds else dict.fromkeys(_own_stems(sounds), 1.0)
    side = Side(sounds, {MIXTURE: parts})
    joined = np.concatenate([true for true, _ in Reading(side, side)], axis=-1)
    return Audio(joined[0], side.used[0].sample_rate)


def _own_stems(sounds: Mapping[str, Sound]) -> list[str]:
    return [name for name in stem_names(sounds) if other_than(name) is None] or stem_names(sounds)
