"""The multichannel Wiener filter that makes first estimates of stems agree with the mixture and with each other.

Nugraha, Liutkus, Vincent 2016, "Multichannel audio source separation with deep neural networks" (IEEE/ACM
TASLP 24(9)), with the simplified updates of Liutkus et al. 2014, "Kernel additive models for source
separation": each stem is a Gaussian with a power per time and frequency and a spatial covariance per frequency.
"""

from __future__ import annotations

import torch

EPSILON = 1e-10
LOUDEST = 10.0  # the greatest magnitude of a mixture while it is filtered, for numerical stability
AT_ONCE = 100  # frames; more would only take memory


def refined(stems: torch.Tensor, mixture: torch.Tensor, iterations: int) -> torch.Tensor:
    """Returns better estimates of stems [stems, channels, bins, frames] of a mixture [channels, bins, frames].

    All are complex spectra of one or two channels. Stems that are nearly of one channel make the
    covariances nearly singular, so sums and inverses are of 64 bits where the device has them.
    """
    exact = torch.complex64 if mixture.device.type == "mps" else torch.complex128
    scale = max(1.0, float(mixture.abs().max()) / LOUDEST)
    stems, mixture = stems / scale, mixture / scale
    parts = [slice(start, start + AT_ONCE) for start in range(0, mixture.shape[-1], AT_ONCE)]
    for _ in range(iterations):
        covariance = _covariances(stems, parts, exact)
        better = torch.empty_like(stems)
        for part in parts:
            powers = _powers(stems[..., part].to(exact))
            of_mixture = torch.einsum("sft,sfcd->cdft", powers.to(exact), covariance)
            for channel in range(len(mixture)):
                of_mixture[channel, channel] += EPSILON**0.5
            unmixed = _solved(of_mixture, mixture[..., part].to(exact))
            better[..., part] = powers[:, None] * torch.einsum("sfcd,dft->scft", covariance, unmixed)
        stems = better
    return stems * scale


def _powers(stems: torch.Tensor) -> torch.Tensor:
    """Returns the power [stems, bins, frames] of stems [stems, channels, bins, frames], the mean of the channels."""
    return stems.abs().square().mean(dim=1)


def _covariances(stems: torch.Tensor, parts: list[slice], exact: torch.dtype) -> torch.Tensor:
    """Returns the spatial covariance [stems, bins, channels, channels] of each stem, relative to its power."""
    total, power = torch.zeros((), dtype=exact), torch.tensor(EPSILON)
    for part in parts:
        some = stems[..., part].to(exact)
        total = total + torch.einsum("scft,sdft->sfcd", some, some.conj())
        power = power + _powers(some).sum(dim=-1)
    return total / power[..., None, None]


def _solved(matrices: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
    """Returns x [n, ...] with A x = b, for Hermitian A [n, n, ...] and b [n, ...], n being 1 or 2 (Cramer's rule)."""
    if len(vectors) == 1:
        return vectors / matrices[0]
    (a, b), (c, d) = matrices
    first, second = vectors
    found: torch.Tensor = torch.stack([d * first - b * second, a * second - c * first]) / (a * d - b * c)
    return found
