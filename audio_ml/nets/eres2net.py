"""ERes2Net: whose voice it is, by convolutions over time and frequency that are fused within and across scales.

Chen et al. 2023, "An enhanced Res2Net with local and global feature fusion for speaker verification" (Interspeech).
The sizes are those of 3D-Speaker's `speech_eres2net_sv_en_voxceleb_16k`; parameters carry its names.
"""

from __future__ import annotations

import itertools

import torch
from torch import nn
from torch.nn.functional import hardtanh, normalize, relu

from audio_ml.nets.fbank import SAMPLE_RATE, KaldiFbank

__all__ = ["SAMPLE_RATE", "ERes2Net"]

N_MELS = 80
CHANNELS = 32  # of the first layer; each of the four stages has twice as many as the one before
DEPTHS = (3, 4, 6, 3)
FIRST_FUSED = 2  # the stage from which on groups of channels are fused by attention
EXPANSION = 2
CEILING = 20.0  # of the activations
EMBEDDING = 192


class ERes2Net(nn.Module):
    """Tells voices apart."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, CHANNELS, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(CHANNELS)
        widths = [CHANNELS * 2**stage for stage in range(len(DEPTHS))]
        n_in = CHANNELS
        for stage, (width, depth) in enumerate(zip(widths, DEPTHS, strict=True)):
            blocks = []
            for index in range(depth):
                stride = 2 if stage and not index else 1
                blocks.append(Block(n_in, width, stride, fused=stage >= FIRST_FUSED))
                n_in = width * EXPANSION
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))
        outputs = [width * EXPANSION for width in widths]
        for stage, (n_out, n_next) in enumerate(itertools.pairwise(outputs), 1):
            self.add_module(f"layer{stage}_downsample", nn.Conv2d(n_out, n_next, 3, stride=2, padding=1, bias=False))
        self.fuse_mode12 = Fusion(outputs[1])
        self.fuse_mode123 = Fusion(outputs[2])
        self.fuse_mode1234 = Fusion(outputs[3])
        self.seg_1 = nn.Linear(2 * outputs[3] * N_MELS // 8, EMBEDDING)
        self.fbank = KaldiFbank(N_MELS)
        self.eval()

    def embed(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Returns embeddings [batch, 192] of unit length of waveforms [batch, time] at 16 kHz, 0.2 s or longer."""
        heard = self.fbank(waveforms)
        return normalize(self(heard - heard.mean(dim=1, keepdim=True)), dim=-1)

    def forward(self, fbank: torch.Tensor) -> torch.Tensor:
        """Returns embeddings [batch, 192] of log mel powers [batch, frames, 80] whose means over time are zero."""
        stages = dict(self.named_children())
        x = relu(self.bn1(self.conv1(fbank.transpose(1, 2)[:, None])))
        x = fused = stages["layer1"](x)
        for stage, fuse in enumerate((self.fuse_mode12, self.fuse_mode123, self.fuse_mode1234), 1):
            x = stages[f"layer{stage + 1}"](x)
            fused = fuse(x, stages[f"layer{stage}_downsample"](fused))
        deviation = (fused.var(dim=-1) + 1e-8).sqrt()
        embedded: torch.Tensor = self.seg_1(torch.cat([fused.mean(dim=-1).flatten(1), deviation.flatten(1)], dim=1))
        return embedded


class Block(nn.Module):
    """Two groups of channels [batch, channels, frequency, time], of which the second hears the first; a way past."""

    def __init__(self, n_in: int, width: int, stride: int, fused: bool) -> None:
        super().__init__()
        half, n_out = width // 2, width * EXPANSION
        self.conv1 = nn.Conv2d(n_in, width, 1, stride=stride, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.convs = nn.ModuleList(nn.Conv2d(half, half, 3, padding=1, bias=False) for _ in range(2))
        self.bns = nn.ModuleList(nn.BatchNorm2d(half) for _ in range(2))
        if fused:
            self.fuse_models = nn.ModuleList([Fusion(half)])
        self.fused = fused
        self.conv3 = nn.Conv2d(width, n_out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(n_out)
        changes = stride > 1 or n_in != n_out
        past = [nn.Conv2d(n_in, n_out, 1, stride=stride, bias=False), nn.BatchNorm2d(n_out)] if changes else []
        self.shortcut = nn.Sequential(*past)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first, second = _bounded(self.bn1(self.conv1(x))).chunk(2, dim=1)
        first = _bounded(self.bns[0](self.convs[0](first)))
        second = self.fuse_models[0](first, second) if self.fused else first + second
        second = _bounded(self.bns[1](self.convs[1](second)))
        through = self.bn3(self.conv3(torch.cat([first, second], dim=1)))
        return _bounded(through + self.shortcut(x))


class Fusion(nn.Module):
    """Mixes two features of one shape, point by point in a proportion that both decide (equation 3 of the paper)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        between = channels // 4
        self.local_att = nn.Sequential(
            nn.Conv2d(2 * channels, between, 1),
            nn.BatchNorm2d(between),
            nn.SiLU(),
            nn.Conv2d(between, channels, 1),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        share = torch.tanh(self.local_att(torch.cat([x, y], dim=1)))
        return x * (1 + share) + y * (1 - share)


def _bounded(x: torch.Tensor) -> torch.Tensor:
    return hardtanh(x, 0.0, CEILING)
