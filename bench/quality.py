"""How good the stems are, on songs whose true stems are known, beside real Spleeter. Writes a Markdown table.

    python -m bench.quality --data FOLDER

FOLDER holds a folder per song with `mixture` and `vocals` as FLAC or WAV, stereo at 44.1 kHz.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

from audio_ml.audio import Audio, Samples
from audio_ml.loader import ModelLoader
from audio_ml.streams import read_audio
from bench import machine
from bench.agreement import our_stems
from bench.markdown import table
from bench.metrics import agreement_db
from bench.reference import Reference, ReferenceUnavailable, default_work_folder, reference

REPOSITORY = Path(__file__).resolve().parents[1]
OURS: dict[str, dict[str, object]] = {
    "ours, exact": {"exact": True},
    "ours, default": {},
    "ours, overlap 0.5": {"overlap": 0.5},
}


def main() -> None:
    """Measures, and writes the report."""
    arguments = _arguments()
    songs = {folder.name: _read(folder) for folder in _folders(arguments.data)}
    with ExitStack() as stack:
        spleeter = None
        try:
            spleeter = stack.enter_context(reference(arguments.work, arguments.reference_python))
        except ReferenceUnavailable as error:
            print(f"without real Spleeter: {error}", file=sys.stderr)
        rows = [[name, *scores] for name, scores in _scores(songs, spleeter)]
        head = machine.describe("bench.quality", sys.argv[1:], spleeter.versions() if spleeter else None)
    report = _render(head, list(songs), rows)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(report, encoding="utf-8")
    print(report)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.quality", description="SDR against true stems.")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="a folder per song")
    parser.add_argument("--reference-python", type=Path, metavar="PATH", help="an interpreter that has Spleeter")
    parser.add_argument("--work", type=Path, default=default_work_folder(), metavar="DIR", help="for the environment")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "docs" / "bench-quality.md", metavar="FILE")
    return parser.parse_args()


def _folders(data: Path) -> list[Path]:
    folders = sorted(path.parent for path in data.glob("*/mixture.*"))
    if not folders:
        sys.exit(f"{data} has no folder with a mixture in it.")
    return folders


def _read(folder: Path) -> tuple[Audio, dict[str, Samples]]:
    """Returns the mixture of a song and its true stems; the accompaniment is the mixture without the vocals."""
    mixture, vocals = (read_audio(next(folder.glob(f"{name}.*"))) for name in ("mixture", "vocals"))
    return mixture, {"vocals": vocals.samples, "accompaniment": mixture.samples - vocals.samples}


def _scores(
    songs: dict[str, tuple[Audio, dict[str, Samples]]], spleeter: Reference | None
) -> Iterator[tuple[str, list[str]]]:
    """Yields what each separation reaches on every song."""
    mixtures = [mixture for mixture, _ in songs.values()]
    truths = [truth for _, truth in songs.values()]
    loader = ModelLoader("cpu")
    if spleeter is not None:
        yield "real Spleeter", list(map(_score, truths, spleeter.separate(mixtures)))
    for name, options in OURS.items():
        yield name, [_score(truth, our_stems(mixture, loader, **options)) for mixture, truth in zip(mixtures, truths)]  # noqa: B905
    yield (
        "the mixture itself",
        [_score(truth, dict.fromkeys(truth, mixture.samples)) for mixture, truth in songs.values()],
    )


def _score(truth: Mapping[str, Samples], stems: Mapping[str, Samples]) -> str:
    """Returns the SDR of the vocals and of the accompaniment."""
    return " / ".join(f"{agreement_db(truth[name], stems[name]):.2f}" for name in truth)


def _render(head: str, songs: list[str], rows: list[list[str]]) -> str:
    return (
        "# Quality of separation\n\n"
        f"{head}\n\n"
        "SDR in dB, vocals / accompaniment: 10 log10 of the energy of the true stem over that of the difference, over "
        "the whole file. The true accompaniment is the mixture without the vocals.\n\n"
        f"{table(['', *songs], rows)}\n"
    )


if __name__ == "__main__":
    main()
