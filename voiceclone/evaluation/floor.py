"""The floor of cloning: the built-in voice that is most alike a person, to the encoders that voices are fitted with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from audio_ml.loader import ModelLoader
from voiceclone.encoders import embeddings
from voiceclone.evaluation.subjects import Subject
from voiceclone.voice_mix import voice_table


def nearest_voice(subject: Subject, among: Sequence[str], loader: ModelLoader) -> str:
    """Returns which of Kokoro's voices, by name, is nearest to a person's reference; the judges are not asked.

    Raises:
        WeightsError: when an encoder cannot be had.
    """
    heard = [embeddings(sound, loader) for sound in subject.sounds("reference")]
    table = voice_table()
    alike = sum(known @ np.mean([each[name] for each in heard], axis=0) for name, known in table.embeddings.items())
    scores = dict(zip(table.names, np.asarray(alike).tolist(), strict=True))
    return max(among, key=lambda name: scores.get(name, -np.inf))
