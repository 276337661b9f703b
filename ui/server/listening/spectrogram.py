"""The spectrogram of a stream as a picture: time from left to right, pitch upwards in mels, level as colour."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from scipy.fft import rfft

from audio_ml.audio import Samples

N_FFT = 2048
N_ROWS = 256
N_COLUMNS = 1200  # about; a sound whose length was not known may have more
FRAMES_PER_COLUMN = 4
LOWEST_HZ = 30.0
FLOOR_DB = -100.0
UNKNOWN_SECONDS = 3600
# From silence to full scale: readable for those who do not tell red from green.
COLOURS = (
    (0, 0, 4),
    (40, 11, 84),
    (101, 21, 110),
    (159, 42, 99),
    (212, 72, 66),
    (245, 125, 21),
    (250, 193, 39),
    (252, 255, 164),
)


class SpectrogramPainter:
    """Paints a stream [channels, n] of about `n_samples`; of a column that is long, some frames are looked at."""

    def __init__(self, sample_rate: int, n_samples: int | None) -> None:
        length = n_samples or UNKNOWN_SECONDS * sample_rate
        self._column = max(N_FFT // 4, -(-length // N_COLUMNS))
        self._window = np.hanning(N_FFT + 1)[:-1].astype(np.float32)
        self._edges = _edges(sample_rate)
        self._rest: Samples = np.zeros((1, N_FFT // 2), np.float32)  # so that a frame is centred on its time
        self._columns: list[NDArray[np.uint8]] = []

    def add(self, block: Samples) -> None:
        """Takes the next block."""
        if len(self._rest) < len(block):
            self._rest = np.repeat(self._rest, len(block), axis=0)
        self._rest = np.concatenate((self._rest, block), axis=1)
        while self._rest.shape[1] >= self._column + N_FFT:
            self._paint(self._column)

    def result(self) -> NDArray[np.uint8]:
        """Returns the picture [rows, columns], the highest pitch first; 255 is a sine of full scale."""
        self._rest = np.pad(self._rest, ((0, 0), (0, N_FFT)))
        while self._rest.shape[1] > N_FFT + N_FFT // 2:
            self._paint(min(self._column, self._rest.shape[1] - N_FFT))
        if not self._columns:
            self._paint(1)
        return np.stack(self._columns, axis=1)

    def _paint(self, n_samples: int) -> None:
        starts = np.linspace(0, n_samples, FRAMES_PER_COLUMN, endpoint=False).astype(int)
        frames = np.stack([self._rest[:, start : start + N_FFT].mean(axis=0) for start in np.unique(starts)])
        spectra = np.abs(rfft(frames * self._window)) / (self._window.sum() / 2)
        power = np.square(spectra).mean(axis=0)
        sums = np.concatenate(([0.0], np.cumsum(power)))
        below = np.interp(self._edges, np.arange(len(sums)), sums)
        levels = np.diff(below) / np.diff(self._edges)
        decibels = 10 * np.log10(np.maximum(levels, 1e-12))
        self._columns.append(np.clip(np.rint(255 * (1 - decibels / FLOOR_DB)), 0, 255).astype(np.uint8)[::-1])
        self._rest = self._rest[:, n_samples:]


def _edges(sample_rate: int) -> NDArray[np.float64]:
    """Returns the borders of the rows [rows + 1] in bins of the transform, whose k-th bin lies around k + 0.5."""
    highest = sample_rate / 2
    lowest_mel, highest_mel = 2595 * np.log10(1 + np.array([LOWEST_HZ, highest]) / 700)
    mels = np.linspace(lowest_mel, highest_mel, N_ROWS + 1)
    hertz = 700 * (10 ** (mels / 2595) - 1)
    edges: NDArray[np.float64] = hertz * N_FFT / sample_rate + 0.5
    return edges


def as_png(image: NDArray[np.uint8]) -> bytes:
    """Returns a picture [rows, columns] of levels in colours, as a file."""
    from PIL import Image

    steps = np.linspace(0, 255, len(COLOURS))
    colours = [np.interp(np.arange(256), steps, channel) for channel in np.array(COLOURS, float).T]
    picture = Image.fromarray(image)
    picture.putpalette(np.stack(colours, axis=1).astype(np.uint8).tobytes())
    file = io.BytesIO()
    picture.save(file, "png")
    return file.getvalue()
