"""Recordings to cut up and to count in: sentences that a voice here says, with every sound's place."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

import numpy as np

from audio_ml import pitch
from audio_ml.audio import Samples
from audio_ml.chunks import map_in_order
from audio_ml.loader import ModelLoader
from audio_ml.progress import Progress
from tts.voices import Speaker
from ui.learn.reading import Phone, Reading, read_aloud
from voiceclone.mel import FRAME_SECONDS, SAMPLE_RATE, log_mel

N_SENTENCES = 110  # some six minutes
CATEGORIES = ("prose", "dialogue", "questions", "news", "names and places", "technical", "tongue twisters")


@dataclass(frozen=True, eq=False)
class Recording:
    """A sentence that was said: `samples` [time] at 24 kHz, its sounds, and what is measured every 12.5 ms.

    `mels` [80, frames] are natural logarithms of magnitudes, `f0_hz` [frames] the pitch, 0 where there is none.
    """

    text: str
    samples: Samples
    phones: Sequence[Phone]
    mels: Samples
    f0_hz: Samples

    def frame(self, sample: int) -> int:
        """Returns the frame that is nearest to a sample."""
        return int(min(round(sample / (FRAME_SECONDS * SAMPLE_RATE)), self.mels.shape[1] - 1))


def sentences(n_most: int = N_SENTENCES) -> list[str]:
    """Returns sentences of everyday English, which nobody has to be asked for.

    >>> sentences(1)
    ['The river was low that summer, and the boats lay tilted on the mud.']
    """
    source = resources.files("tts") / "data" / "sentences.csv"
    rows = csv.DictReader(source.read_text(encoding="utf-8").splitlines())
    return [row["text"] for row in rows if row["category"] in CATEGORIES][:n_most]


def record(
    texts: Sequence[str], speaker: Speaker, loader: ModelLoader, progress: Progress | None = None
) -> list[Recording]:
    """Returns recordings of sentences by a voice of 24 kHz.

    Raises:
        WeightsError: when the model's files cannot be had.
    """
    progress, found = progress or Progress(), []
    with loader.use(speaker.spec, progress) as engine:
        n_workers = engine.workers

    def one(text: str) -> Recording:
        return measured(read_aloud(text, speaker, loader), loader)

    for recording in map_in_order(one, texts, n_workers):
        found.append(recording)
        progress.update("recording sentences", len(found) / len(texts))
    return found


def measured(reading: Reading, loader: ModelLoader) -> Recording:
    """Returns a reading with what a machine measures of it."""
    assert reading.audio.sample_rate == SAMPLE_RATE
    mels = log_mel(reading.audio)
    times = np.arange(mels.shape[1]) * FRAME_SECONDS
    heard = pitch.track(reading.audio, loader)
    nearest = np.minimum(np.rint(times / heard.frame_seconds).astype(int), heard.f0_hz.size - 1)
    return Recording(reading.text, reading.audio.samples[0], reading.phones, mels, heard.f0_hz[nearest])
