"""Our Kokoro against `kokoro-onnx` on the same phonemes and model file: speed, agreement, memory.

    python -m bench.kokoro --peer-python PATH [--runs 5] [--row kokoro]

The interpreter PATH has `kokoro-onnx` installed. Both sides run in processes of their own, take turns, and are warm.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from audio_ml import catalogue
from audio_ml.errors import AudioMLError
from audio_ml.nets.kokoro_voices import read_voice
from audio_ml.weights import WeightStore
from bench import machine, results
from bench.markdown import decibels, megabytes, seconds, table
from tts.engines.kokoro import MODEL_FILE, SAMPLE_RATE

VOICE = "af_heart"
SENTENCE = (
    "ðə kwˈɪk bɹˈWn fˈɑks ʤˈʌmps ˌOvəɹ ðə lˈAzi dˈɔɡ nˌɪɹ ðə ɹˈɪvəɹ bˈæŋk tədˈA, ænd ˈɛvɹiwˌʌn hu sˈɔ ɪt wʌz "
    "dəlˈItᵻd bI ðə sˈIt ʌv sˈʌʧ ən ˈɛləɡənt ˈænəməl. "
)
CASES = {  # the symbols of each sentence
    "short": [60],
    "middle": [150],
    "long": [400],
    "eight sentences": [60, 150, 90, 120, 40, 110, 75, 140],
}
LONGEST = 400


@dataclass(frozen=True)
class Case:
    """One text, said by both sides in turn."""

    label: str
    n_symbols: int
    audio_seconds: float
    agreement_db: float
    peer_seconds: list[float]
    our_seconds: list[float]
    peer_cpu_seconds: list[float]
    our_cpu_seconds: list[float]


@dataclass(frozen=True)
class Findings:
    """The cases, and the largest memory of each side after a piece of `LONGEST` symbols."""

    row: str
    cases: list[Case]
    peer_peak_bytes: int
    our_peak_bytes: int


class Side:
    """A process that says phonemes."""

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=results.REPOSITORY
        )

    def say(self, texts: Sequence[str], save: Path | None = None) -> dict[str, Any]:
        """Returns what the process measured of itself."""
        assert self._process.stdin and self._process.stdout
        asked = {"texts": list(texts), "voice": VOICE, "save": str(save) if save else None}
        print(json.dumps(asked), file=self._process.stdin, flush=True)
        answer: dict[str, Any] = json.loads(self._process.stdout.readline() or sys.exit("A side ended early."))
        return answer

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


def main() -> None:
    """Measures, and writes the report."""
    arguments = _arguments()
    try:
        findings = _measure(arguments)
    except AudioMLError as error:
        sys.exit(str(error))
    head = machine.describe("bench.kokoro", sys.argv[1:], None)
    results.write(arguments.output, _report(f"{head}\n{_peer_versions(arguments.peer_python)}", findings), findings)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.kokoro", description="Compares with kokoro-onnx.")
    parser.add_argument("--peer-python", type=Path, required=True, metavar="PATH")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--row", default="kokoro", choices=["kokoro", "kokoro-int8"])
    parser.add_argument("--output", type=Path, default=None, metavar="FILE")
    arguments = parser.parse_args()
    arguments.output = arguments.output or results.REPOSITORY / "docs" / f"bench-{arguments.row}.md"
    return arguments


def _peer_versions(python: Path) -> str:
    names = ("kokoro-onnx", "onnxruntime", "numpy")
    code = f"from importlib.metadata import version; print(*(f'{{n}} {{version(n)}}' for n in {names}), sep=', ')"
    return (
        f"| peer | {subprocess.run([python, '-c', code], capture_output=True, text=True, check=True).stdout.strip()} |"
    )


def _measure(arguments: argparse.Namespace) -> Findings:
    files = WeightStore().open(catalogue.find("tts", arguments.row))
    with tempfile.TemporaryDirectory() as folder:
        voices = Path(folder) / "voices.npz"
        np.savez(voices, **{VOICE: read_voice(files[f"{VOICE}.bin"])[:, None]})
        script = str(Path(__file__).with_name("kokoro_process.py"))
        peer = Side([str(arguments.peer_python), script, "peer", str(files[MODEL_FILE]), str(voices)])
        ours = Side([sys.executable, "-m", "bench.kokoro_process", "ours", arguments.row])
        try:
            cases = [_compare(label, peer, ours, arguments.runs, Path(folder)) for label in CASES]
            peaks = [side.say([_symbols(LONGEST)])["peak_bytes"] for side in (peer, ours)]
        finally:
            peer.close()
            ours.close()
    return Findings(arguments.row, cases, *peaks)


def _symbols(n: int) -> str:
    return (SENTENCE * (n // len(SENTENCE) + 1))[:n].strip().ljust(n, ".")


def _compare(label: str, peer: Side, ours: Side, n_runs: int, folder: Path) -> Case:
    results.say(f"{label}: {n_runs} runs of each, in turn")
    texts = [_symbols(n) for n in CASES[label]]
    waveforms = []
    for side, name in ((peer, "peer.npy"), (ours, "ours.npy")):  # also warms up
        side.say(texts, folder / name)
        waveforms.append(np.load(folder / name).astype(np.float64))
    expected, found = waveforms
    if expected.shape != found.shape:
        sys.exit(f"The sides gave {len(expected)} and {len(found)} samples.")
    error = max(float(np.sum((expected - found) ** 2)), 1e-30)
    runs = [(peer.say(texts), ours.say(texts)) for _ in range(n_runs)]
    return Case(
        label,
        sum(CASES[label]),
        len(found) / SAMPLE_RATE,
        float(10 * np.log10(np.sum(expected**2) / error)),
        [theirs["seconds"] for theirs, _ in runs],
        [mine["seconds"] for _, mine in runs],
        [theirs["cpu_seconds"] for theirs, _ in runs],
        [mine["cpu_seconds"] for _, mine in runs],
    )


def _report(head: str, findings: Findings) -> str:
    rows = [
        [
            case.label,
            str(case.n_symbols),
            f"{case.audio_seconds:.1f} s",
            seconds(median(case.peer_seconds)),
            seconds(median(case.our_seconds)),
            f"**{median(case.peer_seconds) / median(case.our_seconds):.2f}**",
            f"{median(case.peer_cpu_seconds) / median(case.our_cpu_seconds):.2f}",
            f"{case.audio_seconds / median(case.our_seconds):.1f}",
            decibels(case.agreement_db),
        ]
        for case in findings.cases
    ]
    header = ["text", "symbols", "speech", "kokoro-onnx", "ours", "times faster", "times less CPU", "times real time"]
    return (
        f"# {findings.row} against kokoro-onnx\n\n{head}\n\n"
        f"The same model file, phonemes and voice on both sides; medians of {len(findings.cases[0].our_seconds)} warm "
        "calls in turn. Agreement is the energy of the peer's waveform over that of the difference.\n\n"
        + table([*header, "agreement"], rows)
        + f"\n\nPeak memory with a piece of {LONGEST} symbols: kokoro-onnx {megabytes(findings.peer_peak_bytes)}, "
        f"ours {megabytes(findings.our_peak_bytes)}.\n"
    )


if __name__ == "__main__":
    main()
