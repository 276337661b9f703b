"""Makes a voice of recordings; it comes into the server's library when the job is published, and is nowhere else.

With a text it says that at once, so that it can be heard and compared with its reference.
"""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import tts
import voiceclone
from audio_ml.cloned_voice import ClonedVoice, checked_name
from audio_ml.errors import AudioMLError, Cancelled, ConsentMissing, InvalidInput, OutputExists, blaming
from audio_ml.loader import ModelLoader
from audio_ml.options import parse
from audio_ml.voice_file import SUFFIX, read_voice_file
from audio_ml.voice_library import VoiceLibrary
from ui.clone_file import clone_file, speaker_of
from ui.server.request import JobRequest
from ui.server.tasks import Work
from ui.voice_view import write_view
from voiceclone import zero_shot
from voiceclone.options import EnrolOptions

TAKES = frozenset({"name", "consent", "consent_recording", "text"})
N_INPUTS = (1, 50)
READS_SOUND = True
SAMPLE = "sample.wav"  # what a new voice says
MADE = "voice"  # the folder of the new voice until it is in the library, beside the results: nobody can fetch it there


def check(request: JobRequest) -> None:
    from voiceclone.consent import EXAMPLE, parse_consent

    with blaming("name"):
        _check_name(request.name or "")
    if not (request.consent or "").strip():
        raise ConsentMissing(f"No voice is made without consent: say who agreed, when and to what, as in '{EXAMPLE}'.")
    parse_consent(request.consent or "")
    if request.model is not None or request.delivery:
        raise InvalidInput("Enrolling takes no 'model' and no 'delivery': option 'also' names further models.")
    if request.text is not None:
        with blaming("text"):
            _check_text(request.text)
    for model in parse(EnrolOptions, request.options).also:
        zero_shot.find(model)


def _check_text(given: str) -> None:
    if not given.strip():
        raise InvalidInput(
            "There is nothing to say in 'text': leave it out, or say what the voice is to be heard with."
        )
    tts.stream(given, loader=ModelLoader("cpu"))  # raises what is wrong; nothing is spoken before a chunk is asked for


def _check_name(given: str) -> None:
    name = checked_name(given)
    if any(known.casefold() == name.casefold() for known in VoiceLibrary.default().names()):
        raise OutputExists(f"There is a voice '{name}' already and it is kept: choose another name.")


def cloned(request: JobRequest) -> list[str]:
    return [request.name or ""]


def run(work: Work) -> dict[str, Any]:
    request = work.request
    spoken = work.inputs[-1] if request.consent_recording is not None else None
    voice = voiceclone.enroll(
        list(work.inputs[: len(request.inputs)]),
        request.name or "",
        request.consent,
        consent_recording=spoken,
        options=request.options,
        loader=work.loader,
        progress=work.progress,
    )
    VoiceLibrary(work.folder.with_name(MADE)).save(voice)
    return {
        "voice": voice.name,
        "speech_seconds": voice.speech_seconds,
        "sha256": voice.sha256,
        "consent": asdict(voice.consent),
        "findings": list(voice.provenance.get("findings", ())),
        **_heard(work, voice),
    }


def _heard(work: Work, voice: ClonedVoice) -> dict[str, Any]:
    """Has a new voice say the text of its request, and returns how alike it is; one that cannot speak is kept."""
    if work.request.text is None:
        return {}
    path, speaker = work.folder / SAMPLE, speaker_of(None, work.loader)
    shared: dict[str, Any] = {"loader": work.loader, "progress": work.progress}
    doing = "heard"
    try:
        clone_file(work.request.text, path, voice, speaker=speaker, options={}, delivery={}, **shared)
        doing = "compared with its reference"
        return {"likenesses": write_view(work.folder, voice, path, work.loader)}
    except Cancelled:
        raise
    except AudioMLError as error:
        return {"warnings": [f"The voice is made, but could not be {doing}: {error}"]}


def reveal(folder: Path) -> None:
    """Moves the voice of a job into the library; doing it again changes nothing.

    Raises:
        OutputExists: when another voice has its name by now.
    """
    library, made = VoiceLibrary.default(), folder.with_name(MADE)
    for path in made.glob(f"*{SUFFIX}"):
        voice = read_voice_file(path)
        known = next((name for name in library.names() if name.casefold() == voice.name.casefold()), None)
        if known is None or library.load(known).sha256 != voice.sha256:
            library.save(voice)
    shutil.rmtree(made, ignore_errors=True)
