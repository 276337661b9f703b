"""Measures how alike two recordings of one person are, and those of two people: what a similarity means.

    python -m bench.likeness --recordings FOLDER --sex f [--recordings FOLDER --sex m ...]

Each FOLDER holds recordings of one person. Different people are Kokoro's voices, each of which speaks two sentences,
beside each other and beside the recordings, with their own sex alone. Writes `voiceclone/data/likeness.json`. The
speakers that cloning is tested with must not be among the recordings.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

import tts
from audio_ml.audio import Audio
from audio_ml.judges import ecapa, eres2net
from audio_ml.loader import ModelLoader
from audio_ml.speaker_windows import Embedding
from audio_ml.streams import read_audio
from bench import results
from tts.voices import list_voices
from voiceclone.encoders import embeddings

OUTPUT = results.REPOSITORY / "voiceclone" / "data" / "likeness.json"
MODEL, LANGUAGE = "kokoro-int8", "en"
SENTENCES = (
    "The river was low that summer, and the boats lay tilted on the mud.",
    "Rain fell all night, and in the morning the garden was full of snails.",
)
LEAST_SECONDS, MOST_RECORDINGS = 1.5, 24
PERCENTILES = range(101)
Heard = dict[str, Embedding]


def main() -> None:
    """Measures, and writes the numbers."""
    parser = argparse.ArgumentParser(prog="python -m bench.likeness", description="Same and different speakers.")
    parser.add_argument("--recordings", type=Path, action="append", required=True, metavar="FOLDER")
    parser.add_argument("--sex", action="append", required=True, choices=["f", "m"], help="of each folder, in order")
    arguments = parser.parse_args()
    loader = ModelLoader("cpu")
    people = [_recordings(folder, loader) for folder in arguments.recordings]
    voices = _voices(loader)
    same = [pair for person in people for pair in itertools.combinations(person, 2)]
    different = [
        (one[0], other[1]) for (sex, one), (other_sex, other) in itertools.combinations(voices, 2) if sex == other_sex
    ] + [
        (heard, voice[index % 2])
        for sex, person in zip(arguments.sex, people, strict=True)
        for voice_sex, voice in voices
        for index, heard in enumerate(person)
        if sex == voice_sex
    ]
    found = {
        "same": {"pairs": len(same), **_spread(same)},
        "different": {"pairs": len(different), **_spread(different)},
        "made": f"python -m bench.likeness: recordings of {len(people)} people, each in one session; "
        f"{len(voices)} voices of Kokoro, same sex",
    }
    OUTPUT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    for kind in ("same", "different"):
        medians = {name: values[50] for name, values in found[kind].items() if name != "pairs"}
        print(kind, found[kind]["pairs"], medians)


def _recordings(folder: Path, loader: ModelLoader) -> list[Heard]:
    """Hears the recordings of a person; with fewer words than these a voice is not told."""
    results.say(folder.name)
    sounds = (read_audio(path) for path in sorted(folder.iterdir()) if path.suffix in (".flac", ".wav"))
    return [_heard(sound, loader) for sound in sounds if sound.duration_seconds >= LEAST_SECONDS][:MOST_RECORDINGS]


def _voices(loader: ModelLoader) -> list[tuple[str, list[Heard]]]:
    """Hears every voice of Kokoro with both sentences, and its sex, which the second letter of its name tells."""
    found = []
    for speaker in list_voices(LANGUAGE):
        family, _, name = speaker.id.partition("/")
        if family != "kokoro":
            continue
        results.say(name)
        sounds = [tts.synthesize(text, name, model=MODEL, loader=loader).audio for text in SENTENCES]
        found.append((name[1], [_heard(sound, loader) for sound in sounds]))
    return found


def _heard(sound: Audio, loader: ModelLoader) -> Heard:
    judged = {"ecapa": ecapa.speaker_embedding(sound, loader), "eres2net": eres2net.speaker_embedding(sound, loader)}
    return {**embeddings(sound, loader), **judged}


def _spread(pairs: Sequence[tuple[Heard, Heard]]) -> dict[str, list[float]]:
    """Returns the percentiles of the similarity of pairs, by encoder."""
    return {name: _percentiles(float(one[name] @ other[name]) for one, other in pairs) for name in pairs[0][0]}


def _percentiles(values: Iterable[float]) -> list[float]:
    return [round(float(value), 3) for value in np.percentile(list(values), PERCENTILES)]


if __name__ == "__main__":
    main()
