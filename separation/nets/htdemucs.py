"""HTDemucs: the network of the package `demucs`, with its published parameters.

Rouard, Massa, Défossez 2023, "Hybrid transformers for music source separation" (ICASSP). A U-Net on the
spectrogram and one on the waveform meet in a transformer that lets each attend to the other.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from separation.nets.demucs_checkpoint import convert

if TYPE_CHECKING:
    import torch

STEMS = ("drums", "bass", "other", "vocals")
SIX_STEMS = (*STEMS, "guitar", "piano")
SAMPLE_RATE = 44100
SEGMENT_SECONDS = Fraction(39, 5)  # what it was trained on, and hears at once
BOTTOM_CHANNELS = 512


def htdemucs(stems: Sequence[str] = STEMS, bottom_channels: int = BOTTOM_CHANNELS) -> torch.nn.Module:
    """Returns the network with random weights: mixtures [batch, 2, n] -> stems [batch, stems, 2, n]."""
    from demucs.htdemucs import HTDemucs

    network: torch.nn.Module = HTDemucs(
        list(stems),
        bottom_channels=bottom_channels,
        dconv_mode=3,
        samplerate=SAMPLE_RATE,
        segment=SEGMENT_SECONDS,
        rescale=0,  # it would scale random weights
    )
    return network.eval()


def build_six_stems(output: Path, published: Path) -> None:
    """Writes the weights of the six-stem model, which has no channels added for its transformer."""
    convert(output, published, functools.partial(htdemucs, SIX_STEMS, 0), "htdemucs-6s")


def build(output: Path, published: Path) -> None:
    """Writes the weights of the four-stem model out of its published file."""
    convert(output, published, htdemucs, "htdemucs")
