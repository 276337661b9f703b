"""DeepFilterNet3 around its networks: features, gains per band and deep filters, on frames of 20 ms.

Schröter et al. 2022, "DeepFilterNet: A low complexity speech enhancement framework for full-band audio
based on deep filtering", ICASSP ("I"), and 2023, "DeepFilterNet: Perceptually motivated real-time speech
enhancement", Interspeech ("III"). The network is causal but for two frames.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from audio_ml.audio import Samples
from separation.recurrent import RecurrentNetwork

SAMPLE_RATE = 48000
HOP = 480
N_FFT = 2 * HOP
BINS = HOP + 1
BANDS = 32
MIN_BAND_BINS = 2
FILTERED_BINS = 96  # up to 4.8 kHz, where speech is periodic
FILTER_ORDER = 5
LOOK_AHEAD = 2  # frames that the network, and its filters, see beyond the one they change
FILTER_PAST = FILTER_ORDER - 1 - LOOK_AHEAD
INPUT_CONTEXT = 2  # frames before its own that the network's first convolutions see
DELAY = (LOOK_AHEAD + 1) * HOP
BLOCK = 100  # frames that go through the network at once
FORGETTING = 0.99  # per frame: a time constant of 1 s, I section 2.1
MEAN_SCALE_DB = 40.0
START_DB = np.linspace(-60, -90, BANDS)  # what the training took for the means before the first frame
START_MAGNITUDE = np.linspace(1e-3, 1e-4, FILTERED_BINS)
POST_FILTER_BETA = 0.02
TINY = 1e-10

Spectrum = NDArray[np.complex64]

_PHASE = (np.arange(N_FFT) + 0.5) * np.pi / N_FFT
WINDOW = np.sin(np.pi / 2 * np.sin(_PHASE) ** 2).astype(np.float32)  # Vorbis: its shifted squares sum to one


def band_edges() -> NDArray[np.int64]:
    """Returns the bins [BANDS + 1] between bands of equal width in ERB, none with fewer than `MIN_BAND_BINS`.

    The scale is that of Glasberg and Moore 1990, "Derivation of auditory filter shapes from notched-noise data".
    """
    width, quality = 24.7, 9.265  # ERB(f) = 24.7 + f / 9.265
    top = quality * np.log1p(SAMPLE_RATE / 2 / (width * quality))
    frequencies = width * quality * np.expm1(np.linspace(0, top, BANDS + 1) / quality)
    edges = np.round(frequencies * N_FFT / SAMPLE_RATE).astype(np.int64)
    for band in range(BANDS):
        edges[band + 1] = max(edges[band + 1], edges[band] + MIN_BAND_BINS)
    edges[-1] = BINS
    return edges


class DeepFilter:
    """Cleans one channel as it comes, `DELAY` samples behind; it remembers, so each signal needs one of its own.

    `floor` is the share of the noisy signal that stays (the attenuation limit).
    """

    def __init__(self, network: RecurrentNetwork, floor: float = 0.0, post_filter: bool = False) -> None:
        self._network, self._floor, self._post_filter = network, np.float32(floor), post_filter
        self._memory = network.start()
        self._means = np.concatenate([START_DB, START_MAGNITUDE]).astype(np.float32)
        self._features = np.zeros((INPUT_CONTEXT, BANDS + 2 * FILTERED_BINS), np.float32)
        self._noisy = np.zeros((FILTER_ORDER - 1, BINS), np.complex64)  # the frames before the next
        self._last, self._begun = np.zeros((2, HOP), np.float32)  # the hop before the next, and what it got so far
        self._edges = band_edges()

    def push(self, signal: Samples) -> Samples:
        """Returns the speech [n] of `DELAY` samples before those given [n], whole hops of them."""
        joined = np.concatenate([self._last, signal])
        self._last = signal[-HOP:].copy()
        frames = np.lib.stride_tricks.sliding_window_view(joined, N_FFT)[::HOP]
        cleaned = np.empty((len(frames), HOP), np.float32)
        for start in range(0, len(frames), BLOCK):
            noisy = np.fft.rfft(frames[start : start + BLOCK] * WINDOW) / N_FFT
            made = np.fft.irfft(self._next(noisy.astype(np.complex64)), N_FFT) * (WINDOW * N_FFT)
            made[1:, :HOP] += made[:-1, HOP:]
            made[0, :HOP] += self._begun
            cleaned[start : start + BLOCK] = made[:, :HOP]
            self._begun = made[-1, HOP:].astype(np.float32)
        return cleaned.reshape(-1)

    def _next(self, noisy: Spectrum) -> Spectrum:
        """Returns the cleaned spectra [frames, BINS] of the frames `LOOK_AHEAD` before those given."""
        n_frames = len(noisy)
        features = np.concatenate([self._features, self._measure(noisy)])
        self._features = features[n_frames:]
        heard = np.concatenate([self._noisy, noisy])
        self._noisy = heard[n_frames:]
        low = features[:, BANDS:].reshape(-1, 2, FILTERED_BINS).transpose(1, 0, 2)
        (gains, filters), self._memory = self._network.run(
            self._memory, {"bands": features[None, None, :, :BANDS], "spectrum": low[None]}
        )
        taps = filters.reshape(n_frames, FILTERED_BINS, FILTER_ORDER, 2)
        cleaned = heard[FILTER_PAST : FILTER_PAST + n_frames] * np.repeat(gains[0, 0], np.diff(self._edges), axis=1)
        cleaned[:, :FILTERED_BINS] = sum(  # III equation 4
            heard[tap : tap + n_frames, :FILTERED_BINS] * (taps[:, :, tap, 0] + 1j * taps[:, :, tap, 1])
            for tap in range(FILTER_ORDER)
        )
        return self._finish(heard[FILTER_PAST : FILTER_PAST + n_frames], cleaned)

    def _measure(self, noisy: Spectrum) -> Samples:
        """Returns the features [frames, BANDS + 2 * FILTERED_BINS]: levels over their mean, and a scaled spectrum."""
        power = np.square(noisy.real) + np.square(noisy.imag)
        levels = 10 * np.log10(np.add.reduceat(power, self._edges[:-1], axis=1) / np.diff(self._edges) + TINY)
        low = noisy[:, :FILTERED_BINS]
        means = (1 - FORGETTING) * np.concatenate([levels, np.abs(low)], axis=1).astype(np.float32)
        for mean in means:  # I section 2.1: exponential means, each from the one before
            np.add(mean, np.float32(FORGETTING) * self._means, out=mean)
            self._means = mean
        scaled = low / np.sqrt(means[:, BANDS:])
        centred = (levels - means[:, :BANDS]) / MEAN_SCALE_DB
        return np.concatenate([centred, scaled.real, scaled.imag], axis=1).astype(np.float32)

    def _finish(self, noisy: Spectrum, cleaned: Spectrum) -> Spectrum:
        if self._post_filter:  # III equation 5, after Valin et al. 2020, PercepNet
            gain = np.clip(np.abs(cleaned) / (np.abs(noisy) + TINY**1.2), TINY, 1)
            cleaned = cleaned * ((1 + POST_FILTER_BETA) / (1 + POST_FILTER_BETA / np.sin(np.pi / 2 * gain) ** 2))
        return np.asarray(self._floor * noisy + (1 - self._floor) * cleaned, np.complex64)
