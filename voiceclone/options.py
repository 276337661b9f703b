"""The options of the verbs of this package."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from audio_ml.formats import FormatName
from audio_ml.options import Options, parse


class EnrolOptions(Options):
    """How a voice is made of recordings."""

    quick: bool = Field(
        False, description="Only mix the model's own voices: a usable voice in seconds, which is less alike."
    )
    language: Literal["en-US", "en-GB"] = Field(
        "en-US", description="The English that the voice reads: its sounds, and whether 3/4 is in March or in April."
    )
    seconds: float = Field(
        30.0,
        ge=5,
        le=120,
        description="How much of the speech is used, the best of it.",
        json_schema_extra={"unit": "seconds", "advanced": True},
    )
    steps: int = Field(
        20,
        ge=1,
        le=500,
        description="For how many steps the voice is fitted: more are more alike, and sound less clean.",
        json_schema_extra={"advanced": True},
    )
    also: tuple[str, ...] = Field(
        (), description="Further models that are to speak with the voice, which imitate a recording: pocket-tts."
    )
    seed: int = Field(
        0, ge=0, le=2**32 - 1, description="The same seed gives the same voice.", json_schema_extra={"advanced": True}
    )


class CloneOptions(Options):
    """What holds for cloned speech, whoever speaks."""

    watermark: bool = Field(True, description="Mark what a cloned voice says, inaudibly, as made by a machine.")


class ConversionFileOptions(Options):
    """The form of a file that was converted."""

    format: FormatName = Field("wav", description="File format of the result.")


def marks(options: Mapping[str, Any]) -> bool:
    """Tells whether cloned speech with these options gets the watermark; others than those of all speakers are left."""
    return parse(CloneOptions, {name: options[name] for name in CloneOptions.model_fields if name in options}).watermark
