"""One sentence as machines have said it since 1939, all of it made here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

import tts
from audio_ml.audio import Audio
from audio_ml.errors import InvalidInput
from audio_ml.loader import ModelLoader
from audio_ml.progress import Progress
from audio_ml.weights import WeightStore
from audio_ml.writer import write_audio
from tts.voices import Speaker, find_speaker, is_here, rows_of
from ui.learn import formant, statistical, vocoder
from ui.learn.concatenation import Joined, concatenate, wanted_of
from ui.learn.eras import ERAS, Era
from ui.learn.reading import Reading, read_aloud
from ui.learn.recordings import Recording, measured, record, sentences
from ui.learn.speech import check_text, mel_of

LONGEST_TEXT = 120  # characters
VOICE = "hibari/heart"
LARGER_VOICE = "kokoro/heart"
INDEX = "history.json"
PEAK = 0.5

Made = tuple[str, Audio, dict[str, Any]]  # the id of an era, its sound, and what is told of it


def tell_history(text: str, folder: Path, loader: ModelLoader, progress: Progress | None = None) -> dict[str, Any]:
    """Says a sentence in every way, into `history.json` and one WAV each; Kokoro only where its weights are here.

    Raises:
        InvalidInput: for an empty or long text, or one with a sound that no recording has.
        WeightsError: when hibari's files cannot be had.
    """
    progress = progress or Progress()
    text = check_text(text, LONGEST_TEXT)
    told = []
    for id, audio, facts in _ways(text, loader, progress):
        write_audio(folder / f"{id}.wav", _levelled(audio), bit_depth="16")
        era = next(era for era in ERAS if era.id == id)
        told.append(_entry(era, audio, facts))
    order = [era.id for era in ERAS]
    told.sort(key=lambda entry: order.index(entry["id"]))
    (folder / INDEX).write_text(json.dumps({"text": text, "eras": told}, ensure_ascii=False), encoding="utf-8")
    files = [INDEX, *(entry["file"] for entry in told)]
    missing = [era.title for era in ERAS if era.id not in {entry["id"] for entry in told}]
    return {"text": text, "missing": missing, "files": [{"path": str(folder / name)} for name in files]}


def _entry(era: Era, audio: Audio, facts: dict[str, Any]) -> dict[str, Any]:
    numbers = {name: value for name, value in facts.items() if isinstance(value, int | float)}
    entry = asdict(era) | {"here": era.here.format(**numbers)} if numbers else asdict(era)
    return entry | facts | {"file": f"{era.id}.wav", "seconds": audio.duration_seconds, "mel": mel_of(audio)}


def _ways(text: str, loader: ModelLoader, progress: Progress) -> Iterator[Made]:
    """Yields the sentence in every way that can be had here."""
    speaker = find_speaker(VOICE)
    reading = read_aloud(text, speaker, loader, progress)
    heard = measured(reading, loader)
    yield "hibari", reading.audio, {}
    progress.update("formants", 0.05)
    yield "formant", *_formants(reading)
    progress.update("vocoder", 0.1)
    yield "vocoder", vocoder.channel_vocoder(reading.audio, (heard.f0_hz > 0).astype(np.float32)), {}
    yield "griffin_lim", vocoder.griffin_lim(heard.mels), {}
    progress.update("recording sentences", 0.2)
    recordings = record(sentences(), speaker, loader, progress)
    wanted = wanted_of(reading.phones)
    progress.update("joining pieces", 0.6)
    joined = concatenate(wanted, recordings)
    yield "concatenation", joined.audio, _told(joined, recordings)
    progress.update("averaging", 0.7)
    yield "statistical", statistical.average_speech(wanted, recordings), {}
    larger = larger_speaker(loader.store)
    if larger is not None:
        progress.update("Kokoro", 0.8)
        yield "kokoro", tts.synthesize(text, larger.id, model=larger.spec, loader=loader, progress=progress).audio, {}


def _formants(reading: Reading) -> tuple[Audio, dict[str, Any]]:
    audio, sounds = formant.speak(reading.phonemes)
    return audio, {"sounds": [vars(sound) for sound in sounds]}


def _told(joined: Joined, recordings: list[Recording]) -> dict[str, Any]:
    """Returns the pieces of a joined sentence, with the sentences that they come from."""
    minutes = sum(recording.samples.size for recording in recordings) / joined.audio.sample_rate / 60
    runs = [vars(run) | {"text": recordings[run.recording].text} for run in joined.runs]
    return {
        "n_sentences": len(recordings),
        "minutes": minutes,
        "n_units": len(joined.units),
        "n_runs": len(runs),
        "n_samples": joined.audio.n_samples,
        "runs": runs,
    }


def larger_speaker(store: WeightStore) -> Speaker | None:
    """Returns Kokoro's voice in the first of its sizes whose weights are here."""
    for spec in rows_of("kokoro"):
        speaker = find_speaker(LARGER_VOICE, spec)
        if is_here(speaker, store):
            return speaker
    return None


def _levelled(audio: Audio) -> Audio:
    """Returns a sound with its peak at half of full scale, so that no way is louder than the others by much."""
    peak = float(np.abs(audio.samples).max())
    if peak == 0:
        raise InvalidInput("Nothing was heard of this text: try another.")
    return Audio(audio.samples * np.float32(PEAK / peak), audio.sample_rate)
