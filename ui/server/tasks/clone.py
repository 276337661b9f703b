"""Speaks a text with a cloned voice of the server's library; the inputs are lexicons."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

import voiceclone
from audio_ml.errors import InvalidInput, InvalidOption
from audio_ml.loader import ModelLoader
from audio_ml.options import Options, parse
from audio_ml.voice_library import find_voice
from ui.clone_file import clone_file, speaker_of
from ui.server.request import JobRequest
from ui.server.tasks import Work
from ui.server.tasks.speak import check_delivery
from ui.voice_view import write_view
from voiceclone.zero_shot import ZeroShotSpeaker

TAKES = frozenset({"text", "voice"})
N_INPUTS = (0, 10)
READS_SOUND = False


VIEW_DESCRIPTION = "Draw what was said beside the voice's reference, as view.json."


class ViewOptions(Options):
    """What a learner sees of it."""

    view: bool = Field(False, description=VIEW_DESCRIPTION, json_schema_extra={"advanced": True})


def check(request: JobRequest) -> None:
    if not request.voice:
        raise InvalidInput('Say which cloned voice speaks: "voice": "anna".')
    loader = ModelLoader("cpu")
    speaker = speaker_of(request.model, loader)
    _, beside = check_delivery(_without_view(request)[0])
    if beside.captions and isinstance(speaker, ZeroShotSpeaker):
        raise InvalidOption(f"{speaker.spec.name} tells no times of words: leave out 'captions'.")
    voiceclone.clone_stream(
        request.text or "", find_voice(request.voice), speaker=speaker, options=request.options, loader=loader
    )


def cloned(request: JobRequest) -> list[str]:
    return [find_voice(request.voice or "").name]


def run(work: Work) -> dict[str, Any]:
    request, has_view = _without_view(work.request)
    form, beside = check_delivery(request)
    voice = find_voice(request.voice or "")
    lexicon = {"lexicon": tuple(map(str, work.inputs))} if work.inputs else {}
    report = clone_file(
        request.text or "",
        beside.path(work.folder, form),
        voice,
        speaker=speaker_of(request.model, work.loader),
        options={**request.options, **lexicon},
        delivery=form,
        loader=work.loader,
        progress=work.progress,
    )
    told = beside.write(report)
    if has_view:
        told["likenesses"] = write_view(work.folder, voice, Path(report.files[0].path), work.loader)
    return told


def _without_view(request: JobRequest) -> tuple[JobRequest, bool]:
    """Returns a request as others than this task understand it, and whether pictures are wanted."""
    rest = dict(request.delivery)
    asked = {"view": rest.pop("view")} if "view" in rest else {}
    return request.model_copy(update={"delivery": rest}), parse(ViewOptions, asked).view
