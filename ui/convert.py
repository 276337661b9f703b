"""`audio-ml convert`: recorded speech in a cloned voice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from audio_ml.device import DeviceOptions
from audio_ml.streams import show
from audio_ml.voice_library import find_voice
from audio_ml.weights import FetchOptions
from audio_ml.writer import check_target
from ui import remote
from ui.commands import new_app
from ui.console import print_line, shown_progress
from ui.flags import takes
from ui.models import store_for
from voiceclone.engines.kokoro_convert import CONVERT
from voiceclone.options import CloneOptions

app = new_app()


@app.command()
@takes(options=[CloneOptions, CONVERT.options], device=[DeviceOptions], fetch=[FetchOptions])
def convert(
    recording: Annotated[Path, typer.Argument(metavar="FILE", help="A recording of speech.", show_default=False)],
    *,
    voice: Annotated[
        str, typer.Option("-v", "--voice", help="A voice that was enrolled with `audio-ml voices enroll`, or its file.")
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="OUT",
            help="NAME-VOICE.wav by default. The ending says the format.",
            dir_okay=False,
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that exists.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but warnings and errors.")] = False,
    options: dict[str, Any],
    device: dict[str, Any],
    fetch: dict[str, Any],
) -> None:
    """Lend a cloned voice to recorded speech: the same words at the same times, as long to the sample.

    The file keeps the recording's timecode and metadata. Its sound is marked as made by a machine, which cannot be
    heard.
    """
    server = remote.chosen()
    if server is not None:
        from ui.remote_conversion import check_voice, convert_remotely

        remote.refuse_flags((device, DeviceOptions), (fetch, FetchOptions))
        name = check_voice(voice)
    else:
        known = find_voice(voice)
        name = known.name
    target = output or Path(f"{recording.stem}-{name}.wav")
    check_target(target, overwrite)
    with shown_progress(show(recording.name), quiet or as_json) as progress:
        if server is not None:
            report = convert_remotely(server, recording, target, name, options, overwrite, progress)
        else:
            import tts
            from audio_ml.loader import ModelLoader
            from voiceclone.conversion_file import convert_file

            given: dict[str, Any] = {"options": options, "overwrite": overwrite, "progress": progress}
            loader = ModelLoader(device.get("device", "auto"), store_for(fetch))
            report = convert_file(recording, target, known, speller=tts.spell, loader=loader, **given)
    for warning in report.warnings:
        print_line(f"audio-ml: {warning}")
    if as_json:
        print(json.dumps(report.as_dict(), indent=2, ensure_ascii=False))
    elif not quiet:
        print(f"{report.n_samples / report.sample_rate:.1f} s in the voice {name}: {show(target)}")
