"""The floor of cloning: the built-in voice that is most alike a person, to the encoders that voices are fitted with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from audio_ml.audio import Audio
from audio_ml.loader import ModelLoader
from audio_ml.progress import Progress
from audio_ml.speaker_windows import Embedding
from voiceclone.encoders import embeddings
from voiceclone.evaluation.subjects import Subject

SENTENCE = "The river was low that summer, and the boats lay tilted on the mud."  # by which built-in voices are known


class NearestVoice:
    """Finds the nearest of several voices, each of which `speak(text, name)` lends its sound to; none is cloned."""

    def __init__(
        self, names: Sequence[str], speak: Callable[[str, str], Audio], loader: ModelLoader, progress: Progress
    ) -> None:
        self._names, self._speak, self._loader, self._progress = names, speak, loader, progress
        self._known: dict[str, Mapping[str, Embedding]] = {}

    def __call__(self, subject: Subject) -> tuple[str, Callable[[str], Audio]]:
        """Returns the name of the voice that is nearest to a person's reference, and how it speaks."""
        for i, name in enumerate(name for name in self._names if name not in self._known):
            self._progress.update("listening to built-in voices", i / len(self._names))
            self._known[name] = embeddings(self._speak(SENTENCE, name), self._loader)
        heard = [embeddings(sound, self._loader) for sound in subject.sounds("reference")]
        wanted = {encoder: np.mean([each[encoder] for each in heard], axis=0) for encoder in heard[0]}
        nearest = max(self._names, key=lambda name: sum(wanted[part] @ self._known[name][part] for part in wanted))
        return nearest, partial(_swapped, self._speak, nearest)


def _swapped(speak: Callable[[str, str], Audio], name: str, text: str) -> Audio:
    return speak(text, name)
