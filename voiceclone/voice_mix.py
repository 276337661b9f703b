"""A mix of Kokoro's voices that comes closest to a reference, without any gradient: the clean end of likeness.

Two mixes, since a style has two halves. The one for timbre comes closest to the reference's embeddings; the one for
intonation besides to the height and the liveliness of its pitch. Both stay within what the model was trained on.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audio_ml.cloned_voice import Intonation
from audio_ml.nets.kokoro_voices import N_TIMBRE

Floats = NDArray[np.float32]

N_PARTS = 5  # voices in a mix
LEFT_OUT = ("af_nicole",)  # a whisper
WEIGHT_OF_MEAN, WEIGHT_OF_SPREAD, WEIGHT_OF_SUM, WEIGHT_OF_TIMBRE = 10.0, 4.0, 10.0, 0.3
TABLE = Path(__file__).parent / "data" / "kokoro_voices.safetensors"


@dataclass(frozen=True, eq=False)
class VoiceTable:
    """What is known of Kokoro's voices, in the order of their `names`.

    `embeddings` [voices, n] by encoder, and `pitch` [voices, 2], mean and spread of log F0.
    Made by `python -m training.kokoro_voices`.
    """

    names: tuple[str, ...]
    embeddings: Mapping[str, Floats]
    pitch: Floats


@functools.cache
def voice_table() -> VoiceTable:
    """Returns the table that comes with the package."""
    from safetensors import safe_open

    with safe_open(TABLE, framework="np") as file:
        tensors = {name: file.get_tensor(name).astype(np.float32) for name in file.keys()}  # noqa: SIM118
        names = tuple(file.metadata()["names"].split())
    return VoiceTable(names, {name: tensors[name] for name in ("ge2e", "campplus")}, tensors["pitch"])


@dataclass(frozen=True)
class VoiceMix:
    """Voices with weights that sum to one, for either half of a style."""

    timbre: Mapping[str, float]
    intonation: Mapping[str, float]

    def styles(self, of_voice: Callable[[str], Floats]) -> Floats:
        """Returns the table [phonemes, 256] of the mix of the voices' tables."""

        def half(weights: Mapping[str, float]) -> Floats:
            return np.tensordot(
                np.array([*weights.values()], np.float32), np.stack([of_voice(name) for name in weights]), 1
            )

        timbre, intonation = half(self.timbre), half(self.intonation)
        return np.concatenate([timbre[:, :N_TIMBRE], intonation[:, N_TIMBRE:]], axis=1)


def fit_mix(embeddings: Mapping[str, Floats], pitch: Intonation, table: VoiceTable | None = None) -> VoiceMix:
    """Returns the mix closest to the embeddings of a reference, {"ge2e": [256], "campplus": [192]}, and its pitch."""
    table = table or voice_table()
    usable = np.array([name not in LEFT_OUT for name in table.names])
    known = np.concatenate([table.embeddings[name] for name in ("ge2e", "campplus")], axis=1).T
    wanted = np.concatenate([embeddings[name] for name in ("ge2e", "campplus")])
    first = _least_squares(known, wanted, usable)
    strongest = np.isin(np.arange(len(usable)), np.argsort(first)[::-1][:N_PARTS])
    timbre = _least_squares(known, wanted, usable & strongest)
    timbre /= timbre.sum()
    goal = np.array([pitch.mean_log_hz, pitch.spread_log_hz])
    rows: list[NDArray[Any]] = [
        (table.pitch - goal).T * np.array([[WEIGHT_OF_MEAN], [WEIGHT_OF_SPREAD]]),
        np.full((1, len(usable)), WEIGHT_OF_SUM),
        WEIGHT_OF_TIMBRE * np.eye(len(usable)),
    ]
    targets: list[NDArray[Any]] = [np.zeros(2), np.array([WEIGHT_OF_SUM]), WEIGHT_OF_TIMBRE * timbre]
    intonation = _least_squares(np.concatenate(rows), np.concatenate(targets), usable)
    return VoiceMix(_named(table.names, timbre), _named(table.names, intonation / intonation.sum()))


def _least_squares(matrix: NDArray[Any], target: NDArray[Any], usable: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Returns the weights [n], none below 0, with which the usable columns come closest to a target."""
    from scipy.optimize import nnls

    weights = np.zeros(matrix.shape[1])
    weights[usable] = nnls(matrix[:, usable], target)[0]
    return weights


def _named(names: Sequence[str], weights: NDArray[np.float64]) -> dict[str, float]:
    order = np.argsort(weights)[::-1]
    return {names[index]: float(weights[index]) for index in order if weights[index] > 1e-6}
