"""Speaks a text; the inputs are lexicons, whose entries count from the first to the last."""

from __future__ import annotations

from typing import Any

import tts
from audio_ml.errors import InvalidOption
from audio_ml.loader import ModelLoader
from audio_ml.options import parse
from tts.api import cloned_voices_in
from tts.captions import write_beside
from tts.options import SpeechFileOptions
from ui.server.request import JobRequest
from ui.server.tasks import Work

TAKES = frozenset({"text", "voice", "cast"})
N_INPUTS = (0, 10)
READS_SOUND = False
CAPTIONS = ("srt", "vtt", "json", "txt")


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


def check_delivery(request: JobRequest) -> tuple[SpeechFileOptions, list[str]]:
    """Returns the form of the files and the kinds of captions that are asked for.

    Raises:
        InvalidOption: for what they cannot be.
    """
    if "lexicon" in request.options:
        raise InvalidOption("Option 'lexicon' names files of the server: send lexicons as inputs.")
    form = dict(request.delivery)
    captions = form.pop("captions", [])
    if not isinstance(captions, list) or any(kind not in CAPTIONS for kind in captions):
        raise InvalidOption(f"Option 'captions' cannot be {captions!r}: it is a list of {', '.join(CAPTIONS)}.")
    return parse(SpeechFileOptions, form), captions


def cloned(request: JobRequest) -> list[str]:
    heard = cloned_voices_in(
        request.text or "", request.voice, model=request.model, options=request.options, cast=request.cast
    )
    return [voice.name for voice, _ in heard]


def run(work: Work) -> dict[str, Any]:
    request = work.request
    form, captions = check_delivery(request)
    lexicon = {"lexicon": tuple(map(str, work.inputs))} if work.inputs else {}
    report = tts.synthesize_file(
        request.text or "",
        work.folder / f"speech.{form.format or 'wav'}",
        request.voice,
        model=request.model,
        options={**request.options, **lexicon},
        cast=request.cast,
        delivery=form,
        loader=work.loader,
        progress=work.progress,
    )
    return report.as_dict() | {"captions": write_beside(report, captions)}
