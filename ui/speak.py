"""`audio-ml speak`: a text into speech, with the times of its words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from audio_ml.device import DeviceOptions
from audio_ml.errors import InvalidOption
from audio_ml.options import Options
from audio_ml.weights import FetchOptions
from tts.options import SpeechFileOptions
from tts.voices import find_speaker, option_models
from ui import remote
from ui.commands import new_app
from ui.flags import takes
from ui.models import store_for
from ui.script_source import Source, Text, read_script, script_files
from ui.speech_output import Captions, Json, Output, Phonemes, Play, Quiet, SpeechOutput

SPEECH_OPTIONS: list[type[Options]] = [*option_models()]

VoiceName = Annotated[
    str | None,
    typer.Option(
        "-v",
        "--voice",
        help="As `audio-ml voices list` names them, a blend such as heart*0.6+bella*0.4, or a voice file: of Piper, "
        "or a cloned one.",
    ),
]
ModelName = Annotated[str | None, typer.Option("-m", "--model", help="See `audio-ml models list`.")]
Cast = Annotated[
    str | None,
    typer.Option("--cast", metavar="NAME=VOICE,...", help="The voices of NAME: lines and [voice: NAME] in the text."),
]

app = new_app()


@app.command()
@takes(options=SPEECH_OPTIONS, delivery=[SpeechFileOptions], device=[DeviceOptions], fetch=[FetchOptions])
def speak(
    text: Text = None,
    *,
    file: Source = None,
    output: Output = None,
    voice: VoiceName = None,
    model: ModelName = None,
    cast: Cast = None,
    captions: Captions = None,
    play: Play = False,
    phonemes: Phonemes = False,
    as_json: Json = False,
    quiet: Quiet = False,
    options: dict[str, Any],
    delivery: dict[str, Any],
    device: dict[str, Any],
    fetch: dict[str, Any],
) -> None:
    """Speak a text, with the times of its words.

    Nothing of the text is lost: what cannot be spoken as it stands is told. In the text, [pause 1.5s] is
    silence, [voice: NAME] or a line that begins with NAME: changes the voice, and [word](/wɜːd/) gives its
    sounds; a text that begins with <speak> is SSML. See docs/speech.md.
    """
    out = SpeechOutput(output, captions, play, phonemes, as_json, quiet, delivery)
    script = read_script(text, file)
    server = remote.chosen()
    if server is not None:
        from ui.remote_speech import SpeechRequest, speak_remotely

        remote.refuse_flags((device, DeviceOptions), (fetch, FetchOptions))
        asked_there = SpeechRequest("speak", script, voice, model, options, _cast(cast))
        speak_remotely(server, out, asked_there, script_files(text, file))
        return
    import tts
    from audio_ml.loader import ModelLoader

    speaker = find_speaker(voice, model)
    loader = ModelLoader(device.get("device", "auto"), store_for(fetch))
    asked: dict[str, Any] = {"voice": voice, "model": model, "options": options, "cast": _cast(cast), "loader": loader}
    out.check_targets([*options.get("lexicon", ()), *script_files(text, file)])
    out.take(
        script,
        speaker.spec.sample_rate,
        lambda progress: tts.stream(script, **asked, progress=progress),
        lambda path, tell, progress: tts.synthesize_file(
            script, path, **asked, delivery=delivery, on_chunk=tell, progress=progress
        ),
    )


def _cast(written: str | None) -> Mapping[str, str]:
    cast = {}
    for part in (written or "").split(","):
        name, equals, voice = part.partition("=")
        if part.strip() and not (name.strip() and equals and voice.strip()):
            raise InvalidOption(f"'{part}' names no voice: write --cast HERO=heart,WITCH=emma.")
        if part.strip():
            cast[name.strip()] = voice.strip()
    return cast
