"""`make demo`: a song, a 5.1 reel and a voice over music come apart; a cue sheet is spoken, a voice
is cloned, a server does it for a client, and a sentence is said as machines have said it since 1939."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np

import separation
from audio_ml import bext, catalogue
from audio_ml.audio import Audio, Samples
from audio_ml.encoders import Identity
from audio_ml.errors import AudioMLError
from audio_ml.formats import FORMATS
from audio_ml.loader import ModelLoader
from audio_ml.metadata import read_metadata
from audio_ml.streams import Resampler, read_audio
from audio_ml.writer import AudioWriter
from separation import SeparationReport
from ui.console import shown_progress
from ui.demo_cleanup import clean_up
from ui.demo_clone import clone_and_convert
from ui.demo_learn import tell_history
from ui.demo_server import serve_and_ask
from ui.demo_speech import speak_and_dub
from ui.pictures import spectrograms

FOLDER = Path("demo")
REEL_RATE = 48000
TEN_O_CLOCK = 10 * 3600 * REEL_RATE
MASK_5_1 = 0x3F
CENTRE = 2


def main() -> None:
    """Fetches the sample song and the model, separates, and prints where everything is."""
    loader = ModelLoader()
    song = FOLDER / "song.mp3"
    row = catalogue.find_row("spleeter-example")
    print(f"The song: {row.licence.note} {row.licence.name}.")
    with shown_progress("song", quiet=False) as progress:
        fetched = loader.store.open(row, progress)["audio_example.mp3"]
    FOLDER.mkdir(exist_ok=True)
    shutil.copyfile(fetched, song)
    report = _separate(song, "{stem}.{ext}", loader, bit_depth="32f")
    sounds = {"mixture": read_audio(song)} | {file.stem: read_audio(file.path) for file in report.files}
    spectrograms(sounds, FOLDER / "stems.png")
    print(f"\n{report.duration_seconds:.1f} s of music separated at {report.times_real_time:.0f} times real time.")
    print(f"The stems add up to the song to within {report.null_depth_db:.0f} dBFS.")
    for path in (song, *(Path(file.path) for file in report.files), FOLDER / "stems.png"):
        print(f"  {path}")
    _separate_reel(sounds["vocals"], sounds["accompaniment"], loader)
    clean_up(FOLDER, sounds["accompaniment"], loader)
    speak_and_dub(FOLDER, loader)
    clone_and_convert(FOLDER, loader)
    serve_and_ask(FOLDER, song)
    tell_history(FOLDER, loader)


def _separate_reel(voice: Audio, bed: Audio, loader: ModelLoader) -> None:
    """Makes a 5.1 Broadcast Wave file with the voice in the centre only, and takes that apart."""
    reel = FOLDER / "reel.wav"
    _write_reel(reel, _at_reel_rate(voice), _at_reel_rate(bed))
    print(f"\nA 5.1 reel at 10:00:00:00, its voice in the centre only: {reel}")
    report = _separate(reel, "reel/{stem}.{ext}", loader)
    for sentence in report.summary():
        print(f"  {sentence}")
    for file in report.files:
        seconds = (read_metadata(file.path, tags_of_wave=False).time_reference or 0) / file.sample_rate
        samples = read_audio(file.path).samples
        share = np.square(samples[CENTRE]).sum() / max(np.square(samples).sum(), 1e-12)
        clock = f"{seconds // 3600:02.0f}:{seconds % 3600 // 60:02.0f}:{seconds % 60:02.0f}"
        print(f"  {file.path}: begins at {clock}, {file.bit_depth} bit, {share:.0%} of its energy in the centre")


def _separate(path: Path, filename: str, loader: ModelLoader, **delivery: str) -> SeparationReport:
    with shown_progress(path.stem, quiet=False) as progress:
        return separation.separate_file(
            path,
            FOLDER,
            delivery={"filename": filename, "overwrite": True, **delivery},
            loader=loader,
            progress=progress,
        )


def _at_reel_rate(audio: Audio) -> Samples:
    resampler = Resampler(audio.sample_rate, REEL_RATE, audio.n_channels)
    return np.concatenate(list(resampler.stream([audio.samples])), axis=1)


def _write_reel(path: Path, voice: Samples, bed: Samples) -> None:
    silence = np.zeros_like(bed[0])
    channels = np.stack([bed[0], bed[1], voice.mean(axis=0), silence, 0.3 * bed[1], 0.3 * bed[0]])
    half = np.asarray(channels / 2, np.float32)  # room for what the summing adds
    identity = Identity(
        chunks=((b"bext", bext.create("A demonstration in 5.1", "audio-ml", TEN_O_CLOCK)),), channel_mask=MASK_5_1
    )
    with AudioWriter(path, FORMATS["wav"], REEL_RATE, len(channels), identity=identity, overwrite=True) as writer:
        writer.write(half)
        writer.close()
        writer.commit()


if __name__ == "__main__":
    try:
        main()
    except AudioMLError as error:
        print(f"demo: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
