"""Our speech against Piper's own Python API: the same voice file and texts, warm, in turn. Writes a Markdown table.

python -m bench.piper
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

import tts
from audio_ml import catalogue
from audio_ml.loader import ModelLoader
from bench import machine, results, speech_commands
from bench.markdown import table
from tts.engines.piper import DESCRIPTION_FILE, MODEL_FILE

MODEL = "piper-joe"
TEXTS = ("a sentence", "a paragraph of ten sentences")


@dataclass(frozen=True)
class Comparison:
    """A text spoken by both sides: medians of the wall time, and how long the speech is."""

    label: str
    peer_seconds: float
    peer_speech_seconds: float
    our_seconds: float
    our_speech_seconds: float


@dataclass(frozen=True)
class Findings:
    """What was measured, one comparison for each text."""

    comparisons: tuple[Comparison, ...]


def main() -> None:
    """Measures, and writes the report."""
    parser = argparse.ArgumentParser(prog="python -m bench.piper", description="Compares with piper-tts.")
    parser.add_argument("--runs", type=int, default=5)
    output = results.REPOSITORY / "docs" / "bench-piper.md"
    parser.add_argument("--output", type=Path, default=output, metavar="FILE")
    arguments = parser.parse_args()
    head = machine.describe("bench.piper", sys.argv[1:], None)
    found = Findings(tuple(_compare(label, speech_commands.TEXTS[label], arguments.runs) for label in TEXTS))
    results.write(arguments.output, _render(head, arguments.runs, found), found)


def _compare(label: str, text: str, n_runs: int) -> Comparison:
    results.say(f"{label}: {n_runs} runs of each, in turn")
    peer, ours = _peer(), _ours()
    seconds: list[list[float]] = [[], []]
    for _ in range(n_runs):
        for side, speak in zip(seconds, (peer, ours), strict=True):
            began = time.perf_counter()
            speak(text)
            side.append(time.perf_counter() - began)
    return Comparison(label, median(seconds[0]), peer(text), median(seconds[1]), ours(text))


def _peer() -> Callable[[str], float]:
    """Returns what speaks a text by Piper's own API and gives the length of the speech in seconds."""
    from piper import PiperVoice

    files = ModelLoader("cpu").store.open(catalogue.find("tts", MODEL))
    voice = PiperVoice.load(files[MODEL_FILE], config_path=files[DESCRIPTION_FILE])

    def speak(text: str) -> float:
        chunks = [chunk.audio_float_array for chunk in voice.synthesize(text)]
        return float(np.concatenate(chunks).size / voice.config.sample_rate)

    speak("Warm up.")
    return speak


def _ours() -> Callable[[str], float]:
    loader = ModelLoader("cpu")

    def speak(text: str) -> float:
        return tts.synthesize(text, model=MODEL, loader=loader).audio.duration_seconds

    speak("Warm up.")
    return speak


def _render(head: str, n_runs: int, found: Findings) -> str:
    header = ["text", "Piper's own API", "speech", "ours", "speech", "times faster", "a second of speech"]
    rows = [
        [
            row.label,
            f"{row.peer_seconds:.2f} s",
            f"{row.peer_speech_seconds:.1f} s",
            f"{row.our_seconds:.2f} s",
            f"{row.our_speech_seconds:.1f} s",
            f"**{row.peer_seconds / row.our_seconds:.2f}**",
            f"{row.peer_seconds / row.peer_speech_seconds / (row.our_seconds / row.our_speech_seconds):.2f}",
        ]
        for row in found.comparisons
    ]
    return (
        "# Piper's voices against Piper's own front end\n\n"
        f"{head}\n\n"
        f"The voice of `{MODEL}` on both sides, in one process, loaded before; medians of {n_runs} calls in turn. More "
        "than 1 is faster; the last column takes into account how long each side speaks.\n\n"
        f"{table(header, rows)}\n"
    )


if __name__ == "__main__":
    main()
