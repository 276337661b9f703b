"""Turns synthetic speech into what the network of conversion hears, with the answers.

    nice python -m training.convert_features SPEECH_FOLDER FEATURE_FOLDER --copies 2 --seed 5

Each copy of an utterance is roughened otherwise (`convert_augment.py`) and heard behind another one, so that it has
other places in Whisper's window. One .npz file each: `heard` float16 [frames, 768], `contour` float32
[frames, 6] (see `voiceclone.nets.content`), `symbols` int16 [frames], which row of `features` float16 [symbols, 512] is
right; `prosody` float32 [frames, 4], energy and voicing of both halves of a frame, NaN where they are not known.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from audio_ml.device import resolve
from audio_ml.pitch import FRAME_SECONDS as PITCH_SECONDS
from audio_ml.pitch import SWIFT_F0, Pitch, SwiftF0Engine
from audio_ml.weights import WeightStore
from training.convert_augment import at_speed, roughened
from voiceclone.content import FRAME_SECONDS, SAMPLE_RATE, Hearing, contour, n_frames

Arrays = dict[str, NDArray[Any]]

SPEED = (0.78, 1.28)
VOICED_HZ = 30.0
SPOKEN_RATE = 24000
BEHIND_SECONDS = 8.0  # the most that another utterance is heard before


def copies(
    hearing: Hearing, tracker: SwiftF0Engine, utterance: Arrays, other: Arrays, random: np.random.Generator
) -> Arrays:
    """Hears one copy of an utterance; `other` is what is said before it and, now and then, behind it."""
    speed = float(np.exp(random.uniform(*np.log(SPEED)))) if random.random() < 0.8 else 1.0
    samples = at_speed(utterance["samples"] / np.float32(32768), SPOKEN_RATE, speed)
    before = at_speed(other["samples"] / np.float32(32768), SPOKEN_RATE, speed)
    # A whole number of frames of both grids, 20 and 25 ms, and 16 ms of the pitch's: 0.4 s.
    n_before = int(random.uniform(0, min(BEHIND_SECONDS, before.size / SAMPLE_RATE)) / 0.4) * int(0.4 * SAMPLE_RATE)
    sound = roughened(np.concatenate([before[before.size - n_before :], samples]), before, random)
    heard, pitch = hearing.hear(sound), Pitch(tracker.track(sound), PITCH_SECONDS)
    total = n_frames(sound)
    first = n_before // int(FRAME_SECONDS * SAMPLE_RATE)
    found = contour(sound, pitch, total)
    count = total - first
    return {
        "heard": heard[first:].astype(np.float16),
        "contour": found[first:],
        "features": utterance["features"],
        **_answers(utterance, speed, count),
    }


def _answers(utterance: Arrays, speed: float, count: int) -> Arrays:
    symbols = np.repeat(np.arange(len(utterance["durations"])), utterance["durations"])
    at = np.minimum(((np.arange(count) + 0.5) * speed).astype(np.int64), len(symbols) - 1)
    prosody = np.full((2, 2 * count), np.nan, np.float32)
    if "f0" in utterance:
        halves = (np.arange(2 * count) + 0.5) * speed - 0.5
        grid = np.arange(len(utterance["n"]))
        prosody[0] = np.interp(halves, grid, utterance["n"])
        prosody[1] = np.interp(halves, grid, utterance["f0"]) > VOICED_HZ
    prosody = prosody.reshape(2, count, 2).transpose(1, 0, 2).reshape(count, 4)
    return {"symbols": symbols[at].astype(np.int16), "prosody": prosody}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("whisper", type=Path, help="tiny.en.pt")
    parser.add_argument("speech", type=Path)
    parser.add_argument("features", type=Path)
    parser.add_argument("--copies", type=int, default=2)
    parser.add_argument("--seed", type=int, required=True)
    given = parser.parse_args()
    given.features.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    tracker = SwiftF0Engine(WeightStore().open(SWIFT_F0), resolve("cpu"))
    hearing = Hearing(given.whisper)
    paths = sorted(given.speech.glob("*.npz"))
    for number, path in enumerate(paths):
        utterance = dict(np.load(path))
        for copy in range(given.copies):
            target = given.features / f"{path.stem}-{copy}.npz"
            if target.exists():
                continue
            random = np.random.default_rng([given.seed, number, copy])
            other = dict(np.load(paths[random.integers(len(paths))]))
            arrays = copies(hearing, tracker, utterance, other, random)
            partial = target.with_suffix(".part")
            with partial.open("wb") as file:
                np.savez(file, **arrays)  # type: ignore[arg-type]
            partial.rename(target)


if __name__ == "__main__":
    main()
