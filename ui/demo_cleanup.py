"""The cleaning-up part of `make demo`: a voice over music comes apart again, measured against what went in."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import separation
import tts
from audio_ml.audio import Audio, Samples
from audio_ml.formats import FORMATS
from audio_ml.loader import ModelLoader
from audio_ml.streams import Resampler, read_audio
from audio_ml.writer import AudioWriter
from separation.evaluation import evaluate
from ui.console import shown_progress

RATE = 48000
SENTENCE = "Where were you on Friday the 5th? At the station, from 9:30 until midnight."
LEVEL_DB = 5.0  # of the voice above the music


def clean_up(folder: Path, bed: Audio, loader: ModelLoader) -> None:
    """Speaks a sentence over a bed of music, separates speech from noise, and prints what that gained."""
    voice = _mono(tts.synthesize(SENTENCE, loader=loader).audio)
    music = _mono(bed)
    length = min(voice.shape[1], music.shape[1])
    voice, music = voice[:, :length], music[:, :length]
    ratio = float(np.square(voice).sum() / np.square(music).sum())
    music *= np.float32(ratio**0.5 * 10 ** (-LEVEL_DB / 20))
    mixture = Audio((voice + music) * np.float32(0.5), RATE)
    source = folder / "interview.wav"
    with AudioWriter(source, FORMATS["wav"], RATE, 1, bit_depth="24", overwrite=True) as writer:
        writer.write(mixture.samples)
        writer.close()
        writer.commit()
    with shown_progress("interview", quiet=False) as progress:
        report = separation.separate_file(
            source,
            folder,
            model="deepfilternet",
            delivery={"filename": "interview-{stem}.{ext}", "overwrite": True},
            loader=loader,
            progress=progress,
        )
    true = {"speech": Audio(voice * np.float32(0.5), RATE)}
    delivered = {file.stem: read_audio(file.path) for file in report.files}
    before = evaluate(true, {"speech": mixture})["speech"].si_sdr
    after = evaluate(true, delivered)["speech"].si_sdr
    print(f"\nA voice over music, {LEVEL_DB:.0f} dB above it: {source}")
    print(f"  SI-SDR of the speech: {before:.1f} dB before, {after:.1f} dB after")
    for file in report.files:
        print(f"  {file.path}")


def _mono(audio: Audio) -> Samples:
    resampler = Resampler(audio.sample_rate, RATE, audio.n_channels)
    stereo = np.concatenate(list(resampler.stream([audio.samples])), axis=1)
    return np.asarray(stereo.mean(axis=0, keepdims=True), np.float32)
