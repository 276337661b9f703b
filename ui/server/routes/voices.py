"""`/v1/voices`: the cloned voices of this machine, with what their people agreed to."""

from __future__ import annotations

import logging
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from sqlalchemy.exc import SQLAlchemyError

from audio_ml.cloned_voice import ClonedVoice
from audio_ml.errors import UnknownVoice
from audio_ml.voice_file import SUFFIX, encode
from audio_ml.voice_library import VoiceLibrary
from ui.server.forgetting import forget_deleted_voices
from ui.server.refusals import NotAllowed, NotFound
from ui.server.services import Known, Served
from ui.server.tokens import Caller
from ui.voice_view import view_of
from ui.voices_kept import described

log = logging.getLogger(__name__)
router = APIRouter(prefix="/v1/voices", tags=["voices"])

MEDIA_TYPE = "application/octet-stream"
Name = Annotated[str, Path(max_length=300, description="The name of a cloned voice.")]


@router.get("")
def list_voices(caller: Known) -> dict[str, Any]:
    """Lists the cloned voices, and the files in their folder that cannot be used, each with the reason."""
    voices, broken = VoiceLibrary.default().voices()
    return {
        "voices": [_told(voice) for _, voice in sorted(voices.items(), key=lambda each: each[0].casefold())],
        "unavailable": [{"name": path.name.removesuffix(SUFFIX), "reason": why} for path, why in broken.items()],
        "may_keep": caller.keeps_voices,
    }


@router.get("/{name}")
def show_voice(name: Name) -> dict[str, Any]:
    """Tells what is known of a voice: whose it is, what they agreed to, and what it was made of."""
    return _told(_load(name))


@router.get("/{name}/view")
def view_voice(name: Name) -> dict[str, Any]:
    """Returns what a learner sees of a voice: its reference as mel spectrogram and heat map, and a map of voices."""
    return view_of(_load(name)).as_dict()


@router.get("/{name}/file", response_class=Response, responses={200: {"content": {MEDIA_TYPE: {}}}})
def export_voice(name: Name, services: Served, caller: Known) -> Response:
    """Returns a voice as a file, which `audio-ml voices import` takes in on another machine."""
    _check_keeps(caller)
    voice = _load(name)
    services.audit.note(caller, "export", voice=voice.name, sha256=voice.sha256)
    headers = {"Content-Disposition": _attachment(f"{voice.name}{SUFFIX}"), "Cache-Control": "no-store"}
    return Response(encode(voice), media_type=MEDIA_TYPE, headers=headers)


@router.delete("/{name}", status_code=204)
def delete_voice(name: Name, services: Served, caller: Known) -> Response:
    """Deletes a voice and all that was derived from it; what was exported or spoken with it stays."""
    _check_keeps(caller)
    library = VoiceLibrary.default()
    known = next((each for each in library.names() if each.casefold() == name.casefold()), None)
    if known is None:
        _load(name)  # says why there is none
    services.audit.note(caller, "delete", voice=known)
    library.delete(known or name)
    try:
        forget_deleted_voices(services.store, services.scheduler)
    except (OSError, SQLAlchemyError):  # the voice is gone; the housekeeper looks again within a minute
        log.exception("What shows a deleted voice could not be removed.")
    return Response(status_code=204)


def _load(name: str) -> ClonedVoice:
    try:
        return VoiceLibrary.default().load(name)
    except UnknownVoice as error:
        raise NotFound(str(error)) from error


def _check_keeps(caller: Caller) -> None:
    if not caller.keeps_voices:
        raise NotAllowed("This token may not export or delete voices: `keeps_voices: true` in the file of tokens does.")


def _told(voice: ClonedVoice) -> dict[str, Any]:
    """Returns what is told of a voice, without where its file lies."""
    told = described(voice, VoiceLibrary.default().folder)
    return {key: value for key, value in told.items() if key != "file"} | {"name": voice.name}


def _attachment(file_name: str) -> str:
    """Returns the header that has a browser keep a file, whatever script its name is in.

    >>> _attachment("anna.wav")
    'attachment; filename="anna.wav"; filename*=UTF-8\\'\\'anna.wav'
    """
    from urllib.parse import quote

    plain = file_name.encode("ascii", "replace").decode().replace("?", "_").replace('"', "_")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(file_name)}"
