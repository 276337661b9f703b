"""The writing half of Whisper: token by token, what was said in speech that the encoder has heard.

Radford et al. 2022, "Robust speech recognition via large-scale weak supervision" (arXiv:2212.04356), section 2.2.
Some heads of its attention to what was heard look at the word that comes next, which tells when it is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from voiceclone.nets.whisper_encoder import N_HEADS, N_LAYERS, N_WIDTH, Projections

N_TOKENS, N_PLACES = 51864, 448  # of tiny.en
ALIGNED = ((1, 0), (2, 0), (2, 5), (3, 0), (3, 1), (3, 2), (3, 3), (3, 4))  # layer, head: as published for tiny.en
PREFIX = "decoder."


@dataclass(frozen=True, eq=False)
class Memory:
    """Keys and values [heads, n, width of a head] of each layer: of the frames heard, and of the tokens so far."""

    heard: list[tuple[Tensor, Tensor]]
    written: list[tuple[Tensor, Tensor]]

    @property
    def n_written(self) -> int:
        return self.written[0][0].shape[1]


class WhisperDecoder(nn.Module):
    """Takes one token at a time and tells what may follow."""

    positional_embedding: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(N_TOKENS, N_WIDTH)
        self.register_buffer("positional_embedding", torch.zeros(N_PLACES, N_WIDTH))
        self.blocks = nn.ModuleList(_Block() for _ in range(N_LAYERS))
        self.ln = nn.LayerNorm(N_WIDTH)

    def begin(self, heard: Tensor) -> Memory:
        """Returns the memory of what the encoder's last layer has heard [frames, width], and of no token."""
        blocks = cast("list[_Block]", self.blocks)
        nothing = heard.new_zeros(N_HEADS, 0, N_WIDTH // N_HEADS)
        return Memory([block.cross_attn.remember(heard) for block in blocks], [(nothing, nothing)] * N_LAYERS)

    def forward(self, token: int, memory: Memory) -> tuple[Tensor, Tensor]:
        """Adds a token to the memory; returns the logits [tokens] of the next, and how much the heads that are
        `ALIGNED` look at each frame [heads, frames], before their softmax."""
        x = self.token_embedding.weight[token] + self.positional_embedding[memory.n_written]
        looks = []
        for layer, block in enumerate(self.blocks):
            x, memory.written[layer], look = block(x, memory.written[layer], memory.heard[layer])
            looks.append(look)
        return self.token_embedding.weight @ self.ln(x), torch.stack([looks[layer][head] for layer, head in ALIGNED])


class _Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attn, self.attn_ln = _Attention(), nn.LayerNorm(N_WIDTH)
        self.cross_attn, self.cross_attn_ln = _Attention(), nn.LayerNorm(N_WIDTH)
        self.mlp = nn.Sequential(nn.Linear(N_WIDTH, 4 * N_WIDTH), nn.GELU(), nn.Linear(4 * N_WIDTH, N_WIDTH))
        self.mlp_ln = nn.LayerNorm(N_WIDTH)

    def forward(
        self, x: Tensor, written: tuple[Tensor, Tensor], heard: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, tuple[Tensor, Tensor], Tensor]:
        """Takes a token [width]; returns it, what was written with it, and the looks at what was heard."""
        normal = self.attn_ln(x)
        new = self.attn.remember(normal[None])
        written = (torch.cat([written[0], new[0]], 1), torch.cat([written[1], new[1]], 1))
        x = x + self.attn(normal, *written)[0]
        seen, looks = self.cross_attn(self.cross_attn_ln(x), *heard)
        x = x + seen
        return x + self.mlp(self.mlp_ln(x)), written, looks


class _Attention(Projections):
    def remember(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Returns keys and values [heads, n, width of a head] of x [n, width]."""
        key, value = (layer(x).view(len(x), N_HEADS, -1).transpose(0, 1) for layer in (self.key, self.value))
        return key, value

    def forward(self, x: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Returns what x [width] finds [width], and where it looks [heads, n]."""
        query = self.query(x).view(N_HEADS, -1, 1)
        looks = (keys @ query)[..., 0] / query.shape[1] ** 0.5
        found = looks.softmax(-1)[:, None] @ values
        return self.out(found.reshape(-1)), looks


def decoder_state(checkpoint: Mapping[str, Any]) -> dict[str, Tensor]:
    """Returns the weights of the decoder in float32 from a published checkpoint, which holds the encoder as well."""
    state = checkpoint["model_state_dict"]
    return {name.removeprefix(PREFIX): tensor.float() for name, tensor in state.items() if name.startswith(PREFIX)}
