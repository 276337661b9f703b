"""The options that every model of this task understands."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from audio_ml.formats import BitDepth, FormatName
from audio_ml.options import Options

DEFAULT_VOICE = "hibari/heart"

DateOrder = Literal["mdy", "dmy", "ymd"]


class SpeechOptions(Options):
    """Options of speech that every model understands."""

    speed: float = Field(1.0, ge=0.5, le=2.0, description="How fast, 1 being the voice's own pace.")
    volume: float = Field(
        0.0, ge=-40, le=12, description="Louder or softer than the voice comes.", json_schema_extra={"unit": "dB"}
    )
    seed: int = Field(0, ge=0, le=2**32 - 1, description="The same seed gives the same sound.")
    markup: Literal["auto", "plain", "ssml", "none"] = Field(
        "auto",
        description="How the text is marked up: plain has [pause 1s], [voice: NAME] and [word](/phonemes/), ssml is "
        "XML, none reads every character; auto takes ssml for text that begins with <speak.",
    )
    date_order: Literal["auto", "mdy", "dmy", "ymd"] = Field(
        "auto", description="How 5/6/2026 is read; auto: month first for American voices, day first for others."
    )
    lexicon: tuple[str, ...] = Field((), description="Files of pronunciations; of two entries the later file's counts.")
    sentence_pause: float = Field(
        0.35,
        ge=0,
        le=5,
        description="Silence between sentences; between paragraphs it is twice as long.",
        json_schema_extra={"unit": "seconds"},
    )


class ClonedVoiceOptions(SpeechOptions):
    """Options of speech with a cloned voice, beside those of the model that speaks."""

    likeness: float = Field(
        1.0,
        ge=0,
        le=1,
        description="How far a cloned voice goes from clean (0, a mix of the model's own voices) to alike (1).",
    )
    watermark: bool = Field(True, description="Mark what a cloned voice says, inaudibly, as made by a machine.")


def marks(options: SpeechOptions) -> bool:
    """Tells whether speech with these options gets the watermark of cloned voices."""
    return isinstance(options, ClonedVoiceOptions) and options.watermark


class SpeechFileOptions(Options):
    """The form of the files that speech is written to."""

    format: Literal[FormatName, "raw"] | None = Field(
        None, description="File format, raw being samples without a header; by default what the file's name ends in."
    )
    sample_rate: int | None = Field(
        None,
        ge=8000,
        le=384_000,
        description="Sample rate of the file; the model's by default.",
        json_schema_extra={"unit": "Hz", "advanced": True},
    )
    bit_depth: BitDepth = Field(
        "24", description="Bit depth of lossless formats.", json_schema_extra={"advanced": True}
    )
    bitrate_kbps: int = Field(
        128,
        ge=32,
        le=512,
        description="Bit rate of lossy formats.",
        json_schema_extra={"flag": "--bitrate", "unit": "kbit/s", "advanced": True},
    )
    split: bool = Field(False, description="Write one file for each paragraph: NAME_001.wav and so on.")
    overwrite: bool = Field(False, description="Replace files that exist.", json_schema_extra={"advanced": True})
