"""Kaldi's log mel spectra, which many speaker encoders hear, as a torch module: gradients flow back to the waveform.

Povey et al. 2011, "The Kaldi speech recognition toolkit", with the settings of its `compute-fbank-feats` (no dither).
"""

from __future__ import annotations

import torch
from torch import nn

SAMPLE_RATE = 16000
WINDOW = SAMPLE_RATE * 25 // 1000
HOP = SAMPLE_RATE * 10 // 1000
N_FFT = 512
PREEMPHASIS = 0.97
POVEY_POWER = 0.85  # the window is a Hann window to this power
LOWEST_HZ = 20.0
FLOOR = torch.finfo(torch.float32).eps


class KaldiFbank(nn.Module):
    """Hears waveforms at 16 kHz, within full scale, as the logarithm of the power in mel bands."""

    def __init__(self, n_mels: int = 80) -> None:
        super().__init__()
        self.window: torch.Tensor
        self.filters: torch.Tensor
        window = torch.hann_window(WINDOW, periodic=False, dtype=torch.float64) ** POVEY_POWER
        self.register_buffer("window", window.float(), persistent=False)
        self.register_buffer("filters", _triangles(n_mels), persistent=False)

    def forward(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Returns log powers [batch, frames, mels] of waveforms [batch, time]; frames lie wholly within the sound."""
        frames = waveforms.unfold(-1, WINDOW, HOP)
        frames = frames - frames.mean(dim=-1, keepdim=True)
        before = torch.cat([frames[..., :1], frames[..., :-1]], dim=-1)
        spectrum = torch.fft.rfft((frames - PREEMPHASIS * before) * self.window, n=N_FFT)
        power = spectrum.real.square() + spectrum.imag.square()
        bands: torch.Tensor = power[..., : N_FFT // 2] @ self.filters
        return bands.clamp(min=FLOOR).log()


def _triangles(n_mels: int) -> torch.Tensor:
    """Returns triangular filters [bins, mels] that are straight, evenly spaced and overlap by half in mel."""
    low, high = _mel(torch.tensor([LOWEST_HZ, SAMPLE_RATE / 2], dtype=torch.float64)).tolist()
    feet = torch.linspace(low, high, n_mels + 2, dtype=torch.float64)
    bins = _mel(torch.arange(N_FFT // 2, dtype=torch.float64) * SAMPLE_RATE / N_FFT)[:, None]
    rising = (bins - feet[:-2]) / (feet[1:-1] - feet[:-2])
    falling = (feet[2:] - bins) / (feet[2:] - feet[1:-1])
    return torch.minimum(rising, falling).clamp(min=0).float()


def _mel(hz: torch.Tensor) -> torch.Tensor:
    return 1127.0 * torch.log(1.0 + hz / 700.0)
