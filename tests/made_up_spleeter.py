"""Spleeter models with made-up weights, the same on every machine, that real Spleeter has run too.

Nothing of ours is imported: `bench/spleeter_variants_process.py` fills real Spleeter's own variables with
these numbers, and the tests put them into a checkpoint that our code reads.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

SECONDS = 13  # a little more than one patch
WINDOW = 512
ELU = {"conv_activation": "ELU", "deconv_activation": "ELU"}


def configuration(instruments: list[str], model: str, params: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Returns what Spleeter's JSON says, as far as separating goes."""
    return {
        "model_dir": "made_up",
        "mix_name": "mix",
        "instrument_list": instruments,
        "sample_rate": 44100,
        "frame_length": 4096,
        "frame_step": 1024,
        "T": 512,
        "F": 1024,
        "n_channels": 2,
        "separation_exponent": 2,
        "mask_extension": "zeros",
        "model": {"type": model, "params": params},
        **more,
    }


FOUR = ["vocals", "drums", "bass", "other"]
FIVE = ["vocals", "piano", "drums", "bass", "other"]
SMALL = {"frame_length": 1024, "frame_step": 256, "T": 128, "F": 256}
NARROW = {"conv_n_filters": [3, 4, 6, 8, 10, 12]}
OFFICIAL = {
    "4stems": configuration(FOUR, "unet.unet", ELU),
    "5stems": configuration(FIVE, "unet.softmax_unet", ELU),
    "4stems-16kHz": configuration(FOUR, "unet.unet", ELU, F=1536),
}
OWN = {
    "softmax": configuration(["speech", "rest"], "unet.softmax_unet", ELU | NARROW, separation_exponent=1.5, **SMALL),
    "average": configuration(
        ["a", "b", "c"],
        "unet.unet",
        {"conv_activation": "ReLU", "deconv_activation": "LeakyReLU", **NARROW},
        separation_exponent=1,
        mask_extension="average",
        **SMALL,
    ),
    "fallback": configuration(["a", "b"], "unet.unet", {"conv_activation": "none of theirs", **NARROW}, **SMALL),
}
CASES = OFFICIAL | OWN


def value(name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Returns the numbers of a variable, by its name alone; numpy's legacy generator is frozen."""
    random = np.random.RandomState(zlib.crc32(name.encode()))
    kind = name.rsplit("/", 1)[1]
    if kind in ("gamma", "moving_variance"):
        numbers = random.uniform(0.5, 1.5, shape)
    elif kind == "kernel":
        n_taps = shape[0] * shape[1]
        seen = n_taps * shape[3] / 4 if "transpose" in name else n_taps * shape[2]
        level = 0.02 if shape[2] == 2 else 1.0  # magnitudes are large; what follows should be near one
        numbers = random.normal(0, level * np.sqrt(1 / seen), shape)
    else:
        numbers = random.normal(0, 0.1, shape)
    return numbers.astype(np.float32)


def starts(n_samples: int) -> list[int]:
    """Returns where the stored windows begin: near the start, at the border of two large patches, at the end."""
    return [2_000, n_samples // 2, 512 * 1024 - 4096 - WINDOW // 2, n_samples - WINDOW]
