"""The numbers of text to speech: speed, first sound, long texts, times of words, control. Writes a report, and JSON.

    python -m bench.speech [--quick] [--only PART ...] [--runs 5]

Quality (word errors, DNSMOS) is measured by `bench.speech_quality`, Kokoro against its own front end by `bench.kokoro`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from audio_ml.errors import AudioMLError
from audio_ml.weights import WeightStore
from bench import (
    machine,
    results,
    speech_borders,
    speech_commands,
    speech_control,
    speech_first,
    speech_long,
    speech_report,
)
from bench.measure import CommandFailed
from bench.speech_report import Findings
from tts.voices import Speaker, find_speaker, speech_models

PARTS = ("commands", "first", "long", "borders", "control")
LENGTHS = {5_000: True, 50_000: True, 200_000: False}  # of long texts in characters: whether a judge hears them
QUICK_LENGTHS = {5_000: True, 50_000: False}
N_TEXTS, QUICK_N_TEXTS = 30, 8  # of single words, in each form
QUICK_RUNS = 2


def main() -> None:
    """Measures, and writes the report."""
    arguments = _arguments()
    head = machine.describe("bench.speech", sys.argv[1:], None)
    try:
        findings = _measure(arguments)
    except (CommandFailed, AudioMLError) as error:
        sys.exit(str(error))
    results.write(arguments.output, speech_report.render(head, findings), findings)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.speech", description="Measures text to speech.")
    parser.add_argument(
        "--quick", action="store_true", help="fewer runs and texts, and no chapter of 200,000 characters"
    )
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--runs", type=int, help="runs of each text: 5, quick 2")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()), metavar="DIR", help="for large files")
    output = results.REPOSITORY / "docs" / "bench-speech.md"
    parser.add_argument("--output", type=Path, default=output, metavar="FILE")
    return parser.parse_args()


def _measure(arguments: argparse.Namespace) -> Findings:
    """Takes whole processes first, while no model is in this one's memory."""
    n_runs = arguments.runs or (QUICK_RUNS if arguments.quick else 5)
    findings = Findings([], [], [], [], [], [])
    if "commands" in arguments.only:
        for label in speech_commands.TEXTS:
            results.say(f"{label}: {n_runs} runs of each side, in turn")
            findings.comparisons.append(speech_commands.compare(label, n_runs))
    if "long" in arguments.only:
        for n_characters, is_judged in (QUICK_LENGTHS if arguments.quick else LENGTHS).items():
            results.say(f"a text of {n_characters:,} characters")
            findings.long_texts.append(speech_long.speak(n_characters, arguments.work, is_judged=is_judged))
    if "first" in arguments.only:
        results.say("first sound")
        findings.first_sounds.extend(speech_first.measure(n_runs))
    if {"borders", "control"} & set(arguments.only):
        _measure_voices(findings, arguments.only, QUICK_N_TEXTS if arguments.quick else N_TEXTS)
    return findings


def _measure_voices(findings: Findings, parts: Sequence[str], n_texts: int) -> None:
    for speaker in _speakers():
        try:
            if "borders" in parts:
                results.say(f"times of words, {speaker.spec.name}")
                findings.borders.extend(speech_borders.measure(speaker, n_texts))
            if "control" in parts:
                results.say(f"control, {speaker.spec.name}")
                findings.controls.append(speech_control.measure(speaker))
        except AudioMLError as error:
            findings.skipped.append(f"{speaker.spec.name}: {error}")


def _speakers() -> list[Speaker]:
    """Returns hibari, and of Kokoro and Piper the first model whose files are here."""
    store = WeightStore()
    here = {spec.family: spec for spec in reversed(speech_models()) if store.find_folder(spec)}
    return [find_speaker(None, spec) for spec in (find_speaker().spec, *map(here.get, ("kokoro", "piper"))) if spec]


if __name__ == "__main__":
    main()
