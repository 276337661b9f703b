"""`audio-ml speak`: a text into speech, with the times of its words."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from audio_ml.device import DeviceOptions
from audio_ml.errors import InvalidInput, InvalidOption, OutputError, OutputUnwritable
from audio_ml.options import Options, describe
from audio_ml.speech import SpeechChunk, SpeechWarning
from audio_ml.streams import show
from audio_ml.weights import FetchOptions
from audio_ml.writer import check_target
from tts.delivery import SpeechReport
from tts.options import SpeechFileOptions
from tts.voices import Speaker, find_speaker, option_models
from ui.commands import new_app
from ui.console import print_line, shown_progress
from ui.flags import takes
from ui.models import store_for

if TYPE_CHECKING:
    from ui.player import Player

SPEECH_OPTIONS: list[type[Options]] = [*option_models()]
CAPTIONS = ("srt", "vtt", "json", "txt")
MOST_WARNINGS = 20  # that are printed; all are in the report
LARGEST_FILE = 64 << 20  # bytes: more than the longest text in any encoding

Text = Annotated[str | None, typer.Argument(metavar="[TEXT]", show_default=False, help="What to say.")]
Source = Annotated[
    str | None, typer.Option("-f", "--file", metavar="FILE", help="Read the text from a file, - for standard input.")
]
Output = Annotated[
    str | None,
    typer.Option(
        "-o",
        "--output",
        metavar="OUT",
        help="speech.wav by default; - writes raw 16-bit samples to "
        "standard output. The ending says the format: wav, flac, mp3, ogg and others.",
    ),
]
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
Captions = Annotated[
    str | None,
    typer.Option(
        "--captions",
        metavar="KIND,...",
        help="Write the words' times beside the sound: srt, vtt, json, txt (labels for Audacity).",
    ),
]
Play = Annotated[bool, typer.Option("--play", help="Play it while it is made; without -o no file is written.")]
Phonemes = Annotated[bool, typer.Option("--phonemes", help="Print the phonemes as well.")]
Json = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but warnings and errors.")]

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
    import tts
    from audio_ml.loader import ModelLoader

    kinds = _kinds(captions)
    _check_output(output)
    writes_file = output != "-" and not (play and output is None)
    if not writes_file:
        _check_no_file_options(output, delivery, kinds, as_json)
    script = _script(text, file)
    speaker = find_speaker(voice, model)
    loader = ModelLoader(device.get("device", "auto"), store_for(fetch))
    asked: dict[str, Any] = {"voice": voice, "model": model, "options": options, "cast": _cast(cast), "loader": loader}
    target = Path(output or "speech.wav")
    if writes_file:
        _check_targets(target, [*options.get("lexicon", ()), *_sources(text, file)], kinds, delivery)
    page = sys.stderr if output == "-" or as_json else None
    with _player(speaker, play) as player:  # one that failed is told when all the rest is done
        tell = _listener(player, phonemes, page)
        with shown_progress("speech", quiet or as_json or output == "-") as progress:
            if not writes_file:
                chunks = tts.stream(script, **asked, progress=progress)
                _stream(chunks, tell, script, to_stdout=output == "-", player=player)
                return
            began = time.perf_counter()
            report = tts.synthesize_file(script, target, **asked, delivery=delivery, on_chunk=tell, progress=progress)
            seconds = time.perf_counter() - began
            written = _write_captions(report, kinds, bool(delivery.get("overwrite")))
        _tell_warnings(report.warnings, script)
        _tell_unused(report, delivery)
        if as_json:
            print(json.dumps(report.as_dict() | {"captions": written}, indent=2, ensure_ascii=False))
        elif not quiet:
            _print_summary(report, written, seconds)


def _sources(text: str | None, file: str | None) -> list[str]:
    """Returns the file that the text is read from, if it is."""
    if text is not None:
        return []
    return ["/dev/stdin" if file in (None, "-") else file]


def _check_output(output: str | None) -> None:
    """Finds out before any work whether there is something that can be written to.

    Raises:
        InvalidOption: for a name of nothing, or of a folder.
        OutputUnwritable: when standard output is closed.
    """
    if output == "":
        raise InvalidOption("-o names no file: write -o speech.wav, say.")
    if output == "-" and sys.stdout is None:
        raise OutputUnwritable("Standard output is closed: leave it open for -o -, or name a file with -o.")
    if output is not None and Path(output).is_dir():
        inside = show(Path(output) / "speech.wav")
        raise InvalidOption(f"{show(output)} is a folder: name a file in it, such as -o {inside}.")


def _player(speaker: Speaker, play: bool) -> AbstractContextManager[Player | None]:
    if not play:
        return nullcontext()
    from ui.player import Player

    return Player(speaker.spec.sample_rate)


def _listener(player: Player | None, phonemes: bool, page: TextIO | None) -> Callable[[SpeechChunk], None]:
    """Returns what is done with each chunk as it comes: it is played, and its phonemes are printed on a page."""

    def tell(chunk: SpeechChunk) -> None:
        if player is not None:
            player.play(chunk.audio.samples)
        if phonemes and chunk.phonemes:
            print(chunk.phonemes, file=page)

    return tell


def _print_summary(report: SpeechReport, written: Iterable[str], seconds: float) -> None:
    pace = f"{report.duration_seconds / seconds:.0f} times real time"
    print(f"{report.duration_seconds:.1f} s in the voice {report.voice}, made at {pace}")
    for path in [*(made.path for made in report.files), *written]:
        print(f"  {path}")


def _script(text: str | None, file: str | None) -> str:
    """Returns the text from the argument, a file, or standard input."""
    if (text is None) == (file is None):
        if text is None and sys.stdin is not None and not sys.stdin.isatty():
            return _standard_input()
        raise InvalidInput(
            "Give a text, or --file FILE (- for standard input)."
            if text is None
            else "Give a text or --file, not both."
        )
    if text is not None:
        return text
    assert file is not None
    if file == "-":
        return _standard_input()
    try:
        with Path(file).open("rb") as source:
            return _decoded(source.read(LARGEST_FILE + 1), file)
    except OSError as error:
        raise InvalidInput(f"{show(file)} cannot be read: {error.strerror}.") from error


def _standard_input() -> str:
    if sys.stdin is None:  # closed by whoever called
        raise InvalidInput("Standard input is closed. Give a text, or --file FILE.")
    return _decoded(sys.stdin.buffer.read(LARGEST_FILE + 1), "standard input")


def _decoded(content: bytes, name: str) -> str:
    if len(content) > LARGEST_FILE:
        raise InvalidInput(f"{show(name)} is larger than {LARGEST_FILE >> 20} MB: too much to be a text.")
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"{show(name)} is no text in {encoding.removesuffix('-sig').upper()}: byte {error.start} cannot be read. "
            "Save it as UTF-8."
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
    return list(dict.fromkeys(kinds))


def _check_no_file_options(
    output: str | None, delivery: Mapping[str, Any], kinds: Sequence[str], as_json: bool
) -> None:
    """Raises `InvalidOption` that names every option which only means something for a file."""
    given = [field.flag for field in describe(SpeechFileOptions) if delivery.get(field.name) not in (None, False)]
    given += [flag for flag, is_given in (("--captions", kinds), ("--json", as_json)) if is_given]
    if given:
        door = (
            "-o - gives raw 16-bit samples at the model's rate"
            if output == "-"
            else "--play without -o OUT writes no file"
        )
        raise InvalidOption(f"{door}: leave out {', '.join(given)}, or name a file with -o.")


def _check_targets(target: Path, inputs: Iterable[str], kinds: Iterable[str], delivery: Mapping[str, Any]) -> None:
    """Finds out before any work whether sound and captions would replace what they are made of, or each other.

    Raises:
        InvalidOption: when they would.
        OutputError: when a caption file exists and is to be kept, or cannot be written.
    """
    is_split, overwrite = bool(delivery.get("split")), bool(delivery.get("overwrite"))
    captions = [path for kind in kinds for path in _caption_paths(target, kind, is_split)]
    for path in captions:
        if os.path.realpath(path) == os.path.realpath(path.with_suffix(target.suffix)):
            raise InvalidOption(f"The captions would replace the sound, {show(path)}: choose another name or kind.")
    for path in [target, *captions]:
        for source in inputs:
            if _is_same(path, Path(source).expanduser()):
                raise InvalidOption(f"{show(path)} is read for this speech and would be replaced: choose another -o.")
    for path in captions:
        check_target(path, overwrite)


def _caption_paths(target: Path, kind: str, is_split: bool) -> list[Path]:
    """Returns the captions' file; of split ones the first, and those of any number that are there already."""
    if not is_split:
        return [target.with_suffix(f".{kind}")]
    name = re.compile(rf"{re.escape(target.stem)}_\d{{3,}}\.{kind}")
    there = target.parent.iterdir() if target.parent.is_dir() else ()
    first = target.with_name(f"{target.stem}_001.{kind}")
    return [first, *sorted(path for path in there if name.fullmatch(path.name))]


def _is_same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:  # one of them is not there
        return False


def _write_captions(report: SpeechReport, kinds: Iterable[str], overwrite: bool) -> list[str]:
    from tts.captions import write_captions

    paths = [(made, Path(made.path).with_suffix(f".{kind}")) for made in report.files for kind in kinds]
    for _, path in paths:
        check_target(path, overwrite)  # again: what came meanwhile is kept as well
    for made, path in paths:
        write_captions(made.words, path, report.warnings)
    return [os.fspath(path) for _, path in paths]


def _stream(
    chunks: Iterable[SpeechChunk],
    tell: Callable[[SpeechChunk], None],
    script: str,
    *,
    to_stdout: bool,
    player: Player | None,
) -> None:
    """Hands chunks on as they come, until there are no more or nobody takes them."""
    from audio_ml.wav import encode

    warnings: list[SpeechWarning] = []
    is_first = True
    for chunk in chunks:
        if to_stdout:
            if is_first:
                print_line(f"raw samples: signed 16 bit, little-endian, mono, {chunk.audio.sample_rate} Hz")
            _write_samples(encode(chunk.audio.samples, "16"))
        tell(chunk)
        warnings += chunk.warnings
        is_first = False
        if player is not None and player.has_ended and not to_stdout:
            break
    _tell_warnings(warnings, script)


def _write_samples(content: bytes) -> None:
    """Writes to standard output; ends the command quietly when its reader has had enough.

    Raises:
        OutputError: when it cannot be written for another reason.
    """
    try:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    except OSError as error:
        # What is left in the buffer would fail once more when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise typer.Exit from None
        raise OutputError(f"Standard output cannot be written: {error.strerror}.") from error


def _tell_unused(report: SpeechReport, delivery: Mapping[str, Any]) -> None:
    is_lossy = report.bit_depth is None
    name, flag = ("bit_depth", "--bit-depth") if is_lossy else ("bitrate_kbps", "--bitrate")
    if name in delivery:
        print_line(f"audio-ml: {flag} has no effect: the file's format is {'lossy' if is_lossy else 'lossless'}.")


def _tell_warnings(warnings: Iterable[SpeechWarning], script: str) -> None:
    told = list(warnings)
    for warning in told[:MOST_WARNINGS]:
        line = "" if warning.span is None else f"line {script.count(chr(10), 0, warning.span[0]) + 1}: "
        print_line(f"audio-ml: {line}{warning.message}")
    if len(told) > MOST_WARNINGS:
        print_line(f"audio-ml: {len(told) - MOST_WARNINGS} more like these; --json has them all.")
