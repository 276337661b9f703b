"""What OpenAI's names of models and voices stand for here, so that programs written for its service need no change."""

from __future__ import annotations

import re

from audio_ml.errors import UnknownVoice
from tts.voices import find_speaker

# A date may follow ("tts-1-1106"): the voice decides which model of ours speaks.
MODELS = ("tts-1", "tts-1-hd", "gpt-4o-mini-tts")
_MODEL = re.compile(rf"(?:{'|'.join(MODELS)})(?:-\d{{4}}(?:-\d\d-\d\d)?)?")

# Likenesses of kind, not of sound: those that Kokoro has under the same name are its own, and alloy, which most
# programs ask for, is the voice that answers soonest.
VOICES = {
    "alloy": "hibari/heart",
    "ash": "kokoro/am_michael",
    "ballad": "kokoro/bm_george",
    "cedar": "kokoro/am_fenrir",
    "coral": "kokoro/af_bella",
    "echo": "kokoro/am_echo",
    "fable": "kokoro/bm_fable",
    "marin": "kokoro/af_heart",
    "nova": "kokoro/af_nova",
    "onyx": "kokoro/am_onyx",
    "sage": "kokoro/bf_emma",
    "shimmer": "kokoro/af_sarah",
    "verse": "kokoro/am_puck",
}


def is_openai_model(model: str) -> bool:
    """Tells whether a model goes by one of OpenAI's names.

    >>> is_openai_model("tts-1"), is_openai_model("gpt-4o-mini-tts-2025-12-15"), is_openai_model("kokoro")
    (True, True, False)
    """
    return _MODEL.fullmatch(model) is not None


def as_ours(model: str | None, voice: str | None) -> tuple[str | None, str | None]:
    """Returns the model and the voice of ours that are meant.

    Under one of OpenAI's models, its voices are those of the table, and others are ours; under a model of ours, its own
    voices come first.

    Raises:
        UnknownModel: when there is no such model.

    >>> as_ours("tts-1", "alloy"), as_ours("kokoro", "alloy"), as_ours("tts-1", "emma")
    ((None, 'hibari/heart'), ('kokoro', 'alloy'), (None, 'emma'))
    """
    model = None if model is None or is_openai_model(model) else model
    if voice not in VOICES:
        return model, voice
    if model is not None:
        try:
            find_speaker(voice, model)
        except UnknownVoice:
            return model, VOICES[voice]
        return model, voice
    return None, VOICES[voice]
