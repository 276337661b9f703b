"""How closely our HTDemucs follows the package's, and what each reaches against true stems."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import separation
from audio_ml.audio import Audio, Samples
from audio_ml.loader import ModelLoader
from audio_ml.streams import read_audio
from bench import results
from bench.demucs_peer import MODEL, OVERLAP, Peer
from bench.htdemucs_runs import OURS, OURS_EXACT, PRECISIONS, THEIRS
from bench.metrics import agreement_db
from bench.songs import Song

CAN_BE_COMPARED = (44100, 2)  # otherwise both sides resample, and not alike
SCORED = ("vocals", "drums", "other", "accompaniment")


@dataclass(frozen=True)
class Agreement:
    """Of one song, in dB by stem: how far its energy lies below the mixture's, each side against demucs in float32,
    our default against our exact mode; and the SDR of each side where the true stems are known."""

    song: str
    below_mixture_db: dict[str, float]
    against_demucs_db: dict[str, dict[str, float]]
    auto_against_full_db: dict[str, float]
    sdr_db: dict[str, dict[str, float]]


def measure(songs: Sequence[Song], peer: Peer) -> Iterator[Agreement]:
    """Yields the agreement on each song that is stereo at 44.1 kHz; every side takes and gives float32."""
    loader = ModelLoader("cpu")
    for song in songs:
        audio = song.read()
        if (audio.sample_rate, audio.n_channels) != CAN_BE_COMPARED:
            continue
        results.say(f"agreement on {song.label}")
        found: dict[str, Mapping[str, Samples]] = {}
        for name, kind in peer.kinds.items():
            with peer.side(kind) as side:  # one at a time: they are large
                found[name] = side.separate(audio)
        for name, precision in PRECISIONS.items():
            found[name] = _ours(audio, loader, precision)
        yield Agreement(
            song.label,
            {name: level_db(audio.samples) - level_db(stem) for name, stem in found[THEIRS].items()},
            {name: _per_stem(found[THEIRS], stems) for name, stems in found.items() if name != THEIRS},
            _per_stem(found[OURS_EXACT], found[OURS]),
            _scores(audio, song.path.parent, found),
        )


def level_db(samples: Samples) -> float:
    """Returns 10 log10 of the energy."""
    return float(10 * np.log10(np.sum(np.square(samples, dtype=np.float64)) + 1e-30))


def _ours(audio: Audio, loader: ModelLoader, precision: str) -> Mapping[str, Samples]:
    options = {"overlap": OVERLAP, "precision": precision, "residual": "none"}
    separated = separation.separate(audio, model=MODEL, options=options, loader=loader)
    return {name: stem.samples for name, stem in separated.stems.items()}


def _per_stem(reference: Mapping[str, Samples], estimate: Mapping[str, Samples]) -> dict[str, float]:
    return {name: agreement_db(reference[name], estimate[name]) for name in reference}


def _scores(mixture: Audio, folder: Path, found: Mapping[str, Mapping[str, Samples]]) -> dict[str, dict[str, float]]:
    """Returns the SDR of each side where true stems lie beside the mixture; other has the bass where none does."""
    paths = {name: next(folder.glob(f"{name}.*"), None) for name in ("vocals", "drums", "other", "bass")}
    truth = {name: read_audio(path).samples for name, path in paths.items() if path is not None}
    if "vocals" not in truth or mixture.samples.shape != truth["vocals"].shape:
        return {}
    truth["accompaniment"] = mixture.samples - truth["vocals"]
    scores = {}
    for side, stems in found.items():
        estimates = dict(stems) | {"accompaniment": mixture.samples - stems["vocals"]}
        if "bass" not in truth:
            estimates["other"] = stems["other"] + stems["bass"]
        scores[side] = {name: agreement_db(truth[name], estimates[name]) for name in SCORED if name in truth}
    return scores
