"""How good cloned voices are: alike, understood, clean, quick, beside the people and a voice not cloned. Writes tables.

    python -m bench.clone --data FOLDER [--each N] [--choosing NAME ...]

FOLDER holds a folder of recordings for each person, whose first ten seconds make the voice. Settings were chosen on the
people that --choosing names; what counts is the mean of the others. The report is written anew after each person, so
that a run that is cut short leaves what it found.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

from audio_ml.loader import ModelLoader
from audio_ml.progress import Progress
from bench import clone_report, machine, results
from ui.cloning import Cloning
from voiceclone.evaluation import CloneEvaluation, read_sentences, read_subjects, shares, stream_clones

CHOOSING = ("1688", "2033")
EACH = 8
QUICK_EACH = 2
CONSENT = "LibriSpeech volunteers, 2015-01-01, research under CC BY 4.0"


@dataclass(frozen=True)
class Findings:
    """What was found of the voices, and of those made in seconds; settings were chosen on the people of `choosing`."""

    cloned: CloneEvaluation
    quick: CloneEvaluation
    choosing: tuple[str, ...]
    likeness: float


def main() -> None:
    """Measures, and writes the report."""
    arguments = _arguments()
    head = machine.describe("bench.clone", sys.argv[1:], None)
    loader = ModelLoader(arguments.device)
    subjects = read_subjects(arguments.data)
    subjects = tuple(each for each in subjects if not arguments.person or each.name in arguments.person)
    choosing = tuple(arguments.choosing or CHOOSING)
    enrol = dict(pair.split("=", 1) for pair in arguments.enrol)
    cloned, quick = [], []
    for is_quick, n_sentences, found in ((False, arguments.each, cloned), (True, arguments.quick_each, quick)):
        if not n_sentences:
            continue
        options = {"likeness": arguments.likeness}
        cloning = Cloning(arguments.consent, loader, Progress(), arguments.model, {"quick": is_quick, **enrol}, options)
        clones = stream_clones(
            subjects,
            shares(read_sentences(), len(subjects), n_sentences),
            enroll=cloning.enroll,
            speak=cloning.speak,
            built_in=None if is_quick else cloning.built_in,
            loader=loader,
        )
        for clone in clones:
            results.say(f"{clone.name}{' (quick)' if is_quick else ''} is judged")
            found.append(clone)
            findings = Findings(
                CloneEvaluation(tuple(cloned)), CloneEvaluation(tuple(quick)), choosing, arguments.likeness
            )
            results.write(arguments.output, clone_report.render(head, findings), findings)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.clone", description="How good cloned voices are.")
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="a folder for each person")
    parser.add_argument("--person", action="append", metavar="NAME", help="only these people")
    parser.add_argument("--choosing", action="append", metavar="NAME", help=f"by default {' and '.join(CHOOSING)}")
    parser.add_argument("--each", type=int, default=EACH, metavar="N", help="sentences of each voice")
    parser.add_argument("--quick-each", type=int, default=QUICK_EACH, metavar="N", help="of those made in seconds")
    parser.add_argument("--likeness", type=float, default=1.0, metavar="X", help="from clean (0) to alike (1)")
    parser.add_argument("--enrol", action="append", default=[], metavar="NAME=VALUE", help="an option of enrolment")
    parser.add_argument("--model", metavar="NAME", help="what speaks")
    parser.add_argument("--consent", default=CONSENT, help="who agreed, when and to what")
    parser.add_argument("--device", default="cpu", help="auto, cpu or cuda")
    output = results.REPOSITORY / "docs" / "bench-clone.md"
    parser.add_argument("--output", type=Path, default=output, metavar="FILE")
    return parser.parse_args()


if __name__ == "__main__":
    main()
