"""How good the stems are, on songs whose true stems are known, of every model that can be had. Writes Markdown tables.

    python -m bench.quality --data FOLDER [--model NAME ...] [--accept-licence]

FOLDER holds a folder per song with its stems (`vocals`, `drums`, ...) and its `mixture` as FLAC or WAV. Real Spleeter
stands beside ours where it can be run, and the mixture itself: what doing nothing is worth.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from audio_ml import catalogue
from audio_ml.audio import Audio
from audio_ml.catalogue import ModelSpec
from audio_ml.errors import InvalidInput, MissingDependency, WeightsError
from audio_ml.loader import ModelLoader
from audio_ml.streams import read_audio
from audio_ml.weights import WeightStore
from bench import machine, results
from bench.markdown import table
from bench.reference import MODEL, Reference, ReferenceUnavailable, default_work_folder, reference
from separation import find_model
from separation.ensemble import REST
from separation.evaluation import SeparationScores, evaluate, evaluate_model
from separation.evaluation.folders import find_tracks, sound_files, stem_files

NOTHING = "the mixture itself"
REAL_SPLEETER = "real Spleeter"
MOST_SHOWN_DB = 100.0  # above there is nothing but rounding


@dataclass(frozen=True)
class Findings:
    """What was measured, in order, and the models that could not be run, each with the reason."""

    scores: tuple[SeparationScores, ...]
    left_out: dict[str, str]


def main() -> None:
    """Measures, and writes the report."""
    arguments = _arguments()
    songs = find_tracks(arguments.data)
    specs = [find_model(name) for name in arguments.model] if arguments.model else _known_to_run(songs)
    loader = ModelLoader("cpu", WeightStore(accept_licences=arguments.accept_licence))
    found: list[SeparationScores] = []
    left_out: dict[str, str] = {}
    with ExitStack() as stack:
        spleeter = None
        if MODEL in [spec.name for spec in specs]:
            try:
                spleeter = stack.enter_context(reference(arguments.work, arguments.reference_python))
                found.append(_of_spleeter(spleeter, songs))
            except ReferenceUnavailable as error:
                left_out[REAL_SPLEETER] = str(error).splitlines()[0]
        head = machine.describe("bench.quality", sys.argv[1:], spleeter.versions() if spleeter else None)
    for spec in specs:
        try:
            found += _of_model(spec, arguments.data, loader)
        except (InvalidInput, WeightsError, MissingDependency) as error:
            left_out[spec.name] = str(error)
    found.append(_of_nothing(songs))
    findings = Findings(tuple(found), left_out)
    results.write(arguments.output, _render(head, list(songs), findings), findings)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.quality", description="SDR against true stems.")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="a folder per song")
    parser.add_argument(
        "--model", action="append", metavar="NAME", help="only this one, which may be an ensemble; may be given again"
    )
    parser.add_argument("--accept-licence", action="store_true", help="accept the terms of the models that are run")
    parser.add_argument("--reference-python", type=Path, metavar="PATH", help="an interpreter that has Spleeter")
    parser.add_argument("--work", type=Path, default=default_work_folder(), metavar="DIR", help="for the environment")
    output = results.REPOSITORY / "docs" / "bench-quality.md"
    parser.add_argument("--output", type=Path, default=output, metavar="FILE")
    return parser.parse_args()


def _known_to_run(songs: Mapping[str, Path]) -> list[ModelSpec]:
    """Returns the models whose published weights were run once, and that make a stem which the songs have."""
    stems = {stem for folder in songs.values() for stem in stem_files(folder)}
    return [spec for spec in catalogue.models("separation") if spec.verified and stems & {*spec.outputs}]


def _variants(spec: ModelSpec) -> dict[str, dict[str, object]]:
    """Returns the ways to run a model that may differ in quality, by what the table adds to its name."""
    fields = spec.options.model_fields
    if "exact" in fields:
        return {", exact": {"exact": True}, ", default": {}, ", overlap 0.5": {"overlap": 0.5}}
    if "precision" in fields:
        return {", full precision": {"precision": "full"}, ", half precision": {"precision": "half"}}
    return {"": {}}


def _of_model(spec: ModelSpec, data: Path, loader: ModelLoader) -> Iterator[SeparationScores]:
    for told, options in _variants(spec).items():
        results.say(f"{spec.name}{told}")
        found = evaluate_model(data, model=spec, options=options, loader=loader)
        yield SeparationScores(f"{spec.name}{told}", found.tracks)


def _of_spleeter(spleeter: Reference, songs: Mapping[str, Path]) -> SeparationScores:
    results.say(REAL_SPLEETER)
    separated = spleeter.separate([_mixture(folder) for folder in songs.values()])
    tracks = [
        evaluate(folder, {name: Audio(stem, 44100) for name, stem in stems.items()}, stems=tuple(stems), track=song)
        for (song, folder), stems in zip(songs.items(), separated, strict=True)
    ]
    return SeparationScores(REAL_SPLEETER, tuple(tracks))


def _of_nothing(songs: Mapping[str, Path]) -> SeparationScores:
    """Returns what the mixture is worth as an estimate of every stem."""
    results.say(NOTHING)
    tracks = []
    for song, folder in songs.items():
        mixture, names = _mixture(folder), [*stem_files(folder)]
        names += [REST] if "vocals" in names else []
        tracks.append(evaluate(folder, dict.fromkeys(names, mixture), stems=names, track=song))
    return SeparationScores(NOTHING, tuple(tracks))


def _mixture(folder: Path) -> Audio:
    return read_audio(sound_files(folder)["mixture"])


def _render(head: str, songs: Sequence[str], findings: Findings) -> str:
    stems = dict.fromkeys(stem for scores in findings.scores for stem in scores.stems)
    parts = [
        "# Quality of separation",
        head,
        "Each cell is SDR / median SDR, in dB. SDR: 10 log10 of the energy of the true stem over that of the "
        "difference, over the whole file. Median SDR: that of the seconds of the file, as museval counts it. The true "
        "accompaniment is the mixture without the vocals, and so is the estimated one where a model has none. What a "
        'model takes out of a song\'s "other", such as a bass, is counted to it. Last come the means over the songs: '
        "of both, of SI-SDR, and of museval's medians of SIR and SAR.",
        *(_table(stem, songs, findings.scores) for stem in stems),
    ]
    if findings.left_out:
        parts.append("Not run here:\n\n" + "\n".join(f"- {name}: {why}" for name, why in findings.left_out.items()))
    return "\n\n".join(parts) + "\n"


def _table(stem: str, songs: Sequence[str], found: Sequence[SeparationScores]) -> str:
    rows = []
    for scores in found:
        if stem not in scores.stems:
            continue
        of_song = {track.track: each.measures for track in scores.tracks for each in track.stems if each.stem == stem}
        means = scores.means[stem]
        cells = [_pair(of_song[song]) if song in of_song else "" for song in songs]
        others = [_cell(means[name]) for name in ("si_sdr", "median_sir", "median_sar")]
        rows.append([scores.separated_by, *cells, _pair(means), *others])
    return f"## {stem.capitalize()}\n\n{table(['', *songs, 'mean', 'SI-SDR', 'SIR', 'SAR'], rows)}"


def _pair(measures: Mapping[str, float]) -> str:
    return f"{_cell(measures['sdr'])} / {_cell(measures['median_sdr'])}"


def _cell(value: float) -> str:
    if math.isnan(value):
        return "-"
    return f"{value:.2f}" if value < MOST_SHOWN_DB else f"> {MOST_SHOWN_DB:.0f}"


if __name__ == "__main__":
    main()
