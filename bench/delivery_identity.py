"""The same job for real Spleeter and for ours, each by its own command line: what their stems keep of the source."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import separation
from audio_ml.audio import Samples
from audio_ml.loader import ModelLoader
from audio_ml.streams import read_audio
from bench import delivery_proof, delivery_readers, delivery_sources
from bench.delivery_proof import Doubles
from bench.delivery_readers import CHUNKS, Reading
from bench.delivery_sources import CENTRE, FILM_RATE
from bench.measure import Measurement, in_turn, medians, run
from bench.metrics import agreement_db, share_above_cutoff
from bench.reference import QUIET, Reference
from bench.songs import Song

COMMAND = str(Path(sys.executable).with_name("audio-ml"))
VOICE = "vocals"


@dataclass(frozen=True)
class Delivered:
    """What a side made of a source.

    `reading` is of the vocals; `chunks` says what became of each kind in any of the stems. Where the stems have
    another rate than the source, the source was resampled to theirs for `lag_samples`, `null_db` and
    `share_above_cutoff`. `voice_db` is the voice's energy in the vocals over that of the difference: in the
    centre, or the mean of two channels; None where no voice is alone.
    """

    reading: Reading
    chunks: dict[str, str]
    lag_samples: int
    null_db: float
    share_above_cutoff: float
    voice_db: float | None
    measured: Measurement


@dataclass(frozen=True)
class Job:
    """A source, as others read it, and what came of it."""

    source: Reading
    ours: Delivered
    reference: Delivered
    n_runs: int


def separate(source: Path, out_dir: Path, *options: str) -> Measurement:
    """Separates a file with our command on the CPU, in the form that it has by default."""
    command = [COMMAND, "separate", str(source), "-o", str(out_dir), "--overwrite", "--quiet", "--device", "cpu"]
    return run([*command, *options], QUIET)


def reel(song: Song, reference: Reference, n_runs: int) -> Job:
    """Separates a stereo file with all that an editor's file carries."""
    with tempfile.TemporaryDirectory() as folder:
        path = delivery_sources.write_reel(Path(folder) / "reel.wav", song)
        return _job(path, None, reference, n_runs)


def surround(song: Song, recording: Path | None, reference: Reference, n_runs: int) -> Job:
    """Separates a 5.1 mix with the song's voice in the centre alone: of a recording, or taken out by our model."""
    audio = read_audio(song.path, FILM_RATE)
    if recording is None:
        voice = separation.separate(audio, loader=ModelLoader("cpu")).stems[VOICE]
    else:
        voice = read_audio(recording, FILM_RATE)
    with tempfile.TemporaryDirectory() as folder:
        path = delivery_sources.write_surround(Path(folder) / "surround.wav", audio, voice)
        return _job(path, CENTRE, reference, n_runs)


def _job(path: Path, voice_channel: int | None, reference: Reference, n_runs: int) -> Job:
    theirs, ours = path.parent / "reference", path.parent / "ours"
    command = reference.command(path, theirs, read_audio(path).duration_seconds)
    runs = in_turn(lambda: run(command, reference.environment), lambda: separate(path, ours), n_runs)
    sides = [
        _delivered(path, voice_channel, sorted((out_dir / path.stem).iterdir()), medians(measured))
        for out_dir, measured in zip((theirs, ours), runs, strict=True)
    ]
    return Job(delivery_readers.read(path), sides[1], sides[0], n_runs)


def _delivered(path: Path, voice_channel: int | None, stems: Sequence[Path], measured: Measurement) -> Delivered:
    sounds = {stem.stem: delivery_proof.read(stem) for stem in stems}
    reading = delivery_readers.read(next(stem for stem in stems if stem.stem == VOICE))
    source = _at_rate(path, reading.sample_rate)[:, : reading.n_samples]
    sounds = {stem: sound[:, : source.shape[1]] for stem, sound in sounds.items()}
    whole = np.sum(list(sounds.values()), axis=0)
    mixture = source[: reading.n_channels]
    each = [delivery_readers.compare_chunks(path, stem) for stem in stems]
    voice_db = None
    if voice_channel is not None:
        heard = sounds[VOICE][voice_channel] if reading.n_channels > 2 else sounds[VOICE].mean(axis=0)
        voice_db = agreement_db(_floats(source[voice_channel]), _floats(heard))
    return Delivered(
        reading=reading,
        chunks={name: " / ".join(dict.fromkeys(verdicts[name] for verdicts in each)) for name in CHUNKS},
        lag_samples=delivery_proof.lag_samples(mixture, whole),
        null_db=delivery_proof.null_db(mixture, list(sounds.values())),
        share_above_cutoff=share_above_cutoff(_floats(mixture), {"sum": _floats(whole)}, reading.sample_rate),
        voice_db=voice_db,
        measured=measured,
    )


def _at_rate(path: Path, sample_rate: int) -> Doubles:
    """Reads a file at a rate; at its own, to the bit."""
    if delivery_readers.read(path).sample_rate == sample_rate:
        return delivery_proof.read(path)
    return read_audio(path, sample_rate).samples.astype(np.float64)


def _floats(samples: Doubles) -> Samples:
    return samples.astype(np.float32)
