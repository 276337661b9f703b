"""Kokoro's 24 kHz to the 16 kHz of speaker encoders, as a fixed filter that gradients pass."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import conv1d, pad

FROM_HZ = 24000
TO_HZ = 16000
UP, DOWN = 2, 3  # 24 * 2 / 3 = 16
ZERO_CROSSINGS = 48  # of the sinc, on either side
CUTOFF = 0.956  # of the lower Nyquist frequency, in the middle of the slope: where soxr has it, too
KAISER_BETA = 8.0


class To16k(nn.Module):
    """Resamples by a windowed sinc, with one filter for the even and one for the odd samples of the output."""

    def __init__(self) -> None:
        super().__init__()
        self.filters: torch.Tensor
        cutoff = CUTOFF * TO_HZ / FROM_HZ  # of the input's Nyquist frequency
        self.reach = round(ZERO_CROSSINGS / cutoff)
        around = torch.arange(-self.reach, self.reach + DOWN, dtype=torch.float64)
        distance = around - torch.arange(UP, dtype=torch.float64)[:, None] * DOWN / UP
        inside = (1 - (distance / (self.reach + 1)).square()).clamp(min=0).sqrt()
        kaiser = torch.special.i0(KAISER_BETA * inside) / torch.special.i0(torch.tensor(KAISER_BETA))
        filters = cutoff * torch.sinc(cutoff * distance) * kaiser * (inside > 0)
        filters = filters / filters.sum(dim=1, keepdim=True)
        self.register_buffer("filters", filters.float()[:, None], persistent=False)

    def forward(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Returns waveforms [batch, ceil(time * 2 / 3)] at 16 kHz of waveforms [batch, time] at 24 kHz."""
        n_samples = -(-waveforms.shape[-1] * UP // DOWN)
        n_pairs = -(-n_samples // UP)
        end = (n_pairs - 1) * DOWN + self.filters.shape[-1] - self.reach
        padded = pad(waveforms[:, None], (self.reach, max(0, end - waveforms.shape[-1])))
        return conv1d(padded, self.filters, stride=DOWN).transpose(1, 2).flatten(1)[:, :n_samples]
