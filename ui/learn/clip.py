"""The beginning of a visitor's recording, as the networks hear it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audio_ml.audio import Audio, Samples
from audio_ml.streams import AudioReader, Resampler

LONGEST_SECONDS = 20.0
STEREO = 2


@dataclass(frozen=True)
class Clip:
    """Stereo `audio` at the networks' rate, and `notes`: what was done to the recording."""

    audio: Audio
    notes: tuple[str, ...]


def read_clip(path: Path, sample_rate: int) -> Clip:
    """Reads at most `LONGEST_SECONDS` of a media file.

    Raises:
        UnreadableAudio: when it is no sound.
    """
    reader = AudioReader(path, duration_seconds=LONGEST_SECONDS + 1)  # one more tells whether it is longer
    resampler = Resampler(reader.info.sample_rate, sample_rate, reader.info.n_channels)
    samples = np.concatenate(list(resampler.stream(reader.blocks())), axis=1)
    notes, n_longest = list(reader.warnings), round(LONGEST_SECONDS * sample_rate)
    if samples.shape[1] > n_longest:
        samples = samples[:, :n_longest]
        notes.append(
            f"Only the first {LONGEST_SECONDS:.0f} s are used: pictures of more would be too wide to paint on."
        )
    if reader.info.sample_rate != sample_rate:
        notes.append(
            f"Resampled from {reader.info.sample_rate} Hz to {sample_rate} Hz, which the networks learned with."
        )
    if reader.info.n_channels > STEREO:
        notes.append(f"Its {reader.info.n_channels} channels were mixed to one, for both ears of the networks.")
    return Clip(Audio(_as_stereo(samples), sample_rate), tuple(notes))


def _as_stereo(samples: Samples) -> Samples:
    """Returns two channels: of a mono sound twice the same, of surround twice the mean."""
    if len(samples) == STEREO:
        return samples
    return np.repeat(samples.mean(axis=0, keepdims=True), STEREO, axis=0)
