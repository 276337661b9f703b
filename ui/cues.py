"""`audio-ml cues`: a cue sheet to temp voiceover, with guide track, tables and sessions."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from audio_ml import device as devices
from audio_ml.device import DeviceOptions
from audio_ml.errors import Cancelled, PartialFailure
from audio_ml.options import Options, parse
from audio_ml.streams import show
from audio_ml.timecode import find_frame_rate
from audio_ml.weights import FetchOptions
from tts.cues.options import CueOptions
from tts.cues.report import CueReport
from tts.options import DEFAULT_VOICE
from tts.voices import option_models
from ui.commands import new_app
from ui.console import shown_progress
from ui.flags import takes
from ui.models import store_for

VOICE_OPTIONS: list[type[Options]] = [*option_models()]
MOST_LINES = 20  # of one kind that are printed; the table has them all


app = new_app()


@app.command()
@takes(cue_options=[CueOptions], voice_options=VOICE_OPTIONS, device=[DeviceOptions], fetch=[FetchOptions])
def cues(
    sheet: Annotated[Path, typer.Argument(metavar="SHEET", help="A CSV, TSV or XLSX file.", show_default=False)],
    *,
    out_dir: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Folder of the files.")] = Path("cues"),
    casting: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="YAML with the voice of each character: `voices: {HERO: kokoro/am_michael}`."
        ),
    ] = None,
    voice: Annotated[str, typer.Option(help="Voice of every character that the casting does not have.")] = "",
    model: Annotated[str | None, typer.Option("-m", "--model", help="See `audio-ml models list`.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but warnings and errors.")] = False,
    cue_options: dict[str, Any],
    voice_options: dict[str, Any],
    device: dict[str, Any],
    fetch: dict[str, Any],
) -> None:
    """Speak a cue sheet: a timecoded file for each cue, a guide track, a table for checking, and sessions.

    The sheet has a header with columns for cue, timecode in and line, and may have character, timecode out or duration,
    notes, scene and reel. audio-ml-cues.json in the output folder remembers what was done: run the same command again
    and it does the lines that changed, whatever the revised sheet is called. Without a casting every character has the
    default voice, hibari/heart.
    """
    from audio_ml.loader import ModelLoader
    from tts.cues import Casting, Part, TextToSpeech, read_casting, read_sheet, render_sheet
    from tts.voices import find_speaker

    chosen = parse(CueOptions, cue_options)
    if "frame_rate" not in cue_options and not quiet:
        told = f"Timecodes count {chosen.frame_rate} frames a second; --frame-rate says otherwise."
        print(f"audio-ml: {told}", file=sys.stderr)
    device_name = device.get("device", "auto")
    devices.resolve(device_name)
    cast = read_casting(casting, voice=voice or None) if casting else Casting(default=Part(voice or DEFAULT_VOICE))
    read = read_sheet(sheet, find_frame_rate(chosen.frame_rate), chosen.columns)
    speaker = TextToSpeech(ModelLoader(device_name, store_for(fetch)), model)
    if voice:
        find_speaker(voice, model)  # one that does not fit is told even if nobody needs it
    try:
        with shown_progress(show(sheet.name), quiet or as_json) as progress:
            report = render_sheet(
                read,
                out_dir,
                speaker=speaker,
                casting=cast,
                options=chosen,
                voice_options=voice_options,
                progress=progress,
            )
    except KeyboardInterrupt:
        raise Cancelled("Stopped; the cues that are complete are kept, and the same command goes on.") from None
    if as_json:
        print(json.dumps(report.as_dict(), indent=2))
    elif not quiet:
        _print_summary(report)
    _tell(report)


def _print_summary(report: CueReport) -> None:
    print(f"{report.n_done} of {report.n_rows} cues are done, {report.n_new} files new, in {show(report.folder)}")
    for take in report.over[:MOST_LINES]:
        done = f" ({take.fit})" if take.fit else ""
        over = f"{take.excess_ms:.0f} ms or {take.excess_frames:.1f} frames"
        print(f"{take.file} is {over} longer than its slot{done}")
    if len(report.over) > MOST_LINES:
        print(f"{len(report.over) - MOST_LINES} more are too long: see qc.csv")


def _tell(report: CueReport) -> None:
    """Prints warnings and problems; raises `PartialFailure` when there are problems."""
    warnings = [*report.warnings, *(f"{take.file}: {text}" for take in report.takes for text in take.warnings)]
    for warning in warnings[:MOST_LINES]:
        print(f"audio-ml: {warning}", file=sys.stderr)
    if len(warnings) > MOST_LINES:
        print(f"audio-ml: {len(warnings) - MOST_LINES} more warnings: see qc.json.", file=sys.stderr)
    for problem in report.problems:
        print(f"audio-ml: {problem}", file=sys.stderr)
    if report.problems:
        raise PartialFailure(f"{report.n_failed} of {report.n_rows} cues failed.")
