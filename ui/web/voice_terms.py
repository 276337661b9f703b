"""Which voices a page offers."""

from __future__ import annotations

from collections.abc import Iterable

from audio_ml.errors import InvalidOption
from tts.voices import find_speaker
from ui.web.desk import Desk


def check_voices(desk: Desk, voices: Iterable[str | None], model: str | None = None) -> None:
    """Raises what is wrong with voices: `UnknownVoice`, or `InvalidOption` where this page may not offer one."""
    for voice in voices:
        speaker = find_speaker(voice, model)
        if desk.commercial_only and not speaker.spec.licence.commercial:
            licence = speaker.spec.licence.name
            raise InvalidOption(
                f"{speaker.id} is not for commercial use ({licence}), and this page has no such voices."
            )
