"""How closely our stems follow real Spleeter's, and what each keeps of the mixture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import separation
from audio_ml.audio import Audio, Samples
from audio_ml.loader import ModelLoader
from bench.metrics import agreement_db, null_depth_db, share_above_cutoff
from bench.reference import MODEL, Reference
from bench.songs import Song

CAN_BE_COMPARED = (44100, 2)  # otherwise both sides resample, and not alike


@dataclass(frozen=True)
class Agreement:
    """Of one song: dB per stem of our exact mode against real Spleeter, and what stems add up to in each."""

    song: str
    stems_db: dict[str, float]
    null_reference_db: float
    null_ours_db: float
    above_reference: float
    above_ours: float


def measure(songs: Sequence[Song], reference: Reference) -> Iterator[Agreement]:
    """Yields the agreement of each song that is stereo at 44.1 kHz; every side takes and gives float32."""
    read = ((song, song.read()) for song in songs)
    chosen = [(song, audio) for song, audio in read if (audio.sample_rate, audio.n_channels) == CAN_BE_COMPARED]
    loader = ModelLoader("cpu")
    for (song, audio), theirs in zip(chosen, reference.separate([audio for _, audio in chosen]), strict=True):
        exact = our_stems(audio, loader, exact=True)
        ours = our_stems(audio, loader)
        yield Agreement(
            song.label,
            {name: agreement_db(theirs[name], exact[name]) for name in exact},
            null_depth_db(audio.samples, theirs),
            null_depth_db(audio.samples, ours),
            share_above_cutoff(audio.samples, theirs, audio.sample_rate),
            share_above_cutoff(audio.samples, ours, audio.sample_rate),
        )


def our_stems(audio: Audio, loader: ModelLoader, **options: object) -> Mapping[str, Samples]:
    """Returns our stems [2, time] by name."""
    separated = separation.separate(audio, model=MODEL, options=options, loader=loader)
    return {name: stem.samples for name, stem in separated.stems.items()}
