"""BS-RoFormer and Mel-Band RoFormer in torch, with the parameter names of the published checkpoints.

Networks: arXiv 2309.02612 (bands side by side) and arXiv 2310.01809 (overlapping mel bands). The
spectrum's bands become tokens [time, band]; transformers look along time and along the bands in turn;
a perceptron for each band and stem turns the tokens into a complex mask.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from separation.nets.roformer_architecture import Architecture, Band

N_CHANNELS = 2
ROTARY_BASE = 10000.0
FEED_FORWARD_EXPANSION = 4
CPU_TOKENS = 8192  # put through a transformer at once: the caches like it, and so does the memory
SMALLEST_NORM = 1e-12  # below this a vector is not scaled up any more


class RMSNorm(nn.Module):
    """Scales vectors [..., dim] to a root mean square of one, and by a learned factor."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        n_features = len(self.gamma)
        return functional.rms_norm(x, (n_features,), self.gamma, eps=SMALLEST_NORM**2 / n_features)


class Rotary(nn.Module):
    """Turns pairs of features by angles that grow with the position (Su et al. 2021, arXiv 2104.09864, eq. 15)."""

    def __init__(self, head_dim: int) -> None:
        super().__init__()
        exponents = torch.arange(0, head_dim, 2) / head_dim
        self.freqs = nn.Parameter(ROTARY_BASE**-exponents, requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """Returns queries or keys [..., length, head_dim] turned."""
        angles = torch.outer(torch.arange(x.shape[-2], device=x.device, dtype=torch.float32), self.freqs)
        pairs = torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))
        turned = pairs * torch.polar(torch.ones_like(angles), angles)
        return torch.view_as_real(turned).flatten(-2).to(x.dtype)


class Attention(nn.Module):
    """Multi-head attention with rotary positions; each head has a gate."""

    def __init__(self, dim: int, n_heads: int, head_dim: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.norm = RMSNorm(dim)
        self.rotary_embed = Rotary(head_dim)
        self.to_qkv = nn.Linear(dim, 3 * n_heads * head_dim, bias=False)
        self.to_gates = nn.Linear(dim, n_heads)
        self.to_out = nn.Sequential(nn.Linear(n_heads * head_dim, dim, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        """Returns what is to be added to tokens [n, length, dim]."""
        x = self.norm(x)
        qkv = self.to_qkv(x).unflatten(-1, (3, self.n_heads, -1)).permute(2, 0, 3, 1, 4)
        queries, keys = self.rotary_embed(qkv[:2])
        found = functional.scaled_dot_product_attention(queries, keys, qkv[2])
        gates = self.to_gates(x).sigmoid().transpose(1, 2)[..., None]
        joined: Tensor = self.to_out((found * gates).transpose(1, 2).flatten(-2))
        return joined


class FeedForward(nn.Module):
    """A perceptron on each token."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        hidden = FEED_FORWARD_EXPANSION * dim
        # The fourth was a dropout in training.
        self.net = nn.Sequential(RMSNorm(dim), nn.Linear(dim, hidden), nn.GELU(), nn.Identity(), nn.Linear(hidden, dim))

    def forward(self, x: Tensor) -> Tensor:
        added: Tensor = self.net(x)
        return added


class Transformer(nn.Module):
    """One layer of attention and feed-forward on token sequences [n, length, dim]."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        dim = architecture.dim
        attention = Attention(dim, architecture.n_heads, architecture.head_dim)
        self.layers = nn.ModuleList([nn.ModuleList([attention, FeedForward(dim)])])
        self.norm = RMSNorm(dim) if architecture.norms_each else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        (layer,) = self.layers.children()
        attention, feed_forward = layer.children()
        x = x + attention(x)
        x = x + feed_forward(x)
        normed: Tensor = self.norm(x)
        return normed


class BandSplit(nn.Module):
    """Makes one token of each band of a spectrum."""

    def __init__(self, bands: Sequence[Band], dim: int) -> None:
        super().__init__()
        self._bands = tuple(bands)
        widths = [_n_features(band) for band in bands]
        self.to_features = nn.ModuleList(nn.Sequential(RMSNorm(width), nn.Linear(width, dim)) for width in widths)

    def forward(self, bins: Tensor) -> Tensor:
        """Returns tokens [batch, frames, bands, dim] of a spectrum [batch, frames, bins, channels, 2]."""
        pieces = [bins[:, :, first:end].flatten(-3) for first, end in self._bands]
        tokens = [to_feature(piece) for to_feature, piece in zip(self.to_features, pieces, strict=True)]
        return torch.stack(tokens, dim=2)


class MaskEstimator(nn.Module):
    """Makes one stem's complex mask of the tokens; where bands overlap it is the mean of theirs."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self._bands = architecture.bands
        self.to_freqs = nn.ModuleList(
            nn.Sequential(_perceptron(architecture, 2 * _n_features(band)), nn.GLU()) for band in self._bands
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Returns a mask [batch, frames, bins, channels], complex, for tokens [batch, frames, bands, dim]."""
        n_bins = self._bands[-1][1]
        mask = tokens.new_zeros((*tokens.shape[:2], n_bins, N_CHANNELS), dtype=torch.complex64)
        n_covering = tokens.new_zeros((n_bins, 1), dtype=torch.float32)
        for index, (first, end) in enumerate(self._bands):
            found = self.to_freqs[index](tokens[:, :, index]).float().unflatten(-1, (end - first, N_CHANNELS, 2))
            mask[:, :, first:end] += torch.view_as_complex(found)
            n_covering[first:end] += 1
        return mask / n_covering


class Roformer(nn.Module):
    """Separates stereo sound into the stems of an `Architecture`."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.band_split = BandSplit(architecture.bands, architecture.dim)
        pairs = ([Transformer(architecture), Transformer(architecture)] for _ in range(architecture.depth))
        self.layers = nn.ModuleList(nn.ModuleList(pair) for pair in pairs)
        self.final_norm = nn.Identity() if architecture.norms_each else RMSNorm(architecture.dim)
        self.mask_estimators = nn.ModuleList(MaskEstimator(architecture) for _ in range(architecture.n_stems))

    def forward(self, mixture: Tensor, stems: Sequence[int], half: torch.dtype | None = None) -> Tensor:
        """Returns stems [batch, len(stems), 2, time] of a mixture [batch, 2, time].

        With a `half` precision everything but the spectra, the normalisations and the sums of the
        transformers is computed in it.
        """
        n_fft, hop, shape = self.architecture.n_fft, self.architecture.hop, mixture.shape
        window = torch.hann_window(n_fft, device=mixture.device)
        spectrum = torch.stft(mixture.flatten(0, 1), n_fft, hop, window=window, return_complex=True)
        spectrum = spectrum.reshape(*shape[:2], *spectrum.shape[1:])
        narrow = functools.partial(torch.autocast, mixture.device.type, half, enabled=half is not None)
        with narrow():
            tokens = self._tokens(torch.view_as_real(spectrum).permute(0, 3, 2, 1, 4))
        found = []
        for stem in stems:
            with narrow(cache_enabled=False):  # these weights, most of the network's, are used once
                mask = self.mask_estimators[stem](tokens)
            masked = (spectrum * mask.permute(0, 3, 2, 1)).flatten(0, 1)
            sound = torch.istft(masked, n_fft, hop, window=window, length=shape[-1])
            found.append(sound.reshape(shape))
        return torch.stack(found, dim=1)

    def _tokens(self, bins: Tensor) -> Tensor:
        """Returns the tokens [batch, frames, bands, dim] that the masks are made of."""
        tokens = self.band_split(bins).float()
        batch, n_frames, n_bands, _ = tokens.shape
        at_once = CPU_TOKENS if tokens.device.type == "cpu" else tokens.numel()
        for pair in self.layers:
            along_time, along_bands = pair.children()
            for part in tokens.split(max(1, at_once // (batch * n_frames)), dim=2):
                sequences = part.transpose(1, 2)
                part.copy_(along_time(sequences.flatten(0, 1)).unflatten(0, sequences.shape[:2]).transpose(1, 2))
            for part in tokens.split(max(1, at_once // (batch * n_bands)), dim=1):
                part.copy_(along_bands(part.flatten(0, 1)).unflatten(0, part.shape[:2]))
        normed: Tensor = self.final_norm(tokens)
        return normed


def _n_features(band: Band) -> int:
    return 2 * N_CHANNELS * (band[1] - band[0])


def _perceptron(architecture: Architecture, n_out: int) -> nn.Sequential:
    dim, n_layers = architecture.dim, architecture.mask_layers
    sizes = [dim, *[architecture.mask_expansion * dim] * (n_layers - 1), n_out]
    layers: list[nn.Module] = []
    for n_in, n_next in itertools.pairwise(sizes):
        layers += [nn.Linear(n_in, n_next), nn.Tanh()]
    return nn.Sequential(*layers[:-1])
