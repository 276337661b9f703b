"""How our evaluation of separation compares with museval: the numbers, time and memory, on the same files.

    python -m bench.evaluation SONG [--minutes N] [--runs N] [--museval-python PATH]

SONG is a folder of true stems (`vocals.flac`, ...), which is repeated to so many minutes. The estimates are made of
them: quieter, with leakage, an echo and noise. Needs museval (a test tool) and its memory: some 2 GB a minute.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audio_ml.audio import Audio, Samples
from audio_ml.streams import read_audio
from audio_ml.writer import write_audio
from bench import machine, results
from bench.markdown import megabytes, seconds, table
from bench.measure import Measurement, in_turn, medians, run
from separation.evaluation.bsseval import RATIOS
from separation.evaluation.folders import stem_files

PROCESS = Path(__file__).resolve().with_name("museval_process.py")
COMMAND = str(Path(sys.executable).with_name("audio-ml"))


@dataclass(frozen=True)
class Findings:
    """Medians of whole processes, and the largest difference of any window, in dB, by ratio."""

    minutes: float
    stems: tuple[str, ...]
    ours: Measurement
    museval: Measurement
    differences: dict[str, float]


def main() -> None:
    """Measures, and writes the report."""
    parser = argparse.ArgumentParser(prog="python -m bench.evaluation", description="Beside museval.")
    parser.add_argument("song", type=Path, metavar="SONG", help="a folder of true stems")
    parser.add_argument("--minutes", type=float, default=2.0, metavar="N")
    parser.add_argument("--runs", type=int, default=3, metavar="N")
    parser.add_argument("--museval-python", type=Path, default=Path(sys.executable), metavar="PATH")
    output = results.REPOSITORY / "docs" / "bench-evaluation.md"
    parser.add_argument("--output", type=Path, default=output, metavar="FILE")
    arguments = parser.parse_args()
    head = machine.describe("bench.evaluation", sys.argv[1:], None)
    findings = _measure(arguments.song, arguments.minutes, arguments.runs, arguments.museval_python)
    results.write(arguments.output, _render(head, findings), findings)


def _measure(song: Path, minutes: float, n_runs: int, museval: Path) -> Findings:
    with tempfile.TemporaryDirectory() as folder:
        true, made = Path(folder) / "true", Path(folder) / "made"
        stems = _write(song, true, made, minutes)
        report, theirs = Path(folder) / "ours.json", Path(folder) / "museval.json"
        options = ["--report-file", str(report), "--overwrite", "--quiet"]
        ours = [COMMAND, "evaluate", "separation", "--reference", str(true), "--estimate", str(made), *options]
        peer = [str(museval), str(PROCESS), str(true), str(made), str(theirs)]
        results.say(f"{len(stems)} stems of {minutes:g} minutes, {n_runs} times")
        runs = in_turn(lambda: run(peer), lambda: run(ours), n_runs)
        differences = _differences(json.loads(report.read_text()), np.array(json.loads(theirs.read_text())), stems)
    return Findings(minutes, stems, medians(runs[1]), medians(runs[0]), differences)


def _write(song: Path, true: Path, made: Path, minutes: float) -> tuple[str, ...]:
    """Writes the stems of the song repeated, and estimates of them, as 24-bit WAV; returns their names in order."""
    stems = {name: read_audio(path) for name, path in sorted(stem_files(song).items())}
    rate = next(iter(stems.values())).sample_rate
    n_samples = round(60 * minutes * rate)
    looped = {name: np.resize(audio.samples.T, (n_samples, audio.n_channels)).T for name, audio in stems.items()}
    mixture = np.asarray(sum(looped.values()), np.float32)
    generator = np.random.default_rng(0)
    for folder in (true, made):
        folder.mkdir()
    for name, samples in looped.items():
        write_audio(true / f"{name}.wav", Audio(samples, rate))
        write_audio(made / f"{name}.wav", Audio(_estimate(samples, mixture, generator), rate))
    return tuple(looped)


def _estimate(samples: Samples, mixture: Samples, generator: np.random.Generator) -> Samples:
    noise = generator.normal(0, 0.003, samples.shape)
    return np.asarray(0.8 * samples + 0.1 * mixture + 0.05 * np.roll(mixture, 7, axis=-1) + noise, np.float32)


def _differences(ours: Mapping[str, object], museval: np.ndarray, stems: tuple[str, ...]) -> dict[str, float]:
    windows = [ours["tracks"][0]["stems"][stem]["windows"] for stem in stems]  # type: ignore[index]
    found = {}
    for ratio, theirs in zip(RATIOS, museval, strict=True):
        values = np.array([of_stem[ratio] for of_stem in windows], np.float64)
        assert np.array_equal(np.isnan(values), np.isnan(theirs)), "other windows were measured"
        found[ratio] = float(np.nanmax(np.abs(values - theirs)))
    return found


def _render(head: str, findings: Findings) -> str:
    ours, museval = findings.ours, findings.museval
    rows = [
        [name, seconds(each.wall_seconds), seconds(each.cpu_seconds), megabytes(each.peak_bytes)]
        for name, each in (("museval", museval), ("ours", ours))
    ]
    ratios = [museval.wall_seconds / ours.wall_seconds, museval.cpu_seconds / ours.cpu_seconds]
    rows.append(["ratio", *(f"{ratio:.1f}" for ratio in ratios), f"{museval.peak_bytes / ours.peak_bytes:.1f}"])
    worst = ", ".join(f"{name.upper()} {value:.1e} dB" for name, value in findings.differences.items())
    return (
        "# Evaluation of separation beside museval\n\n"
        f"{head}\n\n"
        f"{len(findings.stems)} stereo stems of {findings.minutes:g} minutes, whole processes, the medians of runs in "
        f"turn; the museval that is measured here reads the files and calls `museval.metrics.bss_eval`.\n\n"
        f"{table(['', 'time', 'processor time', 'peak memory'], rows)}\n\n"
        f"Largest difference in any second of any stem: {worst}.\n"
    )


if __name__ == "__main__":
    main()
