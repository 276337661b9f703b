"""GE2E: whose voice it is, by a recurrent network; differentiable from the waveform on.

Wan et al. 2018, "Generalized end-to-end loss for speaker verification" (ICASSP), in the sizes, and with the mel
spectra, of Resemblyzer, whose weights it takes.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn.functional import normalize, pad

from audio_ml.nets.mel_filters import slaney_filters

SAMPLE_RATE = 16000
N_FFT = SAMPLE_RATE * 25 // 1000
HOP = SAMPLE_RATE * 10 // 1000
N_MELS = 40
SIZE = 256  # of the hidden layers and of the embedding
LAYERS = 3
WINDOW_FRAMES = 160  # what the network was trained to hear at once
WINDOW = WINDOW_FRAMES * HOP
WINDOWS_PER_SECOND = 1.3
STEP = round(SAMPLE_RATE / WINDOWS_PER_SECOND / HOP) * HOP
LEAST_COVERED = 0.75  # of a last window, for it to be heard
LEVEL = 10 ** (
    -30 / 20
)  # RMS that all sound is brought to: mel powers are heard as they are, so that 10 dB would make another voice
NOT_PART_OF_IT = ("similarity_weight", "similarity_bias")  # of the checkpoint: the training loss's own


class Ge2e(nn.Module):
    """Tells voices apart; parameters carry the names of the published file."""

    def __init__(self) -> None:
        super().__init__()
        self.window: torch.Tensor
        self.filters: torch.Tensor
        self.lstm = nn.LSTM(N_MELS, SIZE, LAYERS, batch_first=True)
        self.linear = nn.Linear(SIZE, SIZE)
        self.register_buffer("window", torch.hann_window(N_FFT), persistent=False)
        filters = torch.from_numpy(slaney_filters(SAMPLE_RATE, N_FFT, N_MELS))
        self.register_buffer("filters", filters, persistent=False)
        self.eval()
        self.lstm.train()  # in no other mode does cuDNN pass gradients back; without dropout it changes no number

    def embed(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Returns embeddings [batch, 256] of unit length of waveforms [batch, time] at 16 kHz, of any length.

        They are the means over windows of 1.6 s, 1.3 a second.
        """
        mels = self.mels(waveforms)
        frames = [mels[:, start // HOP : start // HOP + WINDOW_FRAMES] for start in _starts(waveforms.shape[-1])]
        windows = torch.stack(frames, dim=1)
        embedded = self(windows.flatten(0, 1)).unflatten(0, windows.shape[:2])
        return normalize(embedded.mean(dim=1), dim=-1)

    def mels(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Returns mel powers [batch, frames, 40], enough of them for all windows, of sound brought to one level."""
        level = waveforms.square().mean(dim=-1, keepdim=True).clamp(min=1e-12).sqrt()
        levelled = waveforms * (LEVEL / level)
        end = _starts(waveforms.shape[-1])[-1] + WINDOW
        levelled = pad(levelled, (0, max(0, end - waveforms.shape[-1])))
        spectra = torch.stft(
            levelled, N_FFT, HOP, window=self.window, center=True, pad_mode="constant", return_complex=True
        )
        return (self.filters @ (spectra.real.square() + spectra.imag.square())).transpose(1, 2)

    def forward(self, mels: torch.Tensor) -> torch.Tensor:
        """Returns embeddings [batch, 256] of unit length, all of it positive, of mel powers [batch, frames, 40]."""
        _, (hidden, _) = self.lstm(mels)
        return normalize(self.linear(hidden[-1]).relu(), dim=-1)


def _starts(n_samples: int) -> list[int]:
    """Returns where the windows of a sound begin; the last may reach beyond its end, for a quarter at the most."""
    n_frames = math.ceil((n_samples + 1) / HOP)
    step = STEP // HOP
    starts = [start * HOP for start in range(0, max(1, n_frames - WINDOW_FRAMES + step + 1), step)]
    if len(starts) > 1 and (n_samples - starts[-1]) / WINDOW < LEAST_COVERED:
        starts.pop()
    return starts
