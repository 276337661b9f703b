"""Our HTDemucs against the package `demucs` with the same weights, and ONNX Runtime: speed, memory, agreement, SDR.

    python -m bench.htdemucs SONG... [--runs 3] [--long 10 30]

demucs gets an environment of its own below --work. The weights' terms have to be accepted first:
`audio-ml models accept htdemucs`. Where true stems lie beside a SONG (vocals, drums, other), SDR is told too.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from audio_ml import catalogue
from audio_ml.errors import AudioMLError
from audio_ml.weights import WeightStore
from bench import htdemucs_agreement, htdemucs_report, htdemucs_runs, machine, results, songs
from bench.demucs_peer import MODEL, Peer, PeerUnavailable, peer
from bench.htdemucs_report import Findings
from bench.measure import CommandFailed
from bench.reference import default_work_folder


def main() -> None:
    """Measures, and writes the report."""
    arguments = _arguments()
    try:
        WeightStore().pull(catalogue.find("separation", MODEL))
        with peer(arguments.work, arguments.peer_python) as demucs:
            head = machine.describe("bench.htdemucs", sys.argv[1:], None)
            for findings in _measure(arguments, demucs):
                results.write(arguments.output, htdemucs_report.render(head, findings), findings)
    except (PeerUnavailable, CommandFailed, AudioMLError) as error:
        sys.exit(str(error))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.htdemucs", description="Compares with demucs.")
    parser.add_argument("songs", nargs="*", type=Path, metavar="SONG")
    parser.add_argument("--runs", type=int, default=3, help="runs of each side on each song")
    parser.add_argument("--timed", type=int, metavar="N", help="time only the first N songs; all by default")
    parser.add_argument("--long", type=int, nargs="*", default=[], metavar="MINUTES", help="also files made so long")
    parser.add_argument("--peer-python", type=Path, metavar="PATH", help="an interpreter that has demucs")
    parser.add_argument("--work", type=Path, default=default_work_folder(), metavar="DIR", help="for large files")
    parser.add_argument(
        "--output", type=Path, default=results.REPOSITORY / "docs" / "bench-htdemucs.md", metavar="FILE"
    )
    return parser.parse_args()


def _measure(arguments: argparse.Namespace, demucs: Peer) -> Iterator[Findings]:
    """Takes the timed runs first, while nothing else of ours is in memory; the long files come last."""
    chosen = songs.find(arguments.songs)
    comparisons = []
    for song in chosen[: arguments.timed]:
        results.say(f"{song.label}: {arguments.runs} runs of each side, in turn")
        comparisons.append(htdemucs_runs.compare(song, demucs, arguments.runs))
    results.say("the networks alone")
    bound = htdemucs_runs.bound(demucs, arguments.runs)
    agreements = list(htdemucs_agreement.measure(chosen, demucs))
    findings = Findings(comparisons, {}, bound, agreements, demucs.versions(), htdemucs_runs.load())
    yield findings
    for minutes in arguments.long:
        findings.long_files.update(htdemucs_runs.long_file(chosen[0], demucs, minutes, arguments.work))
        yield findings


if __name__ == "__main__":
    main()
