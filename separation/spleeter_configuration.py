"""What a Spleeter model is, as its JSON configuration says: stems, transform, patches and network.

The defaults are those of "spleeter:2stems"; `OFFICIAL` has all that Spleeter 2.4.2 ships.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from audio_ml.errors import InvalidInput

Activation = Literal["LeakyReLU", "ReLU", "ELU"]

DEPTH = 6  # convolutions down, and up again, each halving or doubling a patch
PATCH_STEP = 1 << DEPTH  # frames and bins of a patch are multiples of it
OVERLAP = 4  # frames over each sample: Spleeter's gain of 2/3 after its two Hann windows is right for four


@dataclass(frozen=True)
class Configuration:
    """One Spleeter model. `widths` are the channels of its convolutions down, `exponent` is that of its masks.

    Above the `bins` that its networks see a mask is zero, or the "average" of those below. With
    `softmax` the networks of all stems share each bin of the mixture, otherwise each decides alone.
    """

    instruments: tuple[str, ...] = ("vocals", "accompaniment")
    sample_rate: int = 44100
    n_fft: int = 4096
    frames: int = 512
    bins: int = 1024
    exponent: float = 2.0
    extension: Literal["zeros", "average"] = "zeros"
    down_activation: Activation = "LeakyReLU"
    up_activation: Activation = "ReLU"
    widths: tuple[int, ...] = (16, 32, 64, 128, 256, 512)
    softmax: bool = False

    @property
    def hop(self) -> int:
        return self.n_fft // OVERLAP

    @property
    def patch_samples(self) -> int:
        """The samples that the frames of one patch cover."""
        return (self.frames - 1) * self.hop + self.n_fft


TWO_STEMS = Configuration()
FOUR_STEMS = Configuration(("vocals", "drums", "bass", "other"), down_activation="ELU", up_activation="ELU")
FIVE_STEMS = replace(FOUR_STEMS, instruments=("vocals", "piano", "drums", "bass", "other"), softmax=True)
OFFICIAL = {"2stems": TWO_STEMS, "4stems": FOUR_STEMS, "5stems": FIVE_STEMS}
OFFICIAL |= {f"{name}-16kHz": replace(known, bins=1536) for name, known in OFFICIAL.items()}


class _Parameters(BaseModel):
    """The part `model.params`; an activation of another name is what Spleeter takes where none is named."""

    conv_activation: Any = None
    deconv_activation: Any = None
    conv_n_filters: list[Annotated[int, Field(ge=1, le=4096)]] = Field(
        default=list(TWO_STEMS.widths), min_length=DEPTH, max_length=DEPTH
    )


class _Network(BaseModel):
    type: Literal["unet.unet", "unet.softmax_unet"] = "unet.unet"
    params: _Parameters = Field(default_factory=_Parameters)


class _File(BaseModel):
    """The keys of Spleeter's JSON that separating needs, under its own names; those for training are passed over."""

    model_dir: str = Field(min_length=1)
    instrument_list: list[Annotated[str, Field(pattern=r"^\w[\w -]*$")]] = Field(min_length=2, max_length=32)
    sample_rate: int = Field(ge=8000, le=192_000)
    frame_length: int = Field(ge=256, le=65_536, multiple_of=OVERLAP)
    frame_step: int
    T: int = Field(ge=PATCH_STEP, le=8192, multiple_of=PATCH_STEP)
    F: int = Field(ge=PATCH_STEP, multiple_of=PATCH_STEP)
    n_channels: Literal[2]
    separation_exponent: float = Field(gt=0, le=16)
    mask_extension: Literal["zeros", "average"]
    model: _Network

    @field_validator("instrument_list")
    @classmethod
    def _names_differ(cls, names: list[str]) -> list[str]:
        if len(set(names)) < len(names) or "residual" in names:
            raise ValueError("every stem needs a name of its own, other than 'residual'")
        return names

    @model_validator(mode="after")
    def _transform_fits(self) -> _File:
        if self.frame_step * OVERLAP != self.frame_length:
            raise ValueError(f"'frame_step' must be a quarter of 'frame_length', not {self.frame_step}")
        n_bins = self.frame_length // 2 + 1
        if n_bins < self.F:
            raise ValueError(f"'F' cannot be {self.F}: there are {n_bins} bins")
        return self


def read_configuration(path: Path) -> tuple[Configuration, str] | None:
    """Returns what a JSON file says of a Spleeter model, and its `model_dir`; None where it is about something else.

    Raises:
        InvalidInput: when it cannot be read, or asks for what is not here, with the name of the key.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path} is not a JSON file that can be read: {error}") from error
    if not isinstance(content, dict) or "instrument_list" not in content:
        return None
    try:
        file = _File.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        value = f" is {first['input']!r}" if key and first["type"] != "missing" else ""
        raise InvalidInput(
            f"{path} is no Spleeter configuration that can be run: {f'{key!r}{value}: ' if key else ''}"
            f"{first['msg'].removeprefix('Value error, ')}."
        ) from error
    return _configuration(file), file.model_dir


def _configuration(file: _File) -> Configuration:
    parameters = file.model.params
    down, up = parameters.conv_activation, parameters.deconv_activation
    return Configuration(
        instruments=tuple(file.instrument_list),
        sample_rate=file.sample_rate,
        n_fft=file.frame_length,
        frames=file.T,
        bins=file.F,
        exponent=file.separation_exponent,
        extension=file.mask_extension,
        down_activation=down if down in ("ReLU", "ELU") else "LeakyReLU",
        up_activation=up if up in ("LeakyReLU", "ELU") else "ReLU",
        widths=tuple(parameters.conv_n_filters),
        softmax=file.model.type == "unet.softmax_unet",
    )
