"""`make demo`: a real song comes apart, with the proof and a picture."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import separation
from audio_ml import catalogue
from audio_ml.errors import AudioMLError
from audio_ml.loader import ModelLoader
from audio_ml.streams import read_audio
from ui.console import shown_progress
from ui.pictures import spectrograms

FOLDER = Path("demo")


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
    with shown_progress("demo", quiet=False) as progress:
        report = separation.separate_file(
            song,
            FOLDER,
            delivery={"filename": "{stem}.{ext}", "bit_depth": "32f", "overwrite": True},
            loader=loader,
            progress=progress,
        )
    sounds = {"mixture": read_audio(song)} | {file.stem: read_audio(file.path) for file in report.files}
    spectrograms(sounds, FOLDER / "stems.png")
    print(f"\n{report.duration_seconds:.1f} s of music separated at {report.times_real_time:.0f} times real time.")
    print(f"The stems add up to the song to within {report.null_depth_db:.0f} dBFS.")
    for path in (song, *(Path(file.path) for file in report.files), FOLDER / "stems.png"):
        print(f"  {path}")


if __name__ == "__main__":
    try:
        main()
    except AudioMLError as error:
        print(f"demo: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
