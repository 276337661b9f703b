"""ECAPA-TDNN: whose voice it is, by dilated convolutions over time.

Desplanques et al. 2020, "ECAPA-TDNN: emphasized channel attention, propagation and aggregation in TDNN based speaker
verification" (Interspeech), in the sizes and with the mel spectra of SpeechBrain's `spkrec-ecapa-voxceleb`, whose
weights it takes under their names.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import normalize, pad, relu

SAMPLE_RATE = 16000
N_FFT = SAMPLE_RATE * 25 // 1000
HOP = SAMPLE_RATE * 10 // 1000
N_MELS = 80
FLOOR = 1e-10
RANGE_DB = 80.0
CHANNELS = 1024
ATTENTION_CHANNELS = 128
BLOCK_DILATIONS = (2, 3, 4)
SCALE = 8  # groups of channels of a Res2Net
EMBEDDING = 192


class EcapaTdnn(nn.Module):
    """Tells voices apart."""

    def __init__(self) -> None:
        super().__init__()
        self.window: torch.Tensor
        self.filters: torch.Tensor
        pooled = CHANNELS * len(BLOCK_DILATIONS)
        self.blocks = nn.ModuleList(
            [TimeDelay(N_MELS, CHANNELS, kernel=5), *(SqueezedRes2Net(dilation) for dilation in BLOCK_DILATIONS)]
        )
        self.mfa = TimeDelay(pooled, pooled)
        self.asp = AttentivePooling(pooled)
        self.asp_bn = Norm(2 * pooled)
        self.fc = Convolution(2 * pooled, EMBEDDING)
        self.register_buffer("window", torch.hamming_window(N_FFT), persistent=False)
        self.register_buffer("filters", _triangles(), persistent=False)
        self.eval()

    def embed(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Returns embeddings [batch, 192] of unit length of waveforms [batch, time] at 16 kHz, 0.1 s or longer."""
        bands = self.log_mels(waveforms)
        return normalize(self(bands - bands.mean(dim=-1, keepdim=True)), dim=-1)

    def log_mels(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Returns the power in mel bands in dB, [batch, 80, frames], no more than 80 dB below the loudest."""
        spectra = torch.stft(
            waveforms, N_FFT, HOP, window=self.window, center=True, pad_mode="constant", return_complex=True
        )
        power = self.filters @ (spectra.real.square() + spectra.imag.square())
        decibels = 10 * power.clamp(min=FLOOR).log10()
        return decibels.maximum(decibels.amax(dim=(1, 2), keepdim=True) - RANGE_DB)

    def forward(self, bands: torch.Tensor) -> torch.Tensor:
        """Returns embeddings [batch, 192] of bands [batch, 80, frames] in dB whose means over time are zero."""
        x, heard = bands, []
        for block in self.blocks:
            x = block(x)
            heard.append(x)
        x = self.mfa(torch.cat(heard[1:], dim=1))
        embedded: torch.Tensor = self.fc(self.asp_bn(self.asp(x)))
        return embedded[..., 0]


class Convolution(nn.Module):
    """A convolution over time [batch, channels, time] that keeps its length by reflecting the ends."""

    def __init__(self, n_in: int, n_out: int, kernel: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv1d(n_in, n_out, kernel, dilation=dilation)
        self.reach = dilation * (kernel - 1) // 2

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        padded = pad(x, (self.reach, self.reach), mode="reflect") if self.reach else x
        convolved: torch.Tensor = self.conv(padded)
        return convolved


class Norm(nn.Module):
    """Batch normalisation."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        normed: torch.Tensor = self.norm(x)
        return normed


class TimeDelay(nn.Module):
    """Convolution, ReLU, normalisation."""

    def __init__(self, n_in: int, n_out: int, kernel: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.conv = Convolution(n_in, n_out, kernel, dilation)
        self.norm = Norm(n_out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        normed: torch.Tensor = self.norm(relu(self.conv(x)))
        return normed


class Res2Net(nn.Module):
    """Groups of channels, each of which hears what came of the one before."""

    def __init__(self, dilation: int) -> None:
        super().__init__()
        width = CHANNELS // SCALE
        self.blocks = nn.ModuleList(TimeDelay(width, width, 3, dilation) for _ in range(SCALE - 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first, *groups = x.chunk(SCALE, dim=1)
        done, before = [first], torch.zeros_like(first)
        for block, group in zip(self.blocks, groups, strict=True):
            before = block(group + before)
            done.append(before)
        return torch.cat(done, dim=1)


class Squeeze(nn.Module):
    """Weighs each channel by what the means of all of them are."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = Convolution(CHANNELS, ATTENTION_CHANNELS)
        self.conv2 = Convolution(ATTENTION_CHANNELS, CHANNELS)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.sigmoid(self.conv2(relu(self.conv1(x.mean(dim=-1, keepdim=True)))))


class SqueezedRes2Net(nn.Module):
    """A Res2Net between two layers, its channels weighed, and a way past it (figure 2 of the paper)."""

    def __init__(self, dilation: int) -> None:
        super().__init__()
        self.tdnn1 = TimeDelay(CHANNELS, CHANNELS)
        self.res2net_block = Res2Net(dilation)
        self.tdnn2 = TimeDelay(CHANNELS, CHANNELS)
        self.se_block = Squeeze()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        through: torch.Tensor = self.se_block(self.tdnn2(self.res2net_block(self.tdnn1(x))))
        return x + through


class AttentivePooling(nn.Module):
    """Mean and deviation over time, weighed for each channel by attention (equations 1 to 4 of the paper)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.tdnn = TimeDelay(3 * channels, ATTENTION_CHANNELS)
        self.conv = Convolution(ATTENTION_CHANNELS, channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        even = torch.full_like(x[:, :1], 1 / x.shape[-1])
        around = [statistic.expand_as(x) for statistic in _statistics(x, even)]
        scores = self.conv(torch.tanh(self.tdnn(torch.cat([x, *around], dim=1))))
        return torch.cat(_statistics(x, scores.softmax(dim=-1)), dim=1)


def _statistics(x: torch.Tensor, weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns weighed mean and deviation over time, [batch, channels, 1] each."""
    mean = (weights * x).sum(dim=-1, keepdim=True)
    variance = (weights * (x - mean).square()).sum(dim=-1, keepdim=True)
    return mean, variance.clamp(min=1e-12).sqrt()


def _triangles() -> torch.Tensor:
    """Returns filters [80, bins]; both flanks of a triangle are as wide as the step in Hz below its centre."""
    ends = 2595 * torch.log10(1 + torch.tensor([0.0, SAMPLE_RATE / 2], dtype=torch.float64) / 700)
    mels = torch.linspace(float(ends[0]), float(ends[1]), N_MELS + 2, dtype=torch.float64)
    hz = 700 * (10 ** (mels / 2595) - 1)
    bins = torch.linspace(0, SAMPLE_RATE / 2, N_FFT // 2 + 1, dtype=torch.float64)
    away = (bins - hz[1:-1, None]).abs() / (hz[1:-1] - hz[:-2])[:, None]
    return (1 - away).clamp(min=0).float()
