"""From what Whisper hears to what Kokoro's decoder speaks: a small network, trained for this project.

Its answer is what Kokoro's text encoder would have made of the phonemes, had they been known: features [frames, 512]
at 40 Hz, and for both halves of every frame the energy and whether there is a pitch, as Kokoro's predictor tells its
decoder. Most of it linear maps of five frames do, which are found by least squares; residual blocks of a depthwise
convolution and two layers per frame (after Liu et al. 2022, "A ConvNet for the 2020s", arXiv:2201.03545) add the rest.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

FRAME_SECONDS = 0.025
N_HEARD = 768  # two layers of Whisper
N_CONTOUR = 6  # both halves of a frame: height of the pitch, whether there is one, level
N_FEATURES = 512
N_WIDTH, N_INNER = 256, 512
KERNEL = 7
N_DIRECT = 5  # frames that the linear map sees
DILATIONS = (1, 2, 4, 1, 2, 4)
PROSODY_DILATIONS = (1, 2)
N_PROSODY = 4  # both halves of a frame: energy, and the logit of being voiced
ENERGY_SCALE = 8.0


class ContentNetwork(nn.Module):
    """Answers for all frames at once, each after what is up to 42 frames (a second) away."""

    def __init__(self) -> None:
        super().__init__()
        self.direct = nn.Conv1d(N_HEARD, N_FEATURES, N_DIRECT, padding=N_DIRECT // 2)
        self.direct_prosody = nn.Conv1d(N_HEARD + N_CONTOUR, N_PROSODY, N_DIRECT, padding=N_DIRECT // 2)
        self.norms = nn.ModuleList(nn.LayerNorm(N_HEARD // 2) for _ in range(2))
        self.hear = nn.Linear(N_HEARD, N_WIDTH)
        self.blocks = nn.ModuleList(_Block(dilation) for dilation in DILATIONS)
        self.norm = nn.LayerNorm(N_WIDTH)
        self.features = nn.Linear(N_WIDTH, N_FEATURES)
        self.follow = nn.Linear(N_WIDTH + N_CONTOUR, N_WIDTH)
        self.prosody_blocks = nn.ModuleList(_Block(dilation) for dilation in PROSODY_DILATIONS)
        self.prosody = nn.Linear(N_WIDTH, N_PROSODY)
        for parameter in (*self.features.parameters(), *self.prosody.parameters()):
            nn.init.zeros_(parameter)  # training begins at the linear maps

    def forward(self, heard: Tensor, contour: Tensor) -> tuple[Tensor, Tensor]:
        """Takes [batch, frames, 768] and [batch, frames, 6]; returns features [batch, frames, 512] and
        prosody [batch, frames, 4]."""
        straight, correction = self.straight(heard, contour), self.correct(heard, contour)
        features, prosody = (first + second for first, second in zip(straight, correction, strict=True))
        return features, prosody

    def straight(self, heard: Tensor, contour: Tensor) -> tuple[Tensor, Tensor]:
        """Returns what the linear maps make of it, as `forward`."""
        both = torch.cat([heard, contour], -1)
        features, prosody = self.direct(heard.transpose(1, 2)), self.direct_prosody(both.transpose(1, 2))
        return features.transpose(1, 2), prosody.transpose(1, 2)

    def correct(self, heard: Tensor, contour: Tensor) -> tuple[Tensor, Tensor]:
        """Returns what is to be added to that."""
        halves = [norm(half) for norm, half in zip(self.norms, heard.chunk(2, -1), strict=True)]
        x = self.hear(torch.cat(halves, -1))
        for block in self.blocks:
            x = block(x)
        x = self.norm(x)
        y = self.follow(torch.cat([x.detach(), contour], -1))
        for block in self.prosody_blocks:
            y = block(y)
        return self.features(x), self.prosody(y) * y.new_tensor([ENERGY_SCALE, ENERGY_SCALE, 1.0, 1.0])


class _Block(nn.Module):
    def __init__(self, dilation: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv1d(
            N_WIDTH, N_WIDTH, KERNEL, padding=KERNEL // 2 * dilation, dilation=dilation, groups=N_WIDTH
        )
        self.norm = nn.LayerNorm(N_WIDTH)
        self.widen = nn.Linear(N_WIDTH, N_INNER)
        self.narrow = nn.Linear(N_INNER, N_WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        y = self.depthwise(x.transpose(1, 2)).transpose(1, 2)
        result: Tensor = x + self.narrow(functional.gelu(self.widen(self.norm(y))))
        return result
