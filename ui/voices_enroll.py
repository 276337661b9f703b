"""`audio-ml voices enroll`: recordings of somebody who agrees become a voice."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from audio_ml.cloned_voice import ClonedVoice, checked_name
from audio_ml.device import DeviceOptions
from audio_ml.errors import ConsentMissing, InvalidInput, OutputExists, UnknownVoice
from audio_ml.streams import show
from audio_ml.voice_library import ID_PREFIX, VoiceLibrary
from audio_ml.weights import FetchOptions
from ui.console import print_line, shown_progress
from ui.flags import takes
from ui.models import store_for
from ui.voices_kept import described
from voiceclone.options import EnrolOptions

LARGEST_TEXT = 100_000  # bytes of a consent in writing


@takes(options=[EnrolOptions], device=[DeviceOptions], fetch=[FetchOptions])
def enroll(
    references: Annotated[
        list[str], typer.Argument(metavar="REF...", help="Recordings of the person, 10 s of speech or more.")
    ],
    *,
    name: Annotated[str, typer.Option("-n", "--name", help="What the voice is called from then on.")],
    consent: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TEXT|FILE",
            help="Who agreed, when and to what: 'Anna Smith, 2026-11-26, temp ADR for reel 3', or a file of text that "
            "says so. Given once more, a recording in which they say it.",
        ),
    ] = None,
    denoise: Annotated[bool, typer.Option("--denoise", help="Clean the speech up first (DeepFilterNet).")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a voice of that name.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what became of it as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but warnings and errors.")] = False,
    options: dict[str, Any],
    device: dict[str, Any],
    fetch: dict[str, Any],
) -> None:
    """Make a voice of recordings of somebody who agrees to it; from then on it speaks wherever voices do.

    Without a record of their consent nobody is enrolled. The voice stays on this machine, in one file that only you
    may read; `audio-ml voices delete` removes it.
    """
    import voiceclone
    from audio_ml.loader import ModelLoader
    from ui.denoise import make_denoiser

    name = checked_name(name)
    written, recording = read_consents(consent or [])
    library = VoiceLibrary.default()
    if not overwrite and any(known.casefold() == name.casefold() for known in library.names()):
        raise OutputExists(f"There is a voice '{show(name)}' already and it is kept (--overwrite replaces it).")
    loader = ModelLoader(device.get("device", "auto"), store_for(fetch))
    began = time.perf_counter()
    with shown_progress(show(name), quiet or as_json) as progress:
        voice = voiceclone.enroll(
            references,
            name,
            written,
            consent_recording=recording,
            denoiser=make_denoiser(loader) if denoise else None,
            options=options,
            loader=loader,
            progress=progress,
        )
        path = library.save(voice, overwrite=overwrite)
    for finding in voice.provenance.get("findings", ()):
        if finding["severity"] == "warning" or not quiet:
            print_line(f"audio-ml: {finding['message']}")
    _tell_other(voice.name)
    if as_json:
        print(json.dumps(described(voice, path), indent=2, ensure_ascii=False))
    elif not quiet:
        _tell_success(voice, path, time.perf_counter() - began)


def _tell_success(voice: ClonedVoice, path: Path, seconds: float) -> None:
    print(f"{voice.name} is enrolled, from {voice.speech_seconds:.1f} s of speech, in {seconds:.0f} s: {show(path)}")
    print(f'Hear it: audio-ml speak "Good morning." --voice {ID_PREFIX}{voice.name} --play')


def read_consents(given: Sequence[str]) -> tuple[str, str | None]:
    """Returns the consent in writing, and the file of its recording if there is one, from what was given.

    Raises:
        ConsentMissing: when nothing in writing is among it.
        InvalidInput: when there are two of a kind, or a file is not there.
    """
    written: list[str] = []
    recordings: list[str] = []
    for each in given:
        text = _text_of(each)
        (recordings if text is None else written).append(each if text is None else text)
    if len(written) > 1 or len(recordings) > 1:
        raise InvalidInput("--consent is given in writing once, and as a recording once at most.")
    if recordings and not written:
        raise ConsentMissing(
            f"{show(recordings[0])} alone does not say who agreed, when and to what: give that in writing as well, "
            "--consent 'Anna Smith, 2026-11-26, temp ADR for reel 3'; the recording is to say 'I, Anna Smith, agree "
            "that my voice is cloned for temp ADR for reel 3.'"
        )
    return (written[0] if written else ""), (recordings[0] if recordings else None)


def _text_of(given: str) -> str | None:
    """Returns a consent in writing, which may be in a file of that name; None for a file that is no text."""
    path = Path(given).expanduser()
    try:
        is_file = path.is_file()
    except (OSError, ValueError):  # too long for a name, say
        is_file = False
    if not is_file:
        if path.suffix and not any(character.isspace() for character in given):
            raise InvalidInput(f"There is no file {show(given)} with a consent.")
        return given
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_TEXT + 1)  # a recording may be as large as it likes
    except OSError as error:
        raise InvalidInput(f"The consent {show(given)} cannot be read: {error.strerror}.") from error
    if len(content) > LARGEST_TEXT or b"\0" in content:
        return None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None


def _tell_other(name: str) -> None:
    """Says so where the bare name means another voice."""
    from tts.voices import find_speaker

    try:
        other = find_speaker(name).id
    except UnknownVoice:
        return
    if other != ID_PREFIX + name:
        print_line(f"audio-ml: '{name}' alone stays the voice {other}: ask for {ID_PREFIX}{name}.")
