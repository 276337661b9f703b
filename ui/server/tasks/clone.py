"""Speaks a text with a cloned voice of the server's library; the inputs are lexicons."""

from __future__ import annotations

from typing import Any

import voiceclone
from audio_ml.errors import InvalidInput, InvalidOption
from audio_ml.loader import ModelLoader
from audio_ml.voice_library import find_voice
from ui.clone_file import clone_file, speaker_of
from ui.server.request import JobRequest
from ui.server.tasks import Work
from ui.server.tasks.speak import check_delivery
from voiceclone.zero_shot import ZeroShotSpeaker

TAKES = frozenset({"text", "voice"})
N_INPUTS = (0, 10)
READS_SOUND = False


def check(request: JobRequest) -> None:
    if not request.voice:
        raise InvalidInput('Say which cloned voice speaks: "voice": "anna".')
    loader = ModelLoader("cpu")
    speaker = speaker_of(request.model, loader)
    _, beside = check_delivery(request)
    if beside.captions and isinstance(speaker, ZeroShotSpeaker):
        raise InvalidOption(f"{speaker.spec.name} tells no times of words: leave out 'captions'.")
    voiceclone.clone_stream(
        request.text or "", find_voice(request.voice), speaker=speaker, options=request.options, loader=loader
    )


def cloned(request: JobRequest) -> list[str]:
    return [find_voice(request.voice or "").name]


def run(work: Work) -> dict[str, Any]:
    request = work.request
    form, beside = check_delivery(request)
    lexicon = {"lexicon": tuple(map(str, work.inputs))} if work.inputs else {}
    report = clone_file(
        request.text or "",
        work.folder / f"speech.{form.format or 'wav'}",
        find_voice(request.voice or ""),
        speaker=speaker_of(request.model, work.loader),
        options={**request.options, **lexicon},
        delivery=form,
        loader=work.loader,
        progress=work.progress,
    )
    return beside.write(report)
