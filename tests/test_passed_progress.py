"""Whoever waits for a model on the way, for its weights or for memory, sees that, and can end it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audio_ml import pitch, watermark
from audio_ml.audio import Audio
from audio_ml.errors import Cancelled
from audio_ml.judges import whisper
from audio_ml.progress import Progress
from audio_ml.writer import write_audio
from voiceclone import api, consent, enrolment, zero_shot

SOUND = Audio(np.full((1, 16000), 0.1, np.float32), 16000)


class Busy:
    """A loader whose models never come: whoever waits has to hear of it, and of nothing else."""

    def use(self, spec: Any, progress: Progress | None = None) -> Any:
        return self.use_all([spec], progress)

    def use_all(self, specs: Any, progress: Progress | None = None) -> Any:
        if specs[0].task != "voiceclone":
            assert progress is not None, f"nobody is told that {specs[0].name} is waited for"
            progress.update("waiting for memory", 0.0)
            progress.cancel()
            progress.check()
        return self

    def __enter__(self) -> Busy:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def tell_language(loader: Any, progress: Progress) -> None:
    language_of = api._language_of(loader, progress)
    if language_of is None:
        pytest.skip("faster-whisper is not installed")
    language_of(SOUND)


AGREED = consent.parse_consent(consent.EXAMPLE.replace("2026", "2025"))
WAITING: dict[str, Callable[[Any, Progress, Path], object]] = {
    "transcribe": lambda loader, progress, _: whisper.transcribe(SOUND, loader, progress),
    "spoken_language": lambda loader, progress, _: whisper.spoken_language(SOUND, loader, progress),
    "track": lambda loader, progress, _: pitch.track(SOUND, loader, progress),
    "detect_file": lambda loader, progress, path: watermark.detect_file(path, loader, progress),
    "the language of a reference": lambda loader, progress, _: tell_language(loader, progress),
    "a spoken consent": lambda loader, progress, path: consent.with_recording(AGREED, path, loader, progress),
    "the words of a prompt": lambda loader, progress, _: zero_shot.enroll(
        SOUND, "f5-tts", loader=loader, progress=progress
    ),
    "the words of a reference": lambda loader, progress, _: enrolment._states(SOUND, ("f5-tts",), loader, progress),
    "the pitch of a reference": lambda loader, progress, _: enrolment.make_voice(
        type("Reference", (), {"audio": SOUND}), "anna", AGREED, api.EnrolOptions(), loader, progress
    ),
}


@pytest.mark.parametrize("what", WAITING)
def test_waiting_is_told_and_can_be_ended(what: str, tmp_path: Path) -> None:
    told: list[str] = []
    write_audio(tmp_path / "sound.wav", SOUND)
    with pytest.raises(Cancelled):
        WAITING[what](Busy(), Progress(lambda state: told.append(state.stage)), tmp_path / "sound.wav")
    assert told[-1] == "waiting for memory"
