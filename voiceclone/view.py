"""What a learner sees of a voice, as data: mel spectrograms, embeddings as heat maps, a map of voices, likenesses.

Everything turns into JSON by `as_dict`, with units and what its axes are; a page and a picture draw from the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from audio_ml.audio import Audio
from audio_ml.cloned_voice import ClonedVoice
from audio_ml.errors import InvalidInput
from audio_ml.loader import ModelLoader
from voiceclone.mel import MelSpectrogram, mel_spectrogram
from voiceclone.similarity import ENCODERS, similarity

ENCODER = "ge2e"  # whose embeddings are drawn
GRID = 16  # rows and columns of a heat map: 256 numbers
FEWEST_TO_SPAN = 8  # built-in voices that span a map by themselves

Embedding = NDArray[np.float32]
Kind = Literal["built-in", "enrolled", "this voice", "result"]


class Told(Protocol):
    """A likeness with its meaning, such as `voiceclone.similarity.similarity` gives it."""

    def as_dict(self) -> Mapping[str, Any]: ...


Embeddings = Mapping[str, Embedding]  # by encoder
Compare = Callable[[Embeddings, Embeddings], Told]


@dataclass(frozen=True, eq=False)
class HeatMap:
    """An embedding [256] as a square of 16 rows, the first row first; places in it mean nothing by themselves."""

    values: NDArray[np.float32]

    def as_dict(self) -> dict[str, Any]:
        """Returns it as JSON has it."""
        return {
            "values": np.round(self.values.astype(np.float64), 4).tolist(),
            "axes": {
                "x": "number within the row",
                "y": "row of 16 numbers",
                "colour": f"what the encoder {ENCODER} says, from 0 on",
            },
        }


@dataclass(frozen=True)
class Place:
    """Where a voice lies on a map. `group` is what kind of voice it is, such as "female", or ""."""

    name: str
    x: float
    y: float
    kind: Kind
    group: str = ""

    def as_dict(self) -> dict[str, Any]:
        return {"name": self.name, "x": round(self.x, 5), "y": round(self.y, 5), "kind": self.kind, "group": self.group}


@dataclass(frozen=True)
class VoiceMap:
    """Voices in the plane in which they differ most; the axes hold `shares` of the variance of those that span it."""

    places: tuple[Place, ...]
    shares: tuple[float, float]

    def as_dict(self) -> dict[str, Any]:
        """Returns it as JSON has it."""
        x, y = (self.label(axis) for axis in (0, 1))
        return {
            "places": [place.as_dict() for place in self.places],
            "shares": [round(share, 4) for share in self.shares],
            "axes": {"x": x, "y": y},
        }

    def label(self, axis: int) -> str:
        """Returns what an axis is."""
        return f"principal component {axis + 1} ({self.shares[axis]:.0%} of the differences)"


@dataclass(frozen=True, eq=False)
class VoiceView:
    """All there is to see of a voice, and of what was said with it where something was."""

    name: str
    reference_mel: MelSpectrogram
    reference_heat: HeatMap
    map: VoiceMap
    likenesses: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    result_mel: MelSpectrogram | None = None
    result_heat: HeatMap | None = None

    def as_dict(self) -> dict[str, Any]:
        """Returns it as JSON has it."""
        return {
            "name": self.name,
            "reference": {"mel": self.reference_mel.as_dict(), "embedding": self.reference_heat.as_dict()},
            "result": None
            if self.result_mel is None or self.result_heat is None
            else {"mel": self.result_mel.as_dict(), "embedding": self.result_heat.as_dict()},
            "map": self.map.as_dict(),
            "likenesses": {name: dict(likeness) for name, likeness in self.likenesses.items()},
        }


def view_voice(
    name: str,
    reference: Audio | NDArray[Any],
    embedding: Embedding,
    *,
    built_in: Mapping[str, Embedding],
    enrolled: Mapping[str, Embedding] | None = None,
    result: tuple[Audio, Embedding] | None = None,
    likenesses: Mapping[str, Told] | None = None,
) -> VoiceView:
    """Returns the view of a voice, from its reference (or `reference_mel`) and GE2E embedding [256].

    `built_in` and `enrolled` are the GE2E embeddings of other voices by name, `result` is something the voice said,
    with its embedding; `likenesses` says by name what is compared, such as "to the reference".

    Raises:
        InvalidInput: when there are too few voices for a map.
    """
    others = {other: vector for other, vector in (enrolled or {}).items() if other != name}
    said = {} if result is None else {f"{name}, cloned": result[1]}
    return VoiceView(
        name=name,
        reference_mel=mel_spectrogram(reference),
        reference_heat=heat_map(embedding),
        map=map_voices(built_in, {"enrolled": others, "this voice": {name: embedding}, "result": said}),
        likenesses={what: dict(likeness.as_dict()) for what, likeness in (likenesses or {}).items()},
        result_mel=None if result is None else mel_spectrogram(result[0]),
        result_heat=None if result is None else heat_map(result[1]),
    )


def view_cloned(
    voice: ClonedVoice,
    *,
    built_in: Mapping[str, Embeddings],
    enrolled: Iterable[ClonedVoice] = (),
    result: Audio | None = None,
    compare: Compare = similarity,
    loader: ModelLoader | None = None,
) -> VoiceView:
    """Returns the view of an enrolled voice among others, and of something it said.

    `built_in` are embeddings by name of a voice and of an encoder. `compare` tells how alike two voices are: what this
    one said and its reference, and for comparison the built-in voice that is most like the reference.

    Raises:
        WeightsError: when there is a result and the encoders cannot be had.
    """
    likenesses: dict[str, Told] = {}
    said = None
    if result is not None:
        from voiceclone.encoders import embeddings  # brings torch

        heard = embeddings(result, loader)
        said = (result, heard[ENCODER])
        likenesses["what it said, to the reference"] = compare(heard, voice.embeddings)
    if built_in:
        nearest = max(built_in, key=lambda name: _score(built_in[name], voice.embeddings))
        named = f"for comparison, the nearest built-in voice, {nearest}, to the reference"
        likenesses[named] = compare(built_in[nearest], voice.embeddings)
    return view_voice(
        voice.name,
        voice.reference_mel,
        voice.embeddings[ENCODER],
        built_in={name: of_voice[ENCODER] for name, of_voice in built_in.items()},
        enrolled={other.name: other.embeddings[ENCODER] for other in enrolled},
        result=said,
        likenesses=likenesses,
    )


def _score(one: Embeddings, other: Embeddings) -> float:
    return sum(float(one[encoder] @ other[encoder]) for encoder in ENCODERS)


def heat_map(embedding: Embedding) -> HeatMap:
    """Returns an embedding [256] as a square.

    >>> heat_map(np.arange(256, dtype=np.float32)).values[1, 0]
    np.float32(16.0)
    """
    assert embedding.shape == (GRID * GRID,), "a heat map shows GE2E's embeddings"
    return HeatMap(np.asarray(embedding, np.float32).reshape(GRID, GRID))


def map_voices(
    built_in: Mapping[str, Embedding], others: Mapping[Kind, Mapping[str, Embedding]] | None = None
) -> VoiceMap:
    """Returns voices on the two principal components of the built-in ones, or of all where those are few.

    So the map stays where it is when a voice is added. A component points to where its largest number is positive,
    and sums are taken in one order, so that the same voices give the same map.

    Raises:
        InvalidInput: when there are fewer than three voices.
    """
    named: list[tuple[str, Kind, Embedding]] = [(name, "built-in", vector) for name, vector in sorted(built_in.items())]
    for kind, voices in (others or {}).items():
        named += [(name, kind, vector) for name, vector in sorted(voices.items())]
    if len(named) < 3:
        raise InvalidInput(f"A map of voices needs three of them at least: there are {len(named)}.")
    vectors = np.array([vector for _, _, vector in named], np.float64)
    spanning = vectors[: len(built_in)] if len(built_in) >= FEWEST_TO_SPAN else vectors
    mean, components, shares = _principal_components(spanning)
    found = (vectors - mean) @ components.T
    places = tuple(
        Place(name, float(x), float(y), kind, _group(name) if kind == "built-in" else "")
        for (name, kind, _), (x, y) in zip(named, found, strict=True)
    )
    return VoiceMap(places, shares)


def _principal_components(
    vectors: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], tuple[float, float]]:
    """Returns the mean [size] of vectors [n, size], their two principal components [2, size], and what these hold."""
    mean = vectors.mean(axis=0)
    _, singular, components = np.linalg.svd(vectors - mean, full_matrices=False)
    first = components[:2]
    largest = np.abs(first).argmax(axis=1)
    signs = np.sign(first[np.arange(2), largest])
    shares = np.square(singular) / max(float(np.square(singular).sum()), 1e-30)
    return mean, first * np.where(signs == 0, 1, signs)[:, None], (float(shares[0]), float(shares[1]))


def _group(name: str) -> str:
    """Returns what the names of Kokoro's voices say: their second letter is f or m."""
    return {"f": "female", "m": "male"}.get(name.rsplit("/", 1)[-1][1:2], "")
