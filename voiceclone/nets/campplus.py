"""CAM++: whose voice it is, by densely connected convolutions under a context-aware mask; differentiable.

Wang et al. 2023, "CAM++: a fast and efficient network for speaker verification using context-aware masking"
(Interspeech). The sizes are those of the published weights "campplus_cn_common"; parameters carry their names.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn
from torch.nn.functional import avg_pool1d, normalize, relu

from audio_ml.nets.fbank import SAMPLE_RATE, KaldiFbank

__all__ = ["SAMPLE_RATE", "CamPlus"]

N_MELS = 80
HEAD_CHANNELS = 32
FIRST_CHANNELS = 128
GROWTH = 32
BOTTLENECK = 128
BLOCKS = ((12, 1), (24, 2), (16, 2))  # layers and dilation of each
KERNEL = 3
CONTEXT_FRAMES = 100  # of a segment whose mean is part of the mask's context
EMBEDDING = 192


class CamPlus(nn.Module):
    """Tells voices apart."""

    def __init__(self) -> None:
        super().__init__()
        self.head = Head()
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        layers["tdnn"] = _named(
            linear=nn.Conv1d(self.head.n_outputs, FIRST_CHANNELS, 5, stride=2, padding=2, bias=False),
            nonlinear=_normed_relu(FIRST_CHANNELS),
        )
        channels = FIRST_CHANNELS
        for index, (n_layers, dilation) in enumerate(BLOCKS, 1):
            layers[f"block{index}"] = DenseBlock(channels, n_layers, dilation)
            channels += n_layers * GROWTH
            layers[f"transit{index}"] = _named(
                nonlinear=_normed_relu(channels), linear=nn.Conv1d(channels, channels // 2, 1, bias=False)
            )
            channels //= 2
        layers["out_nonlinear"] = _normed_relu(channels)
        layers["stats"] = Statistics()
        layers["dense"] = _named(
            linear=nn.Conv1d(2 * channels, EMBEDDING, 1, bias=False),
            nonlinear=_named(batchnorm=nn.BatchNorm1d(EMBEDDING, affine=False)),
        )
        self.xvector = nn.Sequential(layers)
        self.fbank = KaldiFbank(N_MELS)
        self.eval()

    def embed(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Returns embeddings [batch, 192] of unit length of waveforms [batch, time] at 16 kHz, 0.1 s or longer."""
        heard = self.fbank(waveforms)
        return normalize(self(heard - heard.mean(dim=1, keepdim=True)), dim=-1)

    def forward(self, fbank: torch.Tensor) -> torch.Tensor:
        """Returns embeddings [batch, 192] of log mel powers [batch, frames, 80] whose means over time are zero."""
        embedded: torch.Tensor = self.xvector(self.head(fbank.transpose(1, 2)))
        return embedded[..., 0]


class Head(nn.Module):
    """Residual convolutions over frequency and time, which leave an eighth of the frequencies."""

    def __init__(self) -> None:
        super().__init__()
        n = HEAD_CHANNELS
        self.conv1 = nn.Conv2d(1, n, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(n)
        self.layer1 = nn.Sequential(Residual(2), Residual(1))
        self.layer2 = nn.Sequential(Residual(2), Residual(1))
        self.conv2 = nn.Conv2d(n, n, 3, stride=(2, 1), padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(n)
        self.n_outputs = n * N_MELS // 8

    def forward(self, mels: torch.Tensor) -> torch.Tensor:
        """Returns features [batch, 320, frames] of log mel powers [batch, 80, frames]."""
        x = relu(self.bn1(self.conv1(mels[:, None])))
        x = self.layer2(self.layer1(x))
        return relu(self.bn2(self.conv2(x))).flatten(1, 2)


class Residual(nn.Module):
    """Two convolutions [batch, 32, frequency, time] and a way past them, with a stride over frequency."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        n = HEAD_CHANNELS
        self.conv1 = nn.Conv2d(n, n, 3, stride=(stride, 1), padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(n)
        self.conv2 = nn.Conv2d(n, n, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(n)
        past = [nn.Conv2d(n, n, 1, stride=(stride, 1), bias=False), nn.BatchNorm2d(n)] if stride > 1 else []
        self.shortcut = nn.Sequential(*past)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        through = self.bn2(self.conv2(relu(self.bn1(self.conv1(x)))))
        return relu(through + self.shortcut(x))


class DenseBlock(nn.Module):
    """Layers that each hear everything before them and add 32 channels to it."""

    def __init__(self, channels: int, n_layers: int, dilation: int) -> None:
        super().__init__()
        for index in range(n_layers):
            self.add_module(f"tdnnd{index + 1}", DenseLayer(channels + index * GROWTH, dilation))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.children():
            x = torch.cat([x, layer(x)], dim=1)
        return x


class DenseLayer(nn.Module):
    """A bottleneck, and a convolution over time under a mask."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.nonlinear1 = _normed_relu(channels)
        self.linear1 = nn.Conv1d(channels, BOTTLENECK, 1, bias=False)
        self.nonlinear2 = _normed_relu(BOTTLENECK)
        self.cam_layer = MaskedConvolution(dilation)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        masked: torch.Tensor = self.cam_layer(self.nonlinear2(self.linear1(self.nonlinear1(x))))
        return masked


class MaskedConvolution(nn.Module):
    """A convolution times a mask made of what is heard in the whole and around (equations 2 to 5 of the paper)."""

    def __init__(self, dilation: int) -> None:
        super().__init__()
        padding = (KERNEL - 1) // 2 * dilation
        self.linear_local = nn.Conv1d(BOTTLENECK, GROWTH, KERNEL, padding=padding, dilation=dilation, bias=False)
        self.linear1 = nn.Conv1d(BOTTLENECK, BOTTLENECK // 2, 1)
        self.linear2 = nn.Conv1d(BOTTLENECK // 2, GROWTH, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        around = avg_pool1d(x, CONTEXT_FRAMES, CONTEXT_FRAMES, ceil_mode=True)
        context = x.mean(dim=-1, keepdim=True) + around
        mask = torch.sigmoid(self.linear2(relu(self.linear1(context))))
        masked: torch.Tensor = self.linear_local(x)
        return masked * mask.repeat_interleave(CONTEXT_FRAMES, dim=-1)[..., : x.shape[-1]]


class Statistics(nn.Module):
    """The mean and the standard deviation over time: [batch, channels, frames] to [batch, 2 channels, 1]."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x.mean(dim=-1, keepdim=True), x.std(dim=-1, keepdim=True)], dim=1)


def _normed_relu(channels: int) -> nn.Sequential:
    return _named(batchnorm=nn.BatchNorm1d(channels), relu=nn.ReLU())


def _named(**modules: nn.Module) -> nn.Sequential:
    return nn.Sequential(OrderedDict(modules))
