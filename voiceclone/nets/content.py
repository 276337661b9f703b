"""From what Whisper hears to what Kokoro's decoder speaks, in 40 frames a second: linear maps of five frames.

They answer what Kokoro's text encoder would have made of the phonemes, had they been known, and for both halves of a
frame the energy and whether there is a pitch, as Kokoro's predictor tells its decoder.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

N_HEARD = 768  # two layers of Whisper
N_CONTOUR = 6  # of both halves of a frame: height of the pitch, whether there is one, level
N_FEATURES = 512
N_PROSODY = 4  # of both halves of a frame: energy, and above zero where there is a pitch
N_TAPS = 5  # frames


class ContentNetwork(nn.Module):
    """Both maps; `training.convert_content` finds them by least squares."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Conv1d(N_HEARD, N_FEATURES, N_TAPS, padding=N_TAPS // 2)
        self.prosody = nn.Conv1d(N_HEARD + N_CONTOUR, N_PROSODY, N_TAPS, padding=N_TAPS // 2)

    def forward(self, heard: Tensor, contour: Tensor) -> tuple[Tensor, Tensor]:
        """Takes [batch, frames, 768] and [batch, frames, 6]; returns features [batch, frames, 512] and
        prosody [batch, frames, 4]."""
        both = torch.cat([heard, contour], -1)
        features, prosody = self.features(heard.transpose(1, 2)), self.prosody(both.transpose(1, 2))
        return features.transpose(1, 2), prosody.transpose(1, 2)
