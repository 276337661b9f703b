"""From text to wave: every stage of a sentence under the next, on one time axis."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from audio_ml import pitch
from audio_ml.audio import Audio
from audio_ml.errors import InvalidInput, InvalidOption
from audio_ml.loader import ModelLoader
from audio_ml.progress import Progress
from audio_ml.writer import write_audio
from tts.phonemes.alphabet import to_ipa
from tts.voices import Speaker, find_speaker
from ui.learn.reading import Reading, Symbol, read_aloud
from voiceclone.mel import mel_spectrogram

LONGEST_TEXT = 300  # characters: some twenty seconds
N_PEAKS = 1200
STAGES, SOUND = "stages.json", "speech.wav"


def check_text(text: str | None, longest: int = LONGEST_TEXT) -> str:
    """Returns a sentence to be explained.

    Raises:
        InvalidInput: when it is empty, or longer than a picture can show.
    """
    found = (text or "").strip()
    if not found:
        raise InvalidInput("The text is empty: write a sentence to look at.")
    if len(found) > longest:
        raise InvalidInput(f"The text has {len(found)} characters: a picture shows {longest} at most.")
    return found


def built_in(voice: str | None) -> Speaker:
    """Returns the speaker of a built-in voice, alone.

    Raises:
        UnknownVoice: when there is none of that name.
        InvalidOption: for a cloned voice, which the tab "Clone" has pictures of, or a blend.
    """
    speaker = find_speaker(voice or None)
    if speaker.cloned is not None or len(speaker.blend.parts) > 1:
        raise InvalidOption("This picture is of a single built-in voice: choose one, such as hibari/heart.")
    return speaker


def explain_speech(
    text: str, voice: str | None, folder: Path, loader: ModelLoader, progress: Progress | None = None
) -> dict[str, Any]:
    """Says a sentence and writes its stages (`stages.json`) and its sound (`speech.wav`) into a folder.

    Raises:
        InvalidInput: for an empty or long text, an unknown voice, or when nothing can be spoken.
        WeightsError: when a model's files cannot be had.
    """
    progress = progress or Progress()
    speaker = built_in(voice)
    progress.update("reading aloud", 0.1)
    reading = read_aloud(check_text(text), speaker, loader, progress)
    progress.update("drawing", 0.7)
    stages = {"voice": speaker.id, "model": speaker.spec.name, **stages_of(reading, loader)}
    write_audio(folder / SOUND, reading.audio, bit_depth="16")
    (folder / STAGES).write_text(json.dumps(stages, ensure_ascii=False), encoding="utf-8")
    return {
        "voice": speaker.id,
        "text": reading.text,
        "seconds": reading.audio.duration_seconds,
        "n_phonemes": sum(bool(phone.symbol) for phone in reading.phones),
        "warnings": list(reading.warnings),
        "files": [{"path": str(folder / STAGES)}, {"path": str(folder / SOUND)}],
    }


def stages_of(reading: Reading, loader: ModelLoader) -> dict[str, Any]:
    """Returns the stages of a reading as JSON has them; times are in samples, pictures in columns from the left."""
    melody = pitch.track(reading.audio, loader)
    return {
        "sample_rate": reading.audio.sample_rate,
        "n_samples": reading.audio.n_samples,
        "text": reading.text,
        "normalised": reading.normalised,
        "changes": [{"written": written, "spoken": spoken} for written, spoken in reading.changes],
        "words": [{**vars(word), "ipa": to_ipa(word.phonemes)} for word in reading.words],
        "symbols": [_told(symbol) for symbol in reading.symbols],
        "phones": [{**vars(phone), "ipa": to_ipa(phone.symbol)} for phone in reading.phones],
        "pitch": {
            "hz": np.round(melody.f0_hz.astype(np.float64), 1).tolist(),
            "frame_seconds": melody.frame_seconds,
        },
        "mel": mel_of(reading.audio),
        "wave": peaks_of(reading.audio),
        "warnings": list(reading.warnings),
    }


def _told(symbol: Symbol) -> dict[str, Any]:
    return {**vars(symbol), "ipa": to_ipa(symbol.symbol)}


def mel_of(audio: Audio) -> dict[str, Any]:
    """Returns the mel spectrogram of a sound in whole dB below its loudest, [bands][columns], for a picture."""
    picture = mel_spectrogram(audio)
    return {
        "levels_db": np.rint(picture.levels_db).astype(int).tolist(),
        "column_seconds": picture.column_seconds,
        "centres_hz": np.rint(picture.centres_hz).astype(int).tolist(),
    }


def peaks_of(audio: Audio, n_most: int = N_PEAKS) -> dict[str, list[float]]:
    """Returns the lowest and the highest sample of each of `n_most` stretches at most, for a picture of the wave."""
    samples = audio.samples.mean(axis=0)
    starts = np.unique(np.linspace(0, samples.size, min(n_most, samples.size), endpoint=False).astype(int))
    low, high = np.minimum.reduceat(samples, starts), np.maximum.reduceat(samples, starts)
    return {"low": np.round(low.astype(np.float64), 4).tolist(), "high": np.round(high.astype(np.float64), 4).tolist()}
