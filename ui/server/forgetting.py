"""A voice that was deleted leaves nothing in the results of jobs, by whichever door it was deleted."""

from __future__ import annotations

import unicodedata

from audio_ml.voice_library import ID_PREFIX, VoiceLibrary
from ui.server.request import JobRequest
from ui.server.scheduler import Scheduler
from ui.server.store import JobStore
from ui.voice_view import VIEW


def forget_deleted_voices(store: JobStore, scheduler: Scheduler) -> None:
    """Removes what shows voices that are no longer in the library; what they said in their own right stays.

    Jobs that made or explained such a voice go whole, and of those that it spoke in, the view of its reference goes.
    """
    jobs = store.find(states=("done",))  # first: the voice of a job that is done then is in the library by now
    kept = {name.casefold() for name in VoiceLibrary.default().names()}
    for job in jobs:
        name = _shown_in(job.request)
        if name is None or unicodedata.normalize("NFC", name).casefold() in kept:
            continue
        if job.request.task in ("enroll", "explain_voices"):
            scheduler.remove(job.id)
        elif any(file.name == VIEW for file in job.outcome.files) and store.leave_out(job.id, VIEW):
            (scheduler.folder_of(job.id) / VIEW).unlink(missing_ok=True)


def _shown_in(request: JobRequest) -> str | None:
    """Returns the cloned voice whose reference the results of a job may show; None where there is none."""
    if request.task == "enroll":
        return request.name
    voice = request.voice or ""
    if request.task in ("clone", "convert") or (request.task == "explain_voices" and voice.startswith(ID_PREFIX)):
        return voice.removeprefix(ID_PREFIX)
    return None
