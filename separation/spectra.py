"""The short-time Fourier transform in which stems are compared: frames of 46 ms, half of it apart."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from audio_ml.audio import Samples
from audio_ml.chunks import Segmentation

FRAME_SECONDS = 0.0464  # 2048 samples at 44.1 and 48 kHz
FRAMES = 32  # that a segment adds to the result
CONTEXT = 2  # frames before and after them, which smoothing looks at

Spectrum = NDArray[np.complex64]


class Spectra:
    """Turns segments of sound into frames of spectra and back, so that the segments overlap-add to the whole."""

    def __init__(self, sample_rate: int) -> None:
        self.n_fft = 1 << round(math.log2(FRAME_SECONDS * sample_rate))
        self._hop = self.n_fft // 2
        self._window = np.sin((np.arange(self.n_fft) + 0.5) * np.pi / self.n_fft).astype(np.float32)

    @property
    def segmentation(self) -> Segmentation:
        """How the stream is cut: windows of squared sines, half a frame apart, sum to one."""
        length = (FRAMES + 2 * CONTEXT - 1) * self._hop + self.n_fft
        hop = FRAMES * self._hop
        return Segmentation(length, hop, lead=length - hop)

    def analyse(self, segment: Samples) -> Spectrum:
        """Returns the spectra [rows, frames, bins] of a segment [rows, length]."""
        frames = np.lib.stride_tricks.sliding_window_view(segment, self.n_fft, axis=-1)[:, :: self._hop]
        return np.asarray(np.fft.rfft(frames * self._window), np.complex64)

    def synthesise(self, spectra: Spectrum, length: int) -> Samples:
        """Returns the signals [..., length] of spectra [..., frames, bins], silent but for the middle `FRAMES`."""
        frames = np.fft.irfft(spectra[..., CONTEXT:-CONTEXT, :], self.n_fft) * self._window
        halves = np.zeros((*frames.shape[:-2], FRAMES + 1, self._hop), np.float32)
        halves[..., :-1, :] += frames[..., : self._hop]
        halves[..., 1:, :] += frames[..., self._hop :]
        joined = np.zeros((*frames.shape[:-2], length), np.float32)
        start = CONTEXT * self._hop
        joined[..., start : start + halves.shape[-2] * self._hop] = halves.reshape(*frames.shape[:-2], -1)
        return joined
