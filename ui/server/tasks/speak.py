"""Speaks a text; the inputs are lexicons, whose entries count from the first to the last."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import tts
from audio_ml.cloned_voice import RESERVED_NAMES
from audio_ml.errors import InvalidOption
from audio_ml.formats import FORMATS, FormatName
from audio_ml.loader import ModelLoader
from audio_ml.options import parse
from tts.api import cloned_voices_in
from tts.captions import write_beside
from tts.delivery import SpeechReport, write_copies
from tts.options import SpeechFileOptions
from ui.server.request import JobRequest
from ui.server.tasks import Work

TAKES = frozenset({"text", "voice", "cast"})
N_INPUTS = (0, 10)
READS_SOUND = False
CAPTIONS = ("srt", "vtt", "json", "txt")
FILENAME = "speech"
BETWEEN = " .,'+-"  # what may stand between the letters and figures of a name
LONGEST_NAME = 200  # bytes of UTF-8, of the 255 that a name may have with its ending
TAKEN_NAMES = ("outcome", "view")  # of files that a job writes beside the speech
NAME_RULE = (
    f"it is a name of letters, figures and blanks, of {LONGEST_NAME} bytes at most, that no system keeps for itself"
)


def check(request: JobRequest) -> None:
    check_delivery(request)
    tts.stream(  # raises what is wrong; nothing is spoken before the first chunk is asked for
        request.text or "",
        request.voice,
        model=request.model,
        options=request.options,
        cast=request.cast,
        loader=ModelLoader("cpu"),
    )


@dataclass(frozen=True)
class Beside:
    """What is written beside a file of speech: kinds of captions, and the same sound in further formats."""

    captions: tuple[str, ...]
    formats: tuple[FormatName, ...]
    filename: str = FILENAME

    def path(self, folder: Path, form: SpeechFileOptions) -> Path:
        """Returns the file of the speech."""
        return folder / f"{self.filename}.{form.format or 'wav'}"

    def write(self, report: SpeechReport) -> dict[str, Any]:
        """Writes it all, and returns the report of the speech and of that."""
        told = {"captions": write_beside(report, self.captions), "copies": write_copies(report, self.formats)}
        return report.as_dict() | told


def check_delivery(request: JobRequest) -> tuple[SpeechFileOptions, Beside]:
    """Returns the form of the files, and what is wanted beside each of them.

    Raises:
        InvalidOption: for what they cannot be.
    """
    if "lexicon" in request.options:
        raise InvalidOption("Option 'lexicon' names files of the server: send lexicons as inputs.")
    form = dict(request.delivery)
    captions = _listed("captions", form.pop("captions", []), CAPTIONS)
    also = _listed("also", form.pop("also", []), tuple(FORMATS))
    filename = _plain_name(form.pop("filename", FILENAME))
    options = parse(SpeechFileOptions, form)
    if also and (options.format == "raw" or (options.format or "wav") in also):
        raise InvalidOption(f"Option 'also' names further formats beside {options.format or 'wav'}.")
    return options, Beside(captions, cast(tuple[FormatName, ...], also), filename)


def _plain_name(given: Any) -> str:
    """Returns a name for files without its ending, such as any system takes."""
    name = unicodedata.normalize("NFC", given) if isinstance(given, str) else ""
    is_plain = all(c == "_" or c in BETWEEN or unicodedata.category(c)[0] in "LMN" for c in name)
    is_free = name.casefold() not in {*TAKEN_NAMES, *RESERVED_NAMES}
    if not (name and is_plain and name == name.strip(BETWEEN) and len(name.encode()) <= LONGEST_NAME and is_free):
        raise InvalidOption(f"Option 'filename' cannot be {given!r}: {NAME_RULE}.")
    return name


def _listed(name: str, given: Any, known: tuple[str, ...]) -> tuple[str, ...]:
    if not isinstance(given, list) or any(each not in known for each in given):
        raise InvalidOption(f"Option '{name}' cannot be {given!r}: it is a list of {', '.join(known)}.")
    return tuple(dict.fromkeys(given))


def cloned(request: JobRequest) -> list[str]:
    heard = cloned_voices_in(
        request.text or "", request.voice, model=request.model, options=request.options, cast=request.cast
    )
    return [voice.name for voice, _ in heard]


def run(work: Work) -> dict[str, Any]:
    request = work.request
    form, beside = check_delivery(request)
    lexicon = {"lexicon": tuple(map(str, work.inputs))} if work.inputs else {}
    report = tts.synthesize_file(
        request.text or "",
        beside.path(work.folder, form),
        request.voice,
        model=request.model,
        options={**request.options, **lexicon},
        cast=request.cast,
        delivery=form,
        loader=work.loader,
        progress=work.progress,
    )
    return beside.write(report)


def in_words(report: Mapping[str, Any]) -> list[str]:
    files = report["files"]
    seconds, n_words = sum(file["duration_seconds"] for file in files), sum(len(file["words"]) for file in files)
    return [f"{n_words} words in {seconds:.1f} s, spoken by {report['voice']}."]
