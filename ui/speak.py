"""`audio-ml speak`: a text into speech, with the times of its words."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from audio_ml.device import DeviceOptions
from audio_ml.errors import InvalidInput, InvalidOption
from audio_ml.options import Options
from audio_ml.speech import SpeechChunk, SpeechWarning
from audio_ml.streams import show
from audio_ml.weights import FetchOptions
from audio_ml.writer import check_target
from tts.delivery import SpeechReport
from tts.options import SpeechFileOptions, SpeechOptions
from tts.voices import find_speaker, speech_models
from ui.commands import new_app
from ui.console import print_line, shown_progress
from ui.flags import takes
from ui.models import store_for

SPEECH_OPTIONS: list[type[Options]] = list(dict.fromkeys([SpeechOptions, *(spec.options for spec in speech_models())]))
CAPTIONS = ("srt", "vtt", "json", "txt")
MOST_WARNINGS = 20  # that are printed; all are in the report
LARGEST_FILE = 64 << 20  # bytes: more than the longest text in any encoding

app = new_app()


@app.command()
@takes(options=SPEECH_OPTIONS, delivery=[SpeechFileOptions], device=[DeviceOptions], fetch=[FetchOptions])
def speak(
    text: Annotated[str | None, typer.Argument(metavar="[TEXT]", show_default=False, help="What to say.")] = None,
    *,
    file: Annotated[
        str | None,
        typer.Option("-f", "--file", metavar="FILE", help="Read the text from a file, - for standard input."),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="OUT",
            help="speech.wav by default; - writes raw 16-bit samples to "
            "standard output. The ending says the format: wav, flac, mp3, ogg and others.",
        ),
    ] = None,
    voice: Annotated[
        str | None,
        typer.Option(
            "-v",
            "--voice",
            help="As `audio-ml voices list` names them, a blend such as heart*0.6+bella*0.4, or a Piper voice file.",
        ),
    ] = None,
    model: Annotated[str | None, typer.Option("-m", "--model", help="See `audio-ml models list`.")] = None,
    cast: Annotated[
        str | None,
        typer.Option(metavar="NAME=VOICE,...", help="The voices of NAME: lines and [voice: NAME] in the text."),
    ] = None,
    captions: Annotated[
        str | None,
        typer.Option(
            metavar="KIND,...",
            help="Write the words' times beside the sound: srt, vtt, json, txt (labels for Audacity).",
        ),
    ] = None,
    play: Annotated[
        bool, typer.Option("--play", help="Play it while it is made; without -o no file is written.")
    ] = False,
    phonemes: Annotated[bool, typer.Option("--phonemes", help="Print the phonemes as well.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but warnings and errors.")] = False,
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
    import tts
    from audio_ml.loader import ModelLoader

    script = _script(text, file)
    speaker = find_speaker(voice, model)
    loader = ModelLoader(device.get("device", "auto"), store_for(fetch))
    arguments: dict[str, Any] = {
        "voice": voice,
        "model": model,
        "options": options,
        "cast": _cast(cast),
        "loader": loader,
    }
    kinds = _kinds(captions)
    silent = quiet or as_json or output == "-"
    with ExitStack() as stack:
        progress = stack.enter_context(shown_progress("speech", silent))
        listeners: list[Callable[[SpeechChunk], None]] = []
        if play:
            from ui.player import Player

            player = stack.enter_context(Player(speaker.spec.sample_rate))
            listeners.append(lambda chunk: player.play(chunk.audio.samples))
        if phonemes:
            listeners.append(lambda chunk: print(chunk.phonemes) if chunk.phonemes else None)

        def tell(chunk: SpeechChunk) -> None:
            for listener in listeners:
                listener(chunk)

        if output == "-" or (play and output is None):
            _stream(tts.stream(script, **arguments, progress=progress), tell, script, to_stdout=output == "-")
            return
        target = Path(output or "speech.wav")
        _check_captions(target, kinds, delivery)
        began = time.perf_counter()
        report = tts.synthesize_file(
            script,
            target,
            **arguments,
            delivery=delivery,
            on_chunk=tell,
            progress=progress,
        )
        seconds = time.perf_counter() - began
    written = _write_captions(report, kinds)
    _tell_warnings(report.warnings, script)
    if as_json:
        print(json.dumps(report.as_dict() | {"captions": written}, indent=2, ensure_ascii=False))
    elif not quiet:
        pace = f"{report.duration_seconds / seconds:.0f} times real time"
        print(f"{report.duration_seconds:.1f} s in the voice {report.voice}, made at {pace}")
        for path in [*(made.path for made in report.files), *written]:
            print(f"  {path}")


def _script(text: str | None, file: str | None) -> str:
    """Returns the text from the argument, a file, or standard input."""
    if (text is None) == (file is None):
        if text is None and not sys.stdin.isatty():
            return _decoded(sys.stdin.buffer.read(LARGEST_FILE + 1), "standard input")
        raise InvalidInput(
            "Give a text, or --file FILE (- for standard input)."
            if text is None
            else "Give a text or --file, not both."
        )
    if text is not None:
        return text
    assert file is not None
    if file == "-":
        return _decoded(sys.stdin.buffer.read(LARGEST_FILE + 1), "standard input")
    try:
        with Path(file).open("rb") as source:
            return _decoded(source.read(LARGEST_FILE + 1), file)
    except OSError as error:
        raise InvalidInput(f"{show(file)} cannot be read: {error.strerror}.") from error


def _decoded(content: bytes, name: str) -> str:
    if len(content) > LARGEST_FILE:
        raise InvalidInput(f"{show(name)} is larger than {LARGEST_FILE >> 20} MB: too much to be a text.")
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"{show(name)} is no text in {encoding.removesuffix('-sig').upper()}: byte {error.start} cannot be read."
        ) from error


def _cast(written: str | None) -> Mapping[str, str]:
    cast = {}
    for part in (written or "").split(","):
        name, equals, voice = part.partition("=")
        if part.strip() and not (name.strip() and equals and voice.strip()):
            raise InvalidOption(f"'{part}' names no voice: write --cast HERO=heart,WITCH=emma.")
        if part.strip():
            cast[name.strip()] = voice.strip()
    return cast


def _kinds(written: str | None) -> list[str]:
    kinds = [kind.strip().lstrip(".") for kind in (written or "").split(",") if kind.strip()]
    for kind in kinds:
        if kind not in CAPTIONS:
            raise InvalidOption(f"Unknown captions '{kind}'; choose from {', '.join(CAPTIONS)}.")
    return kinds


def _check_captions(target: Path, kinds: Iterable[str], delivery: Mapping[str, Any]) -> None:
    for kind in kinds:
        check_target(target.with_suffix(f".{kind}"), bool(delivery.get("overwrite")) or bool(delivery.get("split")))


def _write_captions(report: SpeechReport, kinds: Iterable[str]) -> list[str]:
    from tts.captions import write_captions

    written = []
    for made in report.files:
        for kind in kinds:
            path = Path(made.path).with_suffix(f".{kind}")
            write_captions(made.words, path, report.warnings)
            written.append(os.fspath(path))
    return written


def _stream(
    chunks: Iterable[SpeechChunk],
    tell: Callable[[SpeechChunk], None],
    script: str,
    to_stdout: bool,
) -> None:
    from audio_ml.wav import encode

    warnings: list[SpeechWarning] = []
    is_first = True
    for chunk in chunks:
        if to_stdout:
            if is_first:
                print_line(f"raw samples: signed 16 bit, little-endian, mono, {chunk.audio.sample_rate} Hz")
            sys.stdout.buffer.write(encode(chunk.audio.samples, "16"))
            sys.stdout.buffer.flush()
        tell(chunk)
        warnings += chunk.warnings
        is_first = False
    _tell_warnings(warnings, script)


def _tell_warnings(warnings: Iterable[SpeechWarning], script: str) -> None:
    told = list(warnings)
    for warning in told[:MOST_WARNINGS]:
        line = "" if warning.span is None else f"line {script.count(chr(10), 0, warning.span[0]) + 1}: "
        print_line(f"audio-ml: {line}{warning.message}")
    if len(told) > MOST_WARNINGS:
        print_line(f"audio-ml: {len(told) - MOST_WARNINGS} more like these; --json has them all.")
