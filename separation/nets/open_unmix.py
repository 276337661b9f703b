"""The network of Open-Unmix, one for each stem: which part of every frequency of a mixture is that stem.

Stöter, Uhlich, Liutkus, Mitsufuji 2019, "Open-Unmix: a reference implementation for music source separation"
(JOSS 4(41), 1667); the network is that of Uhlich et al. 2017, "Improving music source separation based on deep
neural networks through data augmentation and network blending". Parameters carry the names of the published files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.functional import relu

from separation.nets.wiener import EPSILON, refined

LAYERS = 3
WIENER_FRAMES = 300  # of the mixture that the filter fits at a time: sources may move


@dataclass(frozen=True)
class Shape:
    """The sizes of a network: of its transform, the `heard` bins from 0 Hz on, and of its `hidden` layers."""

    n_fft: int
    n_channels: int
    heard: int
    hidden: int

    @property
    def hop(self) -> int:
        return self.n_fft // 4 if self.n_channels == 2 else self.n_fft // 2

    @property
    def bins(self) -> int:
        return self.n_fft // 2 + 1


class OpenUnmix(nn.Module):
    """Estimates from the magnitudes of a mixture how much each of them has to be multiplied by to be the stem's."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        hidden, n_out = shape.hidden, shape.bins * shape.n_channels
        self.fc1 = nn.Linear(shape.heard * shape.n_channels, hidden, bias=False)
        self.bn1 = nn.BatchNorm1d(hidden)
        self.lstm = nn.LSTM(hidden, hidden // 2, LAYERS, bidirectional=True)
        self.fc2 = nn.Linear(2 * hidden, hidden, bias=False)
        self.bn2 = nn.BatchNorm1d(hidden)
        self.fc3 = nn.Linear(hidden, n_out, bias=False)
        self.bn3 = nn.BatchNorm1d(n_out)
        self.input_mean = nn.Parameter(torch.zeros(shape.heard))
        self.input_scale = nn.Parameter(torch.ones(shape.heard))
        self.output_scale = nn.Parameter(torch.ones(shape.bins))
        self.output_mean = nn.Parameter(torch.ones(shape.bins))
        self.eval()

    def forward(self, magnitudes: torch.Tensor) -> torch.Tensor:
        """Returns factors, zero or more, of the shape of the magnitudes [batch, channels, bins, frames]."""
        batch, channels, bins, frames = magnitudes.shape
        heard = magnitudes[:, :, : len(self.input_mean)].permute(3, 0, 1, 2)
        heard = (heard + self.input_mean) * self.input_scale
        x = torch.tanh(self.bn1(self.fc1(heard.reshape(frames * batch, -1))))
        recurrent, _ = self.lstm(x.view(frames, batch, -1))
        x = torch.cat([x, recurrent.reshape(frames * batch, -1)], dim=-1)
        x = self.bn3(self.fc3(relu(self.bn2(self.fc2(x)))))
        factors = relu(x.view(frames, batch, channels, bins) * self.output_scale + self.output_mean)
        return factors.permute(1, 2, 3, 0)


def separate(
    networks: Sequence[OpenUnmix], mixture: torch.Tensor, shape: Shape, iterations: int, softmask: bool
) -> torch.Tensor:
    """Returns the stems [batch, len(networks), channels, time] of a mixture [batch, channels, time].

    First estimates are the mixture times what each network says; with `softmask`, times its share of what
    all of them say. Wiener filters refine them `iterations` times.
    """
    batch, channels, length = mixture.shape
    window = torch.hann_window(shape.n_fft, device=mixture.device)
    spectrum = torch.stft(
        mixture.reshape(-1, length), shape.n_fft, shape.hop, window=window, pad_mode="reflect", return_complex=True
    ).view(batch, channels, shape.bins, -1)
    magnitudes = spectrum.abs()
    stems = spectrum.new_empty(batch, len(networks), *spectrum.shape[1:])
    for index, network in enumerate(networks):
        torch.mul(spectrum, network(magnitudes), out=stems[:, index])
    if softmask:
        shares = stems.abs()
        torch.mul(spectrum[:, None], shares / (EPSILON + shares.sum(dim=1, keepdim=True)), out=stems)
    if iterations:
        for of_one, heard in zip(stems, spectrum, strict=True):
            for start in range(0, stems.shape[-1], WIENER_FRAMES):
                part = slice(start, start + WIENER_FRAMES)
                of_one[..., part] = refined(of_one[..., part], heard[..., part], iterations)
    waves = mixture.new_empty(batch, len(networks), channels, length)
    for index in range(len(networks)):  # one after the other, for all at once would take four times the memory
        rows = stems[:, index].flatten(0, 1)
        made = torch.istft(rows, shape.n_fft, shape.hop, window=window, length=length)
        waves[:, index] = made.view(batch, channels, length)
    return waves
