"""A small network of HTDemucs' build, for tests that need no weights."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import torch

from separation.nets.htdemucs import SAMPLE_RATE, STEMS

SEGMENT = SAMPLE_RATE  # what it hears at once: one second


def small(bottom_channels: int = 64) -> Any:
    """Returns a small network of the same build, with weights that leave no layer without a say."""
    from demucs.htdemucs import HTDemucs

    torch.manual_seed(0)
    network = HTDemucs(
        list(STEMS), channels=16, bottom_channels=bottom_channels, dconv_mode=3, segment=Fraction(1), rescale=0
    )
    generator = torch.Generator().manual_seed(1)
    for name, parameter in network.named_parameters():
        if name.endswith("scale") or parameter.dim() == 1:
            parameter.data += 0.2 * torch.rand(parameter.shape, generator=generator)
        parameter.data = parameter.data.half().float()  # as the published ones
    return network.eval()
