"""The hearing half of Whisper, which knows what is said and hardly by whom.

Radford et al. 2022, "Robust speech recognition via large-scale weak supervision" (arXiv:2212.04356), section 2.2:
a transformer with its normalisations in front (Xiong et al. 2020) behind two convolutions, the second of which halves
the rate. Speech [batch, time] at 16 kHz gives features [batch, frames, width] of any layer, one frame every 20 ms.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from audio_ml.nets.mel_filters import slaney_filters

SAMPLE_RATE = 16000
N_FFT = 400
HOP = 160
N_MELS = 80
FRAME = 2 * HOP  # samples of a frame of features
N_FRAMES = 1500  # places that the network knows: 30 s
N_WIDTH, N_HEADS, N_LAYERS = 384, 6, 4  # of tiny.en
DYNAMIC_RANGE = 8.0  # of log10 power below the loudest: 80 dB
PREFIX = "encoder."


class WhisperEncoder(nn.Module):
    """Features of every layer; the last one is normalised as the decoder of words gets it."""

    positional_embedding: Tensor
    mel_filters: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(N_MELS, N_WIDTH, 3, padding=1)
        self.conv2 = nn.Conv1d(N_WIDTH, N_WIDTH, 3, stride=2, padding=1)
        self.register_buffer("positional_embedding", torch.zeros(N_FRAMES, N_WIDTH))
        self.blocks = nn.ModuleList(_Block() for _ in range(N_LAYERS))
        self.ln_post = nn.LayerNorm(N_WIDTH)
        self.register_buffer(
            "mel_filters", torch.from_numpy(slaney_filters(SAMPLE_RATE, N_FFT, N_MELS)), persistent=False
        )

    def forward(self, samples: Tensor) -> list[Tensor]:
        """Hears speech [batch, time] at 16 kHz of 30 s at most; returns `N_LAYERS` tensors [batch, frames, width]."""
        x = functional.gelu(self.conv1(self.log_mel(samples)))
        x = functional.gelu(self.conv2(x)).transpose(1, 2)
        x = x + self.positional_embedding[: x.shape[1]]
        layers = []
        for block in self.blocks:
            x = block(x)
            layers.append(x)
        return [*layers[:-1], self.ln_post(x)]

    def log_mel(self, samples: Tensor) -> Tensor:
        """Returns the spectrogram [batch, mels, frames] that the network hears, a frame every 10 ms."""
        window = torch.hann_window(N_FFT, device=samples.device)
        spectrum = torch.stft(samples, N_FFT, HOP, window=window, return_complex=True)[..., :-1]
        mel = torch.log10((self.mel_filters @ spectrum.abs().square()).clamp(min=1e-10))
        loudest = mel.amax(dim=(1, 2), keepdim=True)
        return (torch.maximum(mel, loudest - DYNAMIC_RANGE) + 4.0) / 4.0


class _Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attn = _Attention()
        self.attn_ln = nn.LayerNorm(N_WIDTH)
        self.mlp = nn.Sequential(nn.Linear(N_WIDTH, 4 * N_WIDTH), nn.GELU(), nn.Linear(4 * N_WIDTH, N_WIDTH))
        self.mlp_ln = nn.LayerNorm(N_WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.attn_ln(x))
        result: Tensor = x + self.mlp(self.mlp_ln(x))
        return result


class Projections(nn.Module):
    """The weights of an attention; those of the decoder are the same."""

    def __init__(self) -> None:
        super().__init__()
        self.query = nn.Linear(N_WIDTH, N_WIDTH)
        self.key = nn.Linear(N_WIDTH, N_WIDTH, bias=False)
        self.value = nn.Linear(N_WIDTH, N_WIDTH)
        self.out = nn.Linear(N_WIDTH, N_WIDTH)


class _Attention(Projections):
    def forward(self, x: Tensor) -> Tensor:
        batch, frames, _ = x.shape
        query, key, value = (
            layer(x).view(batch, frames, N_HEADS, -1).transpose(1, 2) for layer in (self.query, self.key, self.value)
        )
        heads = functional.scaled_dot_product_attention(query, key, value)
        result: Tensor = self.out(heads.transpose(1, 2).reshape(batch, frames, N_WIDTH))
        return result


def encoder_state(checkpoint: Mapping[str, Any]) -> dict[str, Tensor]:
    """Returns the weights of the encoder in float32 from a published checkpoint, which holds the decoder as well."""
    state = checkpoint["model_state_dict"]
    return {name.removeprefix(PREFIX): tensor.float() for name, tensor in state.items() if name.startswith(PREFIX)}
