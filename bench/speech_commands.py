"""Our speech against hibari's own command line and library: the same texts, whole processes and warm ones, in turn."""

from __future__ import annotations

import gc
import hashlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from audio_ml.loader import ModelLoader
from audio_ml.streams import read_audio
from bench import speech_texts
from bench.measure import Measurement, run

HIBARI = str(Path(sys.executable).with_name("hibari"))
OURS = str(Path(sys.executable).with_name("audio-ml"))
TEXTS = {
    "a sentence": speech_texts.SENTENCE,
    "a paragraph of ten sentences": speech_texts.paragraph(10, seed=2),
    "5,000 characters": speech_texts.chapter(5000, seed=3),
}


@dataclass(frozen=True)
class Side:
    """One of the things compared: its runs, and the seconds of speech it makes."""

    runs: list[Measurement]
    speech_seconds: float


@dataclass(frozen=True)
class Comparison:
    """A text spoken by hibari as it comes, by hibari on two threads, and by ours; `processes` are from a cold start.

    `is_same` tells whether every process of ours wrote the same samples.
    """

    label: str
    n_characters: int
    processes: dict[str, Side]
    warm: dict[str, Side]
    is_same: bool


def compare(label: str, n_runs: int) -> Comparison:
    """Has a text of `TEXTS` spoken by all sides, in turn so that a busy minute of the machine falls on each."""
    text = TEXTS[label]
    with tempfile.TemporaryDirectory() as folder:
        theirs, ours = Path(folder) / "hibari.wav", Path(folder) / "ours.wav"
        commands = {
            "hibari": [HIBARI, text, "-o", str(theirs)],
            "hibari, 2 threads": [HIBARI, text, "-o", str(theirs), "--threads", "2"],
            "ours": [OURS, "speak", text, "-o", str(ours), "--overwrite"],
        }
        runs: dict[str, list[Measurement]] = {name: [] for name in commands}
        digests = set()
        for _ in range(n_runs):
            for name, command in commands.items():
                runs[name].append(run(command))
            digests.add(hashlib.sha256(read_audio(ours).samples.tobytes()).hexdigest())
        lengths = {name: read_audio(ours if name == "ours" else theirs).duration_seconds for name in commands}
    processes = {name: Side(runs[name], lengths[name]) for name in commands}
    return Comparison(label, len(text), processes, _warm(text, n_runs), len(digests) == 1)


def _warm(text: str, n_runs: int) -> dict[str, Side]:
    sides = dict(_speakers())
    lengths = {name: speak(text) for name, speak in sides.items()}
    runs: dict[str, list[Measurement]] = {name: [] for name in sides}
    for _ in range(n_runs):
        for name, speak in sides.items():
            runs[name].append(_timed(lambda speak=speak: speak(text)))
    return {name: Side(runs[name], lengths[name]) for name in sides}


def _speakers() -> Iterator[tuple[str, Callable[[str], float]]]:
    """Yields what speaks a text and returns the seconds of speech, each loaded once."""
    from hibari import SAMPLE_RATE, Hibari

    import tts

    for name, n_threads in {"hibari": 1, "hibari, 2 threads": 2}.items():
        voice = Hibari(threads=n_threads)
        yield name, lambda text, voice=voice: voice(text).size / SAMPLE_RATE
    loader = ModelLoader("cpu")
    yield "ours", lambda text: tts.synthesize(text, loader=loader).audio.duration_seconds


def _timed(work: Callable[[], object]) -> Measurement:
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Measurement(time.perf_counter() - wall, time.process_time() - cpu, 0)
