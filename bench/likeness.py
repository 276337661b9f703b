"""Measures how alike two recordings of one person are, and those of two people: what a similarity means.

    python -m bench.likeness --recordings FOLDER --sex f [--recordings FOLDER --sex m ...]

Each FOLDER holds recordings of one person, made in one session. Different people are these and Kokoro's voices, each
beside all others of the same sex. Writes `voiceclone/data/likeness.json`. The speakers that cloning is tested with must
not be among the recordings.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from audio_ml.loader import ModelLoader
from audio_ml.speaker_windows import Embedding
from audio_ml.streams import read_audio
from bench import results
from voiceclone.encoders import embeddings
from voiceclone.similarity import ENCODERS
from voiceclone.voice_mix import LEFT_OUT, voice_table

OUTPUT = results.REPOSITORY / "voiceclone" / "data" / "likeness.json"
LEAST_SECONDS, MOST_RECORDINGS = 1.5, 12  # lest one person outweighs the other
PERCENTILES = range(101)
Heard = Mapping[str, Embedding]
Person = tuple[str, Sequence[Heard]]  # sex, recordings


def main() -> None:
    """Measures, and writes the numbers."""
    parser = argparse.ArgumentParser(prog="python -m bench.likeness", description="Same and different speakers.")
    parser.add_argument("--recordings", type=Path, action="append", required=True, metavar="FOLDER")
    parser.add_argument("--sex", action="append", required=True, choices=["f", "m"], help="of each folder, in order")
    arguments = parser.parse_args()
    loader = ModelLoader("cpu")
    recorded: list[Person] = [
        (sex, _recordings(folder, loader)) for sex, folder in zip(arguments.sex, arguments.recordings, strict=True)
    ]
    voices = _voices()
    same = [pair for _, heard in recorded for pair in itertools.combinations(heard, 2)]
    different = [
        pair
        for (sex, heard), (other_sex, others) in itertools.combinations([*recorded, *voices], 2)
        if sex == other_sex
        for pair in itertools.product(heard, others)
    ]
    found = {
        "same": {"pairs": len(same), "percentiles": _percentiles(same)},
        "different": {"pairs": len(different), "percentiles": _percentiles(different)},
        "made": f"python -m bench.likeness: recordings of {len(recorded)} people, each in one session; {len(voices)} "
        "voices of Kokoro; different people of the same sex",
    }
    OUTPUT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    for kind, pairs in (("same", same), ("different", different)):
        shown = {
            name: np.percentile([_score(pair, [name]) for pair in pairs], [5, 50, 95]).round(2) for name in ENCODERS
        }
        print(kind, len(pairs), shown, np.percentile([_score(pair) for pair in pairs], [5, 50, 95]).round(2))


def _recordings(folder: Path, loader: ModelLoader) -> list[Heard]:
    """Hears the recordings of a person; with fewer words than these a voice is not told."""
    results.say(folder.name)
    sounds = (read_audio(path) for path in sorted(folder.iterdir()) if path.suffix in (".flac", ".wav"))
    heard = (embeddings(sound, loader) for sound in sounds if sound.duration_seconds >= LEAST_SECONDS)
    return list(itertools.islice(heard, MOST_RECORDINGS))


def _voices() -> list[Person]:
    """Returns Kokoro's voices, whose sex the second letter of their names tells, without those that whisper."""
    table = voice_table()
    unit = {name: known / np.linalg.norm(known, axis=1, keepdims=True) for name, known in table.embeddings.items()}
    return [
        (name[1], [{encoder: unit[encoder][index] for encoder in ENCODERS}])
        for index, name in enumerate(table.names)
        if name not in LEFT_OUT
    ]


def _percentiles(pairs: Sequence[tuple[Heard, Heard]]) -> list[float]:
    return [round(float(value), 3) for value in np.percentile([_score(pair) for pair in pairs], PERCENTILES)]


def _score(pair: tuple[Heard, Heard], encoders: Sequence[str] = ENCODERS) -> float:
    """Returns the mean of what encoders say of the similarity of a pair."""
    one, other = pair
    return float(np.mean([one[name] @ other[name] for name in encoders]))


if __name__ == "__main__":
    main()
