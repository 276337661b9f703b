"""`audio-ml voices show, export, import, delete`: the cloned voices of this machine."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from audio_ml.cloned_voice import ClonedVoice
from audio_ml.errors import InvalidOption
from audio_ml.streams import show
from audio_ml.voice_file import SUFFIX, encode, read_voice_file
from audio_ml.voice_library import ID_PREFIX, VoiceLibrary, find_voice, write_privately
from audio_ml.writer import check_target
from ui.voice_view import view_of
from voiceclone import zero_shot

Name = Annotated[str, typer.Argument(metavar="NAME", help="The name of a cloned voice.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def show_voice(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of a cloned voice, or its file.")],
    *,
    as_json: Json = False,
    with_view: Annotated[
        bool, typer.Option("--view", help="With --json: its spectrogram, embedding and place among the voices, too.")
    ] = False,
    picture: Annotated[
        Path | None, typer.Option("--picture", metavar="FILE", help="Draw these into a PNG file.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Show what is known of a cloned voice: whose it is, what they agreed to, and what it was made of."""
    if with_view and not as_json:
        raise InvalidOption("--view is for --json; --picture FILE draws it.")
    if picture is not None:
        check_target(picture, overwrite)
    voice = find_voice(name)
    is_file = name.lower().endswith(SUFFIX)
    path = Path(name) if is_file else VoiceLibrary.default().path(name.removeprefix(ID_PREFIX))
    told = described(voice, path)
    view = view_of(voice) if with_view or picture is not None else None
    if view is not None and with_view:
        told["view"] = view.as_dict()
    if view is not None and picture is not None:
        from ui.clone_picture import draw_voice

        draw_voice(view, picture)
    if as_json:
        print(json.dumps(told, indent=2, ensure_ascii=False))
        return
    consent, reference = told["consent"], told["reference"]
    lines = {
        "voice": told["voice"],
        "file": told["file"],
        "sha256": told["sha256"],
        "language": told["language"],
        "consent of": f"{consent['who']}, {consent['when']}",
        "consent for": consent["purpose"],
        "consent was": consent["checked"] or "not checked",
        "recording": consent["recording_sha256"] or "none",
        "reference": f"{reference['speech_seconds']:.1f} s of speech, {reference['sample_rate']} Hz, "
        f"{reference['loudness_lufs']:.1f} LUFS",
        "pitch": f"{reference['pitch_hz']:.0f} Hz, {reference['pitch_semitones']:.1f} semitones around it",
        "spoken by": ", ".join(told["models"]),
        "kind": told["kind"],
    }
    more = [("holds", f"for {model}: {what}") for model, what in told["holds"].items()]
    more += [("found", finding) for finding in _findings(voice)]
    for key, value in [*lines.items(), *more]:
        print(f"{key:13}{show(str(value))}")


def _findings(voice: ClonedVoice) -> list[str]:
    """Returns what was found in a voice's reference; its provenance may be anybody's, and hold anything."""
    found = voice.provenance.get("findings")
    told = [finding for finding in found if isinstance(finding, dict)] if isinstance(found, list) else []
    return [str(finding["message"]) for finding in told if "message" in finding]


def export(
    name: Name,
    file: Annotated[Path, typer.Argument(metavar="FILE", help=f"A file NAME{SUFFIX}, or a folder.")],
    *,
    overwrite: Overwrite = False,
) -> None:
    """Write a cloned voice to a file, for another machine: `audio-ml voices import` takes it in there."""
    voice = find_voice(name)
    target = file / f"{voice.name}{SUFFIX}" if file.is_dir() else file
    if not target.name.lower().endswith(SUFFIX):
        raise InvalidOption(f"{show(target)} is no name for a voice: it has to end in {SUFFIX}.")
    write_privately(target, encode(voice), overwrite=overwrite)
    print(target)


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A voice that was exported.")],
    *,
    name: Annotated[str | None, typer.Option("-n", "--name", help="Another name than its own.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Take in a cloned voice from a file; it is checked first, and nothing in it is ever run."""
    voice = read_voice_file(file.expanduser())
    if name is not None:
        voice = replace(voice, name=name)
    path = VoiceLibrary.default().save(voice, overwrite=overwrite)
    print(f"{voice.name}, with the consent of {voice.consent.summary}: {show(path)}")


def delete(name: Name) -> None:
    """Delete a cloned voice; what was exported or spoken stays."""
    for path in VoiceLibrary.default().delete(name.removeprefix(ID_PREFIX)):
        print(f"deleted {show(path)}")


def described(voice: ClonedVoice, path: Path) -> dict[str, Any]:
    """Returns what is told of a voice, as JSON has it."""
    is_mix = not voice.delta.any() and voice.layer_offsets is None
    return {
        "voice": ID_PREFIX + voice.name,
        "file": str(path),
        "sha256": voice.sha256,
        "language": voice.language,
        "consent": asdict(voice.consent),
        "reference": {
            "speech_seconds": voice.speech_seconds,
            "sample_rate": voice.sample_rate,
            "loudness_lufs": voice.loudness_lufs,
            "pitch_hz": math.exp(voice.pitch.mean_log_hz),
            "pitch_semitones": voice.pitch.spread_log_hz * 12 / math.log(2),
        },
        "models": ["kokoro", *voice.states],
        "holds": _holds(voice),
        "kind": "a mix of Kokoro's own voices" if is_mix else "a style of its own",
        "provenance": dict(voice.provenance),
    }


def _holds(voice: ClonedVoice) -> dict[str, str]:
    """Tells by model what a voice holds of the recording it was made of: that is passed on with its file."""
    known = zero_shot.models()
    of_models = {name: known[name].keeps if name in known else "what nobody here knows" for name in voice.states}
    return {"all": "a mel spectrogram of the reference, of which a vocoder can make speech again", **of_models}
