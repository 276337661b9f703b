"""Mel spectrograms of voices: what the learner's view shows, and what a voice keeps of its reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audio_ml.audio import Audio, Samples
from audio_ml.judges import heard
from audio_ml.nets.mel_filters import slaney_filters

SAMPLE_RATE = 24000
N_FFT = 1200
HOP = 300
N_MELS = 80
FRAME_SECONDS = HOP / SAMPLE_RATE
FAINTEST = 1e-5  # of a magnitude, before its logarithm
RANGE_DB = 80.0
MOST_COLUMNS = 600  # of a picture


@dataclass(frozen=True, eq=False)
class MelSpectrogram:
    """Levels `levels_db` [bands, columns] below the loudest, from -80 dB to 0; columns are `column_seconds` apart.

    Band i is centred at `centres_hz[i]`.
    """

    levels_db: Samples
    column_seconds: float
    centres_hz: NDArray[np.float64]

    @property
    def seconds(self) -> float:
        return float(self.levels_db.shape[1] * self.column_seconds)

    def as_dict(self) -> dict[str, Any]:
        """Returns it as JSON has it, with what its axes are."""
        return {
            "levels_db": np.round(self.levels_db.astype(np.float64), 1).tolist(),
            "lowest_db": -RANGE_DB,
            "highest_db": 0.0,
            "column_seconds": self.column_seconds,
            "centres_hz": np.round(self.centres_hz, 1).tolist(),
            "axes": {"x": "time in s", "y": "frequency in Hz, mel scale", "colour": "level in dB below the loudest"},
        }


def log_mel(audio: Audio) -> Samples:
    """Returns natural logarithms of mel magnitudes [80, frames] of sound as it is at 24 kHz, frames 12.5 ms apart."""
    padded = np.pad(heard(audio, SAMPLE_RATE), N_FFT // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP]
    magnitudes = np.abs(np.fft.rfft(frames * np.hanning(N_FFT).astype(np.float32), axis=1))
    mels = slaney_filters(SAMPLE_RATE, N_FFT, N_MELS) @ magnitudes.T
    return np.log(np.maximum(mels, FAINTEST)).astype(np.float32)


def mel_spectrogram(sound: Audio | NDArray[Any], most_columns: int = MOST_COLUMNS) -> MelSpectrogram:
    """Returns the picture of a sound, or of what `log_mel` gave, [80, frames]; frames of long sounds are averaged.

    >>> tone = Audio(np.sin(2 * np.pi * 1000 / 24000 * np.arange(24000, dtype=np.float32))[None], 24000)
    >>> picture = mel_spectrogram(tone)
    >>> round(float(picture.centres_hz[picture.levels_db.mean(axis=1).argmax()]))
    1011
    """
    logarithms = log_mel(sound) if isinstance(sound, Audio) else np.asarray(sound, np.float32)
    size = -(-logarithms.shape[1] // most_columns)
    starts = np.arange(0, logarithms.shape[1], size)
    powers = np.add.reduceat(np.exp(2 * logarithms.astype(np.float64)), starts, axis=1)
    powers /= np.diff(np.append(starts, logarithms.shape[1]))
    levels = 10 * np.log10(powers)
    shown = (levels - levels.max()).clip(-RANGE_DB, 0).astype(np.float32)
    return MelSpectrogram(shown, size * FRAME_SECONDS, _centres_hz())


def _centres_hz() -> NDArray[np.float64]:
    filters = slaney_filters(SAMPLE_RATE, N_FFT, N_MELS).astype(np.float64)
    centres: NDArray[np.float64] = filters @ np.fft.rfftfreq(N_FFT, 1 / SAMPLE_RATE) / filters.sum(axis=1)
    return centres
