"""Speaks a cue sheet: the first input is the sheet, the others are lexicons; `cast` says who speaks whom."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from audio_ml.errors import InvalidInput, InvalidOption
from audio_ml.loader import ModelLoader
from audio_ml.options import parse
from audio_ml.speech import Speech
from audio_ml.timecode import find_frame_rate
from tts.cues import (
    Casting,
    Cue,
    CueOptions,
    Part,
    Sheet,
    SheetPreview,
    TextToSpeech,
    preview_sheet,
    read_sheet,
    render_sheet,
)
from tts.cues.columns import check_choices
from tts.cues.state import JOURNAL_NAME, LOCK_NAME
from tts.voices import find_speaker
from ui.server.request import JobRequest
from ui.server.tasks import Work

TAKES = frozenset({"voice", "cast"})
N_INPUTS = (1, 10)
READS_SOUND = False
LAST_SECOND = Fraction(24 * 3600 - 1)  # of a day, before which every guide track begins


def check(request: JobRequest) -> None:
    cue_options, _ = _parted(request)
    if "lexicon" in request.options:
        raise InvalidOption("Option 'lexicon' names files of the server: send lexicons as further inputs.")
    if request.delivery:
        raise InvalidOption("Cues are 48 kHz WAV of 24 bits: leave out 'delivery'.")
    chosen = parse(CueOptions, cue_options)
    if chosen.overwrite:
        raise InvalidOption("Option 'overwrite' means nothing here: a job has a folder of its own.")
    check_choices(chosen.columns)
    rate = find_frame_rate(chosen.frame_rate)
    cues = tuple(
        Cue(number, str(number), character, "One line.", LAST_SECOND)
        for number, character in enumerate([*request.cast, ""], start=1)
    )
    foretell(request, Sheet(Path("sheet.csv"), rate, cues), ())  # a sheet in which everybody has a line


def cloned(request: JobRequest) -> list[str]:
    speakers = [find_speaker(voice, request.model) for voice in (request.voice, *request.cast.values())]
    return list(dict.fromkeys(speaker.cloned.name for speaker in speakers if speaker.cloned is not None))


def foretell(request: JobRequest, sheet: Sheet, lexicons: tuple[str, ...]) -> SheetPreview:
    """Returns what a request asks for, with a sheet that was read; nothing is spoken."""
    cue_options, voice_options = _parted(request)
    return preview_sheet(
        sheet,
        speaker=TextToSpeech(ModelLoader("cpu"), request.model),
        casting=_casting(request),
        options=cue_options,
        voice_options=_with_lexicons(voice_options, lexicons),
    )


def run(work: Work) -> dict[str, Any]:
    request, (path, *lexicons) = work.request, work.inputs
    cue_options, voice_options = _parted(request)
    chosen = parse(CueOptions, cue_options)
    sheet = read_sheet(path, find_frame_rate(chosen.frame_rate), chosen.columns)
    report = render_sheet(
        sheet,
        work.folder,
        speaker=_Announced(work.loader, request.model, frozenset(cloned(request))),
        casting=_casting(request),
        options=chosen,
        voice_options=_with_lexicons(voice_options, tuple(map(str, lexicons))),
        progress=work.progress,
    )
    for name in (LOCK_NAME, JOURNAL_NAME):
        (work.folder / name).unlink(missing_ok=True)
    files = [{"path": take.file, "duration_seconds": take.seconds} for take in report.takes]
    facts = {"sheet": path.name, "frame_rate": chosen.frame_rate, "fit": chosen.fit, "files": files}
    return report.as_dict() | facts | {"session_files": list(report.files)}


def in_words(report: Mapping[str, Any]) -> list[str]:
    over = sum(take["status"] == "over" for take in report["takes"])
    seconds = sum(file["duration_seconds"] for file in report["files"])
    told = [f"{report['done']} of {report['rows']} cues are spoken, {seconds:.1f} s of sound."]
    if report["failed"]:
        told.append(f"{report['failed']} could not be spoken.")
    if report["takes"]:
        told.append(f"Takes that are longer than their slot: {over}." if over else "Every take fits its slot.")
    return told


class _Announced(TextToSpeech):
    """Says lines with the cloned voices of the request alone, which is all that the audit log has been told of."""

    def __init__(self, loader: ModelLoader, model: str | None, voices: frozenset[str]) -> None:
        super().__init__(loader, model)
        self._announced = voices

    def say(self, line: str, voice: str, options: Mapping[str, Any]) -> Speech:
        for heard, _ in self.cloned(line, voice, options):
            if heard.name not in self._announced:
                raise InvalidInput(f"The line calls the cloned voice '{heard.name}': cast it for a character first.")
        return super().say(line, voice, options)


def _parted(request: JobRequest) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the options of the sheet and those of the voices."""
    of_sheet = {name: value for name, value in request.options.items() if name in CueOptions.model_fields}
    return of_sheet, {name: value for name, value in request.options.items() if name not in of_sheet}


def _casting(request: JobRequest) -> Casting:
    default = request.voice or find_speaker(None, request.model).id
    return Casting({name: Part(voice) for name, voice in request.cast.items()}, Part(default))


def _with_lexicons(options: Mapping[str, Any], lexicons: tuple[str, ...]) -> dict[str, Any]:
    return {**options, "lexicon": lexicons} if lexicons else dict(options)
