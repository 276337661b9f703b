"""How surely the watermark of cloned speech is found, and what it costs. Writes docs/bench-watermark.md.

    python -m bench.watermark [--clones N] [--recordings DIR ...] [--peer-python PYTHON]

It speaks sentences of 1 to 20 s, marks them piece by piece as the verbs do, and looks for the mark in files: WAV of
16 bits and MP3 of 128 kbit/s. The same speech without a mark, and recordings (files of any kind), must not be taken for
marked. With the interpreter of an environment that has resemble-perth 1.0.1, the published package looks as well, and
marks files for ours. A mark does not depend on whose voice it lies on; so built-in voices speak, not cloned ones.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import tts
from audio_ml.audio import Audio
from audio_ml.device import cpu_cores
from audio_ml.errors import AudioMLError
from audio_ml.formats import find_format
from audio_ml.loader import ModelLoader
from audio_ml.streams import Resampler
from audio_ml.watermark import THRESHOLD, detect, detect_file, mark
from audio_ml.writer import AudioWriter
from bench import machine, results
from bench.watermark_report import Findings, Judged, Row, render
from tts.evaluation import read_sentences

N_CLONES = 300
SHORTEST_SECONDS, LONGEST_SECONDS = 1.0, 20.0
WORDS_PER_SECOND = 2.6
FAST, SLOW = "hibari/heart", ("kokoro/af_heart", "kokoro/am_michael", "kokoro/bf_emma")
SLOW_EVERY = 10  # one clone in so many is Kokoro's
ATTACKED_EVERY = 7  # one clone in so many goes through all of `CHANGES`, and to the published package
MEDIA = {".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".aiff", ".aif"}
PEER = Path(__file__).with_name("watermark_process.py")


@dataclass(frozen=True, eq=False)
class Clone:
    """Speech with its mark and without, and what each cost in seconds of processor time."""

    plain: Audio
    marked: Audio
    speaking_seconds: float
    marking_seconds: float


def main() -> None:
    """Measures, and writes the report."""
    arguments = _arguments()
    head = machine.describe("bench.watermark", sys.argv[1:], None)
    loader = ModelLoader("cpu")
    results.say(f"{arguments.clones} clones")
    clones = [_clone(seconds, voice, text, loader) for seconds, voice, text in _texts(arguments.clones)]
    with tempfile.TemporaryDirectory() as folder:
        findings = _measure(clones, arguments, loader, Path(folder))
    results.write(arguments.output, render(head, findings), findings)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.watermark", description="How surely the mark is found.")
    parser.add_argument("--clones", type=int, default=N_CLONES, metavar="N")
    parser.add_argument("--recordings", type=Path, action="append", default=[], metavar="DIR", help="of unmarked sound")
    parser.add_argument("--peer-python", metavar="PYTHON", help="of an environment with resemble-perth 1.0.1")
    output = results.REPOSITORY / "docs" / "bench-watermark.md"
    parser.add_argument("--output", type=Path, default=output, metavar="FILE")
    return parser.parse_args()


def _texts(n_clones: int) -> Iterator[tuple[float, str, str]]:
    """Yields lengths in geometric steps, each with a voice and about as many words of the test sentences."""
    sentences = [sentence.text for sentence in read_sentences()]
    rng = np.random.default_rng(0)
    for place, seconds in enumerate(np.geomspace(SHORTEST_SECONDS, LONGEST_SECONDS, n_clones)):
        n_words, words = max(2, round(seconds * WORDS_PER_SECOND)), list[str]()
        while len(words) < n_words:
            words += sentences[rng.integers(len(sentences))].split()
        voice = SLOW[place // SLOW_EVERY % len(SLOW)] if place % SLOW_EVERY == 0 else FAST
        yield float(seconds), voice, " ".join(words[:n_words])


def _clone(seconds: float, voice: str, text: str, loader: ModelLoader) -> Clone:
    """Speaks a text and cuts it to a length, marked piece by piece as it comes."""
    began = time.process_time()
    pieces = [chunk.audio for chunk in tts.stream(text, voice, loader=loader)]
    spoken = time.process_time()
    marked = [mark(piece, loader) for piece in pieces]
    cost = (spoken - began, time.process_time() - spoken)
    rate = pieces[0].sample_rate
    plain, made = (
        Audio(np.concatenate([piece.samples for piece in side], axis=1)[:, : round(seconds * rate)], rate)
        for side in (pieces, marked)
    )
    return Clone(plain, made, *cost)


def _measure(clones: Sequence[Clone], arguments: argparse.Namespace, loader: ModelLoader, folder: Path) -> Findings:
    found = Findings(THRESHOLD)
    if arguments.peer_python:
        results.say("the published package")
        found.peer.extend(_with_peer(arguments.peer_python, clones[::ATTACKED_EVERY], folder, loader))
    for name, kbps in (("WAV, 16 bits", 0), ("MP3, 128 kbit/s", 128)):
        results.say(name)
        for is_marked, side in ((True, found.marked), (False, found.unmarked)):
            sounds = [clone.marked if is_marked else clone.plain for clone in clones]
            side.append(Row(name, _each(lambda sound, kbps=kbps: _through_file(sound, kbps, folder, loader), sounds)))
    for place in arguments.recordings:
        results.say(f"recordings of {place.name}")
        files = sorted(path for path in place.rglob("*") if path.suffix.lower() in MEDIA)
        found.unmarked.append(Row(f"recordings: {place.name}", _each(lambda path: _file(path, loader), files)))
    some = [clone.marked for clone in clones[::ATTACKED_EVERY]]
    for name, change in CHANGES.items():
        results.say(name)
        found.changed.append(Row(name, _each(lambda sound, change=change: _judged(change(sound), loader), some)))
    found.seconds.extend([sum(clone.plain.duration_seconds for clone in clones), *_costs(clones)])
    return found


def _each(judge: Callable[..., Judged], sounds: Sequence[object]) -> list[Judged]:
    with ThreadPoolExecutor(cpu_cores()) as pool:
        return list(pool.map(judge, sounds))


def _judged(sound: Audio, loader: ModelLoader) -> Judged:
    found = detect(sound, loader)
    return Judged(sound.duration_seconds, found.found, found.confidence)


def _file(path: Path, loader: ModelLoader) -> Judged:
    try:
        found = detect_file(path, loader)
    except AudioMLError as error:
        sys.exit(f"{path}: {error}")
    return Judged(found.duration_seconds, found.found, found.confidence)


def _through_file(sound: Audio, kbps: int, folder: Path, loader: ModelLoader) -> Judged:
    with tempfile.TemporaryDirectory(dir=folder) as own:
        path = Path(own) / ("a.mp3" if kbps else "a.wav")
        _write(path, sound, kbps)
        return _file(path, loader)


def _write(path: Path, sound: Audio, kbps: int = 0) -> None:
    with AudioWriter(
        path, find_format(path), sound.sample_rate, sound.n_channels, bit_depth="16", bitrate_kbps=kbps or 128
    ) as writer:
        writer.write(sound.samples)
        writer.close()
        writer.commit()


def _at_rate(rate: int) -> Callable[[Audio], Audio]:
    def change(sound: Audio) -> Audio:
        stream = Resampler(sound.sample_rate, rate, sound.n_channels).stream([sound.samples])
        return Audio(np.concatenate(list(stream), axis=1), rate)

    return change


def _faster(factor: float) -> Callable[[Audio], Audio]:
    def change(sound: Audio) -> Audio:
        return Audio(_at_rate(round(sound.sample_rate / factor))(sound).samples, sound.sample_rate)

    return change


def _noisy(snr_db: float) -> Callable[[Audio], Audio]:
    def change(sound: Audio) -> Audio:
        noise = np.random.default_rng(0).standard_normal(sound.samples.shape)
        level = float(np.sqrt(np.mean(np.square(sound.samples)))) * 10 ** (-snr_db / 20)
        return Audio((sound.samples + level * noise).astype(np.float32), sound.sample_rate)

    return change


def _quiet(sound: Audio) -> Audio:
    return Audio(np.round(sound.samples * (0.01 * 32768)).astype(np.float32) / 32768, sound.sample_rate)


CHANGES: dict[str, Callable[[Audio], Audio]] = {
    **{f"at {rate / 1000:g} kHz": _at_rate(rate) for rate in (8000, 16000, 44100, 48000)},
    "40 dB quieter, 16 bits": _quiet,
    **{f"white noise {snr} dB below": _noisy(snr) for snr in (30, 20, 10)},
    "1 % faster": _faster(1.01),
    "5 % faster": _faster(1.05),
    "5 % slower": _faster(0.95),
}


def _with_peer(python: str, clones: Sequence[Clone], folder: Path, loader: ModelLoader) -> Iterator[Row]:
    """Yields what the package finds in what we marked and did not, and what we find in what it marked."""
    for place, clone in enumerate(clones):
        _write(folder / f"{place}-ours.wav", clone.marked)
        _write(folder / f"{place}-plain.wav", clone.plain)
    command = [python, str(PEER), str(folder), str(len(clones))]
    finished = subprocess.run(command, check=False, capture_output=True, text=True)
    if finished.returncode:
        sys.exit(f"The published package failed:\n{finished.stderr[-2000:]}")
    told = json.loads(finished.stdout.splitlines()[-1])
    lengths = [clone.plain.duration_seconds for clone in clones]
    for name, side in (("the package finds ours", "ours"), ("the package in unmarked", "plain")):
        scores = [min(1.0, max(0.0, score)) for score in told[side]]
        yield Row(name, [Judged(n, bool(round(score)), score) for n, score in zip(lengths, scores, strict=True)])
    files = [folder / f"{place}-peer.wav" for place in range(len(clones))]
    yield Row("ours finds the package's", _each(lambda path: _file(path, loader), files))


def _costs(clones: Sequence[Clone]) -> Iterator[float]:
    """Yields seconds of processor time for a second of speech: marking, and speaking with Kokoro."""
    yield sum(c.marking_seconds for c in clones[1:]) / sum(c.plain.duration_seconds for c in clones[1:])
    slow = clones[::SLOW_EVERY][len(SLOW) :] or clones[::SLOW_EVERY]  # the first of each voice loads it
    yield sum(c.speaking_seconds for c in slow) / sum(c.plain.duration_seconds for c in slow)


if __name__ == "__main__":
    main()
