"""Spleeter in torch, for a GPU: transforms, networks and masks on the device, many patches at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from typing import Any

import numpy as np
import torch
from torch.nn.functional import batch_norm, conv2d, conv_transpose2d, elu, leaky_relu, pad, relu

from audio_ml.audio import Samples
from audio_ml.chunks import crossfade
from separation.nets.spleeter import HEAD_PAD, LEAK, MASK_EPSILON, NORM_EPSILON, PAD, UNetWeights
from separation.spleeter_configuration import OVERLAP, Activation, Configuration

HALF = {"cpu": torch.bfloat16}  # float16 on a GPU: four times as exact, and its range is watched
ACTIVATIONS: dict[Activation, Callable[[torch.Tensor], torch.Tensor]] = {
    "LeakyReLU": lambda x: leaky_relu(x, LEAK),
    "ReLU": relu,
    "ELU": elu,
}


class TorchNetworks:
    """The networks of all stems on a device, in arithmetic of some `dtype`; masks have float32 at least."""

    def __init__(
        self,
        networks: Sequence[UNetWeights],
        configuration: Configuration,
        device: str,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self._configuration, self._dtype = configuration, dtype
        self._networks = [_on_device(network, device, dtype) for network in networks]

    def layers(self, magnitude: torch.Tensor, stem: int) -> dict[str, torch.Tensor]:
        """Returns what each layer of a stem's network makes of magnitudes [patches, 2, frames, bins], by its name.

        In the order of computing: "down 1" to "down 6", "up 1" to "up 6", "head", each [patches, channels, ...].
        """
        seen: dict[str, torch.Tensor] = {}
        with torch.inference_mode(), _exact_convolutions():
            _unet(self._networks[stem], magnitude.to(self._dtype), self._configuration, seen.__setitem__)
        return seen

    def masks(self, magnitude: torch.Tensor) -> torch.Tensor:
        """Returns masks [stems, patches, 2, frames, bins] that sum to one, of magnitudes [patches, 2, frames, bins]."""
        configuration, kept = self._configuration, torch.promote_types(self._dtype, torch.float32)
        heard = magnitude.to(self._dtype)
        if self._dtype.itemsize < kept.itemsize:
            heard = heard.contiguous(memory_format=torch.channels_last)  # what a GPU's half precision wants
        with torch.inference_mode(), _exact_convolutions():
            outputs = torch.stack([_unet(network, heard, configuration).to(kept) for network in self._networks])
            shares = outputs.softmax(dim=0) if configuration.softmax else outputs.sigmoid_()
            powers = (shares * magnitude) ** configuration.exponent
            total = powers.sum(dim=0) + MASK_EPSILON
            return (powers + MASK_EPSILON / len(powers)) / total


class TorchStems:
    """Separates segments of several patches on a device; safe to call from several threads."""

    def __init__(self, networks: Sequence[UNetWeights], configuration: Configuration, device: str) -> None:
        self._weights, self._configuration, self._device = networks, configuration, device
        self._full = TorchNetworks(networks, configuration, device)
        self._half: TorchNetworks | None = None
        self._window = torch.hann_window(configuration.n_fft, periodic=True, device=device)

    def separate(
        self, segment: Samples, stems: Sequence[int], patch_hop: int, above: bool = True, half: bool = False
    ) -> Samples:
        """Returns stems [len(stems), 2, length] of a segment [2, length] whose patches begin every `patch_hop` frames.

        `above` extends the masks beyond the networks' bins by their mean; otherwise there is silence.
        """
        configuration = self._configuration
        n_fft, hop, bins = configuration.n_fft, configuration.hop, configuration.bins
        with torch.inference_mode():
            heard = torch.from_numpy(segment).to(self._device)
            spectrum = torch.fft.rfft(heard.unfold(-1, n_fft, hop) * self._window)
            patches = spectrum[..., :bins].abs().unfold(1, configuration.frames, patch_hop).permute(1, 0, 3, 2)
            sounding = self._sounding(segment, len(patches), patch_hop)
            masks = self._masks(patches[sounding], half)[list(stems)]
            joined = self._joined(masks, sounding, spectrum.shape[1], patch_hop)
            separated = torch.empty(len(stems), *segment.shape, device=self._device)
            for mask, stem in zip(joined, separated, strict=True):  # one at a time: spectra are the largest of all
                masked = torch.zeros_like(spectrum)
                torch.mul(spectrum[..., :bins], mask, out=masked[..., :bins])
                if above:
                    torch.mul(spectrum[..., bins:], mask.mean(dim=-1, keepdim=True), out=masked[..., bins:])
                self._overlap_add(masked, stem)
            return _to_host(separated)

    def _sounding(self, segment: Samples, n_patches: int, patch_hop: int) -> list[int]:
        """Returns the patches that are not silent: there are some beyond a file's end, and the stems of silence are."""
        starts = [patch * patch_hop * self._configuration.hop for patch in range(n_patches)]
        return [
            patch
            for patch, start in enumerate(starts)
            if segment[:, start : start + self._configuration.patch_samples].any()
        ]

    def _masks(self, magnitude: torch.Tensor, half: bool) -> torch.Tensor:
        if half:
            if self._half is None:
                dtype = HALF.get(self._device, torch.float16)
                self._half = TorchNetworks(self._weights, self._configuration, self._device, dtype)
            masks = self._half.masks(magnitude)
            if bool(torch.isfinite(masks).all()):
                return masks  # very loud sound goes beyond what float16 holds
        return self._full.masks(magnitude)

    def _joined(self, masks: torch.Tensor, patches: Sequence[int], n_frames: int, patch_hop: int) -> torch.Tensor:
        """Cross-fades masks [stems, patches, 2, frames, bins] to one [stems, 2, n_frames, bins].

        Patches share the spectrum where they overlap, so fading masks is fading sounds.
        """
        n_stems, _, n_channels, frames, bins = masks.shape
        weights = torch.from_numpy(crossfade(frames, patch_hop)).to(self._device)[:, None]
        joined = torch.zeros(n_stems, n_channels, n_frames, bins, device=self._device)
        for number, patch in enumerate(patches):
            joined[:, :, patch * patch_hop : patch * patch_hop + frames] += masks[:, number] * weights
        return joined

    def _overlap_add(self, spectrum: torch.Tensor, target: torch.Tensor) -> None:
        """Writes the sound of a spectrum [2, n_frames, n_fft / 2 + 1] to `target` [2, length]."""
        hop, n_frames = self._configuration.hop, spectrum.shape[1]
        # Spleeter's gain: squared Hann windows that are a quarter apart sum to 3/2.
        frames = torch.fft.irfft(spectrum, self._configuration.n_fft) * (self._window * (2 / 3))
        joined = torch.zeros(len(spectrum), n_frames + OVERLAP - 1, hop, device=self._device)
        for shift in range(OVERLAP):
            joined[:, shift : shift + n_frames] += frames[..., shift * hop : (shift + 1) * hop]
        target.copy_(joined.view(len(spectrum), -1))


@contextmanager
def _exact_convolutions() -> Iterator[None]:
    """Has a GPU multiply all bits of a float32, of which it would otherwise take ten."""
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield


def _to_host(tensor: torch.Tensor) -> Samples:
    """Copies to memory that a GPU reaches directly, which torch keeps for the next copy."""
    if tensor.device.type == "cuda":
        host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
        tensor = host.copy_(tensor)
    return np.asarray(tensor.cpu().numpy(), np.float32)


def _on_device(value: Any, device: str, dtype: torch.dtype) -> Any:
    """Copies weights of any nesting with every array as a tensor on the device."""
    if isinstance(value, np.ndarray):
        return torch.from_numpy(np.array(value)).to(device, dtype)
    if isinstance(value, tuple):
        return tuple(_on_device(item, device, dtype) for item in value)
    return type(value)(*(_on_device(getattr(value, field.name), device, dtype) for field in fields(value)))


def _unseen(layer: str, output: torch.Tensor) -> None:
    """Nobody looks."""


def _unet(
    weights: Any,
    magnitude: torch.Tensor,
    configuration: Configuration,
    seen: Callable[[str, torch.Tensor], None] = _unseen,
) -> torch.Tensor:
    """Returns what the last convolution of a stem's network gives; `weights` are `UNetWeights` of tensors.

    `seen` is told the name and the output of every layer.
    """
    down, up = ACTIVATIONS[configuration.down_activation], ACTIVATIONS[configuration.up_activation]

    def normalised(x: torch.Tensor, norm: Any) -> torch.Tensor:
        return batch_norm(x, norm.mean, norm.variance, norm.scale, norm.shift, eps=NORM_EPSILON)

    x, skips = magnitude, []
    for index, layer in enumerate(weights.down):
        x = conv2d(pad(x, PAD + PAD), layer.kernel, layer.bias, stride=2)
        skips.append(x)  # before the normalisation, as in the paper's code
        if index < len(weights.down_norms):
            x = down(normalised(x, weights.down_norms[index]))
        seen(f"down {index + 1}", x)
    skips.pop()
    for index, (layer, norm) in enumerate(zip(weights.up, weights.up_norms, strict=True)):
        x = conv_transpose2d(x, layer.kernel, layer.bias, stride=2)
        x = normalised(up(x[..., PAD[0] : -PAD[1], PAD[0] : -PAD[1]]), norm)
        seen(f"up {index + 1}", x)
        if skips:
            x = torch.cat([skips.pop(), x], dim=1)
    x = conv2d(x, weights.head.kernel, weights.head.bias, padding=HEAD_PAD, dilation=2)
    seen("head", x)
    return x
