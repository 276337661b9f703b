"""Recorded speech in a cloned voice, by a server."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audio_ml.errors import OutputExists
from audio_ml.formats import find_format
from audio_ml.progress import Progress
from audio_ml.streams import show
from audio_ml.voice_library import ID_PREFIX
from ui.remote import Remote, check_readable, plain, read_report, refuse_voice_files

if TYPE_CHECKING:
    from voiceclone.conversion_file import ConversionReport


def check_voice(voice: str) -> str:
    """Returns the bare name of a voice of the server's library; raises `InvalidOption` for a file of this machine."""
    refuse_voice_files(voice)
    return voice.removeprefix(ID_PREFIX)


def convert_remotely(
    remote: Remote,
    recording: Path,
    target: Path,
    voice: str,
    options: Mapping[str, Any],
    overwrite: bool,
    progress: Progress,
) -> ConversionReport:
    """Returns the server's report with the files of this machine in it; raises as `convert_file`."""
    from voiceclone.conversion_file import ConversionReport

    format = find_format(target)
    check_readable(recording)
    if target.exists() and target.samefile(recording):
        raise OutputExists(f"{show(target)} is the recording itself: choose another folder or name.")
    report = remote.run(
        "convert",
        progress,
        inputs=[recording],
        voice=voice,
        options=plain(options),
        delivery={"format": format.name},
        place=lambda name: target,
        overwrite=overwrite,
    )
    return read_report(ConversionReport, report, source=os.fspath(recording), path=os.fspath(target))
