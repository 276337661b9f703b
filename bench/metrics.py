"""The numbers by which two separations are compared; samples are [channels, time]."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from audio_ml.audio import Samples
from separation.proof import NullMeter

CUTOFF_HZ = 11025  # where Spleeter's networks end: bin 1024 of 4096 at 44.1 kHz


def agreement_db(reference: Samples, estimate: Samples) -> float:
    """Returns 10 log10 of the reference's energy over the difference's: SDR, when the reference is the truth."""
    reference, estimate = reference.astype(np.float64), estimate.astype(np.float64)
    error = np.sum((reference - estimate) ** 2)
    return float(10 * np.log10(np.sum(reference**2) / error)) if error else float("inf")


def si_sdr_db(reference: Samples, estimate: Samples) -> float:
    """Returns the SDR against the reference scaled to fit best, means taken off first.

    Le Roux et al. 2019, "SDR - half-baked or well done?", ICASSP.
    """
    reference, estimate = (
        (samples - samples.mean(axis=-1, keepdims=True)).astype(np.float64) for samples in (reference, estimate)
    )
    scale = np.sum(reference * estimate) / np.sum(reference**2)
    return agreement_db(scale * reference, estimate)


def null_depth_db(mixture: Samples, stems: Mapping[str, Samples]) -> float:
    """Returns the peak, in dBFS, of the mixture minus the sum of its stems."""
    meter = NullMeter()
    meter.add(mixture, np.stack(list(stems.values())))
    return meter.depth_db


def share_above_cutoff(mixture: Samples, stems: Mapping[str, Samples], sample_rate: int) -> float:
    """Returns how much of the mixture's energy above `CUTOFF_HZ` is in the sum of its stems."""
    return _energy_above(np.sum(list(stems.values()), axis=0), sample_rate) / _energy_above(mixture, sample_rate)


def _energy_above(samples: Samples, sample_rate: int) -> float:
    """Sums over Hann-windowed blocks, since the window keeps louder sound below from leaking up."""
    size = 8192
    n_blocks = samples.shape[-1] // size
    blocks = samples[:, : n_blocks * size].reshape(len(samples), n_blocks, size)
    window = np.hanning(size).astype(np.float32)
    first_bin = round((CUTOFF_HZ + 100) * size / sample_rate)
    return sum(float(np.sum(np.abs(np.fft.rfft(block * window)[..., first_bin:]) ** 2)) for block in blocks)
