"""BandIt v2: a spectrum split into bands that overlap, recurrent networks along time and bands, a mask for each stem.

Watcharasupat, Wu, Ding, Orife, Hipple, Williams, Kramer, Lerch, Wolcott 2023, "A generalized bandsplit neural
network for cinematic audio source separation" (IEEE OJSP; arXiv 2309.02539), its model "BandIt, musical 64";
Watcharasupat, Wu, Orife 2024, "Remastering Divide and Remaster" (arXiv 2407.07275). Parameters carry the names
of the published files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from audio_ml.errors import WeightsCorrupt
from audio_ml.state_dicts import check_tensors, read_manifest, read_state_dict

MANIFEST = Path(__file__).parents[1] / "manifests" / "bandit-v2.tsv"
STEMS = ("speech", "music", "sfx")
CONCERT_A_HZ, CONCERT_A_NOTE, NOTES_PER_OCTAVE = 440.0, 69.0, 12.0
SAME = 1e-5  # how far a constant in a file may lie from ours
ROWS_AT_ONCE = 256  # sequences that a recurrent network on a CPU sees together; more would only take memory

Band = tuple[int, int]  # its first bin, and the one after its last


@dataclass(frozen=True)
class Shape:
    """The sizes of a network; the published ones are the defaults."""

    n_fft: int = 2048
    hop: int = 512
    n_bands: int = 64
    width: int = 128  # of what stands for a band in a frame
    recurrent: int = 256
    hidden: int = 512  # of the mask estimators
    modules: int = 8
    stems: tuple[str, ...] = STEMS


def musical_bands(n_bands: int, n_fft: int) -> list[Band]:
    """Returns bands whose centres are equal steps of pitch from bin 1 to the last (section III-A.4 of the paper).

    They reach a step below and above: the first down to bin 0, the last to the end of the spectrum.
    Notes are counted at a rate of `n_fft`, where bin k lies at k Hz: the bands are the same at every rate.
    """
    last = n_fft // 2
    notes = np.linspace(_note(1.0), _note(float(last)), n_bands)
    centres = CONCERT_A_HZ * 2 ** ((notes - CONCERT_A_NOTE) / NOTES_PER_OCTAVE)
    step = last ** (1 / n_bands)
    firsts = np.floor(centres / step).astype(int)
    ends = np.minimum(np.ceil(centres * step).astype(int), last) + 1
    return [(int(first), int(end)) for first, end in zip(firsts, ends, strict=True)]


def _note(hz: float) -> float:
    return float(CONCERT_A_NOTE + NOTES_PER_OCTAVE * np.log2(hz / CONCERT_A_HZ))


def shares(bands: Sequence[Band], n_bins: int) -> list[torch.Tensor]:
    """Returns for each band by how much it counts in each of its bins: one over the number of bands there."""
    count = torch.zeros(n_bins, dtype=torch.float64)
    for first, end in bands:
        count[first:end] += 1
    return [1 / count[first:end] for first, end in bands]


class _Split(nn.Module):
    """Brings a band's real and imaginary parts [..., 2 * bins] to the common width."""

    def __init__(self, bins: int, width: int) -> None:
        super().__init__()
        self.combined = nn.Sequential(nn.LayerNorm(2 * bins), nn.Linear(2 * bins, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return cast(torch.Tensor, self.combined(x))


class _BandSplit(nn.Module):
    def __init__(self, bands: Sequence[Band], width: int) -> None:
        super().__init__()
        self.norm_fc_modules = nn.ModuleList(_Split(end - first, width) for first, end in bands)


class _Recurrent(nn.Module):
    """Adds to sequences [rows, steps, width] what a two-way recurrent network makes of them."""

    def __init__(self, width: int, recurrent: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.rnn = nn.GRU(width, recurrent, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(2 * recurrent, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        heard, _ = self.rnn(self.norm(x).to(self.fc.weight.dtype))
        return x + cast(torch.Tensor, self.fc(heard)).to(x.dtype)


class _Sequences(nn.Module):
    """Recurrent networks in turn along time and along bands; every other place of the published list has none."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        places = range(0, 4 * shape.modules, 2)
        self.seqband = nn.ModuleDict({str(place): _Recurrent(shape.width, shape.recurrent) for place in places})

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns [batch, bands, frames, width] of the same."""
        for layer in self.seqband.values():
            rows = x.reshape(-1, *x.shape[2:])
            at_once = ROWS_AT_ONCE if rows.device.type == "cpu" else len(rows)
            made = torch.cat([layer(part) for part in torch.split(rows, at_once)])
            x = made.view(x.shape).transpose(1, 2)
        return x


class _BandMask(nn.Module):
    """Estimates the mask of a band: a perceptron whose output one half gates the other."""

    def __init__(self, bins: int, shape: Shape) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(shape.width)
        self.hidden = nn.Sequential(nn.Linear(shape.width, shape.hidden), nn.Tanh())
        self.output = nn.Sequential(nn.Linear(shape.hidden, 4 * bins), nn.GLU(dim=-1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns complex factors [batch, frames, bins] for what stands for the band [batch, frames, width]."""
        pairs = self.output(self.hidden(self.norm(x).to(self.hidden[0].weight.dtype)))
        return torch.view_as_complex(pairs.float().unflatten(-1, (-1, 2)))


class _MaskEstimator(nn.Module):
    def __init__(self, bands: Sequence[Band], shape: Shape) -> None:
        super().__init__()
        self.norm_mlp = nn.ModuleList(_BandMask(end - first, shape) for first, end in bands)


class Bandit(nn.Module):
    """Separates the stems of a mixture of one channel."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.bands = musical_bands(shape.n_bands, shape.n_fft)
        self.band_split = _BandSplit(self.bands, shape.width)
        self.tf_model = _Sequences(shape)
        self.mask_estim = nn.ModuleDict({stem: _MaskEstimator(self.bands, shape) for stem in shape.stems})
        self._shares = [share.float() for share in shares(self.bands, shape.n_fft // 2 + 1)]
        self.eval()

    def halve(self, dtype: torch.dtype) -> Bandit:
        """Computes products in `dtype` from now on; norms and sums stay as they are."""
        for module in self.modules():
            if isinstance(module, nn.GRU | nn.Linear) and not _is_input(module, self):
                module.to(dtype)
        return self

    def forward(self, mixture: torch.Tensor, stems: Sequence[str]) -> torch.Tensor:
        """Returns the stems [batch, len(stems), time] of a mixture [batch, time]."""
        window = torch.hann_window(self.shape.n_fft, device=mixture.device)
        spectrum = torch.stft(
            mixture, self.shape.n_fft, self.shape.hop, window=window, pad_mode="reflect", return_complex=True
        )
        inner = self.tf_model(self._split(spectrum / window.square().sum().sqrt()))
        separated = [
            torch.istft(
                spectrum * self._mask(stem, inner),
                self.shape.n_fft,
                self.shape.hop,
                window=window,
                length=mixture.shape[-1],
            )
            for stem in stems
        ]
        return torch.stack(separated, dim=1)

    def _split(self, spectrum: torch.Tensor) -> torch.Tensor:
        """Returns [batch, bands, frames, width] for a spectrum [batch, bins, frames]."""
        by_frame = spectrum.transpose(1, 2)
        split = (
            module(torch.view_as_real(by_frame[..., first:end].contiguous()).flatten(-2))
            for module, (first, end) in zip(self.band_split.norm_fc_modules, self.bands, strict=True)
        )
        return torch.stack(list(split), dim=1)

    def _mask(self, stem: str, inner: torch.Tensor) -> torch.Tensor:
        """Returns the mask [batch, bins, frames] of a stem: in each bin the mean over the bands there."""
        batch, _, frames, _ = inner.shape
        mask = torch.zeros(batch, frames, self.shape.n_fft // 2 + 1, dtype=torch.complex64, device=inner.device)
        estimators = cast(_MaskEstimator, self.mask_estim[stem]).norm_mlp
        for index, (estimator, (first, end)) in enumerate(zip(estimators, self.bands, strict=True)):
            mask[..., first:end] += estimator(inner[:, index]) * self._shares[index].to(inner.device)
        return mask.transpose(1, 2)


def _is_input(module: nn.Module, network: Bandit) -> bool:
    """Says whether a layer sees the spectrum itself, whose range 16 bits do not hold."""
    return any(module is cast(_Split, split).combined[1] for split in network.band_split.norm_fc_modules)


def build(output: Path, checkpoint: Path) -> None:
    """Writes the parameters of a published checkpoint as safetensors.

    Raises:
        WeightsCorrupt: when the checkpoint is not the one of the manifest.
    """
    from safetensors.torch import save_file

    save_file(learned(read_state_dict(checkpoint), read_manifest(MANIFEST), checkpoint.name), output)


def learned(state: Mapping[str, Any], manifest: Mapping[str, tuple[int, ...]], name: str) -> dict[str, torch.Tensor]:
    """Returns what was learned of a checkpoint that has all of the manifest and nothing else.

    The training's own checkpoint has the network under "model." beside its losses, which are left out.
    A file also repeats each mask estimator under another name, and holds windows and shares that follow
    from the bands: they must be what we know them to be.

    Raises:
        WeightsCorrupt: otherwise.
    """
    inside = state.get("state_dict", state)
    inside = {key.removeprefix("model."): value for key, value in inside.items() if not key.startswith("loss_handler")}
    check_tensors(inside, manifest, name)
    known = _known(manifest)
    for key, value in known.items():
        if not torch.allclose(inside[key].double(), value.double(), atol=SAME):
            raise WeightsCorrupt(f"The weights are not those of {name}: {key} is not what the bands make it.")
    parameters = {}
    for key, value in inside.items():
        original = _original(key)
        if original != key and not torch.equal(value, inside[original]):
            raise WeightsCorrupt(f"The weights are not those of {name}: {key} differs from {original}.")
        if original == key and key not in known:
            parameters[key] = value.contiguous()
    return parameters


def _known(manifest: Mapping[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    """Returns the constants of a manifest by name."""
    (n_fft,) = manifest["stft.window"]
    prefixes = sorted({key.rpartition("/")[0] for key in manifest if "/" in key})
    n_bands = sum(key.startswith(f"{prefixes[0]}/") for key in manifest)
    of_bands = shares(musical_bands(n_bands, n_fft), n_fft // 2 + 1)
    window = torch.hann_window(n_fft)
    return {"stft.window": window, "istft.window": window} | {
        f"{prefix}/{band}": share for prefix in prefixes for band, share in enumerate(of_bands)
    }


def _original(name: str) -> str:
    """Returns the first of the two names that a mask estimator's parameter has."""
    for second, first in ((".combined.0.", ".norm."), (".combined.1.", ".hidden."), (".combined.2.", ".output.")):
        if name.startswith("mask_estim.") and second in name:
            return name.replace(second, first)
    return name
