"""What every separation model understands, and how stems are delivered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import Field, field_validator, model_validator

from audio_ml.formats import FormatName
from audio_ml.options import Options

MAX_SECONDS = 1_000_000.0  # eleven days
DEFAULT_MODEL = "spleeter-2stems"
RESIDUAL = "residual"  # the stem of what no other stem holds

ChannelPolicy = Literal["auto", "per-pair", "each", "downmix", "centre-only"]


@dataclass(frozen=True)
class ResidualPolicy:
    """What becomes of the difference between the mixture and the model's stems; `stem` is that of "into"."""

    kind: Literal["project", "file", "into", "none"]
    stem: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.stem}".strip()


class SeparationOptions(Options):
    """Options of every separation model; a model's own options extend them."""

    stems: tuple[str, ...] = Field(
        (), description="Only these stems; all of the model's by default.", json_schema_extra={"names": "stems"}
    )
    two_stems: str | None = Field(
        None,
        description="Deliver this stem and, as no_STEM, the sum of the others.",
        json_schema_extra={"names": "stems"},
    )
    mix: tuple[str, ...] = Field(
        (),
        description="Deliver sums of stems in their place, each as NAME=STEM+STEM, such as karaoke=drums+bass+other.",
        json_schema_extra={"advanced": True},
    )
    gain: tuple[str, ...] = Field(
        (),
        description="Make stems louder or quieter, each as STEM=DB, such as vocals=-6; -inf mutes.",
        json_schema_extra={"advanced": True},
    )
    residual: str = Field(
        "project",
        description="What the model's stems leave of the mixture: 'project' shares it among them, so that they add up "
        "exactly; 'file' makes it a stem of its own; 'into STEM' gives it to one; 'none' drops it.",
        json_schema_extra={"advanced": True},
    )
    channels: ChannelPolicy = Field(
        "auto",
        description="How more than two channels are separated: 'per-pair' (auto for surround: L/R, Ls/Rs, C alone, LFE "
        "kept whole), 'each' on its own (auto for recorder tracks), by a stereo 'downmix', or 'centre-only'.",
        json_schema_extra={"advanced": True},
    )
    layout: str | None = Field(
        None,
        description="The loudspeakers of the channels where the file is wrong or silent: stereo, lcr, quad, 5.0, 5.1, "
        "5.1-film, 7.1, or names in order such as L,C,R,Ls,Rs,LFE.",
        json_schema_extra={"advanced": True},
    )

    shifts: int = Field(
        1,
        ge=0,
        le=20,
        description="The mean of so many runs, whose segments begin at other places: a little better, and so many "
        "times slower. 0 and 1 are one run.",
        json_schema_extra={"advanced": True},
    )
    invert: bool = Field(
        False,
        description="The mean of each run and one with the polarity turned: twice as slow.",
        json_schema_extra={"advanced": True},
    )

    @field_validator("residual")
    @classmethod
    def _residual_is_a_policy(cls, value: str) -> str:
        words = value.replace("=", " ").split()
        if words in (["project"], ["file"], ["none"]) or (len(words) == 2 and words[0] == "into"):
            return " ".join(words)
        raise ValueError("choose project, file, none, or 'into STEM'")

    @model_validator(mode="after")
    def _two_stems_stand_alone(self) -> SeparationOptions:
        if self.two_stems and (self.stems or self.mix):
            raise ValueError("Option 'two_stems' says already what is delivered; leave out 'stems' and 'mix'.")
        return self

    @property
    def residual_policy(self) -> ResidualPolicy:
        kind, _, stem = self.residual.partition(" ")
        return ResidualPolicy(kind, stem)  # type: ignore[arg-type]

    @property
    def adds_up(self) -> bool:
        """Whether the model's own estimates sum to what it hears, so that the last need not be computed."""
        return False


class SharedOptions(Options):
    """Options that several models have, each with its own default and range: what a face says of them before it is
    known which model is meant."""

    overlap: float | None = Field(
        None, description="Share of each segment that the next one covers again: smoother, and slower."
    )
    segment_seconds: float | None = Field(
        None,
        description="Length of a segment, where a model leaves the choice; a shorter one takes less memory.",
        json_schema_extra={"flag": "--segment", "unit": "s"},
    )
    precision: Literal["auto", "full", "half"] | None = Field(
        None,
        description="'full' computes in 32 bits, 'half' in 16; 'auto' (default) takes half where that is faster and "
        "the model bears it.",
    )


class DeliveryOptions(Options):
    """Which part of a file is separated, and the form of the files that are written."""

    filename: str = Field(
        "{track}/{stem}.{ext}",
        description="Name of each stem below the output folder, made of {track}, {stem}, {model} and, last, {ext}.",
    )
    format: FormatName = Field("wav", description="File format of the stems.")
    sample_rate: int | None = Field(
        None,
        ge=8000,
        le=384_000,
        description="Sample rate of the stems; the source's by default.",
        json_schema_extra={"unit": "Hz", "advanced": True},
    )
    bit_depth: Literal["same", "16", "24", "32f"] = Field(
        "same", description="Bit depth of lossless formats; same is the source's (24 for lossy sources)."
    )
    bitrate_kbps: int = Field(
        256,
        ge=32,
        le=512,
        description="Bit rate of lossy formats.",
        json_schema_extra={"flag": "--bitrate", "unit": "kbit/s", "advanced": True},
    )
    dither: Literal["tpdf", "none"] = Field(
        "tpdf",
        description="Dither where samples are rounded to 16 or 24 bits; none of it in digital silence.",
        json_schema_extra={"advanced": True},
    )
    seed: int = Field(0, ge=0, description="Seed of the dither.", json_schema_extra={"advanced": True})
    clip: Literal["auto", "warn", "none", "rescale-all"] = Field(
        "auto",
        description="Samples beyond full scale: 'warn' cuts and counts them (auto for 16 and 24), 'none' keeps them "
        "(auto for 32f), 'rescale-all' turns all stems down by one factor, which the report states.",
        json_schema_extra={"advanced": True},
    )
    keep_umid: bool = Field(
        False,
        description="Keep the source's UMID; a stem is another essence, so it is zeroed and recorded by default.",
        json_schema_extra={"advanced": True},
    )
    report: Literal["basic", "full"] = Field(
        "basic", description="How much is measured; full adds the true peak of every stem."
    )
    start_seconds: float = Field(
        0.0,
        ge=0,
        le=MAX_SECONDS,
        description="Where to start in the file.",
        json_schema_extra={"flag": "--start", "unit": "s"},
    )
    duration_seconds: float | None = Field(
        None,
        gt=0,
        le=MAX_SECONDS,
        description="How much of the file; all of it by default.",
        json_schema_extra={"flag": "--duration", "unit": "s"},
    )
    overwrite: bool = Field(False, description="Replace files that exist.", json_schema_extra={"advanced": True})
