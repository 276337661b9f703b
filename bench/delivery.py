"""What stems keep of a delivered file, against real Spleeter, and its proofs. Writes a report, and JSON beside.

    python -m bench.delivery [SONG] [--voice FILE] [--runs 3] [--long]

Without a song it takes the example that can be fetched by name.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from audio_ml.errors import AudioMLError
from bench import (
    delivery_identity,
    delivery_long,
    delivery_lossy,
    delivery_meters,
    delivery_null,
    delivery_readers,
    delivery_report,
    delivery_soak,
    delivery_sources,
    machine,
    results,
    songs,
)
from bench.delivery_report import Findings
from bench.measure import CommandFailed
from bench.reference import Reference, ReferenceUnavailable, default_work_folder, reference

SOAK_SECONDS = 2.0


def main() -> None:
    """Measures, and writes the report."""
    arguments = _arguments()
    try:
        with reference(arguments.work, arguments.reference_python) as spleeter:
            head = machine.describe("bench.delivery", sys.argv[1:], spleeter.versions())
            head += f"\n| readers | {delivery_readers.versions()} |"
            findings = _measure(arguments, spleeter)
    except (ReferenceUnavailable, CommandFailed, AudioMLError) as error:
        sys.exit(str(error))
    results.write(arguments.output, delivery_report.render(head, findings), findings)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.delivery", description="Compares with real Spleeter.")
    parser.add_argument("song", nargs="?", type=Path, metavar="SONG")
    parser.add_argument("--voice", type=Path, metavar="FILE", help="the song's voice alone; else our model's vocals")
    parser.add_argument("--runs", type=int, default=3, help="runs of each side")
    parser.add_argument("--long", action="store_true", help="also two hours, and more than 4 GiB: 14 GB of disk")
    parser.add_argument("--reference-python", type=Path, metavar="PATH", help="an interpreter that has Spleeter")
    parser.add_argument("--work", type=Path, default=default_work_folder(), metavar="DIR", help="for large files")
    parser.add_argument(
        "--output", type=Path, default=results.REPOSITORY / "docs" / "bench-delivery.md", metavar="FILE"
    )
    return parser.parse_args()


def _measure(arguments: argparse.Namespace, spleeter: Reference) -> Findings:
    (song,) = songs.find([arguments.song] if arguments.song else [])
    results.say("a reel, with all that it carries")
    reel = delivery_identity.reel(song, spleeter, arguments.runs)
    results.say("5.1 with the voice in the centre")
    surround = delivery_identity.surround(song, arguments.voice, spleeter, arguments.runs)
    results.say("stems that add up, by rate and depth")
    nulls = list(delivery_null.measure(song))
    results.say("lossy formats")
    lags = list(delivery_lossy.measure(song))
    results.say("a hundred jobs")
    with tempfile.TemporaryDirectory() as folder:
        short = delivery_sources.write_reel(Path(folder) / "short.wav", song, SOAK_SECONDS)
        soak = delivery_soak.measure(short, SOAK_SECONDS)
    results.say("what the report costs")
    cost = delivery_meters.measure(song)
    long_files, large = {}, None
    if arguments.long:
        results.say("two hours")
        long_files = delivery_long.long_files(song, arguments.work)
        results.say("more than 4 GiB")
        large = delivery_long.large_file(song, arguments.work)
    is_recorded = arguments.voice is not None
    return Findings(song, is_recorded, reel, surround, nulls, lags, soak, cost, long_files, large)


if __name__ == "__main__":
    main()
