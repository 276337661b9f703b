"""The transformer in the middle of HTDemucs, for running alone (Rouard et al. 2023, section 3).

Five layers for each branch; in the second and the fourth each branch attends to the other. The sum that runs
through the layers is kept in 32 bits, what is multiplied is in the precision asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from separation.nets.fused_layers import Linear, attend

if TYPE_CHECKING:
    import torch

EPSILON = 1e-5


class _Norm:
    """Layer normalisation of rows in 32 bits, given on in another precision."""

    def __init__(self, norm: Any, dtype: torch.dtype) -> None:
        self._weight, self._bias, self._dtype = norm.weight.detach(), norm.bias.detach(), dtype

    def __call__(self, rows: torch.Tensor) -> torch.Tensor:
        import torch

        normed = torch.nn.functional.layer_norm(rows, rows.shape[-1:], self._weight, self._bias, EPSILON)
        return normed.to(self._dtype)


class _Attention:
    """Attention with its projections; the scale of the layer is part of the last."""

    def __init__(self, attention: Any, scale: torch.Tensor, dtype: torch.dtype, packed: bool) -> None:
        weight, bias = attention.in_proj_weight.detach(), attention.in_proj_bias.detach()
        width = weight.shape[1]
        self._heads, self._blocked = attention.num_heads, packed and dtype.itemsize == 2
        self._query = Linear(weight[:width].to(dtype), bias[:width].to(dtype), packed)
        self._key_value = Linear(weight[width:].to(dtype), bias[width:].to(dtype), packed)
        self._out = _scaled(attention.out_proj, scale, dtype, packed)

    def __call__(self, rows: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
        """Returns what rows [batch, n, width] take from others [batch, m, width]."""
        queries = self._query(rows).view(*rows.shape[:2], self._heads, -1)
        keys, values = self._key_value(others).view(*others.shape[:2], 2, self._heads, -1).unbind(2)
        return self._out(attend(queries, keys, values, self._blocked).flatten(2))


class _Layer:
    """Attention and a feed-forward network, each added to what comes in, then a norm over the whole."""

    def __init__(self, layer: Any, dtype: torch.dtype, packed: bool) -> None:
        self.is_cross = hasattr(layer, "cross_attn")
        attention = layer.cross_attn if self.is_cross else layer.self_attn
        self._norm = _Norm(layer.norm1, dtype)
        self._norm_others = _Norm(layer.norm2, dtype) if self.is_cross else None
        self._norm_feed = _Norm(layer.norm3 if self.is_cross else layer.norm2, dtype)
        self._attention = _Attention(attention, layer.gamma_1.scale, dtype, packed)
        self._widen = Linear(layer.linear1.weight.to(dtype), layer.linear1.bias.to(dtype), packed, activation="gelu")
        self._narrow = _scaled(layer.linear2, layer.gamma_2.scale, dtype, packed)
        self._norm_out = layer.norm_out.weight.detach(), layer.norm_out.bias.detach()

    def __call__(self, rows: torch.Tensor, others: torch.Tensor | None) -> torch.Tensor:
        """Returns rows [batch, n, width] after the layer, where it is a cross layer with what `others` have."""
        import torch

        normed = self._norm(rows)
        heard = normed if others is None or self._norm_others is None else self._norm_others(others)
        rows = rows + self._attention(normed, heard)
        rows += self._narrow(self._widen(self._norm_feed(rows)))
        weight, bias = (vector.expand(rows.shape[1:]) for vector in self._norm_out)
        return torch.nn.functional.layer_norm(rows, rows.shape[1:], weight, bias, EPSILON)  # of a group norm of one


class CrossTransformer:
    """Both branches through all layers; rows of the spectrum are in the order (frequency, time)."""

    def __init__(self, network: Any, dtype: torch.dtype, packed: bool) -> None:
        transformer = network.crosstransformer
        self._period, self._weight = transformer.max_period, transformer.weight_pos_embed
        self._layers = [_Layer(layer, dtype, packed) for layer in transformer.layers]
        self._layers_t = [_Layer(layer, dtype, packed) for layer in transformer.layers_t]
        self._norm_in, self._norm_in_t = (
            (norm.weight.detach(), norm.bias.detach()) for norm in (transformer.norm_in, transformer.norm_in_t)
        )
        names = ("channel_upsampler", "channel_downsampler", "channel_upsampler_t", "channel_downsampler_t")
        self._up, self._down, self._up_t, self._down_t = (_projection(network, name, dtype, packed) for name in names)
        self._dtype = dtype
        self._known: dict[tuple[int, int], torch.Tensor] = {}

    def __call__(self, spectrum: torch.Tensor, time: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Takes and returns pixels [batch, frequencies, frames, channels] and [batch, 1, frames, channels]."""
        rows = self._enter(self._up(spectrum.to(self._dtype)), self._norm_in)
        rows_t = self._enter(self._up_t(time.to(self._dtype)), self._norm_in_t)
        for layer, layer_t in zip(self._layers, self._layers_t, strict=True):
            rows, rows_t = (
                layer(rows, rows_t if layer.is_cross else None),
                layer_t(rows_t, rows if layer.is_cross else None),
            )
        return (
            self._down(rows.to(self._dtype)).view_as(spectrum),
            self._down_t(rows_t.to(self._dtype)).view_as(time),
        )

    def _enter(self, pixels: torch.Tensor, norm: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        """Returns pixels as normed rows [batch, n, width] in 32 bits that know their places."""
        import torch

        batch, height, frames, width = pixels.shape
        rows = torch.nn.functional.layer_norm(pixels.float(), (width,), *norm, EPSILON)
        rows += self._positions(height, frames, width, pixels.device)
        return rows.reshape(batch, height * frames, width)

    def _positions(self, height: int, frames: int, width: int, device: torch.device) -> torch.Tensor:
        """Returns the embedding of places [height, frames, width]: of time alone where there is one row."""
        from demucs import transformer

        if (height, frames) in self._known:
            return self._known[height, frames]

        make: Any = transformer
        period, weight = self._period, self._weight
        places: Any
        if height == 1:
            places = make.create_sin_embedding(frames, width, device=device, max_period=period).transpose(0, 1)
        else:
            places = make.create_2d_sin_embedding(width, height, frames, device, period)[0].permute(1, 2, 0)
        known: torch.Tensor = (places * weight).contiguous()
        self._known[height, frames] = known
        return known


def _projection(network: Any, name: str, dtype: torch.dtype, packed: bool) -> Callable[[torch.Tensor], torch.Tensor]:
    """Returns what leads into the transformer's width or out of it; nothing does where it has that of the layers."""
    convolution = getattr(network, name, None)
    if convolution is None:
        return lambda rows: rows
    return Linear(convolution.weight[:, :, 0].detach().to(dtype), convolution.bias.detach().to(dtype), packed)


def _scaled(linear: Any, scale: torch.Tensor, dtype: torch.dtype, packed: bool) -> Linear:
    weight, bias = linear.weight.detach() * scale.detach()[:, None], linear.bias.detach() * scale.detach()
    return Linear(weight.to(dtype), bias.to(dtype), packed)
