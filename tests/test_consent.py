"""No voice without consent: who, when and for what, in writing or also spoken, and by the one who is cloned."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audio_ml.audio import Audio
from audio_ml.errors import ConsentMissing, MissingDependency, UnreadableAudio
from audio_ml.writer import write_audio
from voiceclone import consent as consents
from voiceclone.consent import check_speaker, parse_consent, sentence_of, with_recording

LINE = "Anna Smith, 2025-11-26, temp ADR for reel 3"
SENTENCE = "I, Anna Smith, agree that my voice is cloned for temp ADR for reel 3."


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "consent.wav"
    write_audio(path, Audio(np.random.default_rng(0).uniform(-0.1, 0.1, (1, 16000)).astype(np.float32), 16000))
    return path


@pytest.mark.parametrize(
    "text",
    [
        LINE,
        f"  {LINE.replace(', ', ' ; ')}  ",
        f"\ufeff{LINE}\nSigned at the studio.\n",
        "Agreement\n\nWho: Anna Smith\nWHEN: 2025-11-26\nFor: temp ADR for reel 3\n\nSigned: A. S.",
        "name: Anna Smith\r\ndate: 2025-11-26\r\npurpose: temp ADR for reel 3",
    ],
)
def test_who_when_and_for_what_are_read(text: str) -> None:
    consent = parse_consent(text)
    assert (consent.who, consent.when, consent.purpose) == ("Anna Smith", "2025-11-26", "temp ADR for reel 3")
    assert consent.statement == "\n".join(text.lstrip("\ufeff").splitlines()).strip()
    assert consent.checked == "written" and not consent.recording_sha256


def test_what_cannot_be_printed_becomes_a_space() -> None:
    assert parse_consent("Anna\u00a0Smith, 2025-11-26, temp\x1b[2J").statement == "Anna Smith, 2025-11-26, temp [2J"


def test_commas_belong_to_the_name_and_the_purpose() -> None:
    consent = parse_consent("Smith, Anna, Ltd., 2025-11-26, reel 3, and trailers")
    assert (consent.who, consent.purpose) == ("Smith, Anna, Ltd.", "reel 3, and trailers")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("yes", "does not say who and when and for what"),
        ("Anna Smith agrees", "does not say who"),
        ("who: Anna\nfor: all", "does not say when"),
        ("Anna Smith, 2025-13-26, temp", "is none"),
        ("Anna Smith, 2999-01-01, temp", "still to come"),
        ("who: Anna\nwhen: yesterday\nfor: x", "'yesterday' is none"),
        ("Anna, 2025-01-01, " + "x" * 600, "purpose"),
    ],
)
def test_less_is_no_consent(text: str, words: str) -> None:
    with pytest.raises(ConsentMissing, match=words) as caught:
        parse_consent(text)
    assert str(caught.value).isprintable()


def test_a_recording_is_known_by_its_hash_and_heard(recording: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        consents,
        "_heard_in",
        lambda *_: "Okay. I, Anna Smith, agree that my voice is cloned for temp ADR for real 3. Thank you.",
    )
    consent = with_recording(parse_consent(LINE), recording)
    assert consent.recording_sha256 == hashlib.sha256(recording.read_bytes()).hexdigest()
    assert consent.checked.startswith("recorded, and 9") and consent.checked.endswith("heard by Whisper")
    assert consent.who == "Anna Smith" and sentence_of(consent) == SENTENCE


@pytest.mark.parametrize("heard", ["", "Good morning.", "I, Anna Smith, do not want anything of the kind at all."])
def test_a_recording_of_something_else_is_no_consent(
    recording: Path, heard: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consents, "_heard_in", lambda *_: heard)
    with pytest.raises(ConsentMissing) as caught:
        with_recording(parse_consent(LINE), recording)
    assert SENTENCE in str(caught.value), "it tells the sentence to record"


@pytest.mark.parametrize(
    ("line", "heard", "told"),
    [
        (LINE, "I, Anna Smith, do NOT agree that my voice is cloned for temp ADR for reel 3.", "'not' may refuse"),
        (LINE, "I, Anna Smith, don\u2019t agree that my voice is cloned for temp ADR for reel 3.", "'not' may refuse"),
        (LINE, "I, Anna Smith, agree that my voice is never cloned for temp ADR for reel 3.", "'never' may refuse"),
        (LINE, "I, Anna Smith, disagree that my voice is cloned for temp ADR for reel 3.", "'disagree' may refuse"),
        (LINE, "I, Anna Smith, doubt that my voice is cloned for temp ADR for reel 3.", "'agree' is missing"),
        (LINE, "I, Anna Smith, agree that my voice is cloned for charity.", "the purpose is another"),
        (LINE, "I, Anna Smith, agree that my voice is cloned for advertising for reel 3.", "the purpose is another"),
        ("Anna Smith, 2025-11-26, advertising", "I, Bob Jones, agree that my voice is cloned for charity.", "purpose"),
        ("Anna Smith, 2025-11-26, advertising", "I don't agree that my voice is cloned for anything.", "'not'"),
        ("Anna Smith, 2025-11-26, voice over", "I, Anna Smith, agree that my voice is cloned for charity.", "purpose"),
        (
            "Anna Smith, 2025-11-26, temp, not for broadcast",
            "I, Anna Smith, do not agree that my voice is cloned for temp, not for broadcast.",
            "'not' may refuse",
        ),
    ],
)
def test_nearly_the_sentence_is_no_consent_when_it_refuses_or_is_for_something_else(
    recording: Path, line: str, heard: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consents, "_heard_in", lambda *_: heard)
    with pytest.raises(ConsentMissing, match=told):
        with_recording(parse_consent(line), recording)


@pytest.mark.parametrize(
    ("purpose", "heard", "told"),
    [
        ("temp, not for broadcast", "I, Anna Smith, agree that my voice is cloned for temp, not for broadcast.", ""),
        ("Ads", "Right. I, Anna Smith, agree my voice is cloned for ads.", ""),
        ("podcasts", "I, Anna Smith, agree that my voice is cloned for podcast.", ""),
        ("voice over", "I, Anna Smith, agree that my voice is cloned for voiceover.", ""),
        ("temp ADR", "I, Hannah Smythe, agree that my voice is cloned for temp ADR.", ", but not the name"),
    ],
)
def test_what_was_misheard_but_agrees_is_consent(
    recording: Path, purpose: str, heard: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consents, "_heard_in", lambda *_: heard)
    consent = with_recording(parse_consent(f"Anna Smith, 2025-11-26, {purpose}"), recording)
    assert consent.checked.endswith(f"of the sentence heard by Whisper{told}")


def test_what_cannot_be_heard_is_on_record_as_such(recording: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: Any) -> str:
        raise MissingDependency("faster-whisper")

    monkeypatch.setattr("audio_ml.judges.whisper.transcribe", missing)
    assert with_recording(parse_consent(LINE), recording).checked.startswith("recorded, not checked")


def test_what_is_no_recording_is_told(tmp_path: Path) -> None:
    (tmp_path / "consent.wav").write_bytes(b"not sound")
    with pytest.raises(UnreadableAudio):
        with_recording(parse_consent(LINE), tmp_path / "consent.wav")


def test_who_is_cloned_has_to_agree(recording: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reference = Audio(np.zeros((1, 24000), np.float32), 24000)

    def hear(likeness: float) -> None:
        found = iter([np.array([1.0, 0.0]), np.array([likeness, (1 - likeness**2) ** 0.5])])
        monkeypatch.setattr("voiceclone.encoders.embeddings", lambda *_: {"ge2e": next(found)})

    hear(0.9)
    check_speaker(recording, reference)
    hear(0.5)
    with pytest.raises(ConsentMissing, match="another voice"):
        check_speaker(recording, reference)


@pytest.mark.weights
@pytest.mark.slow
def test_whisper_hears_a_spoken_consent(tmp_path: Path, loader: Any) -> None:
    import tts

    pytest.importorskip("faster_whisper")
    speech = tts.synthesize(SENTENCE, "am_michael", loader=loader)
    write_audio(tmp_path / "consent.wav", speech.audio)
    assert "of the sentence heard" in with_recording(parse_consent(LINE), tmp_path / "consent.wav", loader).checked
