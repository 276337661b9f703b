"""Files that are long or large: memory of whole processes, and RF64 of more than 4 GiB read and written."""

from __future__ import annotations

import math
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench import delivery_proof, delivery_readers, delivery_sources
from bench.delivery_identity import separate
from bench.delivery_readers import Reading
from bench.measure import Measurement
from bench.songs import Song

MINUTES = (10, 120)
LARGEST_PEAK_BYTES = 600_000_000  # of the issue on delivery
LARGEST_GROWTH = 0.10

RF64_RATE, RF64_LAYOUT, RF64_CHANNELS = 192_000, "7.1", 8
RF64_TIME_REFERENCE = 9 * 3600 * RF64_RATE
LARGEST_RIFF_BYTES = 2**32
FRAME_BYTES = RF64_CHANNELS * 4
TAIL_SECONDS = 10
RF64_SECONDS = math.ceil(LARGEST_RIFF_BYTES / (RF64_RATE * FRAME_BYTES)) + 2 * TAIL_SECONDS
RF64_OPTIONS = ("--channels", "centre-only")


@dataclass(frozen=True)
class Large:
    """A file of more than 4 GiB that FFmpeg wrote, and its stems; `null_db` is of the last `TAIL_SECONDS`."""

    source: Reading
    stems: dict[str, Reading]
    null_db: float
    measured: Measurement


def long_files(song: Song, work: Path) -> dict[str, Measurement]:
    """Separates the song repeated to each length of `MINUTES`, once."""
    measured = {}
    for minutes in MINUTES:
        with tempfile.TemporaryDirectory(dir=work) as folder:
            long_song = delivery_sources.write_repeated(Path(folder) / "long.wav", song, minutes)
            measured[long_song.label] = separate(long_song.path, Path(folder) / "stems")
    return measured


def large_file(song: Song, work: Path) -> Large:
    """Separates the centre of a 7.1 file of float samples at 192 kHz; the other channels pass whole."""
    with tempfile.TemporaryDirectory(dir=work) as folder:
        source, out_dir = Path(folder) / "large.wav", Path(folder) / "stems"
        _write_rf64(source, song)
        measured = separate(source, out_dir, *RF64_OPTIONS)
        stems = {stem.stem: stem for stem in sorted((out_dir / source.stem).iterdir())}
        readings = {name: delivery_readers.read(stem) for name, stem in stems.items()}
        reading = delivery_readers.read(source)
        tail = reading.n_samples - TAIL_SECONDS * RF64_RATE
        sounds = [delivery_proof.read(stem, tail) for stem in stems.values()]
        null_db = delivery_proof.null_db(delivery_proof.read(source, tail), sounds)
        return Large(reading, readings, null_db, measured)


def _write_rf64(path: Path, song: Song) -> None:
    """Has FFmpeg write the song, repeated, into eight channels of different levels."""
    levels = "|".join(f"c{channel}={0.4 - 0.04 * channel:.2f}*c0" for channel in range(RF64_CHANNELS))
    filters = f"aresample={RF64_RATE},pan={RF64_LAYOUT}|{levels}"
    tags = ["-write_bext", "1", "-metadata", f"time_reference={RF64_TIME_REFERENCE}"]
    command = ["ffmpeg", "-v", "error", "-stream_loop", "-1", "-i", str(song.path), "-af", filters]
    command += ["-t", str(RF64_SECONDS), "-c:a", "pcm_f32le", "-rf64", "auto", *tags, str(path)]
    subprocess.run(command, check=True)
