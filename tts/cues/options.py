"""How cues are spoken, fitted and written."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from audio_ml.formats import BitDepth
from audio_ml.loudness import TARGETS, find_target
from audio_ml.options import Options

SAMPLE_RATE = 48000
BIT_DEPTH: BitDepth = "24"

Fit = Literal["none", "trim", "speed", "stretch", "fail"]
FrameRateName = Literal[
    "23.976", "24", "25", "29.97", "29.97df", "30", "47.952", "48", "50", "59.94", "59.94df", "60"
]  # those of audio_ml.timecode
DEFAULT_FILENAME = "{scene}_{cue}_{character}_T{take}.wav"


class CueOptions(Options):
    """Options of a cue sheet; those of the voices are beside them."""

    frame_rate: FrameRateName = Field("24", description="Frames a second of the sheet's timecodes; df is drop-frame.")
    columns: tuple[str, ...] = Field(
        (),
        description="Columns that have unusual names, each as FIELD=TITLE, such as line=Dialog,character=Rolle; the "
        "fields are cue, character, tc_in, tc_out, duration, line, notes, scene, reel.",
    )
    takes: int = Field(1, ge=1, le=20, description="Takes of each cue, each said differently.")
    fit: Fit = Field(
        "stretch",
        description="How a line is made to fit its slot: 'trim' cuts silence off its ends; 'speed' has it said faster, "
        "too, up to 1.25 times; 'stretch' shortens the rest by up to 12 %; 'fail' trims and refuses what is too long; "
        "'none' leaves it as it comes.",
    )
    fill: bool = Field(False, description="Slow down lines that are shorter than their slot as well.")
    loudness: str | None = Field(
        None, description=f"Bring every cue to this loudness: a number of LUFS, or {', '.join(TARGETS)}."
    )
    filename: str = Field(
        DEFAULT_FILENAME,
        description="Name of each file below the output folder, made of {sheet}, {reel}, {scene}, {cue}, {character}, "
        "{take}; bare numbers become S012, Q003 and 01.",
        json_schema_extra={"advanced": True},
    )
    guide_start: str | None = Field(
        None,
        description="Timecode at which guide track and sessions begin; that of the first cue by default.",
        json_schema_extra={"advanced": True},
    )
    overwrite: bool = Field(
        False, description="Do every cue again, and replace files that exist.", json_schema_extra={"advanced": True}
    )

    @field_validator("loudness")
    @classmethod
    def _loudness_is_a_target(cls, value: str | None) -> str | None:
        if value is not None:
            find_target(value)
        return value

    @model_validator(mode="after")
    def _fill_has_means(self) -> CueOptions:
        if self.fill and self.fit not in ("speed", "stretch"):
            raise ValueError(f"fill needs fit 'speed' or 'stretch': '{self.fit}' slows nothing down")
        return self
