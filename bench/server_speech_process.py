"""Speaks sentences with the engine as it is told to, with Python's -I: nothing of this folder is imported."""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import tts
from audio_ml.loader import ModelLoader


def speak(loader: ModelLoader, texts: list[str], voice: str, threads: int) -> dict[str, float]:
    """Speaks texts on so many threads with one loader; returns the seconds of sound and what they took."""
    cpu, began = time.process_time(), time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        sounds = pool.map(lambda text: tts.synthesize(text, voice, loader=loader).audio.duration_seconds, texts)
        seconds = sum(sounds)
    wall_seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu
    return {"seconds_of_sound": seconds, "wall_seconds": wall_seconds, "cpu_seconds": cpu_seconds}


def main() -> None:
    """Answers each line of standard input, a JSON object, with one of its own."""
    loader = ModelLoader("cpu")
    for line in sys.stdin:
        print(json.dumps(speak(loader, **json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
