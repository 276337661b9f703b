"""HTDemucs for running alone: the network of `htdemucs.py` laid out for speed, the same numbers within rounding.

What is done differently from the package's own network:

- Everything is in channels-last memory, and activations are computed inside the layers (`fused_layers.py`).
- In the residual branches (Rouard et al. 2023, section 3; `DConv`) the widest tensors are never normalised in
  passes of their own: their mean and variance follow from the first two moments of the narrow tensor that they
  are a linear map of, and the normalisation becomes part of that map.
- Transposed convolutions are ordinary ones with two taps for each of their four phases.
- LayerScale and the scaling of queries are part of the weights before them; positions are computed once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from separation.nets.cross_transformer import CrossTransformer
from separation.nets.fused_layers import Convolution, can_pack, image, pixels

if TYPE_CHECKING:
    import torch

EPSILON = 1e-5  # of the norms
LEVEL_EPSILON = 1e-5  # of the deviation that a segment is divided by
SHIFTED_WINDOWS = 1.5  # what squared Hann windows, a quarter apart, sum to


class FusedHTDemucs:
    """Takes mixtures [batch, 2, n] and returns stems [batch, stems, 2, n], of a loaded network of the package."""

    def __init__(self, network: Any, dtype: torch.dtype) -> None:
        import torch

        parameter = next(network.parameters())
        packed = can_pack(parameter.device.type)
        with torch.inference_mode():
            self._encoders = [_Encoder(layer, dtype, packed) for layer in network.encoder]
            self._encoders_t = [_Encoder(layer, dtype, packed) for layer in network.tencoder]
            self._decoders = [_Decoder(layer, dtype, packed) for layer in network.decoder]
            self._decoders_t = [_Decoder(layer, dtype, packed) for layer in network.tdecoder]
            self._transformer = CrossTransformer(network, dtype, packed)
            embedding = network.freq_emb.weight * network.freq_emb_scale
            self._frequencies = image(embedding.to(dtype)[None, :, None])
        self._dtype, self._n_fft = dtype, network.nfft
        self._n_stems, self._n_channels = len(network.sources), network.audio_channels
        self._window = torch.hann_window(network.nfft, device=parameter.device)

    def __call__(self, mixture: torch.Tensor, stems: Sequence[int]) -> torch.Tensor:
        """Returns the stems of these numbers."""
        spectrum = self._transform(mixture)
        mean, deviation = _level(spectrum)
        images = image(((spectrum - mean) / (deviation + LEVEL_EPSILON)).to(self._dtype))
        mean_t, deviation_t = _level(mixture[:, None])
        waves = image((mixture[:, None].transpose(2, 3) - mean_t) / (deviation_t + LEVEL_EPSILON)).to(self._dtype)
        skips, skips_t, lengths = [], [], []
        for number, (encoder, encoder_t) in enumerate(zip(self._encoders, self._encoders_t, strict=True)):
            lengths.append(waves.shape[-1])
            waves, images = encoder_t(waves), encoder(images)
            if number == 0:
                images += self._frequencies
            skips.append(images)
            skips_t.append(waves)
        images, waves = (image(one) for one in self._transformer(pixels(images), pixels(waves)))
        images += skips.pop()
        waves += skips_t.pop()
        for decoder, decoder_t in zip(self._decoders, self._decoders_t, strict=True):
            parts = decoder.rows(decoder(images))
            waves = decoder_t.samples(decoder_t(waves), lengths.pop())
            if skips:
                waves += skips_t.pop()
                images = _add_rows(parts, skips.pop())
        result = self._join(parts, mean, deviation, stems, mixture.shape[-1])
        result += self._pick(pixels(waves).float() * deviation_t + mean_t, stems)[:, :, :, 0, :, 0]
        return result

    def _transform(self, mixture: torch.Tensor) -> torch.Tensor:
        """Returns the spectrum [batch, n_fft / 2, frames, channels], of real and imaginary parts in turn.

        Frame n begins 3 / 8 of a window before sample n * hop; the highest bin is left out.
        """
        import torch
        from demucs.hdemucs import pad1d

        hop, length = self._n_fft // 4, mixture.shape[-1]
        n_frames = -(-length // hop)
        before = hop // 2 * 3
        padded = pad1d(mixture, (before, before + n_frames * hop - length), mode="reflect")
        frames = padded.unfold(-1, self._n_fft, hop) * (self._window / math.sqrt(self._n_fft))
        bins = torch.view_as_real(torch.fft.rfft(frames))[..., :-1, :]  # [batch, channels, frames, bins, 2]
        return bins.permute(0, 3, 2, 1, 4).flatten(3)

    def _join(
        self,
        parts: list[tuple[slice, torch.Tensor]],
        mean: torch.Tensor,
        deviation: torch.Tensor,
        stems: Sequence[int],
        length: int,
    ) -> torch.Tensor:
        """Returns stems [batch, stems, channels, length] of the rows of their spectrum, the inverse of `_transform`."""
        import torch

        hop = self._n_fft // 4
        batch, _, _, n_frames = parts[0][1].shape
        bins = torch.zeros(batch, len(stems), self._n_channels, n_frames, self._n_fft // 2 + 1, 2)
        bins = bins.to(mean.device)
        for rows, part in parts:
            chosen = self._pick(pixels(part).float() * deviation + mean, stems)
            bins[:, :, :, :, : self._n_fft // 2][:, :, :, :, rows] = chosen.movedim(3, 4)
        synthesis = self._window * (math.sqrt(self._n_fft) / SHIFTED_WINDOWS)
        frames: torch.Tensor = torch.fft.irfft(torch.view_as_complex(bins), self._n_fft) * synthesis
        quarters = frames.view(*frames.shape[:4], 4, hop)
        joined = torch.zeros(*frames.shape[:3], n_frames + 3, hop, device=frames.device)
        for shift in range(4):
            joined[:, :, :, shift : shift + n_frames] += quarters[..., shift, :]
        return joined.flatten(3)[..., hop // 2 * 3 : hop // 2 * 3 + length]

    def _pick(self, pixels: torch.Tensor, stems: Sequence[int]) -> torch.Tensor:
        """Returns [batch, stems, channels, height, width, rest] of pixels, whose channels are all of that."""
        parts = pixels.reshape(*pixels.shape[:3], self._n_stems, self._n_channels, -1)
        return parts[:, :, :, list(stems)].permute(0, 3, 4, 1, 2, 5)


def _level(values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns mean and standard deviation [batch, 1, 1, 1] of values [batch, ...] of four dimensions."""
    kept = (1, 2, 3)
    return values.mean(dim=kept, keepdim=True), values.std(dim=kept, keepdim=True)


def _add_rows(parts: list[tuple[slice, torch.Tensor]], skip: torch.Tensor) -> torch.Tensor:
    """Returns what parts make together, plus the skip connection, in whose place it comes."""
    for rows, part in parts:
        skip[:, :, rows] += part
    return skip


class _Gate:
    """A convolution with a gated linear unit: half of its channels times the sigmoid of the others."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor, packed: bool, **place: Any) -> None:
        n_out = len(weight) // 2
        self._values = Convolution(weight[:n_out], bias[:n_out], packed, **place)
        self._gates = Convolution(weight[n_out:], bias[n_out:], packed, activation="sigmoid", **place)

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        return self._values(images).mul_(self._gates(images))

    def add_to(self, total: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
        return total.addcmul_(self._values(images), self._gates(images))


class _ResidualLayer:
    """One layer of a residual branch: narrow convolution, norm, GELU, wide convolution, norm, gate, scale."""

    def __init__(self, layer: Any, dtype: torch.dtype, packed: bool) -> None:
        import torch

        narrow, norm, _, wide, wide_norm, _, scale = layer
        self._narrow = Convolution(
            narrow.weight[:, :, None].to(dtype),
            narrow.bias.to(dtype),
            packed,
            padding=(0, narrow.padding[0]),
            dilation=(1, narrow.dilation[0]),
        )
        self._norm_weight, self._norm_bias = norm.weight.detach().clone(), norm.bias.detach().clone()
        weight, bias = wide.weight[:, :, 0].detach(), wide.bias.detach()
        # Sums over a minute's worth of numbers: 32 bits would lose a fifth of the digits.
        moments = torch.float64 if dtype == torch.float32 and packed else torch.float32
        self._weight, self._bias = weight.to(moments), bias.to(moments)
        self._gram = self._weight.T @ self._weight / len(self._weight)
        # Its inputs: the narrow tensor over the deviation, then 1 / deviation, mean / deviation, 1.
        gamma, beta = wide_norm.weight, wide_norm.bias
        columns = [weight * gamma[:, None], (bias * gamma)[:, None], -gamma[:, None], beta[:, None]]
        extended = torch.cat(columns, dim=1)
        n_out = len(extended) // 2
        extended[:n_out] *= scale.scale[:, None]
        self._n_inputs = -(-extended.shape[1] // 16) * 16  # kernels are slow on odd numbers of channels
        extended = torch.nn.functional.pad(extended, (0, self._n_inputs - extended.shape[1]))[:, :, None, None]
        self._wide = _Gate(extended.to(dtype), torch.zeros(len(extended), dtype=dtype), packed)

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Adds the layer to images [batch, channels, rows, time], each row by itself, in place."""
        import torch

        narrow = pixels(self._narrow(images))
        batch, n_rows, n_frames, width = narrow.shape
        hidden = narrow.reshape(batch * n_rows, n_frames, width)
        shape = (n_frames, width)
        weight, bias = (vector.expand(shape) for vector in (self._norm_weight, self._norm_bias))
        hidden = torch.nn.functional.gelu(torch.nn.functional.layer_norm(hidden, shape, weight, bias, EPSILON))
        mean, deviation = self._moments(hidden)
        inputs = hidden.new_empty(batch * n_rows, n_frames, self._n_inputs)
        torch.mul(hidden, (1 / deviation)[:, None, None], out=inputs[:, :, :width])
        inputs[:, :, width:] = 0
        inputs[:, :, width] = (1 / deviation)[:, None]
        inputs[:, :, width + 1] = (mean / deviation)[:, None]
        inputs[:, :, width + 2] = 1
        return self._wide.add_to(images, image(inputs.view(batch, n_rows, n_frames, self._n_inputs)))

    def _moments(self, hidden: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns mean and deviation [rows] of what the wide convolution makes of hidden [rows, time, width]."""
        import torch

        values = hidden.to(self._weight.dtype)
        middle = values.mean(dim=1)
        values = values - middle[:, None]
        covariance = torch.bmm(values.transpose(1, 2), values) / hidden.shape[1]
        means = torch.nn.functional.linear(middle, self._weight, self._bias)
        within = (covariance * self._gram).sum(dim=(1, 2))
        deviation = (within + means.var(dim=1, unbiased=False) + EPSILON).sqrt()
        return means.mean(dim=1).float(), deviation.float()


class _Encoder:
    """A layer down: convolution, residual branch, gate."""

    def __init__(self, layer: Any, dtype: torch.dtype, packed: bool) -> None:
        weight, bias = _plane(layer.conv.weight).to(dtype), layer.conv.bias.to(dtype)
        stride = (layer.stride, 1) if layer.freq else (1, layer.stride)
        padding = (layer.pad, 0) if layer.freq else (0, layer.pad)
        self._stride = stride[1]
        self._conv = Convolution(weight, bias, packed, stride, padding, activation="gelu")
        self._residual = [_ResidualLayer(one, dtype, packed) for one in layer.dconv.layers]
        self._rewrite = _Gate(_plane(layer.rewrite.weight).to(dtype), layer.rewrite.bias.to(dtype), packed)

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        import torch

        missing = -images.shape[-1] % self._stride
        if missing:
            images = torch.nn.functional.pad(images, (0, missing))
        images = self._conv(images)
        for layer in self._residual:
            images = layer(images)
        return self._rewrite(images)


class _Decoder:
    """A layer up: gate, residual branch, transposed convolution in phases."""

    def __init__(self, layer: Any, dtype: torch.dtype, packed: bool) -> None:
        import torch

        self._freq, self._stride, self._pad = bool(layer.freq), layer.stride, layer.pad
        weight = _plane(layer.rewrite.weight).to(dtype)
        padding = (weight.shape[2] // 2, weight.shape[3] // 2)
        self._rewrite = _Gate(weight, layer.rewrite.bias.to(dtype), packed, padding=padding)
        self._residual = [_ResidualLayer(one, dtype, packed) for one in layer.dconv.layers]
        kernel = layer.conv_tr.weight.detach().transpose(0, 1)  # [out, in, taps]
        kernel = kernel[..., 0] if self._freq else kernel
        bias = layer.conv_tr.bias.to(dtype)
        # Sample 4 n + p of the result: tap p of input n and tap p + 4 of the input before it.
        phases = [kernel[:, :, [phase + self._stride, phase]] for phase in range(self._stride)]
        activation: Any = "none" if layer.last else "gelu"
        if self._freq:
            self._phases = [
                Convolution(phase[..., None].to(dtype), bias, packed, padding=(1, 0), activation=activation)
                for phase in phases
            ]
        else:
            joined = torch.cat(phases)[:, :, None].to(dtype)
            self._phases = [
                Convolution(joined, bias.repeat(self._stride), packed, padding=(0, 1), activation=activation)
            ]

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        images = self._rewrite(images)
        for layer in self._residual:
            images = layer(images)
        return images

    def rows(self, images: torch.Tensor) -> list[tuple[slice, torch.Tensor]]:
        """Returns the result in parts, each with the rows of the spectrum that it has."""
        n_rows, parts = images.shape[2], []
        for phase, convolution in enumerate(self._phases):
            first = (phase - self._pad) % self._stride
            skipped = (first + self._pad - phase) // self._stride
            parts.append((slice(first, None, self._stride), convolution(images)[:, :, skipped : skipped + n_rows]))
        return parts

    def samples(self, images: torch.Tensor, length: int) -> torch.Tensor:
        """Returns the result as images of one row and `length` columns."""
        (phases,) = self._phases
        grid = pixels(phases(images))
        batch, rows, frames, width = grid.shape
        joined = grid.reshape(batch, rows, frames * self._stride, width // self._stride)
        return image(joined[:, :, self._pad : self._pad + length])


def _plane(weight: torch.Tensor) -> torch.Tensor:
    """Returns a kernel of convolutions over time as one over images of one row."""
    weight = weight.detach()
    return weight[:, :, None] if weight.dim() == 3 else weight
