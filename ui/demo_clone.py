"""The cloning part of `make demo`: a voice that belongs to nobody is enrolled, speaks, and is lent to a recording."""

from __future__ import annotations

from pathlib import Path

import tts
import voiceclone
from audio_ml.loader import ModelLoader
from audio_ml.streams import read_audio
from audio_ml.watermark import detect_file
from audio_ml.writer import write_audio
from ui.clone_picture import draw_voice
from ui.console import shown_progress
from ui.voice_view import view_of

REFERENCE = (
    "Every morning the keeper climbed the long stairs of the lighthouse. He wrote down the wind, the height of the "
    "waves, and the names of all ships he could see. In forty years he had not missed a single day."
)
CONSENT = "Nobody (the voice is synthetic), 2026-11-26, a demonstration"
LINE = "Nobody has ever recorded this sentence."
TAKE = "The tide was early, and the harbour was still asleep."


def clone_and_convert(folder: Path, loader: ModelLoader) -> None:
    """Enrols a voice of the suite as if it were a person's, and prints where everything is."""
    clones = folder / "cloning"
    reference, take = clones / "reference.wav", clones / "take.wav"
    tts.synthesize_file(REFERENCE, reference, "hibari/heart", delivery={"overwrite": True}, loader=loader)
    tts.synthesize_file(TAKE, take, "kokoro/am_michael", delivery={"overwrite": True}, loader=loader)
    print(f"\nA reference of somebody who is nobody: {reference}")
    with shown_progress("enrol", quiet=False) as progress:
        voice = voiceclone.enroll(reference, "nobody", CONSENT, loader=loader, progress=progress)
    spoken = voiceclone.clone(LINE, voice, speaker=tts.VoiceSpeaker(loader), loader=loader).audio
    converted = voiceclone.convert(take, voice, speller=tts.spell, loader=loader)
    made = {clones / "clone.wav": spoken, clones / "converted.wav": converted}
    for path, audio in made.items():
        write_audio(path, audio, overwrite=True)
    draw_voice(view_of(voice, spoken), clones / "voice.png")
    length = read_audio(take).n_samples - converted.n_samples
    print(f"  {take} in that voice is {abs(length)} samples longer or shorter than it was.")
    for path in made:
        found = detect_file(path, loader)
        print(f"  {path}: {'marked as made by a machine' if found.found else 'no watermark'} ({found.confidence:.2f})")
    print(f"  {clones / 'voice.png'}: its spectrogram, and where it lies among other voices")
