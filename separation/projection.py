"""Shares what a model's stems leave of a mixture among them, so that nothing of it is lost.

In the domain of the short-time Fourier transform the difference goes to the stems in proportion to
their own smoothed power (the ratio masks of Wiener filtering, applied to the difference alone;
Liutkus and Badeau 2015, "Generalized Wiener filtering with fractional power spectrograms", ICASSP).
Above the model's band, where stems have no power, the proportion is that of the top of the band.
"""

from __future__ import annotations

import numpy as np

from audio_ml.audio import Samples
from audio_ml.chunks import Segmentation
from separation.spectra import CONTEXT, Spectra

SMOOTHING = 2 * CONTEXT + 1  # frames, and bins
BAND_SHARE = 0.9  # of the lower Nyquist frequency: there the resampler begins to fall off
TOP_OF_BAND = 0.75  # where the top of the band begins, as a share of its end
SILENT_POWER = 1e-20


class Projection:
    """Turns segments [channels + stems * heard, length] of a mixture and its estimates into the stems but one.

    The stem `target` is left out: it is the mixture minus the others. `passed` channels are not shared.
    With `whole` the estimates have other channels than the mixture (those of a downmix), and all of the
    mixture is shared by their power.
    """

    def __init__(
        self,
        sample_rate: int,
        model_rate: int,
        n_channels: int,
        n_stems: int,
        target: int,
        passed: tuple[int, ...] = (),
        whole: bool = False,
    ) -> None:
        self._spectra = Spectra(sample_rate)
        band_hz = BAND_SHARE * min(sample_rate, model_rate) / 2
        self._band_bins = round(band_hz * self._spectra.n_fft / sample_rate)
        self._n_channels, self._n_stems = n_channels, n_stems
        self._others = [stem for stem in range(n_stems) if stem != target]
        self._passed = list(passed)
        self._whole = whole

    @property
    def segmentation(self) -> Segmentation:
        """How the stream is cut."""
        return self._spectra.segmentation

    def __call__(self, segment: Samples) -> Samples:
        """Returns the stems [stems - 1, channels, length], ready to be overlap-added."""
        spectra = self._spectra.analyse(segment)
        mixture, estimates = spectra[: self._n_channels], spectra[self._n_channels :]
        estimates = estimates.reshape(self._n_stems, -1, *estimates.shape[1:])
        shares = self._shares(np.square(np.abs(estimates)))
        if self._whole:
            shared = shares[self._others] * mixture
            shared[:, self._passed] = 0
        else:
            difference = mixture - estimates.sum(axis=0)
            difference[self._passed] = 0
            shared = estimates[self._others] + shares[self._others] * difference
        return self._spectra.synthesise(shared, segment.shape[-1])

    def _shares(self, power: Samples) -> Samples:
        """Returns each stem's part of the difference [stems, channels, frames, bins], from its power there."""
        if self._whole:
            power = power.mean(axis=1, keepdims=True)
        smooth = _moving_sum(_moving_sum(power, axis=-1), axis=-2)
        top = slice(round(TOP_OF_BAND * self._band_bins), self._band_bins)
        smooth[..., self._band_bins :] = smooth[..., top].mean(axis=-1, keepdims=True)
        total = smooth.sum(axis=0)
        shares: Samples = smooth / np.maximum(total, SILENT_POWER)
        return shares


def _moving_sum(values: Samples, axis: int) -> Samples:
    """Sums `SMOOTHING` neighbours, fewer at the ends."""
    values = np.moveaxis(values, axis, -1)
    padded = np.pad(values, [(0, 0)] * (values.ndim - 1) + [(CONTEXT, CONTEXT)])
    total = sum(padded[..., shift : shift + values.shape[-1]] for shift in range(SMOOTHING))
    return np.moveaxis(np.asarray(total, np.float32), -1, axis)
