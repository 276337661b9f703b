"""Our separation against real Spleeter: speed, memory, agreement. Writes a report in Markdown, and JSON beside.

    python -m bench.separation SONG... [--runs 3] [--long]

Without a song it takes the example that can be fetched by name.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from audio_ml import catalogue
from audio_ml.errors import AudioMLError
from audio_ml.weights import WeightStore
from bench import agreement, machine, processes, results, roofline, separation_report, songs, stored_reference
from bench.measure import CommandFailed
from bench.reference import MODEL, Reference, ReferenceUnavailable, default_work_folder, reference
from bench.separation_report import Findings
from separation.spleeter_configuration import TWO_STEMS


def main() -> None:
    """Measures, and writes the report."""
    arguments = _arguments()
    try:
        with reference(arguments.work, arguments.reference_python) as spleeter:
            if arguments.write_reference:
                stored_reference.write(spleeter)
                return
            head = machine.describe("bench.separation", sys.argv[1:], spleeter.versions())
            findings = _measure(arguments, spleeter)
    except (ReferenceUnavailable, CommandFailed, AudioMLError) as error:
        sys.exit(str(error))
    results.write(arguments.output, separation_report.render(head, findings), findings)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.separation", description="Compares with real Spleeter.")
    parser.add_argument("songs", nargs="*", type=Path, metavar="SONG")
    parser.add_argument("--runs", type=int, default=3, help="runs of each side on each song")
    parser.add_argument("--long", action="store_true", help="also files of ten minutes and two hours, made for it")
    parser.add_argument("--reference-python", type=Path, metavar="PATH", help="an interpreter that has Spleeter")
    parser.add_argument("--work", type=Path, default=default_work_folder(), metavar="DIR", help="for large files")
    parser.add_argument(
        "--output", type=Path, default=results.REPOSITORY / "docs" / "bench-separation.md", metavar="FILE"
    )
    parser.add_argument("--write-reference", action="store_true", help="only write tests/data/spleeter_reference.npz")
    return parser.parse_args()


def _measure(arguments: argparse.Namespace, spleeter: Reference) -> Findings:
    """Takes the timed runs first, while nothing else of ours is in memory."""
    WeightStore().pull(catalogue.find("separation", MODEL))
    chosen = songs.find(arguments.songs)
    longest = max(chosen, key=lambda song: song.duration_seconds)
    comparisons = []
    for song in chosen:
        results.say(f"{song.label}: {arguments.runs} runs of each, in turn")
        comparisons.append(processes.compare(song, spleeter, arguments.runs))
    results.say("first run, with an empty cache")
    first = processes.first_run(longest)
    helps = processes.help_runs()
    long_files = {}
    if arguments.long:
        results.say("long files")
        long_files = processes.long_files(longest, arguments.work)
    results.say("the networks alone")
    bound = roofline.measure(round(longest.duration_seconds * TWO_STEMS.sample_rate))
    results.say("agreement")
    agreements = list(agreement.measure(chosen, spleeter))
    return Findings(comparisons, longest, first, helps, long_files, bound, agreements)


if __name__ == "__main__":
    main()
