"""Layers of torch networks for running alone: weights packed once, activations computed inside the layer.

On an x86 CPU they are oneDNN's kernels in channels-last memory, which torch has had for its compiler; anywhere
else the same layers are torch's ordinary operations. Images are [batch, channels, height, width] in
channels-last memory, so that `pixels` and `image` are views of each other.
"""

from __future__ import annotations

import math
import platform
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import torch

Activation = Literal["none", "gelu", "sigmoid"]
Pair = tuple[int, int]

QUERIES = 192  # of a head at once: their weights on all keys stay in the cache


def can_pack(device: str) -> bool:
    """Whether the packed kernels are there for a device."""
    import torch

    x86 = platform.machine().lower() in ("x86_64", "amd64")
    return device == "cpu" and x86 and torch._C._has_mkldnn


class Convolution:
    """A convolution of images with its activation."""

    def __init__(
        self,
        weight: torch.Tensor,
        bias: torch.Tensor,
        packed: bool,
        stride: Pair = (1, 1),
        padding: Pair = (0, 0),
        dilation: Pair = (1, 1),
        activation: Activation = "none",
    ) -> None:
        import torch

        self._activation, self._packed = activation, packed
        self._stride, self._padding, self._dilation = list(stride), list(padding), list(dilation)
        self._weight = weight.contiguous(memory_format=torch.channels_last)
        self._bias = bias.contiguous()
        if packed:
            reorder: Any = torch.ops.mkldnn._reorder_convolution_weight
            self._weight = reorder(weight.contiguous(), self._padding, self._stride, self._dilation, 1, None)

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        import torch

        place = (self._padding, self._stride, self._dilation, 1)
        if self._packed:
            convolve: Any = torch.ops.mkldnn._convolution_pointwise
            images = convolve(
                images, self._weight, self._bias, *place, self._activation, [], _variant(self._activation)
            )
            return images
        plain = torch.conv2d(images, self._weight, self._bias, self._stride, self._padding, self._dilation)
        return _activate(plain, self._activation)


class Linear:
    """A linear layer [..., in] -> [..., out] with its activation."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor, packed: bool, activation: Activation = "none") -> None:
        import torch

        self._activation, self._packed = activation, packed
        self._weight, self._bias = weight.contiguous(), bias.contiguous()
        if packed:
            reorder: Any = torch.ops.mkldnn._reorder_linear_weight
            self._weight = reorder(self._weight, None)

    def __call__(self, rows: torch.Tensor) -> torch.Tensor:
        import torch

        if self._packed:
            multiply: Any = torch.ops.mkldnn._linear_pointwise
            variant = _variant(self._activation)
            result: torch.Tensor = multiply(rows, self._weight, self._bias, self._activation, [], variant)
            return result
        return _activate(torch.nn.functional.linear(rows, self._weight, self._bias), self._activation)


def attend(queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, blocked: bool) -> torch.Tensor:
    """Returns attention [batch, n, heads, size] of queries [batch, n, heads, size] on keys and values [batch, m, ...].

    `blocked` is for bfloat16 on one core: torch's own kernel is no faster there than in 32 bits.
    """
    import torch

    heads = query, key, value = queries.transpose(1, 2), keys.transpose(1, 2), values.transpose(1, 2)
    if not blocked:
        return torch.nn.functional.scaled_dot_product_attention(query, key, value).transpose(1, 2)
    result = torch.empty_like(queries, memory_format=torch.contiguous_format)
    scale = 1 / math.sqrt(queries.shape[-1])
    for sample in range(len(queries)):
        for head in range(queries.shape[2]):
            query, key, value = (part[sample, head].contiguous() for part in heads)
            key = (key * scale).T
            for start in range(0, len(query), QUERIES):
                weights = torch.softmax(query[start : start + QUERIES] @ key, dim=-1)
                result[sample, start : start + QUERIES, head] = weights @ value
    return result


def pixels(images: torch.Tensor) -> torch.Tensor:
    """Returns images [batch, channels, height, width] as their pixels [batch, height, width, channels]."""
    return images.permute(0, 2, 3, 1)


def image(pixels: torch.Tensor) -> torch.Tensor:
    """Returns pixels [batch, height, width, channels] as images [batch, channels, height, width]."""
    return pixels.permute(0, 3, 1, 2)


def _variant(activation: Activation) -> str:
    return "none" if activation == "gelu" else ""  # the exact GELU, not its approximation by tanh


def _activate(values: torch.Tensor, activation: Activation) -> torch.Tensor:
    import torch

    if activation == "gelu":
        return torch.nn.functional.gelu(values)
    return values.sigmoid_() if activation == "sigmoid" else values
