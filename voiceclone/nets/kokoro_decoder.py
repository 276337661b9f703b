"""The half of Kokoro that gives a voice its timbre, in torch, so that gradients reach its style.

Kokoro's decoder after StyleTTS 2 (Li et al. 2023, arXiv:2306.07691) with the generator of iSTFTNet (Kaneko et al. 2022,
arXiv:2203.02395). A style reaches it in one way only: every instance normalisation has a scale and a shift that are an
affine map of the style (Huang and Belongie 2017, arXiv:1703.06868). Here they are one vector, `affines`, so that a
voice may be given either as a style or as what its layers get to see.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from audio_ml.state_dicts import load_strictly

N_TEXT, N_STYLE, N_WIDE, N_NARROW, N_RESIDUAL = 512, 128, 1024, 512, 64
N_FFT, HOP = 20, 5
N_BINS = N_FFT // 2 + 1
UPSAMPLING = ((10, 20), (6, 12))  # of the generator: stride and taps
TAPS = (3, 7, 11)
DILATIONS = (1, 3, 5)
EPSILON = 1e-5
SCOPE = "/decoder/decoder/"  # of the decoder's nodes in the published graph


Affines = dict[nn.Module, Tensor]  # what each normalisation gets, [batch, scales and shifts]


class _Normalisation(nn.Module):
    """Adaptive instance normalisation; its scale and shift come from outside."""

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.n_channels = n_channels
        self.fc = nn.Linear(N_STYLE, 2 * n_channels)

    def forward(self, x: Tensor, affine: Tensor) -> Tensor:
        gain, offset = _gain_and_offset(x, affine)[:2]
        return torch.addcmul(offset.to(x.dtype), x, gain.to(x.dtype))


class _Block(nn.Module):
    """Two convolutions beside a shortcut, at 40 or, where it doubles the rate, 80 frames a second."""

    def __init__(self, n_in: int, n_out: int, doubles: bool = False) -> None:
        super().__init__()
        self.norm1, self.norm2 = _Normalisation(n_in), _Normalisation(n_out)
        self.conv1 = nn.Conv1d(n_in, n_out, 3, padding=1)
        self.conv2 = nn.Conv1d(n_out, n_out, 3, padding=1)
        self.conv1x1 = nn.Conv1d(n_in, n_out, 1, bias=False)
        self.pool = (
            nn.ConvTranspose1d(n_in, n_in, 3, stride=2, groups=n_in, padding=1, output_padding=1)
            if doubles
            else nn.Identity()
        )
        self.doubles = doubles

    def forward(self, x: Tensor, affines: Affines) -> Tensor:
        shortcut = self.conv1x1(x.repeat_interleave(2, dim=-1) if self.doubles else x)
        x = self.conv1(self.pool(functional.leaky_relu(self.norm1(x, affines[self.norm1]), 0.2)))
        x = self.conv2(functional.leaky_relu(self.norm2(x, affines[self.norm2]), 0.2))
        joined: Tensor = (x + shortcut) / 2**0.5
        return joined


class _ResidualBlock(nn.Module):
    """Three pairs of dilated convolutions behind snakes, x + sin(alpha x)^2 / alpha (Ziyin et al. 2020)."""

    def __init__(self, n_channels: int, n_taps: int) -> None:
        super().__init__()

        def convolutions(dilations: tuple[int, ...]) -> nn.ModuleList:
            return nn.ModuleList(
                nn.Conv1d(n_channels, n_channels, n_taps, dilation=dilation, padding=n_taps // 2 * dilation)
                for dilation in dilations
            )

        self.convs1, self.convs2 = convolutions(DILATIONS), convolutions((1,) * len(DILATIONS))
        self.adain1 = nn.ModuleList(_Normalisation(n_channels) for _ in DILATIONS)
        self.adain2 = nn.ModuleList(_Normalisation(n_channels) for _ in DILATIONS)
        self.alpha1 = nn.ParameterList(torch.ones(1, n_channels, 1) for _ in DILATIONS)
        self.alpha2 = nn.ParameterList(torch.ones(1, n_channels, 1) for _ in DILATIONS)

    def forward(self, x: Tensor, affines: Affines) -> Tensor:
        for index in range(len(DILATIONS)):
            y = _styled_snake(x, affines[self.adain1[index]], self.alpha1[index])
            y = _styled_snake(self.convs1[index](y), affines[self.adain2[index]], self.alpha2[index])
            x = x + self.convs2[index](y)
        return x


class KokoroDecoder(nn.Module):
    """Text, pitch, loudness and style to sound."""

    def __init__(self) -> None:
        super().__init__()
        n_joined = N_WIDE + 2 + N_RESIDUAL
        self.encode = _Block(N_TEXT + 2, N_WIDE)
        self.decode = nn.ModuleList(
            [*(_Block(n_joined, N_WIDE) for _ in range(3)), _Block(n_joined, N_NARROW, doubles=True)]
        )
        self.F0_conv = nn.Conv1d(1, 1, 3, stride=2, padding=1)
        self.N_conv = nn.Conv1d(1, 1, 3, stride=2, padding=1)
        self.asr_res = nn.Sequential(nn.Conv1d(N_TEXT, N_RESIDUAL, 1))
        self.generator = _Generator()

    @functools.cached_property
    def _normalisations(self) -> dict[str, _Normalisation]:
        """The normalisations in the order in which `affines` holds what they get: that of their names."""
        found = {name: module for name, module in self.named_modules() if isinstance(module, _Normalisation)}
        return dict(sorted(found.items()))

    def style_layers(self) -> tuple[Tensor, Tensor]:
        """Returns the matrix [n, 128] and the offsets [n] that make `affines` of the timbre half of a style."""
        layers = [module.fc for module in self._normalisations.values()]
        return torch.cat([layer.weight for layer in layers]), torch.cat([layer.bias for layer in layers])

    def forward(self, text: Tensor, pitch: Tensor, loudness: Tensor, source: Tensor, affines: Tensor) -> Tensor:
        """Returns sound [batch, 600 time] of `text` [batch, 512, time], `pitch` and `loudness` [batch, 1, 2 time],
        `source` [batch, 22, 120 time + 1], the spectrum of the harmonics of that pitch, and `affines` [batch, n]."""
        sizes = [2 * module.n_channels for module in self._normalisations.values()]
        each = dict(zip(self._normalisations.values(), torch.split(affines, sizes, dim=-1), strict=True))
        pitch, loudness, residual = self.F0_conv(pitch), self.N_conv(loudness), self.asr_res(text)
        x = self.encode(torch.cat([text, pitch, loudness], dim=1), each)
        for block in self.decode:
            x = block(torch.cat([x, residual, pitch, loudness], dim=1), each)
        sound: Tensor = self.generator(x, source, each)
        return sound


class _Generator(nn.Module):
    """From 80 frames a second to the spectrum of 4,800, and sound."""

    inverse: Tensor

    def __init__(self) -> None:
        super().__init__()
        widths = [N_NARROW // 2**index for index in range(len(UPSAMPLING) + 1)]
        stride = UPSAMPLING[1][0]
        self.noise_convs = nn.ModuleList(
            [
                nn.Conv1d(2 * N_BINS, widths[1], 2 * stride, stride=stride, padding=(stride + 1) // 2),
                nn.Conv1d(2 * N_BINS, widths[2], 1),
            ]
        )
        self.noise_res = nn.ModuleList([_ResidualBlock(widths[1], 7), _ResidualBlock(widths[2], 11)])
        self.ups = nn.ModuleList(
            nn.ConvTranspose1d(n_in, n_out, taps, stride, padding=(taps - stride) // 2)
            for n_in, n_out, (stride, taps) in zip(widths, widths[1:], UPSAMPLING, strict=False)
        )
        self.resblocks = nn.ModuleList(_ResidualBlock(width, taps) for width in widths[1:] for taps in TAPS)
        self.conv_post = nn.Conv1d(widths[-1], 2 * N_BINS, 7, padding=3)
        self.register_buffer("inverse", _inverse_basis(), persistent=False)

    def forward(self, x: Tensor, source: Tensor, affines: Affines) -> Tensor:
        sources = [block(conv(source), affines) for conv, block in zip(self.noise_convs, self.noise_res, strict=True)]
        for stage, (up, of_source) in enumerate(zip(self.ups, sources, strict=True)):
            x = up(functional.leaky_relu(x, 0.1))
            if stage == len(UPSAMPLING) - 1:
                x = functional.pad(x, (1, 0), mode="reflect")
            x = x + of_source
            blocks = self.resblocks[stage * len(TAPS) : (stage + 1) * len(TAPS)]
            x = sum(block(x, affines) for block in blocks) / len(TAPS)
        x = self.conv_post(functional.leaky_relu(x, 0.01)).float()
        magnitude, phase = torch.exp(x[:, :N_BINS]), torch.sin(x[:, N_BINS:])
        spectrum = torch.cat([magnitude * torch.cos(phase), magnitude * torch.sin(phase)], dim=1)
        sound = functional.conv_transpose1d(spectrum, self.inverse.float(), stride=HOP)
        return sound[:, 0, N_FFT // 2 : -(N_FFT // 2)]


def _gain_and_offset(x: Tensor, affine: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Returns normalisation and affine map of x [batch, channels, time] as one gain and one offset.

    With the mean and the inverse deviation that are in them, all [batch, channels, 1] in float32.
    """
    n = x.shape[-1]
    mean = x.sum(dim=-1, keepdim=True, dtype=torch.float32) / n
    power = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=torch.float32) ** 2 / n
    inverse = torch.rsqrt((power - mean**2).clamp(min=0) + EPSILON)
    scale, shift = affine.float()[..., None].chunk(2, dim=1)
    gain = (1 + scale) * inverse
    return gain, shift - mean * gain, mean, inverse


class _StyledSnake(torch.autograd.Function):
    """Normalisation, affine map and snake in as few passes over the sound as they take: most of the time of a gradient
    goes to such passes, not to the convolutions."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, affine: Tensor, alpha: Tensor) -> Tensor:
        gain, offset, mean, inverse = _gain_and_offset(x, affine)
        ctx.save_for_backward(x, alpha, gain, offset, mean, inverse)
        z = torch.addcmul(offset.to(x.dtype), x, gain.to(x.dtype))
        squared = (z * alpha.to(x.dtype)).sin_().square_()
        return torch.addcmul(z, squared, (1 / alpha).to(x.dtype))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        x, alpha, gain, offset, mean, inverse = ctx.saved_tensors
        n, dtype = x.shape[-1], x.dtype
        doubled = 2 * alpha  # d(z + sin(alpha z)^2 / alpha) = 1 + sin(2 alpha z)
        slope = torch.addcmul((offset * doubled).to(dtype), x, (gain * doubled).to(dtype)).sin_()
        of_z = torch.addcmul(gradient, gradient, slope)
        total = of_z.sum(dim=-1, keepdim=True, dtype=torch.float32)
        with_x = (of_z * x).sum(dim=-1, keepdim=True, dtype=torch.float32)
        with_normalised = (with_x - mean * total) * inverse
        of_affine = torch.cat([with_normalised, total], dim=1)[..., 0]
        slant = -gain * inverse * with_normalised / n
        level = -gain * total / n - slant * mean
        of_x = torch.addcmul(level.to(dtype), x, slant.to(dtype)).addcmul_(of_z, gain.to(dtype))
        return of_x, of_affine, None


def _styled_snake(x: Tensor, affine: Tensor, alpha: Tensor) -> Tensor:
    styled: Tensor = _StyledSnake.apply(x, affine, alpha)  # type: ignore[no-untyped-call]
    return styled


def _inverse_basis() -> Tensor:
    """Returns the windowed inverse transform [22, 1, 20]. As in the published graph, overlapping windows are summed and
    not divided by their sum."""
    bins, samples = np.arange(N_BINS)[:, None], np.arange(N_FFT)[None]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)
    weights = np.where((bins == 0) | (bins == N_BINS - 1), 1, 2) / N_FFT * window
    angles = 2 * np.pi * bins * samples / N_FFT
    basis = np.concatenate([weights * np.cos(angles), -weights * np.sin(angles)])
    return torch.from_numpy(basis[:, None].astype(np.float32))


def load_decoder(path: Path) -> KokoroDecoder:
    """Returns the decoder with the weights of the published ONNX file (float32 or float16).

    Raises:
        WeightsCorrupt: when they are not all there, or of other shapes.
    """
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(str(path)).graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    decoder = KokoroDecoder()
    found: dict[str, Any] = {}
    for node in graph.node:
        if not node.name.startswith(SCOPE) or node.op_type not in ("Conv", "ConvTranspose", "Gemm"):
            continue
        name = _module_name(node.name)
        for parameter, constant in zip(("weight", "bias"), node.input[1:], strict=False):
            found[f"{name}.{parameter}"] = constants[constant]
    alphas = {name.removeprefix("decoder.decoder."): value for name, value in constants.items() if ".alpha" in name}
    found = {name: value for name, value in (found | alphas).items() if not name.startswith("generator.istft")}
    state = {name: torch.from_numpy(numpy_helper.to_array(value).astype(np.float32)) for name, value in found.items()}
    load_strictly(decoder, state, "Kokoro's decoder")
    return decoder.eval().requires_grad_(False)


def _module_name(node: str) -> str:
    """Returns the module of a node: a child that repeats its parent's name (asr_res/asr_res.0) is that child."""
    parts = node.removeprefix(SCOPE).split("/")[:-1]
    kept = [
        part for part, following in zip(parts, [*parts[1:], ""], strict=True) if not following.startswith(part + ".")
    ]
    return ".".join(kept)
