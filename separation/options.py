"""What every separation model understands, and how stems are delivered."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from audio_ml.formats import FormatName
from audio_ml.options import Options

MAX_SECONDS = 1_000_000.0  # eleven days
DEFAULT_MODEL = "spleeter-2stems"


class SeparationOptions(Options):
    """Options of every separation model; a model's own options extend them."""

    stems: tuple[str, ...] = Field((), description="Only these stems; all of the model's by default.")

    @property
    def adds_up(self) -> bool:
        """Whether the model's last stem is the mixture minus the others, so that stems sum to it exactly."""
        return True


class DeliveryOptions(Options):
    """Which part of a file is separated, and the form of the files that are written."""

    filename: str = Field(
        "{track}/{stem}.{ext}",
        description="Name of each stem below the output folder, made of {track}, {stem}, {model} and, last, {ext}.",
    )
    format: FormatName = Field("wav", description="File format of the stems.")
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
