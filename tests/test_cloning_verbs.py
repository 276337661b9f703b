"""The verbs of cloning: what a speaker leaves unmarked is marked, and nobody is enrolled without consent."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_speech import FAKE_SPEECH
from made_up_voices import CONSENT, made_up_voice

import tts
import voiceclone
from audio_ml.audio import Audio
from audio_ml.cloned_voice import ClonedVoice
from audio_ml.errors import ConsentMissing, InvalidInput, InvalidOption, UnknownModel
from audio_ml.loader import ModelLoader
from audio_ml.progress import Progress
from audio_ml.provenance import Provenance
from audio_ml.speaking import Speaker
from audio_ml.speech import SpeechChunk
from audio_ml.weights import WeightStore

MARK = 3.0


@pytest.fixture(autouse=True)
def marked(monkeypatch: pytest.MonkeyPatch) -> list[Audio]:
    """Takes the place of the watermark; what was marked."""
    seen: list[Audio] = []

    def mark(audio: Audio, loader: object = None, progress: object = None) -> Audio:
        seen.append(audio)
        return Audio(audio.samples * MARK, audio.sample_rate)

    monkeypatch.setattr("audio_ml.watermark.mark", mark)
    return seen


@pytest.fixture
def speaker(tmp_path: Path) -> tts.VoiceSpeaker:
    return tts.VoiceSpeaker(ModelLoader("cpu", WeightStore(cache=tmp_path / "cache")), FAKE_SPEECH)


class Careless:
    """A speaker that marks nothing and knows no option."""

    spec = FAKE_SPEECH

    def speak(
        self,
        text: str,
        voice: ClonedVoice,
        options: Mapping[str, Any] | None = None,
        progress: Progress | None = None,
    ) -> Iterator[SpeechChunk]:
        assert options == {}
        yield SpeechChunk(Audio(np.full((1, 80), 0.1, np.float32), 8000))
        yield SpeechChunk(Audio(np.zeros((1, 80), np.float32), 8000))

    def provenance(self, text: str, voice: ClonedVoice, options: Mapping[str, Any] | None = None) -> Provenance:
        raise NotImplementedError


def test_text_to_speech_is_a_speaker(speaker: tts.VoiceSpeaker, marked: list[Audio]) -> None:
    somebody: Speaker = speaker
    said = voiceclone.clone("The quick brown fox.", made_up_voice(), speaker=somebody)
    same = tts.synthesize("The quick brown fox.", made_up_voice(), model=FAKE_SPEECH)
    assert said.marked and np.array_equal(said.audio.samples, same.audio.samples)
    assert {word.voice for word in said.words} == {"cloned/anna"} and len(marked) == 2, "once each, not twice"
    chunks = list(voiceclone.clone_stream("The quick brown fox.", made_up_voice(), speaker=somebody))
    assert np.array_equal(np.concatenate([c.audio.samples for c in chunks], axis=1), said.audio.samples)


def test_options_are_the_speakers_and_the_watermark_is_one(speaker: tts.VoiceSpeaker, marked: list[Audio]) -> None:
    plain = voiceclone.clone("Fox.", made_up_voice(), speaker=speaker, options={"watermark": False, "speed": 2.0})
    assert not plain.marked and not marked
    slow = voiceclone.clone("Fox.", made_up_voice(), speaker=speaker, options={"watermark": False})
    assert slow.audio.n_samples > plain.audio.n_samples
    for options in ({"speeed": 2.0}, {"watermark": "perhaps"}, {"likeness": 2}):
        with pytest.raises(InvalidOption):
            voiceclone.clone_stream("Fox.", made_up_voice(), speaker=speaker, options=options)


def test_no_speaker_gets_around_the_mark(marked: list[Audio]) -> None:
    chunks = list(voiceclone.clone_stream("Fox.", made_up_voice(), speaker=Careless()))
    assert [chunk.marked for chunk in chunks] == [True, False] and len(marked) == 1, "silence carries nothing"
    assert np.allclose(chunks[0].audio.samples, 0.1 * MARK)
    assert voiceclone.clone("Fox.", made_up_voice(), speaker=Careless()).marked
    plain = voiceclone.clone("Fox.", made_up_voice(), speaker=Careless(), options={"watermark": False})
    assert not plain.marked and len(marked) == 2


def test_a_model_that_cannot_is_told() -> None:
    assert tts.VoiceSpeaker().spec.name == "kokoro" and tts.VoiceSpeaker(model="kokoro-fp16").spec.name == "kokoro-fp16"
    with pytest.raises(InvalidOption, match="hibari cannot speak with a cloned voice"):
        tts.VoiceSpeaker(model="hibari")
    with pytest.raises(UnknownModel):
        tts.VoiceSpeaker(model="kokorro")


# Enrolment: what is asked for before any work.


def _nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes all work fail."""

    def fail(*_: Any, **__: Any) -> None:
        raise AssertionError("work began")

    for name, verb in (("enrolment", "make_voice"), ("reference", "prepare")):
        module = types.ModuleType(f"voiceclone.{name}")
        setattr(module, verb, fail)
        monkeypatch.setitem(sys.modules, f"voiceclone.{name}", module)


@pytest.mark.parametrize("consent", [None, "", "  \n", "yes"])
def test_nobody_is_enrolled_without_consent(consent: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    _nothing(monkeypatch)
    with pytest.raises(ConsentMissing, match=r"Anna Smith, 2026-11-26"):
        voiceclone.enroll("anna.wav", "anna", consent)


def test_a_request_is_checked_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    _nothing(monkeypatch)
    with pytest.raises(InvalidInput, match="no name for a voice"):
        voiceclone.enroll("anna.wav", "../anna", CONSENT)
    with pytest.raises(UnknownModel, match="No model 'pocket'"):
        voiceclone.enroll("anna.wav", "anna", CONSENT, options={"also": ("pocket",)})
    with pytest.raises(InvalidOption, match="quick voice is not fitted: steps"):
        voiceclone.enroll("anna.wav", "anna", CONSENT, options={"quick": True, "steps": 3})
    with pytest.raises(InvalidOption, match="Did you mean 'quick'"):
        voiceclone.enroll("anna.wav", "anna", CONSENT, options={"quik": True})


def test_what_is_given_reaches_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    def prepare(references: Any, **given: Any) -> str:
        seen.update(given, references=references)
        return "prepared"

    def make_voice(reference: Any, name: str, consent: Any, options: Any, *_: Any, denoised: bool) -> ClonedVoice:
        assert (reference, denoised) == ("prepared", True)
        return made_up_voice(name, consent=consent)

    for name, verb in (("enrolment", make_voice), ("reference", prepare)):
        module = types.ModuleType(f"voiceclone.{name}")
        setattr(module, verb.__name__, verb)
        monkeypatch.setitem(sys.modules, f"voiceclone.{name}", module)

    def denoise(audio: Audio, progress: Progress) -> Audio:
        return audio

    voice = voiceclone.enroll(
        ["a.wav", "b.wav"], "Anna", "Anna, 2025-01-01, ADR", denoiser=denoise, options={"seconds": 20}
    )
    assert (voice.name, voice.consent.who) == ("Anna", "Anna")
    assert "language_of" in seen
    assert seen["references"] == ["a.wav", "b.wav"] and seen["seconds"] == 20 and seen["denoiser"] is denoise
