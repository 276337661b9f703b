"""`audio-ml clone`: a text in a cloned voice, by whichever model the voice was enrolled for."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from audio_ml.device import DeviceOptions
from audio_ml.errors import InvalidOption
from audio_ml.options import Options
from audio_ml.voice_library import find_voice
from audio_ml.weights import FetchOptions
from tts.options import SpeechFileOptions
from tts.voices import clone_option_models
from ui import remote
from ui.commands import new_app
from ui.flags import takes
from ui.models import store_for
from ui.script_source import Source, Text, read_script, script_files
from ui.speech_output import Captions, Json, Output, Phonemes, Play, Quiet, SpeechOutput
from voiceclone import zero_shot
from voiceclone.options import CloneOptions

CLONE_OPTIONS: list[type[Options]] = [
    CloneOptions,
    *clone_option_models(),
    *(spec.options for spec in zero_shot.models().values()),
]

app = new_app()


@app.command()
@takes(options=CLONE_OPTIONS, delivery=[SpeechFileOptions], device=[DeviceOptions], fetch=[FetchOptions])
def clone(
    text: Text = None,
    *,
    voice: Annotated[
        str, typer.Option("-v", "--voice", help="A voice that was enrolled with `audio-ml voices enroll`, or its file.")
    ],
    file: Source = None,
    output: Output = None,
    model: Annotated[
        str | None,
        typer.Option(
            "-m", "--model", help="Who speaks: a row of Kokoro, or a model that the voice was enrolled for (--also)."
        ),
    ] = None,
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
    """Speak a text with a cloned voice; the sound is marked as made by a machine, which cannot be heard.

    `audio-ml speak --voice` and cue sheets speak with cloned voices as well.
    """
    out = SpeechOutput(output, captions, play, phonemes, as_json, quiet, delivery)
    script = read_script(text, file)
    server = remote.chosen()
    if server is not None:
        from ui.remote_speech import SpeechRequest, speak_remotely

        remote.refuse_flags((device, DeviceOptions), (fetch, FetchOptions))
        speak_remotely(server, out, SpeechRequest("clone", script, voice, model, options), script_files(text, file))
        return
    import voiceclone
    from audio_ml.loader import ModelLoader
    from ui.clone_file import clone_file, speaker_of

    known = find_voice(voice)
    loader = ModelLoader(device.get("device", "auto"), store_for(fetch))
    speaker = speaker_of(model, loader)
    if isinstance(speaker, zero_shot.ZeroShotSpeaker) and (captions or phonemes):
        flags = " and ".join(flag for flag, given in (("--captions", captions), ("--phonemes", phonemes)) if given)
        raise InvalidOption(f"{speaker.spec.name} tells neither times of words nor phonemes: leave out {flags}.")
    out.check_targets([*options.get("lexicon", ()), *script_files(text, file), voice])
    asked: dict[str, Any] = {"speaker": speaker, "options": options, "loader": loader}

    out.take(
        script,
        speaker.spec.sample_rate,
        lambda progress: voiceclone.clone_stream(script, known, **asked, progress=progress),
        lambda path, tell, progress: clone_file(
            script, path, known, **asked, delivery=delivery, on_chunk=tell, progress=progress
        ),
    )
