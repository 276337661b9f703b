"""Lends a cloned voice of the server's library to a recording."""

from __future__ import annotations

from typing import Any

from audio_ml.errors import InvalidInput
from audio_ml.options import parse
from audio_ml.voice_library import find_voice
from ui.server.request import JobRequest
from ui.server.tasks import Work
from ui.server.tasks.clone import ViewOptions
from ui.voice_view import write_view
from voiceclone.engines.kokoro_convert import CONVERT
from voiceclone.options import CloneOptions, ConversionFileOptions

TAKES = frozenset({"voice"})
N_INPUTS = (1, 1)
READS_SOUND = True


class ConversionDelivery(ConversionFileOptions, ViewOptions):
    """The form of the file, and what is drawn of it."""


def check(request: JobRequest) -> None:
    if not request.voice:
        raise InvalidInput('Say which cloned voice is lent: "voice": "anna".')
    if request.model not in (None, CONVERT.name):
        raise InvalidInput(f"Only {CONVERT.name} converts recordings: leave out 'model'.")
    find_voice(request.voice)
    parse(ConversionDelivery, request.delivery)
    shared = {name: value for name, value in request.options.items() if name in CloneOptions.model_fields}
    parse(CloneOptions, shared)
    parse(CONVERT.options, {name: value for name, value in request.options.items() if name not in shared})


def cloned(request: JobRequest) -> list[str]:
    return [find_voice(request.voice or "").name]


def run(work: Work) -> dict[str, Any]:
    import tts
    from voiceclone.conversion_file import convert_file

    request, (source,) = work.request, work.inputs
    voice, form = find_voice(request.voice or ""), parse(ConversionDelivery, request.delivery)
    target = work.folder / f"{source.stem}-{voice.name}.{form.format}"
    report = convert_file(
        source,
        target,
        voice,
        speller=tts.spell,
        options=request.options,
        loader=work.loader,
        progress=work.progress,
    )
    told = report.as_dict()
    if form.view:
        told["likenesses"] = write_view(work.folder, voice, target, work.loader)
    return told
