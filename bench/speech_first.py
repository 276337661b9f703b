"""How long a warm process takes to the first sound of a text, on an idle machine and beside a busy core."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

import numpy as np

import tts
from audio_ml.loader import ModelLoader
from bench import speech_texts

TARGET_MS = 150
BUSY = "while True: pass"
WARM_UP = "This is spoken before anything is measured."


@dataclass(frozen=True)
class FirstSound:
    """The waits in ms for the first chunk of each text (`longest_ms` among its repetitions), and how long it sounds."""

    label: str
    n_characters: int
    median_ms: float
    longest_ms: float
    first_chunk_seconds: float


@dataclass(frozen=True)
class FirstSounds:
    """The waits of all texts under one condition."""

    condition: str
    texts: list[FirstSound]

    def quantile(self, share: float) -> float:
        """Returns the wait in ms that such a share of the texts does not pass, each counted with its median."""
        return float(np.quantile([text.median_ms for text in self.texts], share))

    @property
    def slowest(self) -> list[FirstSound]:
        return sorted(self.texts, key=lambda text: -text.median_ms)


def measure(n_runs: int) -> list[FirstSounds]:
    """Streams texts of all kinds and stops after the first chunk, `n_runs` times each, in both conditions in turn."""
    texts = speech_texts.of_all_kinds()
    loader = ModelLoader("cpu")
    for _ in tts.stream(WARM_UP, loader=loader):
        pass
    waits: dict[str, dict[str, list[float]]] = {"idle": {}, "one core busy": {}}
    sounds: dict[str, float] = {}
    for _ in range(n_runs):
        for label, text in texts.items():
            for condition, of in waits.items():
                with _beside(condition):
                    wait, sounds[label] = _first_chunk(text, loader)
                of.setdefault(label, []).append(wait)
    return [
        FirstSounds(
            condition,
            [FirstSound(label, len(texts[label]), median(ms), max(ms), sounds[label]) for label, ms in of.items()],
        )
        for condition, of in waits.items()
    ]


def _first_chunk(text: str, loader: ModelLoader) -> tuple[float, float]:
    """Returns the wait for the first chunk in ms and the seconds that it sounds."""
    began = time.perf_counter()
    chunks = tts.stream(text, loader=loader)
    chunk = next(chunks)
    waited = 1000 * (time.perf_counter() - began)
    chunks.close()  # type: ignore[attr-defined]
    return waited, chunk.audio.duration_seconds


@contextmanager
def _beside(condition: str) -> Iterator[None]:
    """Keeps a core busy meanwhile, if the condition says so."""
    if condition == "idle":
        yield
        return
    other = subprocess.Popen([sys.executable, "-I", "-c", BUSY])
    try:
        time.sleep(0.1)  # until it runs
        yield
    finally:
        other.kill()
        other.wait()
