"""From recordings to a voice: everything that is known of the reference is in it, and what it is made with."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from made_up_voices import CONSENT

from audio_ml.audio import Audio
from audio_ml.cloned_voice import EMBEDDING_SIZES, ClonedVoice, Intonation
from audio_ml.errors import ReferenceUnfit, UnknownModel
from audio_ml.loader import ModelLoader
from audio_ml.nets.kokoro_voices import N_ROWS, N_STYLE
from audio_ml.progress import Progress
from audio_ml.voice_file import decode, encode
from audio_ml.weights import WeightStore
from voiceclone import enrolment
from voiceclone.findings import Finding
from voiceclone.inversion import Inversion
from voiceclone.options import EnrolOptions
from voiceclone.reference import Reference

RATE = 24000
PITCH = float(np.log(150))
STYLES, DELTA = np.full((N_ROWS, N_STYLE), 0.5, np.float32), np.full(N_STYLE, 0.1, np.float32)
FOUND = Finding("length", "warning", 5.0, "s", "There are only 5.0 s.")


def _reference(seconds: float = 2.0) -> Reference:
    time = np.arange(round(seconds * RATE)) / RATE
    tone = 0.1 * np.sin(2 * np.pi * 150 * time).astype(np.float32)
    return Reference(
        audio=Audio(tone[None], RATE),
        findings=(FOUND,),
        speech_seconds=5.0,
        found_seconds=6.0,
        sample_rate=16000,
        loudness_lufs=-30.0,
        sources=("take.wav",),
        measured={"snr_db": 40.0},
    )


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Makes a voice with what takes no network: the pitch is 150 Hz, unless `pitches` says otherwise."""

    def invert(embeddings: Any, pitch: Intonation, options: EnrolOptions, *_: Any) -> Inversion:
        assert set(embeddings) == set(EMBEDDING_SIZES) and pitch.mean_log_hz == pytest.approx(PITCH)
        return Inversion(STYLES, np.zeros_like(DELTA) if options.quick else DELTA, None, {"rounds": 7})

    def make(pitches: Any = (PITCH, 0.2), **options: Any) -> ClonedVoice:
        found = SimpleNamespace(mean_log=pitches[0], spread_log=pitches[1])
        heard = {name: np.ones(size, np.float32) / size**0.5 for name, size in EMBEDDING_SIZES.items()}
        monkeypatch.setattr(enrolment, "invert", invert)
        monkeypatch.setattr(enrolment, "track", lambda *_: found)
        monkeypatch.setattr(enrolment, "embeddings", lambda *_: heard)
        loader = ModelLoader("cpu", WeightStore(cache=tmp_path))
        return enrolment.make_voice(_reference(), "anna", CONSENT, EnrolOptions(**options), loader, Progress())

    return make


def test_a_voice_knows_what_it_was_made_of(make: Any) -> None:
    voice = make()
    assert decode(encode(voice)).sha256 == voice.sha256
    assert (voice.sample_rate, voice.loudness_lufs, voice.speech_seconds) == (16000, -30.0, 5.0)
    assert voice.consent == CONSENT and np.exp(voice.pitch.mean_log_hz) == pytest.approx(150)
    assert np.array_equal(voice.delta, DELTA) and voice.reference_mel.shape == (80, 161)
    assert voice.provenance["findings"] == [FOUND.as_dict()] and voice.provenance["references"] == ["take.wav"]
    assert voice.provenance["fitted"] == {"rounds": 7} and voice.provenance["options"]["quick"] is False
    assert not make(quick=True).delta.any()
    assert voice.language == "en-US" and make(language="en-GB").language == "en-GB"


def test_a_whisper_cannot_become_a_voice(make: Any) -> None:
    with pytest.raises(ReferenceUnfit, match="whisper"):
        make(pitches=(None, None))


def test_other_models_keep_their_own(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from voiceclone import zero_shot

    def keep(audio: Audio, spec: Any, **given: Any) -> dict[str, Any]:
        assert not given.get("transcript"), "it writes the words down itself where the model needs them"
        return {"latents": np.ones((2, 3), np.float32)}

    with pytest.raises(UnknownModel, match="pocket-tts"):
        make(also=("pocket",))
    monkeypatch.setattr(zero_shot, "enroll", keep)
    assert np.array_equal(make(also=("pocket-tts",)).states["pocket-tts"]["latents"], np.ones((2, 3)))
    monkeypatch.setattr("audio_ml.judges.whisper.transcribe", lambda *_: pytest.fail("heard twice"))
    (needing,) = [spec.name for spec in zero_shot.models().values() if spec.needs_transcript]
    assert list(make(also=(needing, "pocket-tts")).states) == [needing, "pocket-tts"]
